/**
 * The contents of a preserved memfd, in pieces, in file order: bytes where the dump has them, holes, and what could not be
 * read. For `extract`, `diff` and whoever checks a capture. Nothing is filled in: a page that is not there is said to be so.
 */
import { type Budget, currentBudget } from '../codec/budget.js';
import { FrameSet } from '../memory/frame-set.js';
import { type PageState, type PhysicalMemory, describeState, findRange, isReadable } from '../memory/memory.js';
import type { PlainSessions } from './luo.js';
import type { Folio } from './folio-columns.js';
import type { Memfd } from './memfd.js';
import type { PreservedMap } from './preserved/preserved-map.js';
import { hex } from '../tree/words.js';

interface ContentBytes {
  /** bytes from the start of the file */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A hole: reads as zeros. */
interface ContentHole {
  readonly offset: number;
  /** bytes */
  readonly length: number;
  readonly hole: true;
}

/** A part whose bytes can't be told from this dump. */
export interface ContentMissing {
  readonly offset: number;
  /** bytes */
  readonly length: number;
  /** `unknown`: the folio table itself is not there, or can't be believed */
  readonly missing: PageState | 'unknown';
  /** physical address of the first page that is not there; null where nothing tells it */
  readonly address: number | null;
  readonly why: string;
}

export type ContentPiece = ContentBytes | ContentHole | ContentMissing;

/** Bytes of one piece at most. */
export const PIECE = 1 << 20;

/** Which pages were read for files so far: no page is that of two places, so that reading one again and again is damage, and ends. */
export class PagesRead {
  readonly #seen: FrameSet;
  readonly #pageSize: number;
  readonly #budget: Budget;

  constructor(memory: PhysicalMemory) {
    this.#seen = FrameSet.of(memory);
    this.#pageSize = memory.pageSize;
    this.#budget = currentBudget();
  }

