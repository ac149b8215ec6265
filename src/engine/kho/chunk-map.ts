/** The next kernel's walk over a preserved memory map of kho-v1: a chain of chunks that name bitmaps. Source: abi/kho/chunk.ts; kernel/kexec_handover.c, 6.17.8 and 6.18.15. */
import { type BitmapForm, bitmapBytes, bitmapSpan, khoMemPhysBits, khoserMemChunk } from '../../../abi/kho/chunk.js';
import { arrayCount, layoutTable } from '../../codec/layout-table.js';
import { type Machine, PanicError, type Steps } from '../machine.js';
import { type PreservedMap, type TakeBlock, checkBlock } from './preserved-map.js';
import { negative } from '../faults.js';
import type { PageAllocator } from '../kernel/pages.js';

/** Blocks are numbered with 52 bits at most: no order is higher. */
const MOST_ORDER = 52;

/**
 * @param first physical address of the first chunk; 0: nothing is preserved
 * @throws PanicError where the kernel would touch what is no memory, or walk without end @throws MissingPageError
 */
export function* walkChunks(machine: Machine, first: number, form: BitmapForm, take: TakeBlock): Steps<void> {
  const room = arrayCount(layoutTable(khoserMemChunk, machine.pageSize).field('bitmaps'), machine.pageSize);
  const walked = new Set<number>();
  for (let chunk = first; chunk !== 0; ) {
    // Nothing changes on the way: who comes back goes round for ever.
    if (walked.has(chunk)) throw new PanicError('the chain of the preserved memory map does not end');
    walked.add(chunk);
    const { hdr, bitmaps } = machine.readStruct(khoserMemChunk, chunk);
    let blocks = 0;
    for (const { phys_start, bitmap } of bitmaps.slice(0, Math.min(hdr.num_elms, room))) {
      machine.work.walk(Number(bitmap));
      const bits = machine.read(Number(bitmap), bitmapBytes(form, machine.pageSize));
      if (hdr.order <= MOST_ORDER) blocks += readBitmap(machine, bits, Number(phys_start), hdr.order, take);
    }
    yield machine.event('next-kernel', 'kho_mem_deserialize', { address: chunk, order: hdr.order, blocks });
    chunk = Number(hdr.next);
  }
}

function readBitmap(machine: Machine, bits: Uint8Array, start: number, order: number, take: TakeBlock): number {
  let blocks = 0;
  const span = machine.pageSize * 2 ** order;
  for (const [index, byte] of bits.entries()) {
    for (let bit = 0; byte >> bit !== 0; bit++) {
      const address = start + (index * 8 + bit) * span;
      if (((byte >> bit) & 1) === 0) continue;
      checkBlock(machine, address, order);
      if (!machine.fromDump && address + span > machine.size) continue;
      take(address, order);
      blocks++;
    }
  }
  return blocks;
}

/**
 * The preserved memory map that kernels with kho-v1 and LUO keep (6.19, 7.0): live bitmaps by order, which a chain of chunks names once
 * the map is finalised. Source: abi/kho/chunk.ts; kernel/liveupdate/kexec_handover.c, 6.19.11.
 */
export class ChunkTracker implements PreservedMap {
  /** the first chunk; 0 until the map has been finalised */
  root = 0;
  readonly #machine: Machine;
  readonly #pages: PageAllocator;
  /** order -> what its bitmap starts at -> the bitmap's page. Orders and bitmaps stay once they were used. */
  readonly #orders = new Map<number, Map<number, number>>();
  #chunks: number[] = [];

  constructor(machine: Machine, pages: PageAllocator) {
    this.#machine = machine;
    this.#pages = pages;
  }

  *add(address: number, order: number): Steps<number> {
    let bitmaps = this.#orders.get(order);
    if (bitmaps === undefined) {
      bitmaps = new Map();
      this.#orders.set(order, bitmaps);
    }
    const start = this.#startOf(address, order);
    if (!bitmaps.has(start)) {
      const page = this.#pages.alloc();
      if (page === null) return negative('ENOMEM');
      bitmaps.set(start, page);
      this.#machine.noteWritten(khoMemPhysBits, page);
      yield this.#machine.event('kho', 'kho_mem_phys_bits', { address: page, phys_start: start, order });
    }
    this.#set(address, order, true);
    return 0;
  }

  remove(address: number, order: number): boolean {
    if (!this.has(address, order)) return false;
    this.#set(address, order, false);
    return true;
  }

  has(address: number, order: number): boolean {
    const place = this.#placeOf(address, order);
    return place !== null && ((this.#machine.read(place.byte, 1)[0] ?? 0) & place.bit) !== 0;
  }

  #startOf(address: number, order: number): number {
    return address - (address % bitmapSpan('page', this.#machine.pageSize, order));
  }

  #placeOf(address: number, order: number): { readonly byte: number; readonly bit: number } | null {
    const start = this.#startOf(address, order);
    const page = this.#orders.get(order)?.get(start);
    if (page === undefined) return null;
    const index = Math.floor((address - start) / (this.#machine.pageSize * 2 ** order));
    return { byte: page + Math.floor(index / 8), bit: 1 << (index % 8) };
  }

  #set(address: number, order: number, on: boolean): void {
    const place = this.#placeOf(address, order);
    if (place === null) return;
    const byte = this.#machine.read(place.byte, 1)[0] ?? 0;
    this.#machine.memory.write(place.byte, Uint8Array.of(on ? byte | place.bit : byte & ~place.bit), khoMemPhysBits.name, 'preserve');
  }

  /** kho_mem_serialize: the chain of chunks, orders ascending, at least one chunk an order. @returns 0, or ENOMEM with nothing changed */
  *finalize(): Steps<number> {
    const machine = this.#machine;
    const parts = this.#parts();
    const chunks: number[] = [];
    while (chunks.length < parts.length) {
      const page = this.#pages.alloc();
      if (page === null) {
        for (const given of chunks) this.#pages.free(given);
        return negative('ENOMEM');
      }
      chunks.push(page);
    }
    for (const [index, { order, bitmaps }] of parts.entries()) {
      const address = chunks[index] ?? 0;
      machine.writeStruct(khoserMemChunk, address, { hdr: { next: chunks[index + 1] ?? 0, order, num_elms: bitmaps.length }, bitmaps });
      yield machine.event('kho', 'write khoser_mem_chunk', { address, order, bitmaps: bitmaps.length });
    }
    for (const page of this.#chunks) this.#pages.free(page);
    this.#chunks = chunks;
    this.root = chunks[0] ?? 0;
    return 0;
  }

  /** What each chunk holds. */
  #parts(): { readonly order: number; readonly bitmaps: { readonly phys_start: number; readonly bitmap: number }[] }[] {
    const { pageSize } = this.#machine;
    const room = arrayCount(layoutTable(khoserMemChunk, pageSize).field('bitmaps'), pageSize);
    return [...this.#orders]
      .sort(([a], [b]) => a - b)
      .flatMap(([order, bitmaps]) => {
        const sorted = [...bitmaps].sort(([a], [b]) => a - b).map(([start, bitmap]) => ({ phys_start: start, bitmap }));
        const count = Math.max(1, Math.ceil(sorted.length / room));
        return Array.from({ length: count }, (_, index) => ({ order, bitmaps: sorted.slice(index * room, (index + 1) * room) }));
      });
  }
}
