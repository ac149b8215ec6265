/** Free memory of a running kernel, in blocks of 2^order pages, as the buddy allocator keeps them. Lowest addresses first, so that runs are repeatable. */

/** Blocks of up to 2^10 pages, as x86-64 and arm64 with 4 KiB pages have them. */
export const MAX_PAGE_ORDER = 10;

export class Buddy {
  /** free blocks by order; entries that are no longer free are skipped when they come up */
  readonly #stacks: number[][] = Array.from({ length: MAX_PAGE_ORDER + 1 }, () => []);
  /** first page of each free block -> its order */
  readonly #free = new Map<number, number>();
  #freePages = 0;

  get freePages(): number {
    return this.#freePages;
  }

  /** Makes pages [start, end) free. */
  addRange(start: number, end: number): void {
    const blocks: [number, number][] = [];
    let at = start;
    while (at < end) {
      let order = 0;
      while (order < MAX_PAGE_ORDER && at % 2 ** (order + 1) === 0 && at + 2 ** (order + 1) <= end) order++;
      blocks.push([at, order]);
      at += 2 ** order;
    }
    // The lowest block must be the last one pushed: it is the first one handed out.
    for (const [page, order] of blocks.reverse()) this.#push(page, order);
  }

  /** @returns the first page of a block of 2^order pages, or null if there is none */
  alloc(order: number): number | null {
    for (let have = order; have <= MAX_PAGE_ORDER; have++) {
      const page = this.#pop(have);
      if (page === null) continue;
      // The upper halves go back, the lower one is split on.
      for (let split = have - 1; split >= order; split--) this.#push(page + 2 ** split, split);
      return page;
    }
    return null;
  }

  /** Gives a block back and joins it with its neighbour as far as that is free. */
  free(page: number, order: number): void {
    let at = page;
    let size = order;
    while (size < MAX_PAGE_ORDER) {
      const span = 2 ** size;
      const buddy = Math.floor(at / span) % 2 === 0 ? at + span : at - span;
      if (this.#free.get(buddy) !== size) break;
      this.#free.delete(buddy);
      this.#freePages -= span;
      at = Math.min(at, buddy);
      size++;
    }
    this.#push(at, size);
  }

  #push(page: number, order: number): void {
    this.#free.set(page, order);
    this.#freePages += 2 ** order;
    this.#stacks[order]?.push(page);
  }

  #pop(order: number): number | null {
    const stack = this.#stacks[order];
    for (let page = stack?.pop(); page !== undefined; page = stack?.pop()) {
      if (this.#free.get(page) !== order) continue;
      this.#free.delete(page);
      this.#freePages -= 2 ** order;
      return page;
    }
    return null;
  }
}
