/**
 * `npm run fuzz -- --minutes N [--runs N] [--seed S] [--kind name] [--keep folder]`: damaged inputs of every kind through every command that takes
 * them. Prints a table, and each failure with what makes it again; status 1 where something failed.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type FuzzInput, type Kind, kindsOf } from './inputs.js';
import { broken, MOST_SECONDS, type Outcome } from './oracles.js';
import { Random } from '../random.js';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, runs: { type: 'string' }, seed: { type: 'string' }, kind: { type: 'string' }, keep: { type: 'string' } },
});
const number = (text: string | undefined, otherwise: number): number => (text === undefined ? otherwise : Number(text));
const seed = number(values.seed, Date.now() % 2 ** 32);
const runs = number(values.runs, Number.POSITIVE_INFINITY);
const end = Date.now() + 60_000 * number(values.minutes, values.runs === undefined ? 1 : 60);
if ([seed, runs, end].some(Number.isNaN)) {
  console.error('fuzz: --minutes, --runs and --seed take numbers');
  process.exit(2);
}

const root = resolve('.');
const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-fuzz-'));
/** Processor time, in seconds, after which a run is given up; and wall time, for one that only waits. */
const HANGS = MOST_SECONDS * 2;
const WAITS = 600;

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Runner {
  #worker: Worker | null = null;

  async run(args: readonly string[]): Promise<Outcome> {
    this.#worker ??= new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { program: join(root, 'dist/cli/main.js') },
      resourceLimits: { maxOldGenerationSizeMb: 2048 },
      stdout: true,
      stderr: true,
    });
    const worker = this.#worker;
    const before = { cpu: process.cpuUsage(), rss: process.memoryUsage.rss() };
    let most = before.rss;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 50);
    const answer = await new Promise<Answer>((done) => {
      const give = (value: Answer): void => {
        clearInterval(timer);
        worker.off('message', give).off('error', onError).off('exit', onExit);
        done(value);
      };
      const died = (why: string): void => {
        void worker.terminate();
        this.#worker = null;
        give({ status: 99, stdout: '', stderr: why });
      };
      const started = Date.now();
      const timer = setInterval(() => {
        const { user, system } = process.cpuUsage(before.cpu);
        if ((user + system) / 1e6 > HANGS || Date.now() - started > WAITS * 1000) died('did not end');
      }, 1000);
      const onError = (error: unknown): void => died(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      const onExit = (code: number): void => died(`the process would have ended with ${code}`);
      worker.on('message', give).on('error', onError).on('exit', onExit);
      worker.postMessage(args);
    });
    clearInterval(watch);
    // Contracts of one's own are known from then on: the next run is to start without them.
    if (args.includes('--contract')) await this.close();
    const used = process.cpuUsage(before.cpu);
    return { args, ...answer, cpu: (used.user + used.system) / 1e6, grown: Math.max(most, process.memoryUsage.rss()) - before.rss };
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = null;
  }
}

interface Row {
  inputs: number;
  accepted: number;
  failures: number;
  slowest: number;
  largest: number;
}

async function main(): Promise<number> {
  const kinds = kindsOf(root).filter(({ name }) => values.kind === undefined || name === values.kind);
  if (kinds.length === 0) {
    console.error(
      `fuzz: no kind ${values.kind}; there are ${kindsOf(root)
        .map(({ name }) => name)
        .join(', ')}`,
    );
    return 2;
  }
  const rows = new Map<string, Row>(kinds.map(({ name }) => [name, { inputs: 0, accepted: 0, failures: 0, slowest: 0, largest: 0 }]));
  const runner = new Runner();
  let count = 0;
  let failures = 0;
  for (; count < runs && Date.now() < end; count++) {
    const kind: Kind | undefined = kinds[count % kinds.length];
    if (kind === undefined) break;
    const random = new Random(seed + count);
    const input = await kind.make(random);
    const outcome = await one(runner, input, random);
    const row = rows.get(kind.name);
    if (row === undefined) continue;
    row.inputs++;
    if (outcome.status < 2) row.accepted++;
    row.slowest = Math.max(row.slowest, outcome.cpu);
    row.largest = Math.max(row.largest, outcome.grown);
    for (const what of broken(outcome)) {
      row.failures++;
      failures++;
      console.log(`FAILED ${kind.name}, seed ${seed + count}: luo-inspect ${outcome.args.join(' ')}\n  ${what}`);
      console.log(`  again: npm run fuzz -- --kind ${kind.name} --seed ${seed + count} --runs 1`);
      if (values.keep !== undefined) keep(values.keep, `${kind.name}-${seed + count}`, input);
    }
  }
  await runner.close();
  console.log(`seed ${seed}: ${count} inputs, ${failures} failures`);
  for (const [name, row] of rows)
    console.log(
      `  ${name.padEnd(14)} ${`${row.inputs}`.padStart(8)} inputs ${`${row.accepted}`.padStart(8)} accepted ${`${row.failures}`.padStart(4)} failures  slowest ${row.slowest.toFixed(2)} s  largest ${Math.round(row.largest / 2 ** 20)} MiB`,
    );
  return failures === 0 ? 0 : 1;
}

function keep(where: string, name: string, input: FuzzInput): void {
  mkdirSync(where, { recursive: true });
  writeFileSync(join(where, `${name}-${input.name}`), input.bytes);
}

async function one(runner: Runner, input: FuzzInput, random: Random): Promise<Outcome> {
  const path = join(folder, input.name);
  const out = join(folder, 'out');
  writeFileSync(path, input.bytes);
  rmSync(out, { force: true });
  const args = random.pick(input.commands).map((word) => (word === 'FILE' ? path : word === 'OUT' ? out : word));
  return await runner.run(args);
}

try {
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
