/**
 * The one walker over areas: pages, or chains of pages, that hold a header and then entries of one size. Offsets follow from the
 * contract's `Area`. Source: kernel/liveupdate/kho_block.c, luo_session.c, luo_file.c, luo_flb.c, 6.19 to 7.3.
 */
import type { Area } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { areaCapacity, areaOrder, entryOffset } from '../codec/area.js';
import { decodeStruct } from '../codec/decode.js';
import { isCString } from '../codec/leaf.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { addRestOfPage } from '../tree/gaps.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { hex } from '../tree/words.js';
import { type Context, isOffMachine, natureOfNonsense, nonsense, refer } from './context.js';
import type { ObservationKind } from './observe.js';

/** A block of a chain, or the whole of an area that is no chain. */
export interface Piece {
  /** physical */
  readonly address: number;
  /** null where the area has no header, and its entries are counted elsewhere */
  readonly header: Reading | null;
  /** where the count is, and what it is */
  readonly countNode: Node;
  readonly count: bigint;
  /** entries that fit */
  readonly capacity: number;
  /** physical addresses of the entries in use, as far as the count can be believed */
  readonly entries: readonly number[];
  readonly isLast: boolean;
  /** where the next one is; 0 after the last */
  readonly next: bigint;
}

export interface Entries {
  readonly area: Area;
  readonly pieces: readonly Piece[];
  /** physical addresses of all entries */
  readonly places: readonly number[];
  /** false where the chain broke off or a count could not be believed */
  readonly complete: boolean;
}

interface WalkOptions {
  /** gets a node for each header */
  readonly parent: Node;
  /** node of the pointer to the area */
  readonly from: Node;
  /** `session`, `file`: for messages */
  readonly what: string;
  /** for areas without a header: the count that is kept elsewhere */
  readonly counted?: { readonly count: bigint; readonly node: Node };
  /** how trouble is reported; as of a list of sessions unless given */
  readonly kinds?: { readonly pointer: ObservationKind; readonly missing: ObservationKind; readonly count: ObservationKind };
}

const KINDS = { pointer: 'block-pointer', missing: 'block-missing', count: 'block-count' } as const;

const isChain = (area: Area): boolean => area.maxPieces > 1;

/** Nodes of the pieces decoded so far, by address: each belongs to one list, and is decoded once whoever links to it. */
const decoded = new WeakMap<Context, Map<number, Node>>();

function piecesOf(context: Context): Map<number, Node> {
  const known = decoded.get(context) ?? new Map<number, Node>();
  decoded.set(context, known);
  return known;
}

/** What a piece is called: a block of a chain, a page, an area of several pages. */
const nounOf = (area: Area): string => (isChain(area) ? 'block' : area.pages === 1 ? 'page' : 'area');

/**
 * Walks the area at `pointer` (a value of a dump; 0 = none, where a chain may be empty or nothing is counted). Counts that cannot be
 * believed are observed and clipped to what was filled; once pages may have been reused, the walk stops there.
 */
export function readEntries(context: Context, area: Area, pointer: bigint, options: WalkOptions): Entries {
  const pieces: Piece[] = [];
  let believed = true;
  let { from } = options;
  const noun = `${options.what} ${nounOf(area)}`;
  const nothingCounted = options.counted !== undefined && options.counted.count === 0n;
  if (pointer === 0n && (isChain(area) || nothingCounted)) return { area, pieces, places: [], complete: true };
  const reachedEnd = walkChain(context, area, pointer, {
    read(address) {
      const read = readPiece(context, area, address, from, pieces.length, noun, options);
      if (read === null) return null;
      pieces.push(read.piece);
      believed &&= read.believed;
      from = read.piece.header?.field('next') ?? from;
      return read.piece.next;
    },
    broken(why, value) {
      const { pointer: kind } = options.kinds ?? KINDS;
      const nature = natureOfNonsense(context);
      if (why === 'pointer') context.observations.add(kind, from, `${hex(value)} is not a page of this machine, so there is no ${noun}`, nature);
      else if (why === 'cycle') context.observations.add('block-cycle', from, `the ${noun} at ${hex(value)} is linked a second time`, nature);
      else context.observations.add('block-limit', from, `more than ${limitOf(context, area)} ${options.what} blocks`, nature);
    },
  });
  return { area, pieces, places: pieces.flatMap((piece) => piece.entries), complete: reachedEnd && believed };
}

