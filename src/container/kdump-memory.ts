/** The memory of a kdump-compressed dump, page by page. */
import { currentBudget } from '../codec/budget.js';
import type { MemoryRange, PhysicalMemory } from '../memory/memory.js';
import type { KdumpPages } from './kdump-pages.js';
import type { PageBitmap } from './page-bitmap.js';

interface KdumpMemoryOptions {
  readonly pages: KdumpPages;
  /** frames whose pages are in the file */
  readonly stored: PageBitmap;
  /** frames that are memory of the machine; null where the dump does not tell */
  readonly present: PageBitmap | null;
  /** page frames up to the highest */
  readonly frames: number;
  /** in bytes */
  readonly pageSize: number;
}

/** A page that turns out to be damaged counts as `excluded` from then on: its bytes can't be had. */
export function kdumpMemory({ pages, stored, present, frames, pageSize }: KdumpMemoryOptions): PhysicalMemory {
  let readable: readonly MemoryRange[] | null = null;
  return {
    pageSize,
    get readable() {
      readable ??= rangesOf(stored, pageSize);
      return readable;
    },
    stateOf(address) {
      const frame = Math.floor(address / pageSize);
      if (stored.has(frame)) return pages.isDamaged(frame) ? 'excluded' : pages.isZero(frame) ? 'zero' : 'present';
      return (present === null ? frame >= 0 && frame < frames : present.has(frame)) ? 'excluded' : 'out-of-range';
    },
    readInto(address, length, target, targetOffset = 0) {
      let done = 0;
      while (done < length) {
        const at = address + done;
        const frame = Math.floor(at / pageSize);
        const from = at - frame * pageSize;
        const wanted = Math.min(length - done, pageSize - from);
        if (!stored.has(frame)) break;
        if (pages.isZero(frame)) target.fill(0, targetOffset + done, targetOffset + done + wanted);
        else {
          const page = pages.page(frame);
          if (page === null) break;
          target.set(page.subarray(from, from + wanted), targetOffset + done);
        }
        done += wanted;
      }
      return done;
    },
  };
}

function rangesOf(stored: PageBitmap, pageSize: number): readonly MemoryRange[] {
  const budget = currentBudget();
  const ranges: MemoryRange[] = [];
  for (const { start, end } of stored.frames()) {
    if (!budget.spend('memory-ranges', 1, 'the pages of the kdump')) break;
    ranges.push({ start: start * pageSize, end: end * pageSize });
  }
  return ranges;
}
