/**
 * `npm run fuzz -- --minutes N [--runs N] [--seed S] [--kind name,…] [--most N] [--keep folder] [--why]`: damaged inputs of every kind through
 * everything that takes them. Prints a table, with --why what the refusals say, and each failure with what makes it again; status 1 where something failed.
 * Every kind has the same share of the processors' time, up to --most inputs. The work is done by worker.ts, in processes of their own that may
 * die or hang: that is a failure of the input one was at, and another goes on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kindsOf } from './inputs.js';
import { MOST_SECONDS, type Plan, type Row, type Said } from './plan.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    most: { type: 'string', default: '100000' },
    keep: { type: 'string' },
    why: { type: 'boolean', default: false },
  },
});
const number = (text: string | undefined, otherwise: number): number => (text === undefined ? otherwise : Number(text));
const seed = number(values.seed, Date.now() % 2 ** 31);
const runs = values.runs === undefined ? null : Number(values.runs);
const until = Date.now() + 60_000 * number(values.minutes, runs === null ? 1 : 600);
const most = Number(values.most);
if ([seed, runs ?? 0, until, most].some(Number.isNaN)) {
  console.error('fuzz: --minutes, --runs, --seed and --most take numbers');
  process.exit(2);
}
const parent = mkdtempSync(join(tmpdir(), 'luo-inspect-fuzz-'));
/** Seconds of processor time after which an input is given up; of wall time, for one that only waits. */
const HANGS = MOST_SECONDS * 2;
const WAITS = 300;

/** by the folder of the worker */
const rowsOf = new Map<string, readonly Row[]>();
let peak = 0;
let failures = 0;

function tellFailure({ kind, seed: at, args, what }: NonNullable<Said['failed']>): void {
  failures++;
  console.log(`FAILED ${kind}, seed ${at}: ${args.join(' ')}\n  ${what}`);
  console.log(`  again: npm run fuzz -- --kind ${kind} --seed ${at} --runs 1`);
}

/** The input that a worker is at. */
function current(folder: string): { readonly kind: string; readonly seed: number } | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'progress'), 'utf8'));
  } catch {
    return null;
  }
}

/** Seconds of processor time that a process used. Source: proc(5), stat */
function processorTime(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Ends a worker that is at one input for too long. */
function watch(child: ChildProcess, folder: string): () => void {
  let since = { at: '', cpu: 0, wall: 0 };
  const timer = setInterval(() => {
    const at = JSON.stringify(current(folder));
    const now = { at, cpu: processorTime(child.pid), wall: Date.now() };
    if (at !== since.at) since = now;
    else if (now.cpu - since.cpu > HANGS || now.wall - since.wall > WAITS * 1000) child.kill('SIGKILL');
  }, 1000);
  return () => clearInterval(timer);
}

/** One worker, until it ends. @returns whether nothing is left to do */
async function work(plan: Plan): Promise<boolean> {
  const { folder } = plan;
  const child = spawn(process.execPath, ['--max-old-space-size=2048', fileURLToPath(new URL('./worker.js', import.meta.url))], {
    env: { ...process.env, FUZZ_PLAN: JSON.stringify(plan) },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const stop = watch(child, folder);
  let ended = false;
  let stderr = '';
  const [, , errors, channel] = child.stdio;
  if (!(errors instanceof Readable) || !(channel instanceof Readable)) throw new Error('the worker has no pipes');
  errors.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-4000);
  });
  const lines = createInterface({ input: channel });
  lines.on('line', (line) => {
    const said: Said = JSON.parse(line);
    if (said.failed !== undefined) tellFailure(said.failed);
    if (said.rows !== undefined) rowsOf.set(folder, said.rows);
    peak = Math.max(peak, said.peak ?? 0);
    ended ||= said.ended === true;
  });
  const [[code, signal]] = await Promise.all([
    new Promise<[number | null, string | null]>((done) => child.on('close', (...how) => done(how))),
    new Promise((done) => lines.on('close', done)),
  ]);
  stop();
  if (code === 0) return ended;
  const at = current(folder);
  if (at === null) throw new Error(`the worker ended with ${signal ?? code}: ${stderr}`);
  tellFailure({ ...at, args: [], what: `the process ended with ${signal ?? code}, or was given up: ${stderr.split('\n').slice(0, 6).join(' ')}` });
  // On after it: up to two seconds of inputs are counted once only.
  const rows = rowsOf.get(folder) ?? [];
  const now = [
    ...rows.filter(({ kind }) => kind !== at.kind),
    ...rows.filter(({ kind }) => kind === at.kind).map((row) => ({ ...row, inputs: at.seed - seed + 1, failures: row.failures + 1 })),
  ];
  rowsOf.set(folder, now);
  return runs !== null && now.reduce((sum, { inputs }) => sum + inputs, 0) >= runs;
}

function table(): void {
  const rows = [...rowsOf.values()].flat();
  const count = rows.reduce((sum, { inputs }) => sum + inputs, 0);
  const commands = rows.reduce((sum, { byCommand }) => sum + byCommand, 0);
  console.log(`seed ${seed}: ${count} inputs, ${commands} of them by command line, ${failures} failures; peak ${Math.round(peak / 2 ** 20)} MiB`);
  for (const { kind, inputs, accepted, byCommand, cpu, made, slowest, largest, failures: failed, why } of rows) {
    console.log(
      `  ${kind.padEnd(12)} ${`${inputs}`.padStart(8)} inputs ${`${byCommand}`.padStart(7)} by command ${`${Math.round((100 * (inputs - accepted)) / Math.max(1, inputs))}`.padStart(3)} % refused ${`${failed}`.padStart(3)} failures  ${(cpu + made).toFixed(0).padStart(4)} s, ${((1000 * cpu) / Math.max(1, inputs)).toFixed(2)} ms each, slowest ${slowest.toFixed(2)} s, grew ${Math.round(largest / 2 ** 20)} MiB`,
    );
    for (const [said, times] of Object.entries(why)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 6))
      console.log(`      ${`${times}`.padStart(6)} ${said}`);
  }
}

try {
  const all = kindsOf(resolve('.'), parent).map(({ name }) => name);
  const asked = values.kind?.split(',') ?? all;
  const kinds = all.filter((name) => asked.includes(name));
  if (kinds.length === 0) {
    console.error(`fuzz: no kind ${values.kind}; there are ${all.join(', ')}`);
    process.exitCode = 2;
  } else {
    if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
    // A worker a processor, each with kinds of its own: with a number of runs one, so that each run is the same.
    const workers = runs === null ? Math.min(availableParallelism(), kinds.length) : 1;
    await Promise.all(
      Array.from({ length: workers }, async (_, worker) => {
        const folder = mkdtempSync(join(parent, 'worker-'));
        const own = kinds.filter((_, index) => index % workers === worker);
        const plan = { folder, seed, kinds: own, runs, until, most, keep: values.keep ?? null, why: values.why };
        while (!(await work({ ...plan, rows: rowsOf.get(folder) ?? [] })));
      }),
    );
    table();
    process.exitCode = failures === 0 ? 0 : 1;
  }
} finally {
  rmSync(parent, { recursive: true, force: true });
}