interface ChainVisitor {
  /** The piece at `address`: the pointer to the next (0: it is the last), or null where it cannot be read, which ends the walk. */
  read(address: number): bigint | null;
  /** Told of a pointer that is not followed: to no page of this machine, to a piece of this chain, past the limit. */
  broken?(why: 'pointer' | 'cycle' | 'limit', value: bigint): void;
}

const limitOf = (context: Context, area: Area): number => Math.min(context.limits.blocks, area.maxPieces);

/**
 * The walk along a chain of pieces, for those who decode them (`readEntries`) and those who only check them (plain.ts). An area that is no
 * chain is one piece. @returns whether the end was reached
 */
export function walkChain(context: Context, area: Area, pointer: bigint, { read, broken }: ChainVisitor): boolean {
  const seen = new Set<number>();
  const limit = limitOf(context, area);
  for (let value = pointer; ; ) {
    const address = physicalAddress(value);
    const why =
      address === null || address === 0 || address % context.memory.pageSize !== 0 || isOffMachine(context, address)
        ? 'pointer'
        : seen.has(address)
          ? 'cycle'
          : seen.size >= limit
            ? 'limit'
            : null;
    if (address === null || why !== null) {
      broken?.(why ?? 'pointer', value);
      return false;
    }
    seen.add(address);
    const next = read(address);
    if (next === null) return false;
    if (next === 0n || !isChain(area)) return true;
    value = next;
  }
}

/** Can a piece that is in use hold `count` entries? Only a chain's pieces hold at least one. */
export const countIsPossible = (area: Area, count: number | bigint, capacity: number): boolean => count <= capacity && (!isChain(area) || count >= 1);

/** No piece is larger than the largest block of the page allocator. */
const MAX_PIECE_ORDER = 10;

/** The area with as many pages as the piece at `address` has. */
function sizedAt(context: Context, area: Area, address: number): Area {
  const order = area.sizedByMap === true ? (context.map?.orderAt(address) ?? null) : null;
  const pages = order === null ? area.pages : 2 ** Math.min(order, MAX_PIECE_ORDER);
  return pages > area.pages ? { ...area, pages } : area;
}

interface PieceRead {
  readonly piece: Piece;
  readonly believed: boolean;
}

function readPiece(context: Context, described: Area, address: number, from: Node, index: number, noun: string, options: WalkOptions): PieceRead | null {
  const { memory } = context;
  const area = sizedAt(context, described, address);
  const known = piecesOf(context);
  const before = known.get(address);
  if (before !== undefined) {
    refer(context, { address, order: areaOrder(area), what: noun, node: before, from });
    return null;
  }
  const header = area.header === null ? null : readHeader(context, area, area.header, address, index, from, noun, options);
  if (header !== null && header.values === null) return null;
  known.set(address, header?.node ?? options.parent);
  if (header === null) {
    refer(context, { address, order: areaOrder(area), what: noun, node: options.parent, from });
    from.pointsTo(options.parent);
  }
  const capacity = areaCapacity(area, memory.pageSize);
  const count = header?.integer('count') ?? options.counted?.count ?? 0n;
  const countNode = header?.field('count') ?? options.counted?.node ?? options.parent;
  const believed = countIsPossible(area, count, capacity);
  if (!believed) {
    const allowed = isChain(area) ? `allowed are 1 to ${capacity}` : `the ${nounOf(area)} holds ${capacity}`;
    const text =
      context.released && isChain(area)
        ? `the page at ${hex(address)} no longer holds a ${noun} (its count would be ${count}): it was freed and reused`
        : header === null
          ? `count is ${count}, the ${noun} holds ${capacity}`
          : `count of the ${noun} is ${count}, ${allowed}`;
    nonsense(context, (options.kinds ?? KINDS).count, countNode, text);
    if (context.released) return null;
  }
  const first = address + entryOffset(area, 0, memory.pageSize);
  const entries = entriesAt(memory, first, area.entry, count, capacity);
  if (header !== null && isChain(area)) header.node.meaning = `${entries.length} of ${capacity} entries`;
  if (header !== null && area.pages === 1)
    addRestOfPage(memory, isChain(area) ? header.node : options.parent, address, entryOffset(area, entries.length, memory.pageSize));
  const next = header?.integer('next') ?? 0n;
  return { piece: { address, header, countNode, count, capacity, entries, isLast: next === 0n, next }, believed };
}

