/**
 * The physical memory of the simulated machine: sparse pages, shared until written. A snapshot costs as much as there are
 * 2 MiB regions in use, and later writes copy only the pages they touch. Beneath it there may be a memory image from a dump.
 */
import type { MemoryRange, PageState, PhysicalMemory } from '../../memory/memory.js';

/** Pages of one region; what a snapshot shares and a write copies. */
const REGION_PAGES = 512;
/** Pages that are passed in one look for those that nobody wrote. */
const MOST_UNTOUCHED = 1 << 21;
/** A machine of up to so many bytes is shown whole. */
const WHOLE = 2 ** 30;

interface Region {
  readonly pages: (Uint8Array | undefined)[];
  readonly generation: number;
}

/** What a snapshot holds. Regions in it are never written again. */
export type PageSnapshot = ReadonlyMap<number, Region>;

export class PageStore implements PhysicalMemory {
  readonly pageSize: number;
  /** bytes of memory the machine has, from physical address 0 */
  readonly size: number;
  readonly #base: PhysicalMemory | null;
  readonly #zero: Uint8Array;
  #regions: Map<number, Region>;
  #generation = 0;
  /** pages that belong to this store alone since the last snapshot */
  #owned = new Set<number>();
  #readable: readonly MemoryRange[] | null = null;

  constructor(size: number, pageSize: number, base: PhysicalMemory | null = null, snapshot: PageSnapshot = new Map()) {
    this.size = size;
    this.pageSize = pageSize;
    this.#base = base;
    this.#zero = new Uint8Array(pageSize);
    this.#regions = new Map(snapshot);
    // A region that came with the snapshot belongs to others: no generation of this store is below 0.
    this.#generation = nextGeneration();
  }

  /** What is in memory now; this store goes on with copies. */
  snapshot(): PageSnapshot {
    const frozen = new Map(this.#regions);
    this.#generation = nextGeneration();
    this.#owned = new Set();
    return frozen;
  }

  /** A store of its own that starts from `snapshot`. */
  fork(snapshot: PageSnapshot): PageStore {
    return new PageStore(this.size, this.pageSize, this.#base, snapshot);
  }

  /** there is a dump beneath: a page never written here may hold data */
  get hasBase(): boolean {
    return this.#base !== null;
  }

  /** All of a small machine; of a large one what was ever written, and its end: nobody could go through terabytes of zeros. */
  get readable(): readonly MemoryRange[] {
    if (this.#base === null && this.size <= WHOLE) return [{ start: 0, end: this.size }];
    this.#readable ??= this.#mergedRanges(this.#base?.readable ?? [{ start: this.size - this.pageSize, end: this.size }]);
    return this.#readable;
  }

  stateOf(address: number): PageState {
    const page = this.page(Math.floor(address / this.pageSize));
    if (page !== undefined) return isZero(page) ? 'zero' : 'present';
    if (this.#base !== null) return this.#base.stateOf(address);
    return address < this.size ? 'zero' : 'out-of-range';
  }

  zerosAround(address: number): MemoryRange | null {
    if (this.#base !== null || address >= this.size) return null;
    const number = Math.floor(address / this.pageSize);
    const pages = Math.ceil(this.size / this.pageSize);
    /** The first page from `from` on (or down from it) that somebody wrote; regions without any are passed whole. */
    const untouched = (from: number, by: 1 | -1): number => {
      let at = from;
      while (at >= 0 && at < pages && Math.abs(at - from) < MOST_UNTOUCHED && this.page(at) === undefined) {
        const region = Math.floor(at / REGION_PAGES);
        at = this.#regions.has(region) ? at + by : by === 1 ? (region + 1) * REGION_PAGES : region * REGION_PAGES - 1;
      }
      return Math.max(-1, Math.min(at, pages));
    };
    const end = untouched(number, 1);
    return end === number ? null : { start: (untouched(number, -1) + 1) * this.pageSize, end: Math.min(end * this.pageSize, this.size) };
  }

  readInto(address: number, length: number, target: Uint8Array, targetOffset = 0): number {
    let done = 0;
    while (done < length) {
      const at = address + done;
      const number = Math.floor(at / this.pageSize);
      const offset = at - number * this.pageSize;
      const part = Math.min(length - done, this.pageSize - offset);
      const page = this.page(number);
      if (page !== undefined) target.set(page.subarray(offset, offset + part), targetOffset + done);
      else if (this.#base !== null) {
        const got = this.#base.readInto(at, part, target, targetOffset + done);
        if (got < part) return done + got;
      } else if (at < this.size) target.fill(0, targetOffset + done, targetOffset + done + part);
      else return done;
      done += part;
    }
    return done;
  }

  /** The bytes of page number `number` if it was ever written here; not to be changed by the caller. */
  page(number: number): Uint8Array | undefined {
    return this.#regions.get(Math.floor(number / REGION_PAGES))?.pages[number % REGION_PAGES];
  }

  /** Numbers of the pages that were ever written here, in no order. */
  *touched(): Iterable<number> {
    for (const [index, region] of this.#regions) {
      for (let at = 0; at < REGION_PAGES; at++) if (region.pages[at] !== undefined) yield index * REGION_PAGES + at;
    }
  }

  /** Writes bytes within one page. */
  writeInPage(address: number, bytes: Uint8Array): void {
    const number = Math.floor(address / this.pageSize);
    this.own(number).set(bytes, address - number * this.pageSize);
  }

  /** Makes `page` the contents of a page; it is shared, so nobody may change it afterwards. `undefined` forgets the page. */
  replacePage(number: number, page: Uint8Array | undefined): void {
    this.#region(number).pages[number % REGION_PAGES] = page;
    this.#owned.delete(number);
    this.#readable = null;
  }

  /** Page `number` as an array of this store's own, to be written to until the next snapshot. */
  own(number: number): Uint8Array {
    const region = this.#region(number);
    const at = number % REGION_PAGES;
    const page = region.pages[at];
    if (page !== undefined && this.#owned.has(number)) return page;
    const copy = new Uint8Array(this.pageSize);
    if (page !== undefined) copy.set(page);
    else if (this.#base !== null) this.#base.readInto(number * this.pageSize, this.pageSize, copy);
    region.pages[at] = copy;
    this.#owned.add(number);
    this.#readable = null;
    return copy;
  }

  #region(number: number): Region {
    const index = Math.floor(number / REGION_PAGES);
    let region = this.#regions.get(index);
    if (region === undefined || region.generation !== this.#generation) {
      const pages: (Uint8Array | undefined)[] = region === undefined ? new Array(REGION_PAGES).fill(undefined) : region.pages.slice();
      region = { pages, generation: this.#generation };
      this.#regions.set(index, region);
    }
    return region;
  }

  #mergedRanges(others: readonly MemoryRange[]): readonly MemoryRange[] {
    const own = [...this.touched()].map((number) => ({ start: number * this.pageSize, end: (number + 1) * this.pageSize }));
    const all = [...others, ...own].sort((a, b) => a.start - b.start);
    const merged: { start: number; end: number }[] = [];
    for (const range of all) {
      const last = merged.at(-1);
      if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
      else merged.push({ ...range });
    }
    return merged;
  }

  /** A page of zeros to share; not to be changed. */
  get zeroPage(): Uint8Array {
    return this.#zero;
  }
}

let generations = 0;
const nextGeneration = (): number => ++generations;

function isZero(page: Uint8Array): boolean {
  return page.every((byte) => byte === 0);
}
