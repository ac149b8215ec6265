/**
 * The preserved memory map that kernels with kho-v1 and LUO keep (6.19, 7.0): live bitmaps by order, which a chain of chunks names once
 * the map is finalised. Source: abi/kho/chunk.ts; kernel/liveupdate/kexec_handover.c, 6.19.11.
 */
import { bitmapSpan, khoMemPhysBits, khoserMemChunk } from '../../../abi/kho/chunk.js';
import { arrayCount, layoutTable } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { Machine, Steps } from '../machine.js';
import type { PreservedMap } from './preserved-map.js';

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
