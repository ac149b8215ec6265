/** Where things stand in the machine's physical memory, and what of it a booting kernel may hand out. All in bytes. */
import { MAX_PAGE_ORDER } from '../memory/buddy.js';
import type { Machine } from '../machine.js';

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Firmware and what the kernel never touches. */
export const LOW_MEMORY: Range = { start: 0, end: 1 << 20 };
/** Where a kernel's image stands after a cold boot; a kexec'ed one stands in scratch. */
export const KERNEL_IMAGE: Range = { start: 16 << 20, end: 24 << 20 };
/** Less than this beside everything reserved, and no kernel comes up. */
export const LEAST_FREE = 4 << 20;

/** Alignment of scratch areas from 7.2 on: the largest block of the buddy allocator. */
export const scratchAlignment = (machine: Machine): number => machine.pageSize * 2 ** MAX_PAGE_ORDER;

/** What of `whole` is in none of `taken`. */
export function without(whole: Range, taken: readonly Range[]): Range[] {
  const free: Range[] = [];
  let at = whole.start;
  for (const { start, end } of [...taken].sort((a, b) => a.start - b.start)) {
    if (start > at) free.push({ start: at, end: Math.min(start, whole.end) });
    at = Math.max(at, end);
    if (at >= whole.end) break;
  }
  if (at < whole.end) free.push({ start: at, end: whole.end });
  return free.filter((range) => range.end > range.start);
}

/** The highest place for `size` bytes that is free, as memblock allocates: from the top. @returns null where there is none */
export function placeFromTop(whole: Range, taken: readonly Range[], size: number, align: number): Range | null {
  for (const range of without(whole, taken).reverse()) {
    const start = Math.floor((range.end - size) / align) * align;
    if (start >= range.start) return { start, end: start + size };
  }
  return null;
}

/** A sorted, searchable set of ranges. */
export class RangeSet {
  readonly #ranges: readonly Range[];

  constructor(ranges: readonly Range[]) {
    const sorted = ranges.filter((range) => range.end > range.start).sort((a, b) => a.start - b.start);
    const merged: { start: number; end: number }[] = [];
    for (const range of sorted) {
      const last = merged.at(-1);
      if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
      else merged.push({ start: range.start, end: range.end });
    }
    this.#ranges = merged;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  has(address: number): boolean {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.end ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return (this.#ranges[low]?.start ?? Number.POSITIVE_INFINITY) <= address;
  }
}
