/**
 * The entries of a folio table as columns, and joined to runs: what passes over millions of them reads and makes.
 * Source: struct memfd_luo_folio_ser, include/linux/kho/abi/memfd.h, 6.19 to 7.3.
 */
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { leafOf } from '../codec/leaf.js';
import { sizeOf } from '../codec/layout-table.js';

export interface Folio {
  /** position in the table */
  readonly entry: number;
  readonly pfn: number;
  readonly flags: number;
  /** in pages from the start of the file; rounded where `exactIndex` is given */
  readonly index: number;
  /** where the index is beyond 2^53, as no file's is */
  readonly exactIndex?: bigint;
}

/** Entries of a folio table as columns: what passes over millions of them read. The arrays are used again for the next piece. */
export interface FolioColumns {
  /** number of the first entry */
  readonly first: number;
  readonly count: number;
  /** how many of the entries that follow (two at most) are in the arrays after the last */
  readonly ahead: number;
  readonly pfn: Float64Array;
  /** in pages from the start of the file; rounded beyond 2^53 */
  readonly index: Float64Array;
  readonly flags: Uint32Array;
}

/** Runs as columns. The arrays are used again for the next piece. */
export interface RunColumns {
  readonly count: number;
  readonly index: Float64Array;
  readonly pfn: Float64Array;
  readonly pages: Float64Array;
  readonly flags: Uint32Array;
  /** indexes beyond 2^53, by place; mostly none */
  readonly exact: ReadonlyMap<number, bigint> | null;
}

/** Folios that follow each other both in the file and in memory, with the same flags. */
export interface FolioRun {
  /** a bigint beyond 2^53 */
  readonly index: number | bigint;
  readonly pfn: number;
  readonly pages: number;
  readonly flags: number;
}

/** Entries of a table that are read at once. */
export const ENTRIES_A_PIECE = 4096;
/** Entries after a piece that are seen with it. */
const AHEAD = 2;
const HALF = 2 ** 32;

/** Where the fields of memfd_luo_folio_ser are, in words of 4 bytes, and how its pfn and flags share theirs. */
export const folioWords = releasedLayout();

function releasedLayout() {
  const [pfn, flags, index] = ['pfn', 'flags', 'index'].map((name) => leafOf(memfdLuoFolioSer, name));
  if (pfn == null || flags == null || index == null || pfn.bitOffset % 64 !== 0 || flags.bitOffset !== pfn.bitOffset + pfn.bits || pfn.bits <= 32)
    throw new Error('memfd_luo_folio_ser is no longer a pfn with flags above it');
  const size = sizeOf(memfdLuoFolioSer);
  return {
    size,
    words: size / 4,
    pfnAt: pfn.bitOffset / 32,
    highMask: 2 ** (pfn.bits - 32) - 1,
    flagShift: pfn.bits - 32,
    indexAt: index.bitOffset / 32,
  };
}

/** How one entry of a table is read. */
export interface EntryReaders {
  /** bytes */
  readonly entrySize: number;
  /** readers of one entry; null where this version has no flags */
  readonly pfn: (view: DataView, at: number) => number;
  readonly index: (view: DataView, at: number) => number;
  readonly flags: ((view: DataView, at: number) => number) | null;
  /** are entries those that every release so far writes? */
  readonly asReleased: boolean;
}

/** Runs as they are joined. */
export class RunPiece implements RunColumns {
  count = 0;
  readonly index: Float64Array;
  readonly pfn: Float64Array;
  readonly pages: Float64Array;
  readonly flags: Uint32Array;
  exact: Map<number, bigint> | null = null;
  // Where the next folio is, in the file and in memory, if it goes on with the last run; -1: there is none.
  #nextIndex = -1;
  #nextPfn = -1;

  constructor(folios: number) {
    // room for what is left of one piece and all of the next
    const room = Math.min(2 * ENTRIES_A_PIECE, folios);
    this.index = new Float64Array(room);
    this.pfn = new Float64Array(room);
    this.pages = new Float64Array(room);
    this.flags = new Uint32Array(room);
  }

