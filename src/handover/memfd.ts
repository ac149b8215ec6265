/**
 * memfd payloads: memfd_luo_ser, its folio table, and the contents it leads to. The table is bulk: read lazily, in pieces.
 * Source: include/linux/kho/abi/memfd.h and mm/memfd_luo.c, 6.19 to 7.3.
 */
import { NEWEST } from '../../abi/behaviour/facts.js';
import { type Contract, behaviourIsKnown } from '../../abi/contract.js';
import type { FlagNames, Struct } from '../../abi/layout.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { KNOWN_SEALS } from '../../abi/memfd/v2.js';
import { bulkReader, leafOf } from '../codec/leaf.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { type Context, nonsense } from './context.js';
import { ENTRIES_A_PIECE, type EntryReaders, type Folio, type FolioColumns, type FolioRun, Piece, type RunColumns, RunPiece } from './folio-columns.js';
import { counted as countOf, flagsText, hex } from '../tree/words.js';
import { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';
import { type VmallocArea, type VmallocValues, readVmalloc, vmallocValues } from './vmalloc.js';
import type { TreeNode } from '../tree/tree.js';

export interface Memfd {
  readonly kind: 'memfd';
  readonly struct: 'memfd_luo_ser';
  readonly reading: Reading;
  /** what it was read by; null for one that was found in a running kernel's own objects */
  readonly contract: Contract | null;
  /** null where its version has none */
  readonly pos: bigint | null;
  readonly size: bigint;
  /** null in memfd-v1, which has none */
  readonly seals: number | null;
  /** null in memfd-v1 */
  readonly flags: number | null;
  readonly folioCount: bigint;
  /** why folios of a running kernel's file are not all listed, so that `folioCount` is not known; absent or null where they are */
  readonly cut?: string | null;
  /** null for an empty file, or where the area could not be read */
  readonly area: VmallocArea | null;
  /** entries of the table that can be read, at most folioCount */
  readonly readableFolios: number;
  /** physical address of a table entry, or null beyond the area */
  entryAddress(entry: number): number | null;
  /** The entries in table order, as far as they can be read. */
  entries(): Iterable<Folio>;
  /** The same in pieces, as columns. */
  columns(): Iterable<FolioColumns>;
  /** One entry of a piece of the table. */
  folioAt(columns: FolioColumns, at: number): Folio;
  /** The folios in table order; entries with pfn 0 are skipped, as the kernel does. */
  folios(): Iterable<Folio>;
  /** The first entry after nr_folios that is not 0, or null: the table is zeroed before it is filled. */
  usedEntryAfter(): number | null;
  /** Pages of a folio: from the preserved map, or where that is gone from the next folio's index. Null if nothing tells. */
  pagesOf(folio: Folio, next: Folio | null): number | null;
  runs(): Iterable<FolioRun>;
  /** The same in pieces, as columns. */
  runColumns(): Iterable<RunColumns>;
  /** bytes; what index and pages count in */
  readonly pageSize: number;
  /** bytes of one entry of the table */
  readonly entrySize: number;
  /** names of the bits of a folio's flags */
  readonly flagNames: FlagNames | undefined;
  readonly node: Node;
}

/** Pages a file can have at most: the kernel refuses more than UINT_MAX. */
const MAX_FILE_PAGES = 2 ** 32;

/** A version of the handler, with what its folio table is made of. */
export interface MemfdLayout extends EntryReaders {
  readonly contract: Contract;
  readonly ser: Struct;
  readonly entry: Struct;
  /** in bytes; where the index is 8 bytes wide, to be read exactly */
  readonly wideIndexAt: number | null;
  readonly flagNames: FlagNames | undefined;
}

/** Null where the contract lacks a field without which no page of the file can be found. */
export function memfdLayout([contract]: readonly Contract[], pageSize: number): MemfdLayout | null {
  const ser = contract?.structs[0];
  const entry = contract?.structs.find((struct) => struct !== ser && ['pfn', 'index'].every((name) => leafOf(struct, name, pageSize) !== null));
  if (contract === undefined || ser === undefined || entry === undefined) return null;
  if (['size', 'folios.first'].some((name) => leafOf(ser, name, pageSize) === null)) return null;
  const [pfn, index, flags] = ['pfn', 'index', 'flags'].map((name) => {
    const leaf = leafOf(entry, name, pageSize);
    return { leaf, read: leaf === null ? null : bulkReader(entry, leaf, pageSize) };
  });
  if (pfn?.read == null || index?.read == null) return null;
  const { leaf } = index;
  const wide = leaf !== null && leaf.bits === 64 && leaf.bitOffset % 8 === 0;
  const type = flags?.leaf?.type;
  return {
    contract,
    ser,
    entry,
    entrySize: sizeOf(entry, pageSize),
    pfn: pfn.read,
    index: index.read,
    flags: flags?.read ?? null,
    wideIndexAt: wide && leaf !== null ? leaf.bitOffset / 8 : null,
    flagNames: type !== undefined && 'flagNames' in type ? type.flagNames : undefined,
    asReleased: entry === memfdLuoFolioSer,
  };
}

/** Reads the structure at `address` (physical) by its layout; null if its page is missing or reused. */
export function readMemfd(context: Context, layout: MemfdLayout, address: number, parent: Node, from: Node): Memfd | null {
  const reading = readStruct(context.memory, layout.ser, address, { path: `${parent.path}/${layout.ser.name}`, name: layout.ser.name });
  from.pointsTo(reading.node);
  parent.add(reading.node);
  if (reading.values === null) {
    context.observations.add('data-missing', from, `memfd_luo_ser at ${hex(address)}: ${reading.node.why ?? 'its page is not there'}`, 'absent');
    return null;
  }
  const scalars = scalarsOf(reading);
  const folios = vmallocValues(reading.integer, 'folios.');
  if (folios === null || scalars === null) return null;
  if (context.released && !plausible(context, scalars, folios)) {
    context.observations.add(
      'data-reused',
      reading.node,
      `the page at ${hex(address)} no longer holds a memfd_luo_ser: it was freed when the file was retrieved, and reused`,
      'reused',
    );
    return null;
  }
  // Which seals and flags there are is known of kernels that were read alone.
  if (behaviourIsKnown(layout.contract)) checkScalars(context, reading, scalars.seals, scalars.flags);
  const counted = scalars.folioCount;
  // The descriptor of an empty file is never read.
  const area =
    counted === 0n && scalars.size === 0n
      ? null
      : readVmalloc(context, folios, reading.field('folios'), counted === null ? null : tableBytes(counted, layout.entrySize));
  if (area === null && counted !== null && counted !== 0n && folios.first === 0n && (folios.total_pages ?? 0) === 0) {
    nonsense(context, 'memfd-count', reading.field('nr_folios'), `nr_folios is ${counted}, but there is no folio table`);
  }
  const capacity = area === null ? 0 : Math.floor(area.size / layout.entrySize);
  if (area?.complete === true && counted !== null && counted > BigInt(capacity)) {
    nonsense(context, 'memfd-count', reading.field('nr_folios'), `nr_folios is ${counted}, but the table has room for ${capacity}`);
  }
  const folioCount = counted ?? BigInt(usedEntries(area, layout, capacity, context.memory.pageSize));
  const readable = Number(folioCount < BigInt(capacity) ? folioCount : BigInt(capacity));
  const memfd = new MemfdTable(context, layout, reading, { ...scalars, folioCount }, area, readable);
  reading.node.meaning = `${scalars.size} bytes, ${countOf(folioCount, 'folio')}`;
  reading.node.add(folioTableNode(memfd, reading.node.path));
  addRestOfPage(context.memory, reading.node, address, sizeOf(reading.struct));
  return memfd;
}

/** Bytes of a folio table; null for a count that no file has. */
const tableBytes = (folios: bigint, entrySize: number): number | null => (folios <= BigInt(MAX_FILE_PAGES) ? Number(folios) * entrySize : null);

interface Scalars {
  readonly pos: bigint | null;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  /** null where this version does not count them */
  readonly folioCount: bigint | null;
}

function scalarsOf(reading: Reading): Scalars | null {
  // `flags` is a name of the area's descriptor as well: only the structure's own counts here.
  const own = (name: string): bigint | null => (leafOf(reading.struct, name)?.known[0] === 'folios' ? null : reading.integer(name));
  const small = (value: bigint | null): number | null => (value === null ? null : Number(value));
  const size = own('size');
  return size === null ? null : { pos: own('pos'), size, seals: small(own('seals')), flags: small(own('flags')), folioCount: own('nr_folios') };
}

/** Entries up to the last that is not all zeros, where nothing counts them. */
function usedEntries(area: VmallocArea | null, { entrySize }: MemfdLayout, capacity: number, pageSize: number): number {
  if (area === null) return 0;
  const perPiece = Math.max(1, Math.floor(pageSize / entrySize));
  for (let end = capacity; end > 0; end -= Math.min(end, perPiece)) {
    const first = Math.max(0, end - perPiece);
    const bytes = area.read(first * entrySize, (end - first) * entrySize);
    let last = bytes.length;
    while (last > 0 && bytes[last - 1] === 0) last--;
    if (last > 0) return first + Math.ceil(last / entrySize);
  }
  return 0;
}

/** Could a kernel have written this? Asked only where pages are known to have been reused. */
function plausible(context: Context, { size, seals, flags, folioCount }: Scalars, folios: VmallocValues): boolean {
  const first = physicalAddress(folios.first);
  const pages = Number(size) / context.memory.pageSize;
  const [totalPages, count] = [folios.total_pages ?? 1, folioCount ?? 1n];
  if ((flags ?? 0) !== 0 || ((seals ?? 0) & ~KNOWN_SEALS) !== 0 || pages > MAX_FILE_PAGES) return false;
  if (first === null || first % context.memory.pageSize !== 0 || (folios.order ?? 0) > 20 || ((folios.flags ?? 0) & ~3) !== 0) return false;
  if (size === 0n && (folioCount ?? 0n) === 0n && first === 0) return (folios.total_pages ?? 0) === 0 && (folios.flags ?? 0) === 0;
  if (context.memory.stateOf(first) === 'out-of-range' || first === 0) return false;
  return count > 0n && count <= BigInt(Math.ceil(pages)) && totalPages > 0;
}

function checkScalars(context: Context, reading: Reading, seals: number | null, flags: number | null): void {
  if (seals !== null && (seals & ~KNOWN_SEALS) !== 0) {
    nonsense(
      context,
      'memfd-seals',
      reading.field('seals'),
      `seals ${hex(seals)} holds ${hex((seals & ~KNOWN_SEALS) >>> 0)}, which no kernel up to ${NEWEST} knows`,
    );
  }
  if (flags !== null && flags !== 0) nonsense(context, 'memfd-flags', reading.field('flags'), `flags is ${hex(flags)}, always 0 so far`);
}

class MemfdTable implements Memfd {
  readonly kind = 'memfd';
  readonly struct = 'memfd_luo_ser';
  readonly contract: Contract;
  readonly reading: Reading;
  readonly pos: bigint | null;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  readonly folioCount: bigint;
  readonly area: VmallocArea | null;
  readonly readableFolios: number;
  readonly node: Node;
  /** bytes */
  readonly pageSize: number;
  readonly entrySize: number;
  readonly flagNames: FlagNames | undefined;
  readonly layout: MemfdLayout;
  readonly #context: Context;

  constructor(
    context: Context,
    layout: MemfdLayout,
    reading: Reading,
    scalars: Scalars & { readonly folioCount: bigint },
    area: VmallocArea | null,
    readable: number,
  ) {
    this.#context = context;
    this.pageSize = context.memory.pageSize;
    this.layout = layout;
    this.contract = layout.contract;
    this.entrySize = layout.entrySize;
    this.flagNames = layout.flagNames;
    this.reading = reading;
    this.node = reading.node;
    this.pos = scalars.pos;
    this.size = scalars.size;
    this.seals = scalars.seals;
    this.flags = scalars.flags;
    this.folioCount = scalars.folioCount;
    this.area = area;
    this.readableFolios = readable;
  }

  entryAddress(entry: number): number | null {
    const offset = entry * this.entrySize;
    const block = this.area?.blocks[Math.floor(offset / this.area.blockSize)];
    return this.area === null || block === undefined ? null : block + (offset % this.area.blockSize);
  }

  *folios(): Iterable<Folio> {
    for (const entry of this.entries()) if (entry.pfn !== 0) yield entry;
  }

  usedEntryAfter(): number | null {
    if (this.area === null) return null;
    const { entrySize } = this;
    const bytes = this.area.read(this.readableFolios * entrySize, this.#context.memory.pageSize);
    let used = 0;
    while (used < bytes.length && bytes[used] === 0) used++;
    return used === bytes.length ? null : this.readableFolios + Math.floor(used / entrySize);
  }

  *entries(): Iterable<Folio> {
    for (const columns of this.columns()) for (let at = 0; at < columns.count; at++) yield this.folioAt(columns, at);
  }

  folioAt({ first, pfn, index, flags }: FolioColumns, at: number): Folio {
    const folio = { entry: first + at, pfn: pfn[at] ?? 0, flags: flags[at] ?? 0, index: index[at] ?? 0 };
    const { wideIndexAt } = this.layout;
    if (Number.isSafeInteger(folio.index) || wideIndexAt === null || this.area === null) return folio;
    const bytes = this.area.read(folio.entry * this.entrySize + wideIndexAt, 8);
    return { ...folio, exactIndex: new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) };
  }

  *columns(): Iterable<FolioColumns> {
    if (this.area === null) return;
    const { entrySize } = this;
    let held: Piece | null = null;
    let spare: Piece | null = null;
    const buffer = new Uint8Array(Math.min(ENTRIES_A_PIECE, this.readableFolios) * entrySize);
    for (let first = 0; first < this.readableFolios; first += ENTRIES_A_PIECE) {
      const wanted = buffer.subarray(0, (this.readableFolios - first) * entrySize);
      const bytes = buffer.subarray(0, this.area.readInto(first * entrySize, wanted));
      const piece: Piece = spare ?? new Piece(Math.min(ENTRIES_A_PIECE, this.readableFolios));
      piece.fill(this.layout, first, bytes);
      if (piece.count === 0) {
        spare = piece;
        continue;
      }
      if (held !== null) {
        held.lookAhead(piece);
        yield held;
      }
      spare = held;
      held = piece;
    }
    if (held !== null) yield held;
  }

  /** The nodes of one entry's fields, down to the bit. */
  fieldsOf(entry: number, path: string): readonly TreeNode[] {
    const address = this.entryAddress(entry);
    return address === null ? [] : readStruct(this.#context.memory, this.layout.entry, address, { path, name: `[${entry}]` }).node.children();
  }

  pagesOf(folio: Folio, next: Folio | null): number | null {
    if (this.#context.map !== null) {
      const order = this.#context.map.orderAt(folio.pfn * this.pageSize);
      return order === null ? null : 2 ** order;
    }
    // Preserving fills holes, so a folio reaches to the next one's index, and the last one to the end of the file.
    const end = next?.index ?? Math.ceil(Number(this.size) / this.pageSize);
    return end > folio.index ? end - folio.index : null;
  }

  *runs(): Iterable<FolioRun> {
    for (const { count, index, pfn, pages, flags, exact } of this.runColumns())
      for (let at = 0; at < count; at++) yield { index: exact?.get(at) ?? index[at] ?? 0, pfn: pfn[at] ?? 0, pages: pages[at] ?? 0, flags: flags[at] ?? 0 };
  }

  *runColumns(): Iterable<RunColumns> {
    const { map } = this.#context;
    const orders = new Uint8Array(Math.min(ENTRIES_A_PIECE, this.readableFolios));
    const out = new RunPiece(this.readableFolios);
    for (const columns of this.columns()) {
      map?.ordersInto(columns.pfn, columns.count, orders);
      const pagesOf = map === null ? (at: number) => this.pagesOf(this.folioAt(columns, at), nextIn(this, columns, at)) ?? 1 : null;
      out.join(columns, orders, pagesOf, (at) => this.folioAt(columns, at).exactIndex);
      if (out.count <= ENTRIES_A_PIECE) continue;
      out.count--;
      yield out;
      out.keepLast();
    }
    if (out.count > 0) yield out;
  }
}

/** The folio after entry `at` of a piece, as far as is seen from there. */
function nextIn(memfd: Memfd, columns: FolioColumns, at: number): Folio | null {
  for (let next = at + 1; next < columns.count + columns.ahead; next++) if (columns.pfn[next] !== 0) return memfd.folioAt(columns, next);
  return null;
}

function* pairs<T>(items: Iterable<T>): Iterable<[T, T | null]> {
  let last: T | undefined;
  for (const item of items) {
    if (last !== undefined) yield [last, item];
    last = item;
  }
  if (last !== undefined) yield [last, null];
}

function folioTableNode(memfd: MemfdTable, path: string): Node {
  return new Node(`${path}/folios[]`, 'folio table', {
    type: `struct ${memfd.layout.entry.name}[${memfd.readableFolios}]`,
    address: memfd.entryAddress(0),
    bits: memfd.readableFolios * memfd.entrySize * 8,
    meaning: `${memfd.readableFolios} entries`,
    description: memfd.layout.entry.meaning,
    children: () => [...pairs(memfd.folios())].map(([folio, next]) => folioNode(memfd, path, folio, next)),
  });
}

function folioNode(memfd: MemfdTable, path: string, folio: Folio, next: Folio | null): Node {
  const pages = memfd.pagesOf(folio, next);
  const { entry } = memfd.layout;
  const node = new Node(`${path}/folios[]/${folio.entry}`, `[${folio.entry}]`, {
    type: `struct ${entry.name}`,
    address: memfd.entryAddress(folio.entry),
    bitOffset: folio.entry * memfd.entrySize * 8,
    bits: memfd.entrySize * 8,
    meaning: `page ${folio.index} at pfn ${hex(folio.pfn)}, ${pages ?? '?'} pages, ${flagsText(folio.flags, memfd.flagNames)}`,
    description: memfd.layout.entry.meaning,
    layout: { struct: entry, field: null },
    children: () => memfd.fieldsOf(folio.entry, `${path}/folios[]/${folio.entry}`),
  });
  node.pointer = folio.pfn * memfd.pageSize;
  return node;
}
