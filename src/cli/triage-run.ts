/** What `triage` does: each dump in a process of its own, so that none can end the others, nor keep its memory. */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readNamed } from '../codec/named-file.js';
import { UserError } from '../codec/user-error.js';
import { clustersOf, ReportLines, signatureOf, type TriageLine } from '../report/triage.js';
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
  const unreadable = lines.filter(({ status }) => status === 'unreadable').length;
  if (unreadable > 0) {
    process.exitCode = 2;
    tell(`${unreadable} of ${lines.length} dumps can't be read; their lines say why`);
  }
  if (unreadable === 0 && lines.some((line) => isBad(line, options.failOn))) process.exitCode = 1;
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

/** Lines of a few hundred bytes, of half a million dumps. In bytes. */
const MAX_EARLIER = 256 << 20;

/** The lines of an earlier run; one that was cut short in the middle of a line, too. */
function earlier(path: string): Map<string, TriageLine> {
  const text = readNamed(path, MAX_EARLIER, 'give the NDJSON of the earlier run with --resume').toString('utf8');
  const found = new Map<string, TriageLine>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    const value = parsed(line);
    if (isLine(value) && value.status !== 'unreadable') found.set(value.path, value);
  }
  return found;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

interface Answer {
  readonly status: number | null;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** @param take is given each line of standard output */
function ask(words: readonly string[], seconds: number, take: (line: string) => void): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [executable(), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', take);
    const err: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, seconds * 1000);
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => err.push(Buffer.from(error.message)));
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stderr: Buffer.concat(err).toString('utf8'), timedOut });
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
  const report = new ReportLines();
  let damaged: string | null = null;
  const take = (line: string): void => {
    try {
      report.take(line);
    } catch (error) {
      damaged ??= error instanceof Error ? error.message : String(error);
    }
  };
  const answer = await ask(['report', path, '--ndjson', '--no-log', ...layouts, ...contract.flatMap((file) => ['--contract', file])], seconds, take);
  if (answer.status === 0 && damaged === null) return { ...signatureOf(path, report.report), modified };
  const why = answer.timedOut
    ? `took longer than ${seconds} s; --timeout gives it more`
    : damaged !== null
      ? `its report can't be read (${damaged})`
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
    kind: null,
    outcome: null,
    message: why,
    error: why,
  };
}

const textOf = ({ path, status, signature }: TriageLine): string => `${status.padEnd(10)}  ${escapeText(signature)}  ${escapeText(path)}`;