  /** Joins the folios of a piece to the runs. @param orders as PreservedMap.ordersInto gives them, used where `pagesOf` is null */
  join(columns: FolioColumns, orders: Uint8Array, pagesOf: ((at: number) => number) | null, exactOf: (at: number) => bigint | undefined): void {
    const { count, pfn: pfns, index: indexes, flags: allFlags } = columns;
    const { index: starts, pfn: frames, pages: lengths, flags: states } = this;
    let last = this.count - 1;
    let nextIndex = this.#nextIndex;
    let nextPfn = this.#nextPfn;
    for (let at = 0; at < count; at++) {
      const pfn = pfns[at] ?? 0;
      if (pfn === 0) continue;
      const index = indexes[at] ?? 0;
      const flags = allFlags[at] ?? 0;
      const order = orders[at] ?? 0;
      const pages = pagesOf !== null ? pagesOf(at) : order < 2 ? 1 : 2 ** (order - 1);
      if (nextPfn === pfn && nextIndex === index && states[last] === flags && index < Number.MAX_SAFE_INTEGER) {
        lengths[last] = (lengths[last] ?? 0) + pages;
      } else {
        last++;
        starts[last] = index;
        frames[last] = pfn;
        lengths[last] = pages;
        states[last] = flags;
        if (index >= Number.MAX_SAFE_INTEGER) {
          const exact = exactOf(at);
          if (exact !== undefined) this.exact = (this.exact ?? new Map<number, bigint>()).set(last, exact);
        }
      }
      nextIndex = index + pages;
      nextPfn = pfn + pages;
    }
    this.count = last + 1;
    this.#nextIndex = nextIndex;
    this.#nextPfn = nextPfn;
  }

  /** Begins again with the run after the last that counts, which may go on. */
  keepLast(): void {
    const at = this.count;
    for (const column of [this.index, this.pfn, this.pages, this.flags]) column[0] = column[at] ?? 0;
    const exact = this.exact?.get(at);
    this.exact = exact === undefined ? null : new Map([[0, exact]]);
    this.count = 1;
  }
}

/** Columns of a piece, filled again and again. */
export class Piece implements FolioColumns {
  first = 0;
  count = 0;
  ahead = 0;
  readonly pfn: Float64Array;
  readonly index: Float64Array;
  readonly flags: Uint32Array;

  constructor(entries: number) {
    this.pfn = new Float64Array(entries + AHEAD);
    this.index = new Float64Array(entries + AHEAD);
    this.flags = new Uint32Array(entries + AHEAD);
  }

  fill({ entrySize, pfn, index, flags, asReleased }: EntryReaders, first: number, bytes: Uint8Array): void {
    if (asReleased && bytes.byteOffset % 4 === 0) {
      this.#fillAsReleased(first, bytes);
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.first = first;
    this.count = Math.floor(bytes.length / entrySize);
    this.ahead = 0;
    for (let entry = 0, at = 0; entry < this.count; entry++, at += entrySize) {
      this.pfn[entry] = pfn(view, at);
      this.index[entry] = index(view, at);
      this.flags[entry] = flags === null ? 0 : flags(view, at);
    }
  }

  /** As every release so far lays entries out: what millions of them cost depends on this loop. */
  #fillAsReleased(first: number, bytes: Uint8Array): void {
    const { pfn, index, flags } = this;
    const count = Math.floor(bytes.length / folioWords.size);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, count * folioWords.words);
    this.first = first;
    this.count = count;
    this.ahead = 0;
    const { pfnAt, highMask, flagShift, indexAt } = folioWords;
    for (let entry = 0, at = 0; entry < count; entry++, at += folioWords.words) {
      const high = words[at + pfnAt + 1] ?? 0;
      pfn[entry] = (words[at + pfnAt] ?? 0) + (high & highMask) * HALF;
      flags[entry] = high >>> flagShift;
      index[entry] = (words[at + indexAt] ?? 0) + (words[at + indexAt + 1] ?? 0) * HALF;
    }
  }

  lookAhead(next: Piece): void {
    this.ahead = Math.min(AHEAD, next.count);
    for (let at = 0; at < this.ahead; at++) {
      this.pfn[this.count + at] = next.pfn[at] ?? 0;
      this.index[this.count + at] = next.index[at] ?? 0;
      this.flags[this.count + at] = next.flags[at] ?? 0;
    }
  }
}

/** Entries kept as objects, as columns: for tables that are small. */
export function* columnsOf(entries: Iterable<Folio>): Iterable<FolioColumns> {
  const all = [...entries];
  if (all.length === 0) return;
  yield {
    first: 0,
    count: all.length,
    ahead: 0,
    pfn: Float64Array.from(all, ({ pfn }) => pfn),
    index: Float64Array.from(all, ({ index }) => index),
    flags: Uint32Array.from(all, ({ flags }) => flags),
  };
}
