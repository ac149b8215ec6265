/** Physical memory whose bytes are in a file, at the offsets that an extent table gives. For ELF, LiME and raw dumps. */
import { type MemoryRange, type PageState, type PhysicalMemory, findRange } from '../memory/memory.js';
import type { ByteSource } from './byte-source.js';
import { type ExtentTable, findExtent, ZEROS } from './extents.js';

interface ExtentMemoryOptions {
  readonly source: ByteSource;
  readonly table: ExtentTable;
  /** in bytes */
  readonly pageSize: number;
  /** what the dump says of the machine's memory: inside it, what has no extent is `excluded`; outside, `out-of-range` */
  readonly span: MemoryRange;
}

/** Nothing is read before it is asked for. */
export function extentMemory({ source, table, pageSize, span }: ExtentMemoryOptions): PhysicalMemory {
  const { starts, ends, offsets, count } = table;
  let recent = 0;
  const find = (address: number): number => {
    if ((starts[recent] ?? Number.POSITIVE_INFINITY) <= address && address < (ends[recent] ?? 0)) return recent;
    const index = findExtent(table, address);
    if (index < count) recent = index;
    return index;
  };
  let readable: readonly MemoryRange[] | null = null;
  let searchable: readonly MemoryRange[] | null = null;
  let holes: readonly MemoryRange[] | null = null;
  const isHole = (address: number): boolean => {
    holes ??= holesBetween(joinedRanges(table));
    const { index, inside } = findRange(holes, address);
    return inside && index < holes.length;
  };
  return {
    pageSize,
    get readable() {
      readable ??= joinedRanges(table);
      return readable;
    },
    get searchable() {
      searchable ??= joinedRanges(table, true);
      return searchable;
    },
    stateOf(address): PageState {
      const index = find(address);
      if (index < count && (starts[index] ?? 0) <= address) return offsets[index] === ZEROS ? 'zero' : 'present';
      return address >= span.start && address < span.end && !isHole(address) ? 'excluded' : 'out-of-range';
    },
    stateEnd(address) {
      const index = find(address);
      return index < count && (starts[index] ?? 0) <= address ? (ends[index] ?? address) : address;
    },
    readInto(address, length, target, targetOffset = 0) {
      let done = 0;
      while (done < length) {
        const at = address + done;
        const index = find(at);
        const start = starts[index];
        if (start === undefined || start > at) break;
        const wanted = Math.min(length - done, (ends[index] ?? 0) - at);
        const offset = offsets[index] ?? 0;
        if (offset === ZEROS) target.fill(0, targetOffset + done, targetOffset + done + wanted);
        else {
          const got = source.readInto(offset + at - start, wanted, target, targetOffset + done);
          if (got < wanted) return done + got;
        }
        done += wanted;
      }
      return done;
    },
  };
}

/** @param inFile leave out what the dump has no bytes of because it is zeros */
function joinedRanges(table: ExtentTable, inFile = false): readonly MemoryRange[] {
  const ranges: { start: number; end: number }[] = [];
  let last: { start: number; end: number } | undefined;
  for (let index = 0; index < table.count; index++) {
    if (inFile && table.offsets[index] === ZEROS) continue;
    const start = table.starts[index] ?? 0;
    const end = table.ends[index] ?? 0;
    if (last !== undefined && last.end === start) last.end = end;
    else {
      last = { start, end };
      ranges.push(last);
    }
  }
  return ranges;
}

/** On average as many bytes a range, at least, where a dump holds memory whole and not by the page. */
const WHOLE_MEMORY = 1 << 20;
/** A gap this large between ranges of a whole dump is no memory: the one below 4 GiB, which ends at a firmware's ROM, say. */
const SMALLEST_HOLE = 64 << 20;

/** Where a dump of whole memory has none. A dump of selected pages does not tell: empty there. */
function holesBetween(ranges: readonly MemoryRange[]): readonly MemoryRange[] {
  const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (total < ranges.length * WHOLE_MEMORY) return [];
  const gaps = ranges.slice(1).map(({ start }, index) => ({ start: ranges[index]?.end ?? start, end: start }));
  return gaps.filter(({ start, end }) => end - start >= SMALLEST_HOLE);
}
