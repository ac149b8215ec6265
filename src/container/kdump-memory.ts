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
  let searchable: readonly MemoryRange[] | null = null;
  return {
    pageSize,
    get readable() {
      readable ??= rangesOf(stored.frames(), pageSize);
      return readable;
    },
    get searchable() {
      searchable ??= rangesOf(filled(stored, pages), pageSize);
      return searchable;
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
        if (!pages.read(frame, from, wanted, target, targetOffset + done)) break;
        done += wanted;
      }
      return done;
    },
  };
}

/** Ranges of frames that are in the file and no zero page. Pages stand there in the order of their frames, each for one: what leads back is read in part only. */
function* filled(stored: PageBitmap, pages: KdumpPages): Iterable<MemoryRange> {
  const budget = currentBudget();
  let highest = -1;
  for (const { start, end } of stored.frames()) {
    let from = -1;
    for (let frame = start; frame < end; frame++) {
      const offset = pages.isZero(frame) ? -1 : pages.offsetOf(frame);
      const isNew = offset > highest || (offset !== -1 && budget.spend('shared-pages', 1, 'page descriptors of the kdump that lead back'));
      highest = Math.max(highest, offset);
      if (isNew) {
        if (from === -1) from = frame;
      } else if (from !== -1) {
        yield { start: from, end: frame };
        from = -1;
      }
    }
    if (from !== -1) yield { start: from, end };
  }
}

function rangesOf(frames: Iterable<MemoryRange>, pageSize: number): readonly MemoryRange[] {
  const budget = currentBudget();
  const ranges: MemoryRange[] = [];
  for (const { start, end } of frames) {
    if (!budget.spend('memory-ranges', 1, 'the pages of the kdump')) break;
    ranges.push({ start: start * pageSize, end: end * pageSize });
  }
  return ranges;
}
