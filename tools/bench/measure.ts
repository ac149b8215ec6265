/** Timing for the benches: medians, in milliseconds, ratios against a baseline of the same run, and what a process used. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** Median of `runs` runs after one that warms up. */
export async function median(runs: number, work: () => unknown): Promise<number> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) times.push(await timed(work));
  return middle(times);
}

/** What one thing took, and how that compares with the baseline run just before it. */
interface Paired {
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

/** What a process used, as the kernel counted it. */
export interface Used {
  /** CPU, milliseconds */
  readonly time: number;
  /** peak resident memory, MiB */
  readonly peak: number;
  readonly status: number | null;
  readonly output: string;
}

/** A command as it is installed, in a process of its own. */
export function tool(...args: readonly string[]): Used {
  const told =
    "process.on('exit', () => { const used = process.resourceUsage(); require('fs').writeSync(2, '\\n' + (used.userCPUTime + used.systemCPUTime) / 1000 + ' ' + used.maxRSS + '\\n'); })";
  const bin = JSON.stringify(resolve('dist/cli/bin.js'));
  return used(process.execPath, ['-e', `${told}; process.argv.splice(1, 0, ${bin}); require(${bin})`, ...args]);
}

/** A program whose last line on standard error is its CPU time (milliseconds) and its peak (KiB). */
export function used(command: string, args: readonly string[]): Used {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 30 });
  const [time = 0, peak = 0] = stderr.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  return { time, peak: peak / 1024, status, output: stdout };
}
