/**
 * Huge dumps: what reading them costs beside a C program that reads and checks the same (reader.c, built here), beside itself at other
 * sizes, and beside the bare runtime. Every figure is a ratio of CPU time within one run, or a peak of resident memory. For `npm run bench`;
 * BENCH_SCALE (1 unless given) makes the dumps smaller: 0.1 for a tenth of the folios and sessions.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { writeKdump } from '../../src/container/kdump-writer.js';
import { openDump } from '../../src/container/open.js';
import type { Memfd } from '../../src/handover/memfd.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { Random } from '../random.js';
import { type HugeDump, writeHugeDump } from './huge-dump.js';
import { tool, type Used, used } from './measure.js';
import { atEnd } from '../../src/codec/at-end.js';

const SCALE = Number(process.env.BENCH_SCALE ?? '1');
const MILLION = Math.round(1e6 * SCALE);
const SMALL = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
const ROUNDS = 5;

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'luo-inspect-bench-'));

  /** @returns the dump's path, and the address of its root FDT */
  dump(name: string, source: HugeDump): { readonly file: string; readonly fdt: string } {
    const file = join(this.path, name);
    return { file, fdt: `0x${writeHugeDump(file, source).fdt.toString(16)}` };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Milliseconds from start to end of a node with these arguments, the least of a few. */
function bare(args: readonly string[]): number {
  const once = (): number => {
    const begin = performance.now();
    spawnSync(process.execPath, args, { stdio: 'ignore' });
    return performance.now() - begin;
  };
  return Math.min(...Array.from({ length: ROUNDS }, once));
}

const times = (a: number, b: number): string => `${(a / b).toFixed(2)} times`;
const mib = (peak: number): string => `${Math.round(peak)} MiB`;

/** Lines to print. */
export async function run(): Promise<string[]> {
  const folder = new Folder();
  using _folder = atEnd(() => folder.remove());
  const lines = [`scale: dumps of ${SCALE} times the size`];
  const reader = buildReader(folder);
  if (reader === null) lines.push('scale: gcc is not here: nothing is held against C');
  lines.push(
    ...folios(folder, reader),
    ...(await joined(folder)),
    ...growth(folder),
    ...wrongRecords(folder),
    ...sessions(folder, reader),
    ...(await kdump(folder)),
    ...start(),
  );
  return lines;
}

function buildReader(folder: Folder): string | null {
  const out = join(folder.path, 'reader');
  return spawnSync('gcc', ['-O2', '-o', out, 'tools/bench/reader.c'], { stdio: 'ignore' }).status === 0 ? out : null;
}

const scattered = (folios: number): HugeDump => ({ sessions: 100, memfds: 1000, folios, memory: (folios > 6e6 ? 128 : 64) * 2 ** 30 });

/** A million folios, with the FDT's address given, and searched for; two reports against a diff. */
function folios(folder: Folder, reader: string | null): readonly string[] {
  const { file, fdt } = folder.dump('before', scattered(MILLION));
  const after = folder.dump('after', { ...scattered(MILLION), incoming: true });
  const report = tool('report', file, '--kho-fdt', fdt);
  const line = (name: string, { time, peak }: Used, most: number): string =>
    `scale: ${name} of ${MILLION} scattered folios in 64 GiB: ${mib(peak)} (at most ${most}), ${Math.round(time)} ms`;
  const lines = [
    line('report', report, 200),
    line('diagnose', tool('diagnose', file, '--kho-fdt', fdt), 200),
    line('report --json', tool('report', file, '--kho-fdt', fdt, '--json'), 300),
  ];
  if (reader !== null) {
    const c = used(reader, [file, fdt]);
    lines.push(`scale:   C, the address of the FDT given: ${Math.round(c.time)} ms; report ${times(report.time, c.time)} that (at most 3)`);
    const searching = used(reader, [file]);
    lines.push(
      `scale:   C, searching all memory: ${Math.round(searching.time)} ms; report ${times(tool('report', file).time, searching.time)} that (at most 3)`,
    );
  }
  const diff = tool('diff', file, after.file, '--kho-fdt', fdt, '--kho-fdt', after.fdt);
  const reports = report.time + tool('report', after.file, '--kho-fdt', after.fdt).time;
  lines.push(`scale: diff of two such dumps: ${times(diff.time, reports)} their two reports (at most 3), ${mib(diff.peak)}`);
  return lines;
}

/** Records joined into runs, beside the sum of as many bytes as numbers. */
async function joined(folder: Folder): Promise<readonly string[]> {
  const { file, fdt } = folder.dump('runs', { sessions: 1, memfds: 1, folios: 16 * MILLION, memory: 128 * 2 ** 30 });
  const opened = await openDump(file);
  using _opened = atEnd(() => opened.close());
  const { handovers } = decodeHandovers({ memory: opened.memory, khoFdt: Number(fdt), searchSetupData: false });
  const memfd = handovers[0]?.luo?.sessions?.[0]?.files[0]?.decoded;
  if (memfd?.kind !== 'memfd') throw new Error('the bench lost its memfd');
  const [sum, runs] = [cpu(() => sumOf(memfd)), cpu(() => countOf(memfd.runColumns()))];
  return [`scale: ${16 * MILLION} records joined into runs: ${times(runs, sum)} the sum of the same bytes as Float64Arrays (at most 4)`];
}

const TABLE_PIECE = 1 << 16;

/** The table's bytes read from the dump, and summed up in a bare loop. */
function sumOf({ area, readableFolios, entrySize }: Memfd): number {
  let total = 0;
  for (let at = 0; at < readableFolios * entrySize; at += TABLE_PIECE) {
    const bytes = area?.read(at, TABLE_PIECE) ?? new Uint8Array();
    const numbers = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 3);
    for (let index = 0; index < numbers.length; index++) total += numbers[index] ?? 0;
  }
  return total;
}

