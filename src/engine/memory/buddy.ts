/** Free memory of a running kernel, in blocks of 2^order pages, as the buddy allocator keeps them. Lowest addresses first, so that runs are repeatable. */

/** Blocks of up to 2^10 pages, as x86-64 and arm64 with 4 KiB pages have them. */
export const MAX_PAGE_ORDER = 10;

export class Buddy {
  /** free blocks by order; entries that are no longer free are skipped when they come up */
  readonly #stacks: number[][] = Array.from({ length: MAX_PAGE_ORDER + 1 }, () => []);
  /** first page of each free block -> its order */
  readonly #free = new Map<number, number>();
  /** not split yet; from `#head` on, ascending where `#sorted`. Numbers: a machine with a scattered handover may have millions. */
  #starts = new Float64Array(16);
  #ends = new Float64Array(16);
  #head = 0;
  #count = 0;
  #sorted = true;
  #freePages = 0;

  get freePages(): number {
    return this.#freePages;
  }

  /** Makes pages [start, end) free. They are split into blocks only when they are needed: a machine may have millions. */
  addRange(start: number, end: number): void {
    if (end <= start) return;
    if (this.#count === this.#starts.length) {
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    if (this.#count > this.#head && start < (this.#ends[this.#count - 1] ?? 0)) this.#sorted = false;
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
    this.#freePages += end - start;
  }

  /** @returns the first page of a block of 2^order pages, or null if there is none */
  alloc(order: number): number | null {
    for (let page = this.#fromStacks(order); ; page = this.#fromStacks(order)) {
      if (page !== null || !this.#carve()) return page;
    }
  }

  // The lowest block of the lowest range joins the blocks.
  #carve(): boolean {
    if (this.#head === this.#count) return false;
    if (!this.#sorted) {
      // They do not overlap: in order, each start goes with the end at its place.
      this.#starts.subarray(this.#head, this.#count).sort();
      this.#ends.subarray(this.#head, this.#count).sort();
      this.#sorted = true;
    }
    const start = this.#starts[this.#head] ?? 0;
    const end = this.#ends[this.#head] ?? 0;
    let order = 0;
    while (order < MAX_PAGE_ORDER && start % 2 ** (order + 1) === 0 && start + 2 ** (order + 1) <= end) order++;
    if (start + 2 ** order < end) this.#starts[this.#head] = start + 2 ** order;
    else if (++this.#head === this.#count) {
      this.#head = 0;
      this.#count = 0;
    }
    this.#freePages -= 2 ** order;
    this.#push(start, order);
    return true;
  }

  #fromStacks(order: number): number | null {
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

function doubled(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}
