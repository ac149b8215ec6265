/**
 * Which bytes of a file are those of which addresses: a sorted table of extents that do not overlap, built from any number
 * that may. For the formats that describe memory as ranges (ELF, LiME, raw) and for rearranging flattened dumps.
 * Held in typed arrays: a core can have more than 65,534 program headers.
 */

/** instead of a file offset: the extent reads as zeros */
export const ZEROS = -1;

export interface ExtentTable {
  readonly count: number;
  /** addresses in bytes, ascending */
  readonly starts: Float64Array;
  /** exclusive */
  readonly ends: Float64Array;
  /** in the file, in bytes, or ZEROS */
  readonly offsets: Float64Array;
}

export class ExtentBuilder {
  #starts = new Float64Array(16);
  #ends = new Float64Array(16);
  #offsets = new Float64Array(16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Where extents overlap, the one added first holds. Empty ones are ignored. */
  add(start: number, end: number, offset: number): void {
    if (end <= start) return;
    if (this.#count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
      this.#offsets = grown(this.#offsets);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#offsets[this.#count] = offset;
    this.#count++;
  }

  build(): ExtentTable {
    const starts = this.#starts;
    const order = new Uint32Array(this.#count).map((_, index) => index);
    const at = (array: Float64Array, index: number): number => array[index] ?? 0;
    if (!ascending(starts, this.#count)) order.sort((a, b) => at(starts, a) - at(starts, b) || a - b);
    const out = new Output();
    const active = new Heap();
    let next = 0;
    let position = 0;
    while (next < this.#count || active.size > 0) {
      if (active.size === 0) position = at(starts, order[next] ?? 0);
      while (next < this.#count && at(starts, order[next] ?? 0) <= position) active.push(order[next++] ?? 0);
      while (active.size > 0 && at(this.#ends, active.top) <= position) active.pop();
      if (active.size === 0) continue;
      const top = active.top;
      const end = at(this.#ends, top);
      const stop = next < this.#count ? Math.min(end, at(starts, order[next] ?? 0)) : end;
      const offset = at(this.#offsets, top);
      out.append(position, stop, offset === ZEROS ? ZEROS : offset + position - at(starts, top));
      position = stop;
    }
    return out.table();
  }
}

const grown = (array: Float64Array): Float64Array<ArrayBuffer> => {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
};

function ascending(array: Float64Array, count: number): boolean {
  for (let index = 1; index < count; index++) if ((array[index - 1] ?? 0) > (array[index] ?? 0)) return false;
  return true;
}

/** Collects extents in address order; joins those that follow each other in memory and in the file. */
class Output {
  readonly #values: number[] = [];

  append(start: number, end: number, offset: number): void {
    const values = this.#values;
    const [lastStart, lastEnd, lastOffset] = values.slice(-3);
    if (lastStart !== undefined && lastEnd === start && lastOffset !== undefined) {
      const continues = offset === ZEROS ? lastOffset === ZEROS : lastOffset !== ZEROS && lastOffset + lastEnd - lastStart === offset;
      if (continues) {
        values[values.length - 2] = end;
        return;
      }
    }
    values.push(start, end, offset);
  }

  table(): ExtentTable {
    const count = this.#values.length / 3;
    const column = (which: number): Float64Array => Float64Array.from({ length: count }, (_, index) => this.#values[index * 3 + which] ?? 0);
    return { count, starts: column(0), ends: column(1), offsets: column(2) };
  }
}

/** The extents that hold the current position, the one added first on top. */
class Heap {
  readonly #items: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  get top(): number {
    return this.#items[0] ?? 0;
  }

  push(item: number): void {
    const items = this.#items;
    let index = items.length;
    items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = items[parent] ?? 0;
      if (above <= item) break;
      items[index] = above;
      index = parent;
    }
    items[index] = item;
  }

  pop(): void {
    const items = this.#items;
    const item = items.pop();
    if (item === undefined || items.length === 0) return;
    let index = 0;
    for (;;) {
      let child = index * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && (items[child + 1] ?? 0) < (items[child] ?? 0)) child++;
      const below = items[child] ?? 0;
      if (below >= item) break;
      items[index] = below;
      index = child;
    }
    items[index] = item;
  }
}

/** Index of the extent that holds `address`, or of the first one after it (`count` if none). */
export function findExtent(table: ExtentTable, address: number): number {
  let low = 0;
  let high = table.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((table.ends[middle] ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many bytes the extents cover. */
export function bytesIn(table: ExtentTable): number {
  let total = 0;
  for (let index = 0; index < table.count; index++) total += (table.ends[index] ?? 0) - (table.starts[index] ?? 0);
  return total;
}
