/**
 * `luo-inspect shrink`: a small dump with what the report needs and nothing else, to send to a colleague. The pages are those that a
 * report of the whole dump reads; contents of memfds, which are the guests' memory, are left out unless asked for. What was written is
 * opened again, and its report held against that of the whole dump.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { folioRuleIds } from '../diagnosis/rules/memfd-folio-pass.js';
import { writeElfCore } from '../container/elf-writer.js';
import { writeKdump } from '../container/kdump-writer.js';
import { writeOutput } from '../container/output-file.js';
import type { Memfd } from '../handover/memfd.js';
import { onlyPages, RecordingMemory, withheld } from '../memory/recording.js';
import { findRange, type PhysicalMemory, readBytes } from '../memory/memory.js';
import type { DumpReport } from '../report/dump-report.js';
import { reportJson } from '../report/report-json.js';
import { logBeside } from './find-log.js';
import { type LoadedDump, loadDump } from './load-dump.js';
import { tell } from './messages.js';
import type { DumpCommandOptions } from './report.js';
import { withBudgetAgain } from '../codec/budget.js';
import { atEnd } from '../codec/at-end.js';

interface Options extends DumpCommandOptions {
  readonly output: string;
  readonly redact?: string;
  readonly contents?: boolean;
  readonly format: 'elf' | 'kdump';
}

export async function runShrink(path: string, given: Options): Promise<void> {
  const { bytes, pages, pageSize, redacted: names, difference } = await shrinkDump(path, given);
  const contents = given.contents === true ? ', contents of memfds with them' : ', no contents of memfds';
  tell(`${given.output}: ${bytes} bytes, ${pages} pages of ${pageSize} bytes${contents}`);
  if (names > 0) tell(`${names} session names were replaced`);
  else if (difference === null) tell('its report is that of the whole dump');
  else {
    tell(`its report is NOT that of the whole dump: something the report says needs pages that are left out (first at ${difference})`);
    process.exitCode = 1;
  }
}

interface Shrunken {
  /** of the file that was written */
  readonly bytes: number;
  readonly pages: number;
  /** bytes */
  readonly pageSize: number;
  /** session names that were replaced; then the reports are not compared */
  readonly redacted: number;
  /** where in the JSON the report of the small dump first differs; null where it is the same */
  readonly difference: string | null;
}

