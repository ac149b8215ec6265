/** Memory that remembers: every write is logged, and the memory of any earlier point can be seen again. */
import type { PhysicalMemory } from '../../memory/memory.js';
import { type PageSnapshot, PageStore } from './page-store.js';
import { Work } from '../work.js';
import { WriteLog } from './write-log.js';

/** Writes between two snapshots; what looking back has to redo at most. */
const WRITES_PER_SNAPSHOT = 8192;

export class TracedMemory {
  readonly log = new WriteLog();
  readonly now: PageStore;
  readonly #snapshots: { readonly writes: number; readonly pages: PageSnapshot }[];
  readonly #one = new Uint8Array(8);
  readonly #oneView = new DataView(this.#one.buffer);

  readonly #work: Work;

  constructor(size: number, pageSize: number, base: PhysicalMemory | null = null, work = new Work()) {
    this.#work = work;
    this.now = new PageStore(size, pageSize, base);
    this.#snapshots = [{ writes: 0, pages: this.now.snapshot() }];
  }

  get pageSize(): number {
    return this.now.pageSize;
  }

  /** Writes `bytes` at a physical address, any length. */
  write(address: number, bytes: Uint8Array, struct = '', field = ''): void {
    const { pageSize } = this;
    this.#work.write(bytes.length);
    let done = 0;
    while (done < bytes.length) {
      const at = address + done;
      const number = Math.floor(at / pageSize);
      const offset = at - number * pageSize;
      const part = done === 0 && bytes.length <= pageSize - offset ? bytes : bytes.subarray(done, done + pageSize - offset);
      this.#snapshotIfDue();
      const page = this.now.own(number);
      this.log.append(at, page, offset, part, struct, field);
      page.set(part, offset);
      done += part.length;
    }
  }

  /** Makes `page` the contents of the page at `address`; shared, so it must not be changed afterwards. */
  replacePage(address: number, page: Uint8Array | undefined, meaning = ''): void {
    this.#work.write(this.pageSize);
    this.#snapshotIfDue();
    const number = address / this.pageSize;
    // The page as it is may be written in place later; the log keeps a copy of its own.
    const before = this.now.page(number);
    this.log.appendPage(address, this.pageSize, before, page, meaning);
    this.now.replacePage(number, page);
  }

  /** Zeroes the page at `address`. */
  zeroPage(address: number): void {
    const page = this.now.page(address / this.pageSize);
    // A page that nobody ever wrote reads as zeros, unless there is a dump beneath.
    if (page === this.now.zeroPage || (page === undefined && !this.now.hasBase)) return;
    this.replacePage(address, this.now.zeroPage);
  }

  /** A host-order (little-endian) u64 as a number, exact up to 2^53; larger values lose bits. */
  readU64(address: number): number {
    const number = Math.floor(address / this.pageSize);
    const page = this.now.page(number);
    const offset = address - number * this.pageSize;
    if (page !== undefined && offset <= this.pageSize - 8) {
      let low = 0;
      let high = 0;
      for (let byte = 3; byte >= 0; byte--) {
        low = low * 256 + (page[offset + byte] ?? 0);
        high = high * 256 + (page[offset + byte + 4] ?? 0);
      }
      return low + high * 4294967296;
    }
    this.now.readInto(address, 8, this.#one);
    return this.#oneView.getUint32(0, true) + this.#oneView.getUint32(4, true) * 4294967296;
  }

  /** Memory as it was after the first `writes` writes. */
  at(writes: number): PhysicalMemory {
    let low = 0;
    let high = this.#snapshots.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#snapshots[middle]?.writes ?? 0) <= writes) low = middle;
      else high = middle - 1;
    }
    const nearest = this.#snapshots[low];
    const view = this.now.fork(nearest?.pages ?? new Map());
    for (let index = nearest?.writes ?? 0; index < Math.min(writes, this.log.length); index++) {
      const page = this.log.pageOf(index);
      if (page === null) view.writeInPage(this.log.addressOf(index), this.log.afterOf(index));
      else view.replacePage(this.log.addressOf(index) / this.pageSize, page.after);
    }
    return view;
  }

  #snapshotIfDue(): void {
    const last = this.#snapshots[this.#snapshots.length - 1];
    if (last !== undefined && this.log.length - last.writes >= WRITES_PER_SNAPSHOT)
      this.#snapshots.push({ writes: this.log.length, pages: this.now.snapshot() });
  }
}
