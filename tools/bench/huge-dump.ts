/**
 * Sparse dumps of huge machines, written with the project's own encoders: folios of order 0 scattered over the upper half of memory, in
 * any number of memfds and sessions, as 7.3 hands them over. One PT_LOAD over all memory; what nobody wrote is a hole of the file.
 * For `npm run bench`.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { Area } from '../../abi/contract.js';
import { khoData, SETUP_KEXEC_KHO, setupData } from '../../abi/boot/setup-data.js';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { radixGeometry } from '../../abi/kho/radix.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import { khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { fileBlocks, sessionBlocks } from '../../abi/luo/areas.js';
import { luoFlbHeaderSer } from '../../abi/luo/entries.js';
import { luoSer } from '../../abi/luo/v5.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { areaCapacity, entryOffset } from '../../src/codec/area.js';
import { encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { buildFdt } from '../../src/codec/fdt.js';
import { leafOf } from '../../src/codec/leaf.js';
import { arrayCount, layoutTable, sizeOf } from '../../src/codec/layout-table.js';
import { coreLayout } from '../../src/container/elf-writer.js';
import { atEnd } from '../../src/codec/at-end.js';

const PAGE = 4096;
const PAGE_SHIFT = 12;
/** Structures start at this address. */
const STRUCTURES = 16 << 20;
/** Steps from one folio to the next, in pages: odd, so that a power of two of them never meet. */
const STRIDE = 0x9e3779b1;
const TEXT = new TextEncoder();

export interface HugeDump {
  readonly sessions: number;
  /** spread over the sessions in turn */
  readonly memfds: number;
  /** of one page each, spread over the memfds in turn */
  readonly folios: number;
  /** bytes; 64 GiB unless given, and a power of two */
  readonly memory?: number;
  /** pages that follow each other in memory and in the file; 1 unless given */
  readonly runLength?: number;
  /** as the next kernel finds it (the scratch array is filled), else as the old one leaves it */
  readonly incoming?: boolean;
  /** entry number over all memfds in the order of the tables -> what is wrong with it */
  readonly wrong?: ReadonlyMap<number, 'listed-twice' | 'not-preserved'>;
}

interface WrittenDump {
  /** physical address of the root FDT */
  readonly fdt: number;
}

/** Writes the dump. The file's size is that of the memory, its blocks those of the structures. */
export function writeHugeDump(path: string, dump: HugeDump): WrittenDump {
  return new Writer(path, dump).write();
}

class Writer {
  readonly #dump: HugeDump;
  readonly #fd: number;
  readonly #memory: number;
  /** where memory starts in the file */
  readonly #base: number;
  readonly #path: string;
  #next = STRUCTURES;
  /** number of the leaf among those of order 0 -> its bits */
  readonly #leaves = new Map<number, Uint8Array>();

