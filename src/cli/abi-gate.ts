/** `luo-inspect abi gate` and `abi lock`: what patches do to the contracts; the state of a tree for later comparison. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import { ABI_HEADERS, type GateResult, gateFails, gatePatches, gateStates } from '../gate/gate.js';
import { type Header, readHeader } from '../gate/header.js';
import { KnownFile } from '../gate/known-file.js';
import { headersOfLock, lockOf } from '../gate/lock.js';
import { patchesOf } from '../gate/patch.js';
import { writeJson, writeLines } from './output.js';

interface GateCommandOptions {
  readonly json?: boolean;
  readonly base?: string;
  readonly lock?: string;
}

export async function runGate(input: string, options: GateCommandOptions): Promise<void> {
  const result = gate(input, options, input === '-' ? await standardInput() : null);
  const { gateJson, gateText } = await import('../report/gate-report.js');
  if (options.json === true) await writeJson(gateJson(result));
  else await writeLines(gateText(result));
  if (gateFails(result)) process.exitCode = 1;
}

/** @throws UserError where the input can't be read or is nothing of these */
function gate(input: string, options: GateCommandOptions, piped: string | null): GateResult {
  const isFolder = statSync(input, { throwIfNoEntry: false })?.isDirectory() === true;
  if (options.lock !== undefined) {
    const before = headersOfLock(readText(options.lock), options.lock);
    return gateStates(input, before, isFolder ? headersOfTree(input) : headersOfRevision(input));
  }
  if (isFolder) throw new UserError(`${input}: is a folder; give --lock <file> to hold it against, or a mailbox, a diff or a git range`);
  if (piped !== null || existsSync(input)) {
    const { base } = options;
    if (base !== undefined && statSync(base, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new UserError(`--base ${base}: is no folder; name a kernel tree`);
    return gatePatches(patchesOf(piped ?? readText(input), input), {
      label: input,
      base: (path) => (base === undefined ? null : textIn(base, path)),
    });
  }
  if (input.includes('..')) return gateRange(input);
  throw new UserError(`${input}: no such file; give a mailbox, a diff, - or a git range like v7.3..HEAD`);
}

/** @throws UserError where it is a terminal, or longer than any series */
async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UserError('standard input: a terminal, not a patch; pipe one into it, or give a path');
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of process.stdin) {
    const bytes = Buffer.from(part);
    parts.push(bytes);
    length += bytes.length;
    if (length > MAX_INPUT) throw new UserError(`standard input: has more than ${MAX_INPUT} bytes, more than any series of patches`);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Inputs are text that people write. */
const MAX_INPUT = 32 << 20;

function readText(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) throw new UserError(`${path}: is no file that can be read`);
  if (stat.size > MAX_INPUT) throw new UserError(`${path}: has ${stat.size} bytes, more than any series of patches`);
  return readFileSync(path, 'utf8');
}

/** A file of a tree; null where it is not there. Paths of patches stay inside the tree: only ABI headers are asked for. */
function textIn(tree: string, path: string): string | null {
  if (path.split('/').includes('..')) return null;
  const full = join(tree, path);
  return statSync(full, { throwIfNoEntry: false })?.isFile() === true ? readText(full) : null;
}

const ABI_FOLDER = 'include/linux/kho/abi';

/** @throws UserError where the tree has no ABI headers */
function headersOfTree(tree: string): ReadonlyMap<string, Header> {
  const folder = join(tree, ABI_FOLDER);
  if (!existsSync(folder)) throw new UserError(`${tree}: has no ${ABI_FOLDER}; name a kernel tree of 6.19 or later`);
  const names = readdirSync(folder).filter((name) => name.endsWith('.h'));
  return new Map(names.sort().map((name) => [`${ABI_FOLDER}/${name}`, readHeader(`${ABI_FOLDER}/${name}`, KnownFile.of(readText(join(folder, name))))]));
}

function git(...args: readonly string[]): string {
  try {
    return execFileSync('git', args, { encoding: 'utf8', maxBuffer: MAX_INPUT, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const stderr = typeof error === 'object' && error !== null && 'stderr' in error ? String(error.stderr).trim().split('\n')[0] : '';
    throw new UserError(`git ${args[0] ?? ''}: ${stderr === '' || stderr === undefined ? 'failed' : stderr}; run it in a kernel tree, with revisions it has`);
  }
}

const plainRevision = (text: string): string => {
  if (text.startsWith('-')) throw new UserError(`${text}: is no revision`);
  return text;
};

function headersOfRevision(revision: string): ReadonlyMap<string, Header> {
  const paths = git('ls-tree', '-r', '--name-only', plainRevision(revision), '--', ABI_FOLDER)
    .split('\n')
    .filter((path) => ABI_HEADERS.test(path));
  if (paths.length === 0) throw new UserError(`${revision}: has no ${ABI_FOLDER}; name a tree or revision of 6.19 or later`);
  return new Map(paths.map((path) => [path, readHeader(path, KnownFile.of(git('show', `${revision}:${path}`)))]));
}

/** Every commit of a range that touches the headers, with whole files on both sides. */
function gateRange(range: string): GateResult {
  const commits = git('log', '--reverse', '--format=%H%x09%s', plainRevision(range), '--', ABI_FOLDER)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
  const results = commits.map(([hash = '', ...subject]) => {
    const files = git('show', '--format=', '--name-only', hash, '--', ABI_FOLDER)
      .split('\n')
      .filter((path) => ABI_HEADERS.test(path));
    const state = (revision: string): ReadonlyMap<string, Header> =>
      new Map(
        files.flatMap((path) =>
          git('ls-tree', '--name-only', revision, '--', path) === ''
            ? []
            : [[path, readHeader(path, KnownFile.of(git('show', `${revision}:${path}`)))] as const],
        ),
      );
    const { headers, findings } = gateStates(range, state(`${hash}^`), state(hash));
    return { headers, findings: findings.map((finding) => ({ ...finding, patch: `${hash.slice(0, 12)} ${subject.join('\t')}` })) };
  });
  return {
    label: range,
    patches: commits.length,
    headers: [...new Set(results.flatMap(({ headers }) => headers))].sort(),
    findings: results.flatMap(({ findings }) => findings),
  };
}

export async function runLock(tree: string, options: { readonly output?: string }): Promise<void> {
  const isFolder = statSync(tree, { throwIfNoEntry: false })?.isDirectory() === true;
  const lock = lockOf(isFolder ? headersOfTree(tree) : headersOfRevision(tree));
  if (options.output === undefined) {
    await writeJson(lock);
    return;
  }
  try {
    writeFileSync(options.output, `${JSON.stringify(lock, null, 1)}\n`);
  } catch (error) {
    throw new UserError(`${options.output}: can't be written: ${error instanceof Error ? error.message : String(error)}; choose another place with -o`);
  }
}
