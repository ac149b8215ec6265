/** Memory that remembers which of its pages were read: what a report was made of. For dumps that hold no more than that. */
import type { MemoryRange, PageState, PhysicalMemory } from './memory.js';

/** Whoever reads so much at once looks for something, page by page; what it finds is read again. In bytes. */
const SEARCH = 1 << 18;

export class RecordingMemory implements PhysicalMemory {
  readonly pageSize: number;
  readonly readable: readonly MemoryRange[];
  readonly #memory: PhysicalMemory;
  /** page frame numbers */
  readonly #read = new Set<number>();

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
    this.pageSize = memory.pageSize;
    this.readable = memory.readable;
  }

  get searchable(): readonly MemoryRange[] {
    return this.#memory.searchable ?? this.readable;
  }

  /** Frame numbers of the pages read, in no order. */
  get pages(): ReadonlySet<number> {
    return this.#read;
  }

  /** Counts a page as read. @param address physical */
  keep(address: number): void {
    this.#read.add(Math.floor(address / this.pageSize));
  }

  stateOf(address: number): PageState {
    return this.#memory.stateOf(address);
  }

  readInto(address: number, length: number, target: Uint8Array, targetOffset?: number): number {
    const got = this.#memory.readInto(address, length, target, targetOffset);
    if (length < SEARCH) for (let page = Math.floor(address / this.pageSize); page * this.pageSize < address + got; page++) this.#read.add(page);
    return got;
  }
}

/** `memory` with no other pages than `kept`: of the others it is known that the machine has them, and nothing else. */
export function onlyPages(memory: PhysicalMemory, kept: ReadonlySet<number>): PhysicalMemory {
  const { pageSize } = memory;
  const readable = rangesOf(
    [...kept].filter((page) => isPresent(memory.stateOf(page * pageSize))),
    pageSize,
  );
  return {
    pageSize,
    readable,
    stateOf(address) {
      const state = memory.stateOf(address);
      return isPresent(state) && !kept.has(Math.floor(address / pageSize)) ? 'excluded' : state;
    },
    readInto(address, length, target, targetOffset = 0) {
      let done = 0;
      while (done < length) {
        const page = Math.floor((address + done) / pageSize);
        if (!kept.has(page)) break;
        const part = Math.min(length - done, (page + 1) * pageSize - address - done);
        const got = memory.readInto(address + done, part, target, targetOffset + done);
        done += got;
        if (got < part) break;
      }
      return done;
    },
  };
}

const isPresent = (state: PageState): boolean => state === 'present' || state === 'zero';

function rangesOf(pages: readonly number[], pageSize: number): readonly MemoryRange[] {
  const out: { start: number; end: number }[] = [];
  for (const page of pages.toSorted((a, b) => a - b)) {
    const last = out.at(-1);
    if (last !== undefined && last.end === page * pageSize) last.end += pageSize;
    else out.push({ start: page * pageSize, end: (page + 1) * pageSize });
  }
  return out;
}

/**
 * Memory that the machine has and `kept` has no bytes of: what `memory` could read and `kept` can't, and what `memory` leaves out
 * itself between two ranges it can read.
 */
export function withheld(memory: PhysicalMemory, kept: PhysicalMemory): readonly MemoryRange[] {
  const out: { start: number; end: number }[] = [];
  const add = (start: number, end: number): void => {
    const last = out.at(-1);
    if (end <= start) return;
    if (last !== undefined && last.end === start) last.end = end;
    else out.push({ start, end });
  };
  let next = 0;
  let before: number | null = null;
  for (const { start, end } of memory.readable) {
    if (before !== null && start > before && memory.stateOf(before) === 'excluded') add(before, start);
    let at = start;
    for (let range = kept.readable[next]; range !== undefined && range.start < end; range = kept.readable[next]) {
      add(at, Math.max(at, range.start));
      at = Math.max(at, Math.min(range.end, end));
      if (range.end > end) break;
      next++;
    }
    add(at, end);
    before = end;
  }
  return out;
}
