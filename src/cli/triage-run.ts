/** What `triage` does: each dump in a process of its own, so that none can end the others, nor keep its memory. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UserError } from '../codec/user-error.js';
import { clustersOf, signatureOf, type TriageLine } from '../report/triage.js';
import { escapeText } from '../report/escape.js';
import type { BtfOption } from './dump-contracts.js';
import { tell } from './messages.js';
import { writeLines } from './output.js';
import { fileOrSample } from './samples.js';

export interface TriageOptions extends BtfOption {
  /** files of contracts of one's own */
  readonly contract?: readonly string[];
  readonly jobs: number;
  readonly ndjson?: boolean;
  readonly resume?: string;
  readonly timeout: number;
  readonly failOn: 'error' | 'warning' | 'info' | 'never';
}

/** @throws UserError where no dump is named, or the earlier run can't be read */
export async function runTriage(given: readonly string[], options: TriageOptions): Promise<void> {
  const paths = given.length === 1 && given[0] === '-' ? await listFromInput() : given.map(fileOrSample);
  if (paths.length === 0) throw new UserError('triage: no dump is named; give files, or a list of them on standard input with -');
  const known = options.resume === undefined ? new Map<string, TriageLine>() : earlier(options.resume);
  const lines: TriageLine[] = [];
  const print = async (line: TriageLine): Promise<void> => {
    lines.push(line);
    await writeLines([options.ndjson === true ? JSON.stringify(line) : textOf(line)]);
  };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let path = paths[next++]; path !== undefined; path = paths[next++]) {
      const before = known.get(path);
      const same = before !== undefined && before.modified === modifiedOf(path);
      await print(same ? before : await triageOne(path, options));
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, paths.length) }, work));
  const clusters = clustersOf(lines);
  if (options.ndjson === true) await writeLines([JSON.stringify({ schema: 'luo-inspect.triage/1', end: true, dumps: lines.length, clusters })]);
  else {
    await writeLines([
      '',
      `${lines.length} dumps, ${clusters.length} signatures`,
      ...clusters.map(({ signature, count, first }) => `${`${count}`.padStart(6)}  ${escapeText(signature)}  (${escapeText(first)})`),
    ]);
  }
  if (lines.some(({ status }) => status === 'unreadable')) process.exitCode = 2;
  else if (lines.some((line) => isBad(line, options.failOn))) process.exitCode = 1;
}

const RANK = { error: 0, warning: 1, info: 2, never: -1 } as const;
const isBad = ({ severity }: TriageLine, failOn: TriageOptions['failOn']): boolean => severity !== null && RANK[severity] <= RANK[failOn];

async function listFromInput(): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) if (line.trim() !== '') paths.push(line);
  return paths;
}

function modifiedOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

const isLine = (value: unknown): value is TriageLine =>
  typeof value === 'object' && value !== null && 'path' in value && typeof value.path === 'string' && 'signature' in value && 'modified' in value;

/** The lines of an earlier run; one that was cut short in the middle of a line, too. */
function earlier(path: string): Map<string, TriageLine> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${path}: the earlier run can't be read (${error instanceof Error ? error.message : String(error)}); give its NDJSON with --resume`);
  }
  const found = new Map<string, TriageLine>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    const value: unknown = JSON.parse(line);
    if (isLine(value) && value.status !== 'unreadable') found.set(value.path, value);
  }
  return found;
}

interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

function ask(words: readonly string[], seconds: number): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [executable(), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, seconds * 1000);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => err.push(Buffer.from(error.message)));
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), timedOut });
    });
  });
}

/** The executable beside this code, bundled or not. */
function executable(): string {
  return join(dirname(fileURLToPath(import.meta.url)), 'bin.js');
}

async function triageOne(path: string, { timeout: seconds, btf, contract = [] }: TriageOptions): Promise<TriageLine> {
  const modified = modifiedOf(path);
  const layouts = typeof btf === 'string' ? ['--btf', btf] : btf === false ? ['--no-btf'] : [];
  const answer = await ask(['report', path, '--json', '--no-log', ...layouts, ...contract.flatMap((file) => ['--contract', file])], seconds);
  if (answer.status === 0) {
    try {
      return { ...signatureOf(path, JSON.parse(answer.stdout)), modified };
    } catch (error) {
      tell(`${path}: its report can't be read (${error instanceof Error ? error.message : String(error)})`);
    }
  }
  const why = answer.timedOut
    ? `took longer than ${seconds} s; --timeout gives it more`
    : (answer.stderr.split('\n')[0] ?? '').replace(/^luo-inspect: /, '') || `ended with status ${answer.status ?? 'by a signal'}`;
  return {
    schema: 'luo-inspect.triage/1',
    path,
    modified,
    status: 'unreadable',
    signature: `unreadable: ${why.replace(`${path}: `, '').replaceAll(/0x[0-9a-f]+|\d+/g, 'N')}`,
    layer: null,
    cause: null,
    handler: null,
    from: null,
    to: null,
    severity: null,
    outcome: null,
    message: why,
  };
}

const textOf = ({ path, status, signature }: TriageLine): string => `${status.padEnd(10)}  ${escapeText(signature)}  ${escapeText(path)}`;
