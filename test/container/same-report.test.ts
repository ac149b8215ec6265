/**
 * One capture in every container: the same report but for its source, whichever is opened; and, cut off anywhere, a report that says so or
 * one line that refuses it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as zlib from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { DUMP_DH_COMPRESSED, diskDumpHeader, flattenedHeader, flattenedPiece, kdumpSubHeader, pageDesc } from '../../abi/kdump/kdump.js';
import { limeHeader } from '../../abi/lime/v1.js';
import { decodeStruct } from '../../src/codec/decode.js';
import { encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { UserError } from '../../src/codec/user-error.js';
import type { CoreImage } from '../../src/container/elf-writer.js';
import { writeElfCore } from '../../src/container/elf-writer.js';
import { writeKdump } from '../../src/container/kdump-writer.js';
import { openDump } from '../../src/container/open.js';
import { openDump as reportOf } from '../../src/library/index.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { onlyPages } from '../../src/memory/recording.js';
import { extent } from '../extent.js';
import { concat, fixture, scratchFolder } from './inputs.js';

const CAPTURE = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';
const PAGE = 4096;
const { fileOf, temporary } = scratchFolder();
let core: CoreImage;
let elf: Uint8Array;
let kdump: Uint8Array;
let whole: string;

beforeAll(async () => {
  const { memory, vmcoreinfo } = await openDump(CAPTURE);
  // An ELF core of selected pages does not tell what lies between them; a kdump says that it is memory which was left out.
  const withheld = memory.readable.slice(1).map(({ start }, index) => ({ start: memory.readable[index]?.end ?? start, end: start }));
  core = { memory, arch: 'x86_64', vmcoreinfo: vmcoreinfo ?? new Map(), withheld };
  await writeElfCore(temporary('core'), { ...core, withheld: [] });
  await writeKdump(temporary('kdump'), core);
  [elf, kdump] = [readFileSync(temporary('core')), readFileSync(temporary('kdump'))];
  whole = await reported(CAPTURE);
});

/** `bytes` of memory, range by range as LiME keeps them. */
function asLime({ readable, readInto }: PhysicalMemory): Uint8Array {
  return concat(
    ...readable.flatMap(({ start, end }) => {
      const bytes = new Uint8Array(end - start);
      readInto(start, bytes.length, bytes);
      return [encodeStruct(limeHeader, { magic: 0x4c694d45, version: 1, s_addr: start, e_addr: end - 1 }), bytes];
    }),
  );
}

/** As makedumpfile -F writes: in pieces, here the last first. */
function flattened(bytes: Uint8Array): Uint8Array {
  const half = Math.floor(bytes.length / 2 / PAGE) * PAGE;
  const piece = (offset: number, part: Uint8Array): readonly Uint8Array[] => [encodeStruct(flattenedPiece, { offset, buf_size: part.length }), part];
  const head = encodeStruct(flattenedHeader, { signature: 'makedumpfile', type: 1, version: 1 });
  const end = encodeStruct(flattenedPiece, { offset: -1, buf_size: -1 });
  const filled = new Uint8Array(PAGE - sizeOf(flattenedHeader));
  return concat(head, filled, ...piece(half, bytes.subarray(half)), ...piece(0, bytes.subarray(0, half)), end);
}

/** Two files as makedumpfile --split writes them. @returns the second */
async function split(): Promise<string> {
  const { memory } = core;
  const frames = Math.ceil((memory.readable.at(-1)?.end ?? 0) / PAGE);
  const middle = Math.floor((memory.readable[Math.floor(memory.readable.length / 2)]?.start ?? 0) / PAGE);
  const parts: readonly (readonly [string, number, number])[] = [
    ['split-0', 0, middle],
    ['split-1', middle, frames],
  ];
  for (const [name, start, end] of parts) {
    const kept = new Set<number>();
    for (const range of memory.readable) for (let at = range.start; at < range.end; at += PAGE) if (at >= start * PAGE && at < end * PAGE) kept.add(at / PAGE);
    const part = onlyPages(memory, kept);
    const path = temporary(name);
    await writeKdump(path, { ...core, memory: part, withheld: [...memory.readable, ...(core.withheld ?? [])] });
    const file = readFileSync(path);
    encodeInto(kdumpSubHeader, { split: 1, start_pfn: start, end_pfn: end, start_pfn_64: start, end_pfn_64: end }, file, PAGE);
    writeFileSync(path, file);
  }
  return temporary('split-1');
}

const zstd: unknown = Reflect.get(zlib, 'zstdCompressSync');
const zstdOf = (bytes: Uint8Array): Uint8Array | null => (typeof zstd === 'function' ? Uint8Array.from(zstd(bytes)) : null);

