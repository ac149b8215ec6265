/** The page allocator of a running kernel: the buddy's free memory, what size each allocated block has, and the allocations that a fault makes fail. */
import { Buddy } from '../memory/buddy.js';
import { PageNumbers } from '../trace/column.js';
import type { Machine } from '../machine.js';

/** PAGE_ALLOC_COSTLY_ORDER */
const COSTLY_ORDER = 3;

export class PageAllocator {
  readonly #machine: Machine;
  readonly #buddy = new Buddy();
  /** first page of each allocated block -> its order */
  readonly #orders = new PageNumbers();

  readonly #last: { readonly start: number; readonly end: number }[] = [];

  /** Called where memory is short: kills somebody. @returns whether to try again; PanicError where there is nobody to kill */
  outOfMemory: (() => boolean) | null = null;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get freePages(): number {
    return this.#last.reduce((pages, { start, end }) => pages + (end - start) / this.#machine.pageSize, this.#buddy.freePages);
  }

  /** Gives the allocator memory that the boot found free. @param start @param end bytes */
  addFree(start: number, end: number): void {
    const { pageSize } = this.#machine;
    this.#buddy.addRange(Math.ceil(start / pageSize), Math.floor(end / pageSize));
  }

  /** The same for memory that is to be handed out last: what the previous kernel wrote can then still be looked at for a while. */
  addFreeLast(start: number, end: number): void {
    this.#last.push({ start, end });
  }

  /** A zeroed block of 2^order pages. @returns its physical address, or null: out of memory, or a fault */
  alloc(order = 0): number | null {
    if (this.#machine.faults.call('alloc') !== 0) return null;
    let page = this.#take(order);
    // Blocks that are costly to have just fail.
    while (page === null && order <= COSTLY_ORDER && this.outOfMemory?.() === true) page = this.#take(order);
    if (page === null) return null;
    this.#orders.set(page, order);
    const { pageSize, memory, work } = this.#machine;
    work.allocate();
    for (let index = 0; index < 2 ** order; index++) memory.zeroPage((page + index) * pageSize);
    return page * pageSize;
  }

  #take(order: number): number | null {
    const page = this.#buddy.alloc(order);
    if (page !== null || this.#last.length === 0) return page;
    for (const { start, end } of this.#last.splice(0)) this.addFree(start, end);
    return this.#buddy.alloc(order);
  }

  /** An allocation too small to be a page of its own (kmalloc). @returns whether it succeeded */
  kmalloc(): boolean {
    return this.#machine.faults.call('alloc') === 0;
  }

  /** Gives a block back. */
  free(address: number): void {
    const page = address / this.#machine.pageSize;
    const order = this.#orders.get(page);
    if (order === undefined) return;
    this.#orders.delete(page);
    this.#buddy.free(page, order);
  }

  /** The order of the block that starts at `address`, or null if none was allocated there. */
  orderOf(address: number): number | null {
    return this.#orders.get(address / this.#machine.pageSize) ?? null;
  }

  /** A preserved block becomes an ordinary one of this kernel. */
  adopt(address: number, order: number): void {
    this.#orders.set(address / this.#machine.pageSize, order);
  }

  /** The smallest order whose block holds `size` bytes. */
  orderFor(size: number): number {
    return Math.max(0, Math.ceil(Math.log2(Math.ceil(size / this.#machine.pageSize))));
  }
}
