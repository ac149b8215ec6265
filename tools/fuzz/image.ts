/**
 * Physical memory that is made for a fuzz input: written by the layouts of abi/, with a record of where each field stands, so that damage
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

  /** Chunks of a vmalloc area, `blocks` of them in all, every one the same; the address of the first chunk. */
  vmalloc(block: number, blocks: number): number {
    const each = PAGE / 8 - 1;
    const chunks = Array.from({ length: Math.ceil(blocks / each) }, () => this.alloc());
    for (const [index, at] of chunks.entries()) {
      this.repeat(at, 0, 1, chunks[index + 1] ?? 0);
      this.repeat(at, 1, Math.min(each, blocks - index * each), block);
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
  /** behind the headers */
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