/** A page as makedumpfile -p and -z might store it: what it starts with as one literal, its zeros as repetitions of their first. */
const PACKERS: Readonly<Record<string, { readonly flags: number; readonly pack: (page: Uint8Array, kept: number) => readonly number[] }>> = {
  'raw pages': { flags: 0, pack: (page) => [...page] },
  'snappy pages': {
    flags: DUMP_DH_COMPRESSED.SNAPPY,
    pack(page, kept) {
      const copies = Array.from({ length: Math.ceil((PAGE - kept) / 64) }, (_, index) => [2 | ((Math.min(64, PAGE - kept - index * 64) - 1) << 2), 1, 0]);
      return [0x80, 0x20, 61 << 2, (kept - 1) & 0xff, (kept - 1) >> 8, ...page.subarray(0, kept), ...copies.flat()];
    },
  },
  'zstd pages': {
    flags: DUMP_DH_COMPRESSED.ZSTD,
    pack(page, kept) {
      const block = (size: number, type: number): readonly number[] => [0, 8, 16].map((shift) => (((size << 3) | type) >> shift) & 0xff);
      return [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, ...block(kept, 0), ...page.subarray(0, kept), ...block(PAGE - kept, 3), 0];
    },
  },
};

/** The kdump with every page stored so. Its first descriptor says where the descriptors end: there the first page begins. */
function repacked(bytes: Uint8Array, { flags, pack }: (typeof PACKERS)[string]): Uint8Array {
  const { sub_hdr_size, bitmap_blocks } = decodeStruct(diskDumpHeader, bytes);
  const [start, each] = [(1 + sub_hdr_size + bitmap_blocks) * PAGE, sizeOf(pageDesc)];
  const end = Number(decodeStruct(pageDesc, bytes, start).offset);
  const head = Uint8Array.from(bytes.subarray(0, end));
  const pages: Uint8Array[] = [];
  let offset = end;
  for (let at = start; at < end; at += each) {
    const { offset: from, size, flags: own } = decodeStruct(pageDesc, bytes, at);
    const stored = bytes.subarray(Number(from), Number(from) + size);
    const page = own === 0 ? stored : zlib.inflateSync(stored);
    const packed = Uint8Array.from(pack(page, Math.min(PAGE, page.findLastIndex((byte) => byte !== 0) + 2)));
    const isSmaller = packed.length < PAGE;
    pages.push(isSmaller ? packed : page);
    encodeInto(pageDesc, { offset, size: pages.at(-1)?.length ?? 0, flags: isSmaller ? flags : 0 }, head, at);
    offset += pages.at(-1)?.length ?? 0;
  }
  return concat(head, ...pages);
}

/** The report without what tells of the file it is from. */
async function reported(path: string, withKernel = true): Promise<string> {
  const dump = await reportOf(path, { log: false });
  const { source: _, kernel, ...rest } = dump.toJSON();
  const text = JSON.stringify(withKernel ? { kernel, ...rest } : rest, null, 1);
  dump.close();
  return text;
}

describe('one capture', () => {
  const containers: Readonly<Record<string, () => string | null | Promise<string>>> = {
    flattened: () => fileOf('flattened', flattened(kdump)),
    split: () => split(),
    elf: () => temporary('core'),
    gzip: () => fileOf('core.gz', zlib.gzipSync(elf)),
    zstd: () => {
      const bytes = zstdOf(elf);
      return bytes === null ? null : fileOf('core.zst', bytes);
    },
    kdump: () => temporary('kdump'),
    'kdump in gzip': () => fileOf('kdump.gz', zlib.gzipSync(kdump)),
    ...Object.fromEntries(Object.entries(PACKERS).map(([name, how]) => [name, () => fileOf(name, repacked(kdump, how))])),
  };
  test.each(Object.keys(containers).slice(0, extent(1, Number.POSITIVE_INFINITY)))('%s: the same report', async (name) => {
    const path = await containers[name]?.();
    // Only a Node that compresses with zstd can make it.
    if (path != null) expect(await reported(path)).toBe(whole);
  });

  test.each(['LZO'].slice(0, extent(0, 1)))('%s pages, written by makedumpfile from a core with the pages that it needs: the same handover', async () => {
    const own = await reported(fixture('handover-7.3-s1-frozen.lzo.kdump.xz'));
    expect(JSON.parse(own).handovers).toEqual(JSON.parse(whole).handovers);
  });

  test('LiME, which has no VMCOREINFO: the same but for what names the kernel', async () => {
    const own = await reported(fileOf('lime', asLime(core.memory)), false);
    expect(JSON.parse(own).handovers).toEqual(JSON.parse(whole).handovers);
  });
});

/** What a report says where its dump is not whole. */
const TOLD = /cut short|truncated|incomplete|ends at|not in this dump|could not be read/;

test('cut off anywhere: one line, or a report that says so', { timeout: 600_000 }, async () => {
  const files: Readonly<Record<string, Uint8Array>> = {
    'cut.elf': elf,
    'cut.kdump': kdump,
    'cut.flat': flattened(kdump),
    'cut.gz': zlib.gzipSync(elf),
    'cut.xz': readFileSync(CAPTURE),
    'cut.lime': asLime(core.memory),
  };
  for (const [name, bytes] of Object.entries(files)) {
    const steps = extent(1, 150);
    for (let step = 0; step < steps; step++) {
      // Also right behind the start, and right before the end.
      const size = step === 0 ? bytes.length - 1 : step === 1 ? 4097 : Math.floor((bytes.length * step) / steps) + (step % 7);
      const path = fileOf(name, bytes.subarray(0, size));
      const said = await reported(path).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        expect(error.message.includes('\n'), `${name} at ${size}`).toBe(false);
        return null;
      });
      if (said !== null && said !== whole) expect(said, `${name} at ${size} of ${bytes.length}`).toMatch(TOLD);
    }
  }
});
