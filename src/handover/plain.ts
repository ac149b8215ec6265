/**
 * The bulk check of a long list of sessions: blocks in which every session, file, folio table and folio is as a kernel writes it, so that
 * no rule has anything to say of them. Such sessions are decoded when they are asked for, and not kept. What is not plainly right is left
 * to the decoder. Source: luo_session.c, luo_file.c, kho_block.c, kexec_handover.c and mm/memfd_luo.c, 7.2 and 7.3.
 */
import { type Area, behaviourIsKnown, type Contract } from '../../abi/contract.js';
import { KHO_VMALLOC, khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { FOLIO_FLAGS } from '../../abi/memfd/folio.js';
import { F_SEAL, KNOWN_SEALS } from '../../abi/memfd/v2.js';
import { nvmmTokens } from '../../abi/user-space/nanovmm-v3.js';
import type { Struct } from '../../abi/layout.js';
import { areaCapacity, areaOf, entryOffset } from '../codec/area.js';
import { leafOf } from '../codec/leaf.js';
import { arrayCount, layoutTable, sizeOf } from '../codec/layout-table.js';
import { FrameSet } from '../memory/frame-set.js';
import type { PhysicalMemory } from '../memory/memory.js';
import type { BulkCheck, Contested, Context } from './context.js';
import { countIsPossible, type Entries, type Piece, walkChain } from './entries.js';
import { folioWords } from './folio-columns.js';
import { memfdLayout, type MemfdLayout } from './memfd.js';
import { namesOwner } from './owners/owner.js';

/** Fewer sessions are decoded one by one, unless the caller says otherwise. */
export const BULK_FROM = 1024;
/** A second look, and a third, where two sessions claim one page; then all are decoded. */
const MOST_LOOKS = 3;
const HALF = 2 ** 32;
/** Claims looked at in vain, beside as many as a list can have. */
const SPARE_CLAIMS = 1 << 20;
/** A map of a few pages can name any number of blocks: half a terabyte of single pages. */
const MOST_CLAIMS = 1 << 27;
/** Of the sessions of one block, held until all of them are known to be plain; past it nothing is checked in bulk any more. */
const MOST_PENDING = 1 << 24;
const PAGES_OF_FILE = 2 ** 32;

/** What the bulk check found nothing in. */
export interface PlainBlocks {
  readonly pieces: ReadonlySet<Piece>;
  /** how many sessions are in them, and their files */
  readonly sessions: number;
  readonly files: number;
  /** page frames that their sessions claim: blocks of files, descriptions, tables, and the first of each folio */
  readonly claimed: FrameSet;
  /** the first page frame of each folio of their memfds */
  readonly folios: FrameSet;
}

/** The blocks of a list of sessions that are plain; null where the list is short, or nothing can be held against the map. */
export function plainBlocks(context: Context, contract: Contract, area: Area, entries: Entries): PlainBlocks | null {
  const { bulk, map, contracts, memory } = context;
  const fileArea = areaOf(contract, 'files');
  if (bulk === null || map === null || !map.complete || context.released || !entries.complete || entries.places.length < bulk.from) return null;
  if (fileArea === null || area.maxPieces === 1 || fileArea.maxPieces === 1 || area.pages !== 1 || fileArea.pages !== 1) return null;
  if (!behaviourIsKnown(contract) || contracts.struct(khoVmallocChunk) !== khoVmallocChunk) return null;
  const layout = fieldsOf(area, fileArea, memory);
  if (layout === null) return null;
  const contested = new Set<number>();
  for (let look = 0; look < MOST_LOOKS; look++) {
    const check = new Check(context, layout, bulk, (frame) => contested.has(frame) || bulk.contested(frame));
    const twice = check.list(entries);
    if (twice.size === 0) return check.sessions === 0 ? null : check;
    for (const frame of twice) contested.add(frame);
  }
  return null;
}

/** Where the fields of sessions, files, blocks and chunks are, in bytes. */
type Fields = NonNullable<ReturnType<typeof fieldsOf>>;

/** In bytes from the start of an entry. */
interface Span {
  readonly at: number;
  readonly length: number;
}

function span(struct: Struct, name: string, pageSize: number): Span | null {
  const leaf = leafOf(struct, name, pageSize);
  return leaf === null || leaf.bitOffset % 8 !== 0 || leaf.bits % 8 !== 0 ? null : { at: leaf.bitOffset / 8, length: leaf.bits / 8 };
}

/** Where an unsigned field of `bytes` is. */
function place(struct: Struct, name: string, bytes: number, pageSize: number): number | null {
  const found = span(struct, name, pageSize);
  return found?.length === bytes ? found.at : null;
}

function fieldsOf(area: Area, fileArea: Area, { pageSize }: PhysicalMemory) {
  const { header } = fileArea;
  if (header === null || area.header === null) return null;
  const name = span(area.entry, 'name', pageSize);
  const files = place(area.entry, 'file_set_ser.files', 8, pageSize);
  const count = place(area.entry, 'file_set_ser.count', 8, pageSize);
  const compatible = span(fileArea.entry, 'compatible', pageSize);
  const data = place(fileArea.entry, 'data', 8, pageSize);
  const token = place(fileArea.entry, 'token', 8, pageSize);
  const blockNext = place(header, 'next', 8, pageSize);
  const blockCount = place(header, 'count', 8, pageSize);
  const chunk = layoutTable(khoVmallocChunk, pageSize);
  if (name === null || files === null || count === null || compatible === null || data === null || token === null || blockNext === null || blockCount === null)
    return null;
  return {
    fileArea,
    name,
    files,
    count,
    fileSize: sizeOf(fileArea.entry, pageSize),
    fileFirst: entryOffset(fileArea, 0, pageSize),
    fileCapacity: areaCapacity(fileArea, pageSize),
    blockNext,
    blockCount,
    chunkNext: chunk.field('next').offset,
    chunkList: chunk.field('phys').offset,
    chunkRoom: arrayCount(chunk.field('phys'), pageSize),
    compatible,
    data,
    token,
  };
}

/** A version of memfd's handler, with the places of its fields. */
interface MemfdFields {
  readonly layout: MemfdLayout;
  readonly size: number;
  readonly seals: number;
  readonly flags: number;
  readonly pos: number;
  readonly nrFolios: number;
  readonly first: number;
  readonly totalPages: number;
  readonly vmallocFlags: number;
  readonly order: number;
}

/** A file that seals itself against being made executable comes back with more seals. */
const PLAIN_SEALS = KNOWN_SEALS & ~F_SEAL.EXEC;

/** Bytes read around a page whose neighbours were asked for: what was handed over was allocated in turn. */
const WINDOW = 1 << 16;
/** Blocks of files are in one place, and what they lead to in another or two. */
const WINDOWS = 4;

/** The windows of memory that were looked at last, for all views of it. */
class Windows {
  readonly #memory: PhysicalMemory;
  readonly #held = Array.from({ length: WINDOWS }, () => ({ bytes: new Uint8Array(WINDOW), start: 0, end: 0 }));
  #oldest = 0;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  /** Copies the page at `address` into `page`; its neighbours are read with it where `isNear`. @returns false where the page is not there */
  read(address: number, page: Uint8Array, isNear: boolean): boolean {
    const held = this.#around(address, page.length) ?? (isNear ? this.#next(address) : null);
    if (held === null || address + page.length > held.end) return this.#memory.readInto(address, page.length, page) === page.length;
    page.set(held.bytes.subarray(address - held.start, address - held.start + page.length));
    return true;
  }

  #around(address: number, size: number) {
    for (const held of this.#held) if (address >= held.start && address + size <= held.end) return held;
    return null;
  }

  #next(address: number) {
    const held = this.#held[this.#oldest] ?? null;
    this.#oldest = (this.#oldest + 1) % WINDOWS;
    if (held === null) return null;
    held.start = address - (address % WINDOW);
    held.end = held.start + this.#memory.readInto(held.start, WINDOW, held.bytes);
    return held;
  }
}

