/** Physical memory map of the machine, and what of it a booting kernel may hand out. All in bytes. */
import { MAX_PAGE_ORDER } from '../memory/buddy.js';
import type { Machine } from '../machine.js';

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Firmware and what the kernel never touches. */
export const LOW_MEMORY: Range = { start: 0, end: 1 << 20 };
/** A kernel's image after a cold boot; a kexec'ed one is in scratch. */
export const KERNEL_IMAGE: Range = { start: 16 << 20, end: 24 << 20 };
/** Less than this beside everything reserved, and no kernel comes up. */
export const LEAST_FREE = 4 << 20;

/** Alignment of scratch areas from 7.2 on: the largest block of the buddy allocator. */
export const scratchAlignment = (machine: Machine): number => machine.pageSize * 2 ** MAX_PAGE_ORDER;

/** Ranges in any order, which may overlap: numbers, because a handover may have millions of blocks. */
export class RangeList {
  #starts = new Float64Array(16);
  #ends = new Float64Array(16);
  #count = 0;

  push({ start, end }: Range): void {
    this.add(start, end);
  }

  /** Adds [start, end); one that follows the one before joins it. */
  add(start: number, end: number): void {
    if (end <= start) return;
    if (this.#count > 0 && this.#ends[this.#count - 1] === start) {
      this.#ends[this.#count - 1] = end;
      return;
    }
    if (this.#count === this.#starts.length) {
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
  }

  copy(): RangeList {
    const copy = new RangeList();
    for (let index = 0; index < this.#count; index++) copy.add(this.#starts[index] ?? 0, this.#ends[index] ?? 0);
    return copy;
  }

  /** As they are now. */
  toSet(): RangeSet {
    return new RangeSet(this.#starts.slice(0, this.#count), this.#ends.slice(0, this.#count));
  }
}

const doubled = (array: Float64Array): Float64Array<ArrayBuffer> => {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
};

/** Told of what of `whole` is in none of `taken`, ascending. */
export function eachGap(whole: Range, taken: RangeSet, tell: (start: number, end: number) => void): void {
  let at = whole.start;
  for (let index = 0; index < taken.count && at < whole.end; index++) {
    const start = Math.min(taken.startOf(index), whole.end);
    if (start > at) tell(at, start);
    at = Math.max(at, taken.endOf(index));
  }
  if (at < whole.end) tell(at, whole.end);
}

/** The highest place for `size` bytes that is free, as memblock allocates: from the top. @returns null where there is none */
export function placeFromTop(whole: Range, taken: RangeSet, size: number, align: number): Range | null {
  let end = whole.end;
  for (let index = taken.count - 1; index >= -1; index--) {
    const floor = Math.max(whole.start, index < 0 ? whole.start : taken.endOf(index));
    const start = Math.floor((end - size) / align) * align;
    if (start >= floor && end > floor) return { start, end: start + size };
    if (index >= 0) end = Math.min(end, taken.startOf(index));
  }
  return null;
}

/** Of more stretches that ascend, the general sort is as fast. */
const MOST_MERGED = 32;

/** Ascending. A walk over a map finds the blocks of each order in theirs: a few stretches that ascend are merged. */
function sort(numbers: Float64Array): void {
  const bounds = [0];
  for (let at = 1; at < numbers.length; at++)
    if ((numbers[at] ?? 0) < (numbers[at - 1] ?? 0) && bounds.push(at) > MOST_MERGED) {
      numbers.sort();
      return;
    }
  bounds.push(numbers.length);
  for (; bounds.length > 2; ) {
    // The last two stretches: what is added after the blocks is little.
    const [end = 0, middle = 0] = [bounds.pop(), bounds.pop()];
    const start = bounds.at(-1) ?? 0;
    const last = numbers.slice(middle, end);
    let from = middle - 1;
    for (let at = last.length - 1, to = end - 1; at >= 0; to--) {
      const before = from >= start ? (numbers[from] ?? 0) : Number.NEGATIVE_INFINITY;
      const own = last[at] ?? 0;
      if (before > own) from--;
      else at--;
      numbers[to] = Math.max(before, own);
    }
    bounds.push(end);
  }
}

/** A sorted, searchable set of ranges, joined where they meet. */
export class RangeSet {
  readonly count: number;
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;

  /** Takes the arrays over. No range may be empty. */
  constructor(starts: Float64Array, ends: Float64Array) {
    // Where a stretch that is covered starts and ends does not depend on which start belongs to which end.
    sort(starts);
    sort(ends);
    let count = 0;
    for (let start = 0, end = 0; end < ends.length; ) {
      const from = starts[start] ?? 0;
      for (let depth = 0; ; ) {
        if (start < starts.length && (starts[start] ?? 0) <= (ends[end] ?? 0)) {
          depth++;
          start++;
        } else {
          depth--;
          end++;
          if (depth === 0) break;
        }
      }
      starts[count] = from;
      ends[count++] = ends[end - 1] ?? 0;
    }
    this.#starts = starts.subarray(0, count);
    this.#ends = ends.subarray(0, count);
    this.count = count;
  }

  startOf(index: number): number {
    return this.#starts[index] ?? Number.POSITIVE_INFINITY;
  }

  endOf(index: number): number {
    return this.#ends[index] ?? 0;
  }

  has(address: number): boolean {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endOf(middle) <= address) low = middle + 1;
      else high = middle;
    }
    return this.startOf(low) <= address;
  }
}
