/**
 * `triage` of a hundred dumps and one that cannot be read, on one core and on all: a process a dump scales with the cores, and costs no more
 * CPU for it. Then a run that was killed in the middle goes on where it ended.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from '../../src/codec/at-end.js';
import { milliseconds } from './measure.js';

const DUMPS = 100;
const FOLDERS = ['samples/handover-7.3', ...readdirSync('samples/failed').map((name) => join('samples/failed', name))];

export async function run(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const samples = FOLDERS.flatMap((from) => readdirSync(from).map((name) => join(from, name))).filter((path) => path.endsWith('.elf.xz'));
  const paths = Array.from({ length: DUMPS }, (_, index) => {
    const path = join(folder, `${index}.elf.xz`);
    copyFileSync(samples[index % samples.length] ?? '', path);
    return path;
  });
  const broken = join(folder, 'broken');
  writeFileSync(broken, 'no dump');
  const list = [broken, ...paths].join('\n');
  const cores = availableParallelism();
  const [one, all] = [triage(list, 1), triage(list, cores)];
  const part = join(folder, 'part.ndjson');
  // Half of the lines, and the one that was being written.
  const half = one.output.slice(0, one.output.indexOf('\n', one.output.length / 2) + 20);
  writeFileSync(part, half);
  const rest = triage(list, cores, '--resume', part);
  return [
    `triage: ${DUMPS} dumps and one that is none: ${one.lines} lines with --jobs 1, ${all.lines} with --jobs ${cores} (${DUMPS + 1}), status ${one.status} and ${all.status} (2)`,
    `triage: wall time ${milliseconds(one.wall)} on one core, ${milliseconds(all.wall)} on ${cores}: ${(one.wall / all.wall / cores).toFixed(2)} of all cores used (at least 0.7)`,
    `triage: CPU ${milliseconds(one.cpu)} and ${milliseconds(all.cpu)}: ${(all.cpu / one.cpu).toFixed(2)} times that (at most 1.3)`,
    `triage: killed half way and resumed: ${rest.lines} lines (${DUMPS + 1}) for ${(rest.cpu / all.cpu).toFixed(2)} of the CPU (at most 0.6)`,
  ];
}

interface Triaged {
  readonly lines: number;
  readonly output: string;
  readonly status: number | null;
  /** milliseconds, those of its children included */
  readonly cpu: number;
  readonly wall: number;
}

function triage(list: string, jobs: number, ...args: readonly string[]): Triaged {
  const start = performance.now();
  // The shell counts what children of its children used.
  const command = '"$@"; status=$?; times >&2; exit $status';
  const given = ['-c', command, 'sh', process.execPath, 'dist/cli/bin.js', 'triage', '-', '--ndjson', '--jobs', `${jobs}`, ...args];
  const { stdout, stderr, status } = spawnSync('sh', given, { input: list, encoding: 'utf8', maxBuffer: 1 << 28 });
  const wall = performance.now() - start;
  const children = stderr.trim().split('\n').at(-1) ?? '';
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0);
  return { lines: stdout.trim().split('\n').length - 1, output: stdout, status, cpu, wall };
}
