/** Timing for the benches: medians, in milliseconds, and ratios against a baseline of the same run. */

/** Median of `runs` runs after one that warms up. */
export async function median(runs: number, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) times.push(await timed(work));
  return middle(times);
}

/** What one thing took, and how that compares with the baseline run just before it. */
export interface Paired {
  /** median, in milliseconds */
  readonly time: number;
  /** median of the rounds' ratios */
  readonly ratio: number;
}

/**
 * Runs baseline and works in turn, round by round, so that a machine that slows down slows all of them.
 * @returns the baseline's median in milliseconds, and each work's figures
 */
export async function paired(
  rounds: number,
  baseline: () => unknown,
  works: readonly (() => unknown)[],
): Promise<{ baseline: number; works: readonly Paired[] }> {
  const bases: number[] = [];
  const times = works.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) {
      bases.push(await timed(baseline));
      times[index]?.push(await timed(work));
    }
  }
  const ratios = times.map((own, index) => own.map((time, round) => time / (bases[round * works.length + index] ?? time)));
  return { baseline: middle(bases), works: times.map((own, index) => ({ time: middle(own), ratio: middle(ratios[index] ?? []) })) };
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

export const milliseconds = (time: number): string => `${time.toFixed(1)} ms`;
export const timesThat = (ratio: number): string => `${ratio.toFixed(2)} times that`;