function readHeader(context: Context, area: Area, struct: Struct, address: number, index: number, from: Node, noun: string, options: WalkOptions): Reading {
  const { parent } = options;
  const [path, name] = isChain(area) ? [`${parent.path}/block/${index}`, `block ${index}`] : [`${parent.path}/header`, 'header'];
  const header = readStruct(context.memory, struct, address, { path, name });
  from.pointsTo(header.node);
  refer(context, { address, order: areaOrder(area), what: noun, node: header.node, from });
  if (header.values === null) {
    const state = isChain(area) ? ` is ${describeState(context.memory.stateOf(address))}` : `: ${header.node.why ?? 'missing'}`;
    context.observations.add((options.kinds ?? KINDS).missing, from, `the ${noun} at ${hex(address)}${state}`, 'absent');
  } else parent.add(header.node);
  return header;
}

/**
 * Addresses of the entries that `count` promises. Where more are promised than fit, those up to the first that can't be one:
 * pages of entries are zeroed before they are filled.
 */
function entriesAt(memory: PhysicalMemory, first: number, entry: Struct, count: bigint, capacity: number): readonly number[] {
  const size = sizeOf(entry, memory.pageSize);
  const used = count <= BigInt(capacity) ? Number(count) : filledEntries(memory, first, entry, size, capacity);
  return Array.from({ length: used }, (_, index) => first + index * size);
}

function filledEntries(memory: PhysicalMemory, first: number, entry: Struct, size: number, capacity: number): number {
  const { bytes } = readBytes(memory, first, capacity * size);
  let used = 0;
  while ((used + 1) * size <= bytes.length && couldBe(entry, bytes.subarray(used * size, (used + 1) * size))) used++;
  return used;
}

/** Not all zeros, and every text in it is one. */
function couldBe(entry: Struct, bytes: Uint8Array): boolean {
  if (bytes.every((byte) => byte === 0)) return false;
  const values: Readonly<Record<string, unknown>> = decodeStruct(entry, bytes);
  return Object.entries(entry.fields).every(([name, type]) => {
    const value = values[name];
    return type.kind !== 'cstring' || (isCString(value) && value.terminated && value.text !== '');
  });
}

/** Is entry `index` of a piece written (not all zeros)? Null where it lies outside the piece, or is not in the dump. */
function isWritten(memory: PhysicalMemory, { area }: Entries, piece: Piece, index: bigint): boolean | null {
  if (index < 0n || index >= BigInt(piece.capacity)) return null;
  const read = readBytes(memory, placeOf(memory, area, piece, index), sizeOf(area.entry, memory.pageSize));
  return read.ok ? read.bytes.some((byte) => byte !== 0) : null;
}

/** Physical address of entry `index` of a piece, whether it is in use or not. */
export const placeOf = (memory: PhysicalMemory, area: Area, piece: Piece, index: bigint): number =>
  piece.address + entryOffset(area, Number(index), memory.pageSize);

/** An entry after the last that the count admits, with its texts: its index. Null where there is none (a stray byte makes none), or it can't be told. */
export function hiddenEntry(memory: PhysicalMemory, { area }: Entries, piece: Piece): bigint | null {
  if (piece.count < 0n || piece.count >= BigInt(piece.capacity)) return null;
  const read = readBytes(memory, placeOf(memory, area, piece, piece.count), sizeOf(area.entry, memory.pageSize));
  return read.ok && couldBe(area.entry, read.bytes) ? piece.count : null;
}

/** The last entry that the count admits, where it was never written: its index. */
export const emptyEntry = (memory: PhysicalMemory, entries: Entries, piece: Piece): bigint | null =>
  piece.count > 0n && isWritten(memory, entries, piece, piece.count - 1n) === false ? piece.count - 1n : null;