/** Bytes of one page, filled again and again. */
class PageView {
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #windows: Windows;
  #last = 0;

  constructor(windows: Windows, pageSize: number) {
    this.#windows = windows;
    this.bytes = new Uint8Array(pageSize);
    this.#words = new Uint32Array(this.bytes.buffer);
  }

  /** @returns false where the page is not there */
  fill(address: number): boolean {
    const isNear = Math.abs(address - this.#last) < 2 * WINDOW;
    this.#last = address;
    return this.#windows.read(address, this.bytes, isNear);
  }

  u32(at: number): number {
    return this.#words[at >>> 2] ?? 0;
  }

  /** rounded beyond 2^53, which nothing that is plain is */
  u64(at: number): number {
    return (this.#words[at >>> 2] ?? 0) + (this.#words[(at >>> 2) + 1] ?? 0) * HALF;
  }

  isZero(from: number, to: number): boolean {
    let at = from;
    for (; at < to && at % 4 !== 0; at++) if (this.bytes[at] !== 0) return false;
    for (const end = to >>> 2; at >>> 2 < end; at += 4) if (this.#words[at >>> 2] !== 0) return false;
    for (; at < to; at++) if (this.bytes[at] !== 0) return false;
    return true;
  }

  /** Length of a text of printable ASCII that is filled up with zeros; -1 for any other. */
  text({ at, length }: Span): number {
    let end = 0;
    for (; end < length; end++) {
      const char = this.bytes[at + end] ?? 0;
      if (char === 0) break;
      if (char < 0x21 || char > 0x7e) return -1;
    }
    return end === 0 || end === length || !this.isZero(at + end, at + length) ? -1 : end;
  }

  latin1(at: number, length: number): string {
    let text = '';
    for (let index = at; index < at + length; index++) text += String.fromCharCode(this.bytes[index] ?? 0);
    return text;
  }
}

class Check {
  readonly pieces = new Set<Piece>();
  readonly claimed: FrameSet;
  readonly folios: FrameSet;
  sessions = 0;
  files = 0;
  readonly #context: Context;
  readonly #fields: Fields;
  readonly #bulk: BulkCheck;
  readonly #contested: Contested;
  readonly #pageSize: number;
  readonly #handlers = new Map<string, MemfdFields | null>();
  readonly #own = new Set<number>();
  readonly #session: PageView;
  readonly #block: PageView;
  readonly #page: PageView;
  readonly #chunk: PageView;
  readonly #frames: Float64Array;
  readonly #orders: Uint8Array;
  /** claims that are still looked at: more than there are blocks are not all right */
  #left: number;
  /** claimed by the piece that is looked at */
  #pending: number[] = [];
  #pendingFolios: number[] = [];
  #pendingFiles = 0;

  constructor(context: Context, fields: Fields, bulk: BulkCheck, contested: Contested) {
    const { memory, map } = context;
    this.#context = context;
    this.#fields = fields;
    this.#bulk = bulk;
    this.#contested = contested;
    this.#pageSize = memory.pageSize;
    this.#left = Math.min(MOST_CLAIMS, 2 * (map?.summary.blocks ?? 0) + SPARE_CLAIMS);
    this.claimed = FrameSet.of(memory);
    this.folios = FrameSet.of(memory);
    this.#frames = new Float64Array(memory.pageSize / 8);
    this.#orders = new Uint8Array(memory.pageSize / 8);
    const windows = new Windows(memory);
    const view = (): PageView => new PageView(windows, memory.pageSize);
    this.#session = view();
    this.#block = view();
    this.#page = view();
    this.#chunk = view();
    for (const page of map?.structurePages ?? []) this.#own.add(Math.floor(page / memory.pageSize));
  }

  /** Goes over the list. @returns page frames that two plain blocks of sessions claim */
  list(entries: Entries): ReadonlySet<number> {
    const twice = new Set<number>();
    const repeated = this.#repeatedNames(entries);
    for (const { address } of entries.pieces) this.#own.add(Math.floor(address / this.#pageSize));
    for (const [index, piece] of entries.pieces.entries()) {
      if (index === 0 || index === entries.pieces.length - 1 || repeated.has(piece)) continue;
      this.#pending = [];
      this.#pendingFolios = [];
      this.#pendingFiles = 0;
      if (piece.count !== BigInt(piece.capacity) || !this.#piece(piece)) continue;
      for (const frame of this.#pending) if (!this.claimed.add(frame)) twice.add(frame);
      for (const frame of this.#pendingFolios) {
        if (!this.claimed.add(frame)) twice.add(frame);
        this.folios.add(frame);
      }
      this.pieces.add(piece);
      this.sessions += piece.entries.length;
      this.files += this.#pendingFiles;
    }
    return twice;
  }

  /** Blocks with a session whose name another has, too. */
  #repeatedNames({ pieces }: Entries): ReadonlySet<Piece> {
    const first = new Map<string, Piece>();
    const found = new Set<Piece>();
    for (const piece of pieces) {
      if (!this.#session.fill(piece.address)) continue;
      for (const address of piece.entries) {
        const { at, length } = this.#fields.name;
        const start = address - piece.address + at;
        const end = this.#session.bytes.subarray(start, start + length).indexOf(0);
        const name = this.#session.latin1(start, end === -1 ? length : end);
        const other = first.get(name);
        if (other === undefined) first.set(name, piece);
        else found.add(other).add(piece);
      }
    }
    return found;
  }

  #piece(piece: Piece): boolean {
    if (this.#contested(Math.floor(piece.address / this.#pageSize)) || !this.#session.fill(piece.address)) return false;
    for (const address of piece.entries) if (!this.#oneSession(address - piece.address)) return false;
    return true;
  }

  #oneSession(at: number): boolean {
    const { name, files, count, fileArea, fileCapacity, fileFirst, fileSize, blockNext, blockCount } = this.#fields;
    const session = this.#session;
    const length = session.text({ at: at + name.at, length: name.length });
    if (length === -1 || namesOwner(session.latin1(at + name.at, length))) return false;
    const total = session.u64(at + count);
    const first = session.u64(at + files);
    if (total === 0 || first === 0) return total === 0 && first === 0;
    const block = this.#block;
    let token = -1;
    let left = total;
    const read = (address: number): bigint | null => {
      if (!this.#claim(address) || !block.fill(address)) return null;
      const used = block.u64(blockCount);
      const next = block.u64(blockNext);
      left -= used;
      if (!countIsPossible(fileArea, used, fileCapacity) || left < 0 || (next === 0 ? left !== 0 : used !== fileCapacity)) return null;
      const end = fileFirst + used * fileSize;
      if (used < fileCapacity && !block.isZero(end, end + fileSize)) return null;
      for (let entry = fileFirst; entry < end; entry += fileSize) {
        const own = block.u64(entry + this.#fields.token);
        // Tokens ascend, as they mostly do: then none is there twice.
        if (own <= token || own > Number.MAX_SAFE_INTEGER || own === Number(nvmmTokens.state)) return null;
        token = own;
        if (!this.#file(entry)) return null;
      }
      this.#pendingFiles += used;
      return BigInt(next);
    };
    return walkChain(this.#context, fileArea, BigInt(first), { read });
  }

  #file(entry: number): boolean {
    const { compatible, data } = this.#fields;
    const block = this.#block;
    const length = block.text({ at: entry + compatible.at, length: compatible.length });
    if (length === -1) return false;
    const handler = this.#handler(block.latin1(entry + compatible.at, length));
    const address = block.u64(entry + data);
    return handler !== null && this.#claim(address) && this.#memfd(handler, address);
  }

  /** Null for any handler but memfd's in a version that a release of this handover has. */
  #handler(text: string): MemfdFields | null {
    const before = this.#handlers.get(text);
    if (before !== undefined) return before;
    const found = this.#memfdFields(text);
    this.#handlers.set(text, found);
    return found;
  }

  #memfdFields(text: string): MemfdFields | null {
    const { contracts, memory } = this.#context;
    const candidates = contracts.named(text);
    const [contract] = candidates;
    if (contract?.layer !== 'memfd' || contract.status !== 'released' || !behaviourIsKnown(contract)) return null;
    if (!contract.releases.some((release) => this.#bulk.kho.releases.includes(release))) return null;
    const layout = memfdLayout(candidates, memory.pageSize);
    if (layout === null || !layout.asReleased) return null;
    const at = (name: string, bytes: number): number | null => place(layout.ser, name, bytes, memory.pageSize);
    const [pos, size, nrFolios, first] = [at('pos', 8), at('size', 8), at('nr_folios', 8), at('folios.first', 8)];
    const [totalPages, vmallocFlags, order] = [at('folios.total_pages', 4), at('folios.flags', 2), at('folios.order', 2)];
    const [seals, flags] = [at('seals', 4), at('flags', 4)];
    if (pos === null || size === null || nrFolios === null || first === null || totalPages === null || vmallocFlags === null || order === null) return null;
    // Without seals, up to memfd-v1, each file has a note of its own.
    if (seals === null || flags === null) return null;
    return { layout, pos, size, seals, flags, nrFolios, first, totalPages, vmallocFlags, order };
  }

  /** Is there a block of order 0 at `address` that nobody else has? */
  #claim(address: number): boolean {
    const frame = address / this.#pageSize;
    if (
      this.#left-- <= 0 ||
      frame === 0 ||
      !Number.isInteger(frame) ||
      this.#context.map?.orderAt(address) !== 0 ||
      this.#own.has(frame) ||
      this.#contested(frame)
    )
      return false;
    if (this.#pending.push(frame) > MOST_PENDING) this.#left = 0;
    return true;
  }

  #memfd(fields: MemfdFields, address: number): boolean {
    const page = this.#page;
    if (!page.fill(address)) return false;
    const size = page.u64(fields.size);
    const folios = page.u64(fields.nrFolios);
    const pages = Math.ceil(size / this.#pageSize);
    if ((page.u32(fields.seals) & ~PLAIN_SEALS) !== 0 || page.u32(fields.flags) !== 0 || page.u64(fields.pos) > Number.MAX_SAFE_INTEGER) return false;
    if (size === 0 || folios === 0 || folios > pages || pages >= PAGES_OF_FILE) return false;
    const half = (at: number): number => (page.bytes[at] ?? 0) + (page.bytes[at + 1] ?? 0) * 256;
    if (half(fields.vmallocFlags) !== KHO_VMALLOC.ALLOC || half(fields.order) !== 0) return false;
    const { entrySize } = fields.layout;
    const tablePages = Math.ceil((folios * entrySize) / this.#pageSize);
    return page.u32(fields.totalPages) === tablePages && this.#table(fields, page.u64(fields.first), tablePages, folios, pages);
  }

  /**
   * A folio table, chunk by chunk. vmalloc.ts walks the same chunks to describe what it meets, with a node and a reference for each;
   * here nothing is described, and each page is claimed and checked as it comes, so that nothing is kept of a table that is plain.
   */
  #table({ layout }: MemfdFields, first: number, tablePages: number, folios: number, pages: number): boolean {
    const { chunkNext, chunkList, chunkRoom } = this.#fields;
    const chunk = this.#chunk;
    let expected = 0;
    let left = folios;
    for (let next = first, listed = 0; ; ) {
      if (!this.#claim(next) || !chunk.fill(next)) return false;
      next = chunk.u64(chunkNext);
      const used = Math.min(chunkRoom, tablePages - listed);
      for (let index = 0; index < used; index++) {
        const address = chunk.u64(chunkList + index * 8);
        if (!this.#claim(address)) return false;
        const count = Math.min(left, this.#pageSize / layout.entrySize);
        expected = this.#entries(layout, address, count, left > count, expected, pages);
        if (expected === -1) return false;
        left -= count;
      }
      listed += used;
      if (!chunk.isZero(chunkList + used * 8, chunkList + chunkRoom * 8)) return false;
      // A list that fills its chunk exactly is ended by an empty one.
      if (used < chunkRoom || next === 0) return next === 0 && listed === tablePages && left === 0 && used < chunkRoom && expected >= pages;
    }
  }

  /** One page of a folio table. @returns the page of the file that follows its folios; -1 where an entry is not as a kernel writes it */
  #entries({ entrySize }: MemfdLayout, address: number, count: number, more: boolean, from: number, pages: number): number {
    const page = this.#page;
    this.#left -= this.#pendingFolios.length > MOST_PENDING ? this.#left : count;
    if (!page.fill(address) || count > this.#frames.length || this.#left < 0) return -1;
    const frames = this.#frames;
    const { pfnAt, highMask, flagShift, indexAt } = folioWords;
    for (let entry = 0, at = pfnAt * 4; entry < count; entry++, at += entrySize) {
      const high = page.u32(at + 4);
      if (high >>> flagShift !== FOLIO_FLAGS) return -1;
      frames[entry] = page.u32(at) + (high & highMask) * HALF;
    }
    this.#context.map?.ordersInto(frames, count, this.#orders);
    let expected = from;
    for (let entry = 0, at = indexAt * 4; entry < count; entry++, at += entrySize) {
      const frame = frames[entry] ?? 0;
      const order = this.#orders[entry] ?? 0;
      if (frame === 0 || order === 0 || page.u64(at) !== expected || expected >= pages) return -1;
      const length = order === 1 ? 1 : 2 ** (order - 1);
      if (expected % length !== 0 || this.#own.has(frame) || this.#contested(frame)) return -1;
      this.#pendingFolios.push(frame);
      expected += length;
    }
    return more || page.isZero(count * entrySize, this.#pageSize) ? expected : -1;
  }
}
