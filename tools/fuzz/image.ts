/**
 * Physical memory that is made for a fuzz input: written by the layouts of abi/, with a record of where each field is, so that damage
 * can be done to fields and not to padding.
 */
import { khoData, SETUP_KEXEC_KHO, setupData } from '../../abi/boot/setup-data.js';
import {
  ELFCLASS64,
  ELFDATA2LSB,
  ELFMAG,
  EM_X86_64,
  ET_CORE,
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  elfIdent,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from '../../abi/elf/elf64.js';
import type { Area } from '../../abi/contract.js';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import type { Struct } from '../../abi/layout.js';
import { luoSer } from '../../abi/luo/v5.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { areaCapacity, entryOffset } from '../../src/codec/area.js';
import { type EncodableStruct, encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { buildFdt } from '../../src/codec/fdt.js';
import { layoutTable, sizeOf } from '../../src/codec/layout-table.js';
import { kdumpHeader } from '../../src/container/kdump-writer.js';
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import {
  DUMP_DH_COMPRESSED,
  diskDumpHeader,
  FLATTENED_HEADER_BLOCK,
  FLATTENED_SIGNATURE,
  flattenedHeader,
  flattenedPiece,
  kdumpSubHeader,
  pageDesc,
} from '../../abi/kdump/kdump.js';
import { LIME_MAGIC, limeHeader } from '../../abi/lime/v1.js';
import type { Random } from '../random.js';

export const PAGE = 4096;
export const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
export const words = (...values: readonly (number | bigint)[]): Uint8Array => new Uint8Array(BigUint64Array.from(values, BigInt).buffer);

/** A field's place in bytes that were made. */
export interface Place {
  readonly at: number;
  readonly size: number;
}

const MOST_PLACES = 4096;

/** Every field of a structure at `at`, those of structures within it one by one. */
export const placesOf = (struct: Struct, at: number): Place[] =>
  layoutTable(struct).fields.flatMap(({ type, offset, size }) => (type.kind === 'nested' ? placesOf(type.struct, at + offset) : [{ at: at + offset, size }]));

/** Physical memory that grows page by page. */
export class Memory {
  /** of every field that was written: offset and bytes */
  readonly places: Place[] = [];
  #bytes = Buffer.alloc(64 << 10);
  /** the first page is no pointer's */
  #end = PAGE;

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  /** Address of `pages` fresh pages of zeros. */
  alloc(pages = 1): number {
    const at = this.#end;
    this.#end += pages * PAGE;
    if (this.#end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(Math.max(this.#bytes.length, pages * PAGE))]);
    return at;
  }

  put(at: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, at);
  }

  write<S extends Struct>(at: number, struct: S, values: EncodableStruct<S>): void {
    encodeInto(struct, values, this.#bytes, at);
    if (this.places.length < MOST_PLACES) this.places.push(...placesOf(struct, at));
  }

  /** A page of little-endian words of 8 bytes, all the same from `first` on. */
  repeat(at: number, first: number, count: number, value: number): void {
    for (let index = first; index < first + count; index++) this.#bytes.writeBigUInt64LE(BigInt(value), at + index * 8);
  }

  /** A chain of blocks of `count` entries in all, each written by `put`; the address of the first, 0 of none. */
  chain<S extends Struct>(area: Area, entry: S, count: number, fieldsOf: (index: number) => EncodableStruct<S>): number {
    const capacity = areaCapacity(area, PAGE);
    const blocks = Array.from({ length: Math.ceil(count / capacity) }, () => this.alloc());
    for (const [index, at] of blocks.entries()) {
      const here = Math.min(capacity, count - index * capacity);
      this.write(at, khoBlockHeaderSer, { next: blocks[index + 1] ?? 0, count: here });
      for (let slot = 0; slot < here; slot++) this.write(at + entryOffset(area, slot, PAGE), entry, fieldsOf(index * capacity + slot));
    }
    return blocks[0] ?? 0;
  }

  /** Chunks of a vmalloc area of these blocks, or of `count` times the same; the address of the first chunk. */
  vmalloc(blocks: number | readonly number[], count = typeof blocks === 'number' ? 1 : blocks.length): number {
    const each = PAGE / 8 - 1;
    const chunks = Array.from({ length: Math.ceil((count + 1) / each) }, () => this.alloc());
    for (const [index, at] of chunks.entries()) {
      this.repeat(at, 0, 1, chunks[index + 1] ?? 0);
      for (let slot = index * each; slot < Math.min(count, (index + 1) * each); slot++)
        this.repeat(at, 1 + (slot % each), 1, typeof blocks === 'number' ? blocks : (blocks[slot] ?? 0));
    }
    return chunks[0] ?? 0;
  }

  /** The radix tree's page of a level above one that all its entries lead to, or a leaf of ones. */
  radix(levels: number): number {
    let below = this.alloc();
    this.put(below, new Uint8Array(PAGE).fill(0xff));
    for (let level = 1; level < levels; level++) {
      const at = this.alloc();
      this.repeat(at, 0, PAGE / 8, below);
      below = at;
    }
    return below;
  }

  /** Sets the root FDT, and the setup_data node that names it. */
  handOver(compatible: string, map: number, subtrees: readonly { readonly name: string; readonly at: number; readonly size: number }[]): number {
    const children = subtrees.map(({ name, at, size }) => ({
      name,
      properties: [['preserved-data', words(at)] as const, ['blob-size', words(size)] as const],
      children: [],
    }));
    const fdt = buildFdt({
      name: '',
      properties: [
        ['compatible', text(compatible)],
        ['preserved-memory-map', words(map)],
      ],
      children,
    });
    const at = this.alloc(Math.ceil(fdt.length / PAGE));
    this.put(at, fdt);
    const [node, scratch] = [this.alloc(), this.alloc()];
    this.write(node, setupData, { type: SETUP_KEXEC_KHO, len: sizeOf(khoData) });
    this.put(node + sizeOf(setupData), encodeStruct(khoData, { fdt_addr: at, fdt_size: PAGE, scratch_addr: scratch, scratch_size: sizeOf(khoScratch) }));
    this.write(scratch, khoScratch, { addr: 0x40000000, size: 0x800000 });
    return at;
  }

  luo(sessions: number, flbs = 0): { readonly name: string; readonly at: number; readonly size: number } {
    const at = this.alloc();
    this.write(at, luoSer, { compatible: 'luo-v5', liveupdate_num: 1, sessions_pa: sessions, flbs_pa: flbs });
    return { name: 'LUO', at, size: sizeOf(luoSer) };
  }

  core(): Uint8Array {
    return elfCore([{ at: 0, offset: 0, size: this.#end }], this.bytes);
  }
}

interface Segment {
  readonly at: number;
  /** after the headers */
  readonly offset: number;
  readonly size: number;
  readonly isNote?: boolean;
}

/** An ELF core whose program headers name parts of `bytes`. */
export function elfCore(segments: readonly Segment[], bytes: Uint8Array): Uint8Array {
  const wide = segments.length >= PN_XNUM;
  const tableAt = sizeOf(elf64Ehdr) + (wide ? sizeOf(elf64Shdr) : 0);
  const each = sizeOf(elf64Phdr);
  const start = Math.ceil((tableAt + segments.length * each) / PAGE) * PAGE;
  const out = new Uint8Array(start + bytes.length);
  encodeInto(
    elf64Ehdr,
    {
      e_ident: encodeStruct(elfIdent, { ei_mag: Uint8Array.from(ELFMAG), ei_class: ELFCLASS64, ei_data: ELFDATA2LSB, ei_version: 1 }),
      e_type: ET_CORE,
      e_machine: EM_X86_64,
      e_phoff: tableAt,
      e_phentsize: each,
      e_phnum: wide ? PN_XNUM : segments.length,
      e_shoff: wide ? sizeOf(elf64Ehdr) : 0,
    },
    out,
    0,
  );
  if (wide) encodeInto(elf64Shdr, { sh_info: segments.length }, out, sizeOf(elf64Ehdr));
  for (const [index, { at, offset, size, isNote }] of segments.entries())
    encodeInto(
      elf64Phdr,
      { p_type: isNote === true ? PT_NOTE : PT_LOAD, p_offset: start + offset, p_paddr: at, p_filesz: size, p_memsz: size },
      out,
      tableAt + index * each,
    );
  out.set(bytes, start);
  return out;
}

/** A memfd whose table has `blocks` pages of entries that start at page frame `pfn`. */
export function memfd(memory: Memory, size: bigint, folios: bigint, first: number, blocks: number): number {
  const at = memory.alloc();
  memory.write(at, memfdLuoSerV2, { size, nr_folios: folios, folios: { first, total_pages: blocks, flags: 1, order: 0 } });
  return at;
}

/** A page of folios, a few page frames over and over. */
export function tablePage(memory: Memory, step: number): number {
  const at = memory.alloc();
  const each = sizeOf(memfdLuoFolioSer);
  for (let entry = 0; entry < PAGE / each; entry++)
    memory.write(at + entry * each, memfdLuoFolioSer, { pfn_flags: { pfn: 1 + (entry % 8) * step, flags: 3 }, index: entry });
  return at;
}

export interface Wrapped {
  readonly bytes: Uint8Array;
  readonly places: readonly Place[];
}

/** LiME: a header in front of each range. */
export function lime(memory: Uint8Array, random: Random): Wrapped {
  const cut = PAGE * (1 + random.below(Math.max(1, memory.length / PAGE)));
  const parts: Uint8Array[] = [];
  const places: Place[] = [];
  let at = 0;
  for (const [start, end] of [
    [0, cut],
    [cut, memory.length],
  ] as const) {
    if (end <= start) continue;
    places.push(...placesOf(limeHeader, at));
    const head = encodeStruct(limeHeader, { magic: LIME_MAGIC, version: 1, s_addr: start, e_addr: end - 1 });
    parts.push(head, memory.subarray(start, end));
    at += head.length + end - start;
  }
  return { bytes: Buffer.concat(parts), places };
}

/** A dump in pieces with their offsets, as makedumpfile -F writes it, in any order. */
export function flattened(bytes: Uint8Array, random: Random): Wrapped {
  const head = Buffer.alloc(FLATTENED_HEADER_BLOCK);
  encodeInto(flattenedHeader, { signature: FLATTENED_SIGNATURE, type: 1, version: 1 }, head, 0);
  const size = PAGE * (1 + random.below(16));
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => ({
    at: index * size,
    part: bytes.subarray(index * size, (index + 1) * size),
  }));
  if (random.below(2) === 0) pieces.reverse();
  const places = placesOf(flattenedHeader, 0);
  const parts: Uint8Array[] = [head];
  let end = head.length;
  for (const { at, part } of pieces) {
    places.push(...placesOf(flattenedPiece, end));
    parts.push(encodeStruct(flattenedPiece, { offset: at, buf_size: part.length }), part);
    end += sizeOf(flattenedPiece) + part.length;
  }
  parts.push(encodeStruct(flattenedPiece, { offset: -1n, buf_size: -1n }));
  return { bytes: Buffer.concat(parts), places };
}

/** Bytes up to the zeros at the end of a page. */
function withoutTail(page: Uint8Array): Uint8Array {
  let end = page.length;
  while (end > 1 && page[end - 1] === 0) end--;
  return page.subarray(0, end);
}

/** Snappy: one literal, then copies of its last byte. Source: google/snappy, format_description.txt */
function snappy(page: Uint8Array): Uint8Array {
  const literal = Buffer.concat([withoutTail(page), Uint8Array.from([0])]).subarray(0, page.length);
  const out = [...variable(page.length), 61 << 2, (literal.length - 1) & 255, (literal.length - 1) >> 8, ...literal];
  for (let left = page.length - literal.length; left > 0; left -= 64) out.push(((Math.min(64, left) - 1) << 2) | 2, 1, 0);
  return Uint8Array.from(out);
}

/** Writes the first two pages of a kdump-compressed dump, header and sub header, to the start of `out`. */
export function writeKdumpHead(out: Uint8Array, frames: number, bitmapBlocks: number): void {
  const utsname = { machine: 'x86_64', release: '7.3.4' };
  encodeInto(diskDumpHeader, kdumpHeader(frames, { utsname, block: PAGE, subBlocks: 1, bitmapBlocks }), out, 0);
  encodeInto(kdumpSubHeader, { max_mapnr_64: frames }, out, PAGE);
}

/** kdump-compressed, each page by another algorithm. */
export function kdump(memory: Uint8Array, random: Random): Wrapped {
  const frames = memory.length / PAGE;
  const descriptorsAt = 4 * PAGE;
  const each = sizeOf(pageDesc);
  const places = [...placesOf(diskDumpHeader, 0), ...placesOf(kdumpSubHeader, PAGE)];
  const pages = Array.from({ length: frames }, (_, frame): readonly [number, Uint8Array] => {
    const page = memory.subarray(frame * PAGE, (frame + 1) * PAGE);
    switch (random.below(4)) {
      case 0:
        return [DUMP_DH_COMPRESSED.SNAPPY, snappy(page)];
      case 1:
        return [DUMP_DH_COMPRESSED.ZSTD, zstdPage(page)];
      case 2:
        return [DUMP_DH_COMPRESSED.ZLIB, deflateSync(page, { level: 1 })];
      default:
        return [0, page];
    }
  }).map(([flags, bytes], frame): readonly [number, Uint8Array] =>
    bytes.length < PAGE ? [flags, bytes] : [0, memory.subarray(frame * PAGE, (frame + 1) * PAGE)],
  );
  let at = descriptorsAt + frames * each;
  const out = Buffer.alloc(at + pages.reduce((sum, [, { length }]) => sum + length, 0));
  writeKdumpHead(out, frames, 2);
  for (const bitmap of [2 * PAGE, 3 * PAGE])
    for (let frame = 0; frame < frames; frame++) out[bitmap + (frame >> 3)] = (out[bitmap + (frame >> 3)] ?? 0) | (1 << (frame & 7));
  places.push({ at: 2 * PAGE, size: 8 }, { at: 3 * PAGE, size: 8 });
  for (const [frame, [flags, bytes]] of pages.entries()) {
    const descriptor = descriptorsAt + frame * each;
    encodeInto(pageDesc, { offset: at, size: bytes.length, flags }, out, descriptor);
    places.push(...placesOf(pageDesc, descriptor), { at, size: 8 });
    out.set(bytes, at);
    at += bytes.length;
  }
  return { bytes: out, places };
}

/** A tar archive. Source: POSIX.1-2017, pax, ustar interchange format. */
export function tar(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const parts = files.flatMap(([name, bytes]) => {
    const head = Buffer.alloc(512);
    head.write(name.slice(0, 99), 0);
    head.write('0000644\x000000000\x000000000\0', 100);
    head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write('00000000000\0        0', 136);
    head.write('ustar\x0000', 257);
    const sum = head.reduce((all, byte) => all + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

const LARGEST_BLOCK = 128 << 10;

/** A zstd frame of raw blocks, or with `repeat` of one byte that many times. Source: RFC 8878 */
export function zstd(bytes: Uint8Array, repeat = 0): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58])];
  const size = repeat > 0 ? repeat : bytes.length;
  for (let at = 0; at < size || at === 0; at += LARGEST_BLOCK) {
    const length = Math.min(LARGEST_BLOCK, size - at);
    const head = Buffer.alloc(3);
    head.writeUIntLE((length << 3) | (repeat > 0 ? 2 : 0) | (at + length >= size ? 1 : 0), 0, 3);
    parts.push(head, repeat > 0 ? bytes.subarray(0, 1) : bytes.subarray(at, at + length));
  }
  return Buffer.concat(parts);
}

/** A page as a raw block and one of zeros. */
function zstdPage(page: Uint8Array): Uint8Array {
  const head = withoutTail(page);
  if (head.length === page.length) return page;
  const [raw, zeros] = [Buffer.alloc(3), Buffer.alloc(4)];
  raw.writeUIntLE(head.length << 3, 0, 3);
  zeros.writeUIntLE(((page.length - head.length) << 3) | 3, 0, 3);
  return Buffer.concat([Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), raw, head, zeros]);
}

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
};

function variable(value: number): number[] {
  const out: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) out.push((left & 127) | 128);
  return [...out, left];
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
const checked = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, u32(crc32(bytes))]);

/** An xz stream of one block whose chunks are stored. Source: The .xz File Format 1.2.1; LZMA2 of xz-file-format and lzma2_decoder.c */
function xz(bytes: Uint8Array): Uint8Array {
  const flags = Uint8Array.from([0, 0]);
  const header = checked(Uint8Array.from([2, 0, 0x21, 1, 0x16, 0, 0, 0]));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 65536) {
    const part = bytes.subarray(at, at + 65536);
    chunks.push(Uint8Array.from([1, (part.length - 1) >> 8, (part.length - 1) & 255]), part);
  }
  const data = Buffer.concat([...chunks, Uint8Array.from([0])]);
  const unpadded = header.length + data.length;
  const index = checked(padded(Uint8Array.from([0, 1, ...variable(unpadded), ...variable(bytes.length)])));
  const backward = Buffer.concat([u32(index.length / 4 - 1), flags]);
  return Buffer.concat([
    Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
    checked(flags),
    header,
    padded(data),
    index,
    u32(crc32(backward)),
    backward,
    Buffer.from('YZ'),
  ]);
}

export function compressed(bytes: Uint8Array, random: Random): Uint8Array {
  const how = random.below(3);
  return how === 0 ? gzipSync(bytes, { level: 1 }) : how === 1 ? zstd(bytes) : xz(bytes);
}
