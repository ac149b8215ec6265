/** `luo-inspect extract <dump> <session> <token> -o <file>`: writes the contents of a preserved memfd; holes stay holes. */
import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import { UserError } from '../codec/user-error.js';
import type { DecodedDump } from '../handover/decode.js';
import { isStandardOutput, writeOutput } from '../container/output-file.js';
import { type ContentMissing, PIECE, readContents } from '../handover/contents.js';
import type { LuoFile, LuoSession } from '../handover/luo.js';
import { formatBytes, hex } from '../tree/words.js';
import type { Memfd } from '../handover/memfd.js';
import { pathPart } from '../tree/tree.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { progress } from '../memory/progress.js';
import { escapeText } from '../report/escape.js';
import { tell } from './messages.js';
import { type SearchCommandOptions, searchOptions } from './report.js';

interface Options extends SearchCommandOptions {
  readonly output: string;
  readonly partial?: boolean;
  readonly iomem?: string;
}

export function registerExtract(program: Command): void {
  searchOptions(program.command('extract <dump> <session> <token>'))
    .description('writes the contents of a preserved memfd; holes stay holes')
    .requiredOption('-o, --output <file>', 'where to: a file, or - for standard output')
    .option('--partial', 'write what is there, and leave holes where pages are not in the dump')
    .option('--iomem <file>', "a copy of the machine's /proc/iomem: where memory is in a raw dump")
    .action(runExtract);
}

async function runExtract(path: string, session: string, token: string, options: Options): Promise<void> {
  const [{ loadDecoded }, { showProgress }] = await Promise.all([import('./load-dump.js'), import('./progress.js')]);
  const { opened, decoded } = await loadDecoded(path, options);
  const endProgress = showProgress();
  try {
    const { notSearched } = decoded.find;
    const memfd = findMemfd(decoded, session, token, path);
    if (notSearched !== null) tell(`${path}: ${notSearched}`);
    const written = await write(memfd, opened.memory, options, `${session} ${token}`);
    const stream = isStandardOutput(options.output) ? process.stderr : process.stdout;
    stream.write(`${escapeText(options.output)}: ${written}\n`);
  } finally {
    endProgress();
    opened.close();
  }
}

/** By the session's name, or as paths have it (`name#2` for a second of that name). @throws UserError */
function findMemfd({ handovers, find }: DecodedDump, session: string, token: string, path: string): Memfd {
  const wanted = parseToken(token);
  const lists = handovers.map((handover) => handover.luo?.sessions ?? []);
  const named = lists.flatMap((sessions) =>
    sessions.filter(
      (candidate) =>
        candidate.name.text === session || candidate.path.endsWith(`/sessions/${session}`) || candidate.path.endsWith(`/sessions/${pathPart(session)}`),
    ),
  );
  if (named.length === 0) {
    const names = lists.flatMap((sessions) => sessions.map(({ name }) => JSON.stringify(name.text)));
    throw new UserError(
      `${path}: no session is called ${JSON.stringify(session)}; there ${listOf(names)}${find.notSearched === null ? '' : `; ${find.notSearched}`}`,
    );
  }
  const files = named.flatMap((candidate: LuoSession) => candidate.files);
  const file = files.find((candidate: LuoFile) => candidate.token === wanted);
  if (file === undefined)
    throw new UserError(
      `${path}: session ${JSON.stringify(session)} has no file with token ${token}; there ${listOf(files.map((candidate) => hex(candidate.token)))}`,
    );
  if (file.decoded === null)
    throw new UserError(`${path}: file ${hex(file.token)} (${JSON.stringify(file.compatible.text)}) could not be decoded; \`luo-inspect diagnose\` says why`);
  if (file.decoded.kind !== 'memfd')
    throw new UserError(`${path}: file ${hex(file.token)} is no memfd but ${JSON.stringify(file.compatible.text)}: it has no contents to extract`);
  return file.decoded;
}

const LISTED = 20;

function listOf(names: readonly string[]): string {
  if (names.length === 0) return 'are none';
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `are ${names.slice(0, LISTED).join(', ')}${more}`;
}

function parseToken(text: string): bigint {
  const value = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? BigInt(text) : null;
  if (value === null || value >= 1n << 64n) throw new UserError(`${JSON.stringify(text)} is no token; write it as 0x… or in decimal`);
  return value;
}

/** So many missing pages are named. */
const NAMED = 4;

interface Missing {
  count: number;
  bytes: number;
  readonly named: string[];
}

async function write(memfd: Memfd, memory: PhysicalMemory, options: Options, what: string): Promise<string> {
  const missing: Missing = { count: 0, bytes: 0, named: [] };
  // Nothing can be taken back from a pipe: what is missing is looked for first.
  if (options.partial !== true) {
    for (const piece of readContents(memfd, memory, undefined, new Uint8Array(PIECE))) if ('missing' in piece) note(missing, piece);
    if (missing.count > 0) throw new UserError(`${missingText(missing, what)}; take a dump with these pages, or --partial for what is there`);
  }
  return await writeOutput(options.output, async (output) => {
    if (memfd.size > MAX_SIZE)
      throw new UserError(`${options.output}: no file of ${memfd.size} bytes can be made; the recorded size may be damaged, see \`luo-inspect diagnose\``);
    let holes = 0;
    const hash = createHash('sha256');
    for (const piece of readContents(memfd, memory)) {
      progress(`writing ${options.output}`, piece.offset, Number(memfd.size));
      if ('bytes' in piece) {
        output.write(piece.bytes, piece.offset);
        hash.update(piece.bytes);
        await output.breathe();
      } else if ('hole' in piece) {
        holes += piece.length;
        if (holes <= MAX_HASHED_HOLES) updateZeros(hash, piece.length);
      } else note(missing, piece);
    }
    output.finish(Number(memfd.size));
    if (missing.count > 0) tell(`${missingText(missing, what)}; left as holes`);
    const sum = missing.count > 0 || holes > MAX_HASHED_HOLES ? '' : `, sha256 ${hash.digest('hex')}`;
    return `${memfd.size} bytes, of these ${holes} in holes${missing.count > 0 ? `, ${missing.bytes} not in the dump` : ''}${sum}`;
  });
}

function note(missing: Missing, piece: ContentMissing): void {
  missing.count++;
  missing.bytes += piece.length;
  if (missing.named.length < NAMED) missing.named.push(`${formatBytes(piece.length)} at offset ${piece.offset}: ${piece.why}`);
}

const missingText = ({ count, bytes, named }: Missing, what: string): string =>
  `${formatBytes(bytes)} of ${what} can't be read (${named.join('; ')}${count > NAMED ? `; and ${count - NAMED} more places` : ''})`;

/** Of loff_t: no file is larger. */
const MAX_SIZE = 2n ** 63n - 1n;

const ZEROS = new Uint8Array(1 << 16);

/** A hole reads as zeros: the sum is that of the file as programs see it. */
function updateZeros(hash: ReturnType<typeof createHash>, length: number): void {
  for (let left = length; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
}

/** With more than this in holes no sum is made: nobody waits for it. */
const MAX_HASHED_HOLES = 2 ** 32;