/** Writes the small dump to `given.output`, and holds its report against that of the whole one. @throws UserError */
export async function shrinkDump(path: string, given: Options): Promise<Shrunken> {
  // The same log for both: the small dump is in another folder.
  const options = { ...given, log: given.log === undefined || given.log === true ? (logBeside(path) ?? true) : given.log };
  if (options.redact !== undefined && options.redact !== 'names') throw new UserError(`--redact ${options.redact}: only names can be redacted`);
  let recording: RecordingMemory | null = null;
  const loaded = await loadDump(path, options, (opened) => {
    recording = new RecordingMemory(opened.memory);
    return { ...opened, memory: recording };
  });
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-shrink-'));
  try {
    const whole = comparable(loaded);
    const kept = keptPages(loaded, recording, options.contents === true);
    const { opened, report } = loaded;
    if (opened.memory.readable.length === 0) throw new UserError(`${path}: there is no memory in it to shrink; a copy of debugfs is small already`);
    const few = onlyPages(opened.memory, kept);
    const names = options.redact === 'names' ? sessionNames(report) : [];
    const memory = names.length === 0 ? few : redacted(few, names);
    const core = join(folder, 'small');
    const write = options.format === 'kdump' ? writeKdump : writeElfCore;
    await write(core, {
      memory,
      arch: opened.arch ?? (report.source.arch === 'aarch64' ? 'aarch64' : 'x86_64'),
      vmcoreinfo: opened.vmcoreinfo ?? new Map(),
      withheld: withheld(opened.memory, few),
    });
    const bytes = packed(readFileSync(core), options.output);
    await writeOutput(options.output, (output) => {
      output.write(bytes, 0);
      output.finish(bytes.length);
    });
    const difference = names.length > 0 ? null : await compare(core, options, whole);
    return { bytes: bytes.length, pages: kept.size, pageSize: opened.memory.pageSize, redacted: names.length, difference };
  } finally {
    loaded.opened.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Frame numbers of what a report reads, and of what it was found by. */
function keptPages({ opened, report }: LoadedDump, recording: RecordingMemory | null, contents: boolean): ReadonlySet<number> {
  if (recording === null) throw new Error('the dump was not opened through the recorder');
  for (const { fdtAddress, namedBy } of report.decoded.find.candidates)
    for (const address of [fdtAddress, ...namedBy.map((node) => node.address)]) if (address !== null) recording.keep(address);
  for (const address of [...report.decoded.find.kernels.vmcoreinfoPages, ...report.decoded.find.kernels.banners.map((one) => one.address)])
    recording.keep(address);
  const kept = new Set(recording.pages);
  const { pageSize } = opened.memory;
  // What a damaged table claims is bounded by nothing; the pages that were read, and the memory that is there, are.
  const readPages = Float64Array.from(kept).sort();
  const structures = structuresListed(report);
  for (const memfd of memfdsOf(report))
    for (const { pfn, pages } of memfd.runs()) {
      if (contents) for (const page of presentPages(opened.memory, pfn, pages)) kept.add(page);
      else
        for (let at = firstFrom(readPages, pfn); (readPages[at] ?? Number.POSITIVE_INFINITY) < pfn + pages; at++)
          if (!structures.has(readPages[at] ?? 0)) kept.delete(readPages[at] ?? 0);
    }
  for (const page of kept) if (opened.memory.stateOf(page * pageSize) !== 'present') kept.delete(page);
  return kept;
}

/** Page frames of structures that a damaged table lists as a folio: no memory of a guest's. */
function structuresListed({ findings, decoded }: DumpReport): ReadonlySet<number> {
  const found = new Set<number>();
  const listed = findings.filter(({ rule }) => rule === folioRuleIds.structure);
  for (const { at } of listed) {
    const entry = at === null ? null : readBytes(decoded.memory, at - offsetOf(memfdLuoFolioSer, 'pfn_flags'), sizeOf(memfdLuoFolioSer));
    if (entry?.ok === true) found.add(Number(decodeStruct(memfdLuoFolioSer, entry.bytes).pfn_flags.pfn));
  }
  return found;
}

/** Index of the first of `sorted` that is not below `value`. */
function firstFrom(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Frame numbers from `pfn` on that the memory has bytes of. */
function* presentPages({ readable, pageSize }: PhysicalMemory, pfn: number, pages: number): Iterable<number> {
  const [start, end] = [pfn * pageSize, (pfn + pages) * pageSize];
  for (let { index } = findRange(readable, start); index < readable.length; index++) {
    const range = readable[index];
    if (range === undefined || range.start >= end) return;
    for (let page = Math.ceil(Math.max(range.start, start) / pageSize); page * pageSize < Math.min(range.end, end); page++) yield page;
  }
}

const memfdsOf = (report: DumpReport): readonly Memfd[] =>
  report.handovers
    .flatMap(({ luo }) => luo?.sessions ?? [])
    .flatMap(({ files }) => files.flatMap(({ decoded }) => (decoded?.kind === 'memfd' ? [decoded] : [])));

/** What must be the same in the small dump. */
function comparable({ report, layouts }: LoadedDump): string {
  const { source: _, ...rest } = reportJson(report);
  const json = JSON.stringify(rest);
  // A BTF beside the whole dump, or in it, is the same BTF in the small one.
  return layouts === null ? json : json.replaceAll(JSON.stringify(layouts).slice(1, -1), 'the BTF');
}

async function compare(core: string, options: Options, whole: string): Promise<string | null> {
  const small = await withBudgetAgain(() => loadDump(core, options));
  using _smallOpened = atEnd(() => small.opened.close());
  const other = comparable(small);
  return other === whole ? null : (firstDifference(JSON.parse(whole), JSON.parse(other), '') ?? 'the order of its keys');
}

/** Path of the first value that is not the same, or null. */
function firstDifference(a: unknown, b: unknown, path: string): string | null {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? null : path;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(Reflect.get(a, key), Reflect.get(b, key), path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

const SHORTEST_NAME = 2;

const sessionNames = (report: DumpReport): readonly string[] => [
  ...new Set(
    report.handovers
      .flatMap(({ luo }) => luo?.sessions ?? [])
      .map(({ name }) => name.text)
      .filter((name) => name.length >= SHORTEST_NAME),
  ),
];

/** Replaces names, the longest first, by others of the same length; nobody who has not the salt can tell which. */
function redacted(memory: PhysicalMemory, names: readonly string[]): PhysicalMemory {
  const salt = randomBytes(16);
  const replacements = names
    .toSorted((a, b) => b.length - a.length)
    .map((name) => {
      const from = Buffer.from(name, 'utf8');
      const to = createHash('sha256')
        .update(salt)
        .update(from)
        .digest('hex')
        .repeat(Math.ceil(from.length / 64))
        .slice(0, from.length);
      return { from, to: Buffer.from(to, 'latin1') };
    });
  return {
    pageSize: memory.pageSize,
    readable: memory.readable,
    stateOf: (address) => memory.stateOf(address),
    readInto(address, length, target, targetOffset = 0) {
      const got = memory.readInto(address, length, target, targetOffset);
      const bytes = Buffer.from(target.buffer, target.byteOffset + targetOffset, got);
      for (const { from, to } of replacements) for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + from.length)) to.copy(bytes, at);
      return got;
    },
  };
}

function packed(core: Uint8Array, path: string): Uint8Array {
  if (path.endsWith('.gz')) return gzipSync(core, { level: 9 });
  if (!path.endsWith('.xz')) return core;
  const { status, stdout, error } = spawnSync('xz', ['-9', '--stdout'], { input: core, maxBuffer: 1 << 30 });
  if (status !== 0 || error !== undefined)
    throw new UserError(`${path}: xz is not here to compress it (package xz-utils); name the file .gz, or leave it as it is`);
  return stdout;
}
