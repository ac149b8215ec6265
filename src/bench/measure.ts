/** Timing for the benches: medians, in milliseconds, and ratios against a baseline of the same run. */

/** Median of `runs` runs after one that warms up. */
export async function median(runs: number, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}

export const milliseconds = (time: number): string => `${time.toFixed(1)} ms`;
export const ratio = (time: number, baseline: number): string => `${(time / baseline).toFixed(2)} times that`;
