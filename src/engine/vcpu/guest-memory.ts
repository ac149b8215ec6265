/** Memory of a guest: pages made when first written, everything else one fill byte. For the simulated vCPU. */
import type { HostMapping } from '../../device/kvm/backend.js';

/** Values for ranges of whole numbers (pages, frames), the last one set wins. A range costs the same whatever its length. */
export class RangeMap<T> {
  readonly #otherwise: T;
  #ranges: readonly { readonly start: number; readonly end: number; readonly value: T }[] = [];

  constructor(otherwise: T) {
    this.#otherwise = otherwise;
  }

  get(at: number): T {
    const found = this.#ranges.find(({ start, end }) => at >= start && at < end);
    return found === undefined ? this.#otherwise : found.value;
  }

  /** [start, end) */
  set(start: number, end: number, value: T): void {
    const kept = this.#ranges.flatMap((range) => [
      ...(range.start < start ? [{ ...range, end: Math.min(range.end, start) }] : []),
      ...(range.end > end ? [{ ...range, start: Math.max(range.start, end) }] : []),
    ]);
    this.#ranges = [...kept, { start, end, value }];
  }
}

export const PAGE = 4096;

/** Memory by offset, in bytes. */
export interface GuestBytes {
  /** in bytes */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** Whole pages become `fill`, and sound again: it is new memory. */
  replace(offset: number, size: number, fill: number): void;
  poison(offset: number): void;
  isPoisoned(offset: number): boolean;
}

/** A guest_memfd, or anonymous memory. */
export class GuestMemory implements GuestBytes {
  /** in bytes */
  readonly size: number;
  readonly #fills: RangeMap<number>;
  readonly #pages = new Map<number, Uint8Array>();
  readonly #poisoned = new Set<number>();

  constructor(size: number, fill = 0) {
    this.size = size;
    this.#fills = new RangeMap(fill);
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at++) {
      const page = Math.floor((offset + at) / PAGE);
      out[at] = this.#pages.get(page)?.[(offset + at) % PAGE] ?? this.#fills.get(page);
    }
    return out;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const [at, byte] of bytes.entries()) this.#page(Math.floor((offset + at) / PAGE))[(offset + at) % PAGE] = byte;
  }

  replace(offset: number, size: number, fill: number): void {
    const first = offset / PAGE;
    const end = (offset + size) / PAGE;
    for (const page of [...this.#pages.keys()]) if (page >= first && page < end) this.#pages.delete(page);
    for (const page of [...this.#poisoned]) if (page >= first && page < end) this.#poisoned.delete(page);
    this.#fills.set(first, end, fill);
  }

  poison(offset: number): void {
    this.#poisoned.add(Math.floor(offset / PAGE));
  }

  isPoisoned(offset: number): boolean {
    return this.#poisoned.has(Math.floor(offset / PAGE));
  }

  #page(index: number): Uint8Array {
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE).fill(this.#fills.get(index));
      this.#pages.set(index, page);
    }
    return page;
  }
}

/** A guest_memfd. */
export interface GuestMemfd {
  readonly name: string;
  /** with in-place conversion, by page of the file */
  readonly attributes: RangeMap<bigint>;
  readonly memory: GuestMemory;
  /** GUEST_MEMFD_FLAG_* */
  readonly flags: number;
  /** closed by user space: memslots have lost it */
  closed: boolean;
}

/** The VMM's mapping of a memslot, by page. */
export class HostRange {
  readonly memory: GuestBytes;
  readonly #states = new RangeMap<HostMapping>('mapped');

  constructor(memory: GuestBytes) {
    this.memory = memory;
  }

  state(offset: number): HostMapping {
    return this.#states.get(Math.floor(offset / PAGE));
  }

  change(offset: number, size: number, mapping: HostMapping, fill: number): void {
    this.#states.set(offset / PAGE, (offset + size) / PAGE, mapping);
    if (mapping === 'mapped') this.memory.replace(offset, size, fill);
  }
}