  /** False where too many of the pages at `address` were read before. */
  add(address: number, length: number, where: string): boolean {
    let again = 0;
    for (let at = address; at < address + length; at += this.#pageSize) if (!this.#seen.add(Math.floor(at / this.#pageSize))) again++;
    return again === 0 || this.#budget.spend('shared-pages', again, where);
  }
}

/**
 * Reads a file piece by piece, ascending and without gaps, cut at its size. Pieces hold at most 1 MiB; their bytes are the caller's to keep, but
 * where it lends the room for them: then up to the next piece. A file above 2^53 bytes (none exists) is cut there. `read`: by the same command before.
 */
export function* readContents(memfd: Memfd, memory: PhysicalMemory, read = new PagesRead(memory), room: Uint8Array | null = null): Iterable<ContentPiece> {
  const { pageSize } = memory;
  const size = Math.min(Number(memfd.size), Number.MAX_SAFE_INTEGER);
  let at = 0;
  let entry = 0;
  for (const [folio, next] of withNext(memfd.folios())) {
    const start = folio.index * pageSize;
    if (start >= size) break;
    if (start > at) yield gap(memfd, memory, at, start - at, entry, folio.entry);
    entry = folio.entry + 1;
    const pages = memfd.pagesOf(folio, next);
    const end = Math.min(size, start + (pages ?? reach(folio, next)) * pageSize);
    if (end <= at) continue;
    const from = Math.max(start, at);
    if (pages === null) {
      const why = `the folio at ${hex(folio.pfn * pageSize)} is not preserved, so what is there need not be the file's`;
      yield { offset: from, length: end - from, missing: 'unknown', address: folio.pfn * pageSize, why };
    } else {
      const done = yield* readFolio(memory, folio.pfn * pageSize + (from - start), from, end - from, memfd.node.path, read, room);
      if (done < end) {
        const why = 'its table names pages again and again that are read already; the rest is not read (limit shared-pages)';
        yield { offset: done, length: size - done, missing: 'unknown', address: null, why };
        return;
      }
    }
    at = end;
  }
  if (at < size) yield gap(memfd, memory, at, size - at, entry, memfd.folioCount);
}

/** Pages up to the next folio, where nothing else tells how long one is. */
const reach = (folio: Folio, next: Folio | null): number => (next === null || next.index <= folio.index ? 1 : next.index - folio.index);

/** Pages without a folio: a hole if every entry of the table up to `until` could be read, else unknown. */
function gap(memfd: Memfd, memory: PhysicalMemory, offset: number, length: number, entry: number, until: number | bigint): ContentHole | ContentMissing {
  const unread = firstUnread(memfd, memory, entry, until);
  if (unread === null) return { offset, length, hole: true };
  const where = unread.address === null ? 'its end' : hex(unread.address);
  const state = unread.address === null ? 'missing' : describeState(memory.stateOf(unread.address));
  return { offset, length, missing: 'unknown', address: unread.address, why: `the folio table is cut short: entry ${unread.entry} (at ${where}) is ${state}` };
}

/** The first entry in [from, until) whose bytes are not there, looked for page by page. */
function firstUnread(memfd: Memfd, memory: PhysicalMemory, from: number, until: number | bigint): { entry: number; address: number | null } | null {
  const perPage = Math.max(1, Math.floor(memory.pageSize / memfd.entrySize));
  const readable = Math.min(Number(until), memfd.readableFolios);
  for (let entry = from; entry < readable; entry += perPage - (entry % perPage)) {
    const address = memfd.entryAddress(entry);
    if (address === null || !isReadable(memory, address)) return { entry, address };
  }
  if (BigInt(until) <= BigInt(memfd.readableFolios)) return null;
  return { entry: memfd.readableFolios, address: memfd.entryAddress(memfd.readableFolios) };
}

/** @returns the offset after the last byte that was told of */
function* readFolio(
  memory: PhysicalMemory,
  address: number,
  offset: number,
  length: number,
  where: string,
  read: PagesRead,
  room: Uint8Array | null,
): Generator<ContentPiece, number> {
  for (let done = 0; done < length; ) {
    const wanted = Math.min(PIECE, length - done);
    const bytes = room?.subarray(0, wanted) ?? new Uint8Array(wanted);
    const got = memory.readInto(address + done, wanted, bytes);
    if (got > 0) {
      yield { offset: offset + done, bytes: bytes.subarray(0, got) };
      if (!read.add(address + done, got, where)) return offset + done + got;
    }
    done += got;
    if (got === wanted) continue;
    const missing = missingFrom(memory, address + done, length - done);
    yield { offset: offset + done, ...missing };
    done += missing.length;
  }
  return offset + length;
}

/** The pages from `address` on up to the next that can be read; in the words of the first. */
function missingFrom(memory: PhysicalMemory, address: number, limit: number): Omit<ContentMissing, 'offset'> {
  const state = memory.stateOf(address);
  const { index, inside } = findRange(memory.readable, address);
  const page = memory.pageSize - (address % memory.pageSize);
  // A page of a readable range whose bytes can't be had is damaged by itself.
  const gap = inside ? page : Math.max(page, (memory.readable[index]?.start ?? Number.POSITIVE_INFINITY) - address);
  return { length: Math.min(limit, gap), missing: state, address, why: `the page at ${hex(address)} is ${describeState(state)}` };
}

function* withNext(folios: Iterable<Folio>): Iterable<[Folio, Folio | null]> {
  let last: Folio | null = null;
  for (const folio of folios) {
    if (last !== null) yield [last, folio];
    last = folio;
  }
  if (last !== null) yield [last, null];
}

/** Pages of a file by their state in the dump. */
export interface PageStates {
  readonly present: number;
  readonly zero: number;
  readonly excluded: number;
  readonly outOfRange: number;
  /** pages past the bound: their states are not known */
  readonly unknown: number;
}

/** Pages of one file that are asked for: what a damaged table claims has no end. */
const MOST_STATES = 1 << 22;
/** Pages of all memfds together of sessions that were checked in bulk: a terabyte. */
const MOST_PLAIN_STATES = 1 << 28;

const known = new WeakMap<Memfd, PageStates>();

/** Which of the file's pages the dump that it was decoded in has; counted once, however many files lead to it. */
export function pageStates(memfd: Memfd, memory: PhysicalMemory): PageStates {
  const before = known.get(memfd);
  if (before !== undefined) return before;
  const states = new StateCount(memory, MOST_STATES);
  for (const { count, pfn, pages } of memfd.runColumns()) for (let run = 0; run < count; run++) states.add(pfn[run] ?? 0, pages[run] ?? 0);
  known.set(memfd, states.counted);
  return states.counted;
}

/** The same of all memfds of sessions that were checked in bulk, without decoding them. */
export function plainStates({ folios }: Pick<PlainSessions, 'folios'>, map: PreservedMap, memory: PhysicalMemory): PageStates {
  const states = new StateCount(memory, MOST_PLAIN_STATES);
  for (const frame of folios.frames()) states.add(frame, 2 ** (map.orderAt(frame * memory.pageSize) ?? 0));
  return states.counted;
}

class StateCount {
  readonly #memory: PhysicalMemory;
  readonly #counts: Record<PageState, number> = { present: 0, zero: 0, excluded: 0, 'out-of-range': 0 };
  #left: number;
  #unknown = 0;

  /** @param most pages that are asked for */
  constructor(memory: PhysicalMemory, most: number) {
    this.#memory = memory;
    this.#left = most;
  }

  add(frame: number, pages: number): void {
    const looked = Math.min(pages, this.#left);
    this.#left -= looked;
    this.#unknown += pages - looked;
    const { pageSize } = this.#memory;
    for (let page = 0; page < looked; ) {
      const address = (frame + page) * pageSize;
      const alike = Math.max(1, Math.min(looked - page, Math.floor(((this.#memory.stateEnd?.(address) ?? 0) - address) / pageSize)));
      this.#counts[this.#memory.stateOf(address)] += alike;
      page += alike;
    }
  }

  get counted(): PageStates {
    const { present, zero, excluded } = this.#counts;
    return { present, zero, excluded, outOfRange: this.#counts['out-of-range'], unknown: this.#unknown };
  }
}