  constructor(path: string, dump: HugeDump) {
    this.#path = path;
    this.#dump = dump;
    this.#memory = dump.memory ?? 64 * 2 ** 30;
    const { head, placed, end } = coreLayout({
      readable: [{ start: 0, end: this.#memory }],
      arch: 'x86_64',
      vmcoreinfo: new Map([
        ['OSRELEASE', '7.3.4'],
        ['PAGESIZE', String(PAGE)],
      ]),
    });
    this.#fd = openSync(path, 'w');
    this.#base = placed[0]?.offset ?? 0;
    ftruncateSync(this.#fd, end);
    writeSync(this.#fd, head, 0, head.length, 0);
  }

  write(): WrittenDump {
    using _fd = atEnd(() => closeSync(this.#fd));
    const { sessions, memfds } = this.#dump;
    const files: number[][] = Array.from({ length: sessions }, () => []);
    for (let memfd = 0, first = 0; memfd < memfds; memfd++) {
      const count = Math.floor(this.#dump.folios / memfds) + (memfd < this.#dump.folios % memfds ? 1 : 0);
      files[memfd % sessions]?.push(this.#memfd(first, count));
      first += count;
    }
    const sets = files.map((list, session) =>
      this.#chain(fileBlocks, list.length, (index) => ({ compatible: 'memfd-v2', data: list[index] ?? 0, token: session * 1000 + index })),
    );
    const first = this.#chain(sessionBlocks, sessions, (index) => ({
      name: `vm-${String(index).padStart(6, '0')}`,
      file_set_ser: { files: sets[index] ?? 0, count: files[index]?.length ?? 0 },
    }));
    const luo = this.#page(
      encodeStruct(luoSer, {
        compatible: 'luo-v5',
        liveupdate_num: 1,
        sessions_pa: first,
        flbs_pa: this.#page(encodeStruct(luoFlbHeaderSer, { pgcnt: 1, count: 0 })),
      }),
    );
    const fdt = this.#alloc();
    const root = this.#tree();
    this.#put(
      fdt,
      buildFdt(
        {
          name: '',
          properties: [
            ['compatible', TEXT.encode('kho-v4\0')],
            ['preserved-memory-map', u64(root)],
          ],
          children: [
            {
              name: 'LUO',
              properties: [
                ['preserved-data', u64(luo)],
                ['blob-size', u64(sizeOf(luoSer))],
              ],
              children: [],
            },
          ],
        },
        PAGE,
      ),
    );
    this.#setupData(fdt);
    if (this.#next > this.#memory / 2) throw new RangeError(`${this.#path}: the structures need more than half of the memory`);
    return { fdt };
  }

  #put(address: number, bytes: Uint8Array): void {
    writeSync(this.#fd, bytes, 0, bytes.length, this.#base + address);
  }

  /** A page that is preserved, unless told otherwise. */
  #alloc(preserve = true): number {
    const address = this.#next;
    this.#next += PAGE;
    if (preserve) this.#preserve(address / PAGE);
    return address;
  }

  #page(bytes: Uint8Array): number {
    const address = this.#alloc();
    this.#put(address, bytes);
    return address;
  }

  #preserve(frame: number): void {
    const { leafLog2 } = radixGeometry(PAGE_SHIFT);
    const number = Math.floor(frame / 2 ** leafLog2);
    let leaf = this.#leaves.get(number);
    if (leaf === undefined) {
      leaf = new Uint8Array(PAGE);
      this.#leaves.set(number, leaf);
    }
    const bit = frame % 2 ** leafLog2;
    leaf[bit >>> 3] = (leaf[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }

  /** Page frame of a folio, by its number: scattered, none twice. */
  #frameOf(number: number): number {
    const run = this.#dump.runLength ?? 1;
    const pages = this.#memory / 2 / PAGE;
    const runs = pages / run;
    const place = Number((BigInt(Math.floor(number / run)) * BigInt(STRIDE)) % BigInt(runs));
    return pages + place * run + (number % run);
  }

  /** @returns the address of its memfd_luo_ser */
  #memfd(first: number, count: number): number {
    const each = sizeOf(memfdLuoFolioSer);
    const pages = Math.ceil((count * each) / PAGE);
    const table = new Uint8Array(pages * PAGE);
    const view = new DataView(table.buffer);
    const bits = (name: string): number => leafOf(memfdLuoFolioSer, name)?.bitOffset ?? 0;
    const [pfnAt, flagsAt, indexAt] = [bits('pfn'), bits('flags'), bits('index') / 8];
    // The entries are many, and their numbers below 2^32: each field is put at its place, which the layout says.
    const flagBits = (0x3 * 2 ** (flagsAt % 32)) >>> 0;
    for (let entry = 0; entry < count; entry++) {
      const wrong = this.#dump.wrong?.get(first + entry);
      const frame = this.#frameOf(wrong === 'listed-twice' ? first + entry - 1 : first + entry);
      if (wrong === undefined) this.#preserve(frame);
      view.setUint32(entry * each + (pfnAt >>> 5) * 4, frame, true);
      view.setUint32(entry * each + (flagsAt >>> 5) * 4, flagBits, true);
      view.setUint32(entry * each + indexAt, entry, true);
    }
    const area = Array.from({ length: pages }, () => this.#alloc());
    const [start] = area;
    // The pages were allocated in a row.
    if (start !== undefined) this.#put(start, table);
    const chunk = pages === 0 ? 0 : this.#chunks(area);
    return this.#page(
      encodeStruct(memfdLuoSerV2, {
        pos: 0,
        size: count * PAGE,
        seals: 0,
        flags: 0,
        nr_folios: count,
        folios: { first: chunk, total_pages: pages, flags: pages === 0 ? 0 : 1, order: 0 },
      }),
    );
  }

  #chunks(area: readonly number[]): number {
    const room = arrayCount(layoutTable(khoVmallocChunk, PAGE).field('phys'), PAGE);
    // A list that fills its last chunk is ended by an empty one.
    const chunks = Array.from({ length: Math.floor(area.length / room) + 1 }, () => this.#alloc());
    for (const [index, chunk] of chunks.entries())
      this.#put(chunk, encodeStruct(khoVmallocChunk, { next: chunks[index + 1] ?? 0, phys: area.slice(index * room, (index + 1) * room) }, { pageSize: PAGE }));
    return chunks[0] ?? 0;
  }

  #chain(area: Area, count: number, entry: (index: number) => Parameters<typeof encodeInto>[1]): number {
    const capacity = areaCapacity(area, PAGE);
    const blocks = Array.from({ length: Math.ceil(count / capacity) }, () => this.#alloc());
    for (const [number, block] of blocks.entries()) {
      const bytes = new Uint8Array(PAGE);
      const used = Math.min(capacity, count - number * capacity);
      encodeInto(khoBlockHeaderSer, { next: blocks[number + 1] ?? 0, count: used }, bytes, 0);
      for (let index = 0; index < used; index++) encodeInto(area.entry, entry(number * capacity + index), bytes, entryOffset(area, index, PAGE));
      this.#put(block, bytes);
    }
    return blocks[0] ?? 0;
  }

  /** The radix tree over everything preserved. @returns its root */
  #tree(): number {
    const { tableLog2, leafLog2, levels } = radixGeometry(PAGE_SHIFT);
    // Of a key of order 0 the marker is bit 64 - PAGE_SHIFT; the bits above a leaf's are the number of the leaf, counted from there.
    const marker = 2n ** BigInt(64 - PAGE_SHIFT - leafLog2);
    let below = new Map([...this.#leaves].map(([number, bits]): [bigint, number] => [marker + BigInt(number), this.#bare(bits)]));
    for (let level = 1; level < levels; level++) {
      const tables = new Map<bigint, Uint8Array>();
      for (const [prefix, address] of below) {
        const above = prefix >> BigInt(tableLog2);
        const table = tables.get(above) ?? new Uint8Array(PAGE);
        tables.set(above, table);
        table.set(u64(address), Number(prefix & BigInt(2 ** tableLog2 - 1)) * 8);
      }
      below = new Map([...tables].map(([prefix, table]): [bigint, number] => [prefix, this.#bare(table)]));
    }
    return below.get(0n) ?? 0;
  }

  #bare(bytes: Uint8Array): number {
    const address = this.#alloc(false);
    this.#put(address, bytes);
    return address;
  }

  #setupData(fdt: number): void {
    const node = this.#alloc(false);
    const scratch = this.#alloc(false);
    // 4 MiB below the structures, where nothing is preserved.
    if (this.#dump.incoming === true) this.#put(scratch, encodeStruct(khoScratch, { addr: 4 << 20, size: 4 << 20 }));
    const bytes = new Uint8Array(sizeOf(setupData) + sizeOf(khoData));
    encodeInto(setupData, { next: 0, type: SETUP_KEXEC_KHO, len: sizeOf(khoData) }, bytes, 0);
    encodeInto(khoData, { fdt_addr: fdt, fdt_size: PAGE, scratch_addr: scratch, scratch_size: sizeOf(khoScratch) }, bytes, sizeOf(setupData));
    this.#put(node, bytes);
  }
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