function countOf(pieces: Iterable<{ readonly count: number }>): number {
  let total = 0;
  for (const { count } of pieces) total += count;
  return total;
}

/** The least CPU time of three, in milliseconds. */
function cpu(work: () => unknown): number {
  const once = (): number => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  return Math.min(once(), once(), once());
}

function growth(folder: Folder): readonly string[] {
  const [small, large] = [MILLION, 16 * MILLION].map((count) => {
    const { file, fdt } = folder.dump(`growth-${count}`, { ...scattered(count), memory: 128 * 2 ** 30 });
    return tool('diagnose', file, '--kho-fdt', fdt);
  });
  if (small === undefined || large === undefined) return [];
  const limit = large.output.includes('limit/reached') ? '; a LIMIT was met' : '; no limit was met';
  return [
    `scale: diagnose of ${16 * MILLION} folios beside ${MILLION}: exponent ${(Math.log(large.time / small.time) / Math.log(16)).toFixed(2)} (at most 1.05), ${mib(large.peak)}${limit}`,
  ];
}

function wrongRecords(folder: Folder): readonly string[] {
  const count = 8 * MILLION;
  const { file, fdt } = folder.dump('wrong', {
    ...scattered(count),
    wrong: new Map([
      [count - 10, 'listed-twice'],
      [count - 5, 'not-preserved'],
    ]),
  });
  const { output, status } = tool('diagnose', file, '--kho-fdt', fdt);
  const found = ['memfd/folio-shared', 'memfd/folio-not-preserved'].filter((rule) => output.includes(rule));
  return [`scale: of two wrong records among ${count}, ${found.length} are found (status ${status})`];
}

function sessions(folder: Folder, reader: string | null): readonly string[] {
  const count = Math.round(100_000 * SCALE);
  const { file, fdt } = folder.dump('sessions', { sessions: count, memfds: count, folios: count });
  const own = tool('diagnose', file, '--kho-fdt', fdt);
  const c = reader === null ? null : used(reader, [file, fdt]);
  return [
    `scale: ${count} sessions: ${mib(own.peak)} (at most 400), ${Math.round(own.time)} ms${c === null ? '' : `, ${times(own.time, c.time)} that of C (at most 20)`}`,
  ];
}

const KDUMP_PAGES = 16384;
const PAGE = 4096;

/** All pages of a kdump read, beside node:zlib on the same pages held in memory. */
async function kdump(folder: Folder): Promise<readonly string[]> {
  const bytes = new Uint8Array(KDUMP_PAGES * PAGE);
  const words = new Uint32Array(bytes.buffer);
  // A third of each page is noise, as memory in use mostly packs to a third.
  const random = new Random(7);
  for (let at = 0; at < words.length; at++) words[at] = at % 64 < 24 ? Math.floor(random.unit() * 2 ** 16) : at >>> 8;
  const file = join(folder.path, 'kdump');
  await writeKdump(file, { memory: bufferMemory([{ start: 0, bytes }]), arch: 'x86_64', vmcoreinfo: new Map([['OSRELEASE', '7.3.4']]) });
  const packed = Array.from({ length: KDUMP_PAGES }, (_, page) => deflateSync(bytes.subarray(page * PAGE, (page + 1) * PAGE)));
  const opened = await openDump(file);
  using _opened = atEnd(() => opened.close());
  const zlib = cpu(() => {
    for (const page of packed) inflateSync(page);
  });
  const read = cpu(() => {
    for (let at = 0; at < bytes.length; at += PIECE) opened.memory.readInto(at, PIECE, piece);
  });
  return [`scale: ${KDUMP_PAGES} pages of a kdump: ${(zlib / read).toFixed(2)} times as fast as node:zlib alone (at least 0.8)`];
}

const PIECE = 1 << 20;
const piece = new Uint8Array(PIECE);

/** Wall time from start to end, the least of a few. */
function start(): readonly string[] {
  const bin = 'dist/cli/bin.js';
  const node = bare(['-e', '0']);
  const line = (name: string, args: readonly string[], most: number): string =>
    `scale: start of ${name}: ${times(bare([bin, ...args]), node)} bare node (at most ${most})`;
  return [line('report --no-verdict', ['report', SMALL, '--no-verdict'], 3), line('report', ['report', SMALL], 4.5), line('--help', ['--help'], 2)];
}
