/**
 * Makes inputs and takes them, one after the other, in this process: main.ts starts it, looks on, and starts it again where it died.
 * Environment: FUZZ_PLAN, a `Plan` as JSON. Says what failed, and how far it came, as lines of JSON on descriptor 3.
 */
import { rmSync, writeSync, openSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { Budget, withBudget } from '../../src/codec/budget.js';
import { plainOutput } from '../../src/report/escape.js';
import { Random } from '../random.js';
import { isRefusal, type Kind, kindsOf } from './inputs.js';
import { broken, MOST_BYTES, type Outcome, type Plan, type Row, type Said } from './plan.js';

const plan: Plan = JSON.parse(process.env.FUZZ_PLAN ?? '');
const kinds = kindsOf(resolve('.'), plan.folder).filter(({ name }) => plan.kinds.includes(name));
const progress = openSync(join(plan.folder, 'progress'), 'w');
/** What goes to the descriptor of standard output itself (`-o -`) is not for main.ts. */
const CHANNEL = 3;
const say = (said: Said): void => {
  writeSync(CHANNEL, `${JSON.stringify(said)}\n`);
};

type Main = (args: readonly string[]) => Promise<void>;
const isMain = (value: unknown): value is Main => typeof value === 'function';
const loaded: unknown = await import(pathToFileURL(resolve('dist/cli/main.js')).href);
const main = typeof loaded === 'object' && loaded !== null && 'main' in loaded ? loaded.main : null;

function capture(name: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  Object.defineProperty(process, name, { value: stream, configurable: true });
  return () => Buffer.concat(chunks).toString('utf8');
}

type Answer = Pick<Outcome, 'args' | 'status' | 'stdout' | 'stderr'>;

/** By the command line that ships. */
async function byCommand(kind: Kind, input: Uint8Array, random: Random): Promise<Answer> {
  const path = join(plan.folder, 'input');
  const out = join(plan.folder, 'out');
  writeFileSync(path, input);
  rmSync(out, { force: true });
  const args = random.pick(kind.commands).map((word) => (word === 'FILE' ? path : word === 'OUT' ? out : word));
  const [stdout, stderr] = [capture('stdout'), capture('stderr')];
  Object.defineProperty(process, 'stdin', { value: Readable.from([]), configurable: true });
  process.exitCode = undefined;
  let status = 70;
  let stack = '';
  try {
    if (isMain(main)) await main(args);
    status = Number(process.exitCode ?? 0);
  } catch (error) {
    stack = stackOf(error);
  }
  process.exitCode = undefined;
  return { args, status, stdout: stdout(), stderr: `${stderr()}${stack}` };
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** By the library, as the commands call it. */
async function byCall(kind: Kind, call: NonNullable<Kind['call']>, input: Uint8Array, random: Random): Promise<Answer> {
  const args = ['(call)', kind.name];
  try {
    return await withBudget(new Budget(), async () => {
      let stdout = '';
      for (const line of await call(input, random)) stdout += `${plainOutput(line)}\n`;
      return { args, status: 0, stdout, stderr: '' };
    });
  } catch (error) {
    if (isRefusal(error, kind)) return { args, status: 2, stdout: '', stderr: `luo-inspect: ${plainOutput(error.message).split('\n').join(' ')}\n` };
    return { args, status: 70, stdout: '', stderr: stackOf(error) };
  }
}

/** A worker that has been this large is ended, and another goes on: what has once been taken hides the next growth. */
const MOST_PEAK = 1 << 30;
/** One in so many goes by the command line, where a call would do. */
const BY_COMMAND = 12;

/** Takes an input that was made from `random`. */
async function take(kind: Kind, input: Uint8Array, random: Random): Promise<Answer> {
  const command = kind.call === null || (kind.commands.length > 0 && random.below(BY_COMMAND) === 0);
  return command || kind.call === null ? await byCommand(kind, input, random) : await byCall(kind, kind.call, input, random);
}

const rows = new Map<string, Row>(plan.rows.map((row) => [row.kind, row]));
const rowOf = (kind: Kind): Row => {
  const row = rows.get(kind.name) ?? { kind: kind.name, inputs: 0, accepted: 0, byCommand: 0, failures: 0, cpu: 0, made: 0, slowest: 0, largest: 0, why: {} };
  rows.set(kind.name, row);
  return row;
};

const spent = (kind: Kind): number => rowOf(kind).cpu + rowOf(kind).made;

/** The kind whose turn it is: with a number of runs one after the other, else that on which least time was spent. */
function next(count: number): Kind | null {
  if (plan.runs !== null) return count < plan.runs ? (kinds[count % kinds.length] ?? null) : null;
  if (Date.now() >= plan.until) return null;
  const open = kinds.filter((kind) => rowOf(kind).inputs < plan.most);
  return open.reduce<Kind | null>((least, kind) => (least === null || spent(kind) < spent(least) ? kind : least), null);
}

const highest = (): number => process.resourceUsage().maxRSS * 1024;
let lastSaid = Date.now();
let count = plan.rows.reduce((sum, { inputs }) => sum + inputs, 0);
for (let kind = next(count); kind !== null; kind = next(++count)) {
  const row = rowOf(kind);
  const seed = plan.seed + row.inputs;
  row.inputs++;
  writeSync(progress, `${JSON.stringify({ kind: kind.name, seed })}\n`.padEnd(80), 0);
  const random = new Random(seed);
  const made = process.cpuUsage();
  const input = await kind.make(random);
  const before = { cpu: process.cpuUsage(), peak: highest() };
  const making = process.cpuUsage(made);
  row.made += (making.user + making.system) / 1e6;
  const outcome = await take(kind, input, random);
  const { user, system } = process.cpuUsage(before.cpu);
  const cpu = (user + system) / 1e6;
  const grown = highest() - before.peak;
  row.cpu += cpu;
  row.slowest = Math.max(row.slowest, cpu);
  row.largest = Math.max(row.largest, grown);
  if (outcome.status < 2) row.accepted++;
  else if (plan.why) {
    const why = outcome.stderr
      .replaceAll(/0x[0-9a-f]+|\d+|"[^"]*"|\/\S+/g, '#')
      .slice(0, 110)
      .trimEnd();
    row.why[why] = (row.why[why] ?? 0) + 1;
  }
  if (outcome.args[0] !== '(call)') row.byCommand++;
  for (const what of broken({ ...outcome, cpu, grown })) {
    row.failures++;
    say({ failed: { kind: kind.name, seed, args: outcome.args, what } });
    if (plan.keep !== null) writeFileSync(join(plan.keep, `${kind.name}-${seed}`), input);
  }
  if (grown > MOST_BYTES / 2 || highest() > MOST_PEAK) {
    say({ rows: [...rows.values()], peak: highest() });
    process.exit(0);
  }
  if (Date.now() - lastSaid > 2000) {
    lastSaid = Date.now();
    say({ rows: [...rows.values()], peak: highest() });
  }
}
say({ rows: [...rows.values()], peak: highest(), ended: true });
