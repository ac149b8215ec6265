/**
 * memfd payloads: memfd_luo_ser, its folio table, and the contents behind it. The table is bulk: read lazily, in pieces.
 * Source: include/linux/kho/abi/memfd.h and mm/memfd_luo.c, 6.19 to 7.3.
 */
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { memfdLuoSerV1 } from '../../abi/memfd/v1.js';
import { KNOWN_SEALS, memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { layoutTable, sizeOf } from '../codec/layout-table.js';
import { physicalAddress } from '../memory/memory.js';
import { type Context, natureOfNonsense } from './context.js';
import { flagsText, hex } from '../tree/words.js';
import { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';
import { type VmallocArea, readVmalloc } from './vmalloc.js';
import type { TreeNode } from '../tree/tree.js';

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

/** Folios that follow each other both in the file and in memory, with the same flags. */
export interface FolioRun {
  /** a bigint beyond 2^53 */
  readonly index: number | bigint;
  readonly pfn: number;
  readonly pages: number;
  readonly flags: number;
}

export interface Memfd {
  readonly kind: 'memfd';
  readonly struct: 'memfd_luo_ser';
  readonly reading: Reading;
  readonly pos: bigint;
  readonly size: bigint;
  /** null in memfd-v1, which has none */
  readonly seals: number | null;
  /** null in memfd-v1 */
  readonly flags: number | null;
  readonly folioCount: bigint;
  /** null for an empty file, or where the area could not be read */
  readonly area: VmallocArea | null;
  /** entries of the table that can be read, at most folioCount */
  readonly readableFolios: number;
  /** physical address of a table entry, or null beyond the area */
  entryAddress(entry: number): number | null;
  /** The entries in table order, as far as they can be read. */
  entries(): Iterable<Folio>;
  /** The folios in table order; entries with pfn 0 are skipped, as the kernel does. */
  folios(): Iterable<Folio>;
  /** The first entry behind nr_folios that is not 0, or null: the table is zeroed before it is filled. */
  entryBehind(): number | null;
  /** Pages of a folio: from the preserved map, or where that is gone from the next folio's index. Null if nothing tells. */
  pagesOf(folio: Folio, next: Folio | null): number | null;
  runs(): Iterable<FolioRun>;
  /** bytes; what index and pages count in */
  readonly pageSize: number;
  readonly node: Node;
}

const ENTRIES_A_PIECE = 4096;
/** Tables up to here (256 MiB in pages of 4 KiB) are kept decoded. */
const MAX_KEPT_FOLIOS = 1 << 16;
/** Pages a file can have at most: the kernel refuses more than UINT_MAX. */
const MAX_FILE_PAGES = 2 ** 32;

/** Reads the structure at `address` (physical) as the layout of `compatible` says; null if its page is missing or reused. */
export function readMemfd(context: Context, compatible: 'memfd-v1' | 'memfd-v2', address: number, parent: Node, from: Node): Memfd | null {
  const options = { path: `${parent.path}/memfd_luo_ser`, name: 'memfd_luo_ser' };
  const v1 = compatible === 'memfd-v1' ? readStruct(context.memory, memfdLuoSerV1, address, options) : null;
  const v2 = v1 === null ? readStruct(context.memory, memfdLuoSerV2, address, options) : null;
  const reading: Reading = v1 ?? v2 ?? readStruct(context.memory, memfdLuoSerV2, address, options);
  from.pointsTo(reading.node);
  parent.add(reading.node);
  const values = v1?.values ?? v2?.values ?? null;
  if (values === null) {
    context.observations.add('data-missing', from, `memfd_luo_ser at ${hex(address)}: ${reading.node.why ?? 'its page is not there'}`, 'absent');
    return null;
  }
  const seals = v2?.values?.seals ?? null;
  const flags = v2?.values?.flags ?? null;
  if (context.released && !plausible(context, values, seals, flags)) {
    context.observations.add(
      'data-reused',
      reading.node,
      `the page at ${hex(address)} no longer holds a memfd_luo_ser: it was freed when the file was retrieved, and reused`,
      'reused',
    );
    return null;
  }
  checkScalars(context, reading, seals, flags);
  const foliosNode = reading.field('folios');
  // The descriptor of an empty file is never read.
  const area = values.nr_folios === 0n && values.size === 0n ? null : readVmalloc(context, values.folios, foliosNode);
  const entrySize = sizeOf(memfdLuoFolioSer);
  if (area === null && values.nr_folios !== 0n && values.folios.first === 0n) {
    context.observations.add(
      'memfd-count',
      reading.field('nr_folios'),
      `nr_folios is ${values.nr_folios}, but there is no folio table`,
      natureOfNonsense(context),
    );
  }
  const capacity = area === null ? 0 : Math.floor(area.size / entrySize);
  if (area?.complete === true && values.nr_folios > BigInt(capacity)) {
    context.observations.add(
      'memfd-count',
      reading.field('nr_folios'),
      `nr_folios is ${values.nr_folios}, but the table has room for ${capacity}`,
      natureOfNonsense(context),
    );
  }
  const readable = Number(values.nr_folios < BigInt(capacity) ? values.nr_folios : BigInt(capacity));
  const memfd = new MemfdTable(context, reading, { pos: values.pos, size: values.size, seals, flags, folioCount: values.nr_folios }, area, readable);
  reading.node.meaning = `${values.size} bytes, ${values.nr_folios} folios`;
  reading.node.add(folioTableNode(memfd, reading.node.path));
  addRestOfPage(context.memory, reading.node, address, sizeOf(reading.struct));
  return memfd;
}

interface Scalars {
  readonly pos: bigint;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  readonly folioCount: bigint;
}

type SerValues = NonNullable<Reading<typeof memfdLuoSerV1>['values']> | NonNullable<Reading<typeof memfdLuoSerV2>['values']>;

/** Could a kernel have written this? Asked only where pages are known to have been reused. */
function plausible(context: Context, values: SerValues, seals: number | null, flags: number | null): boolean {
  const first = physicalAddress(values.folios.first);
  const pages = Number(values.size) / context.memory.pageSize;
  if ((flags ?? 0) !== 0 || ((seals ?? 0) & ~KNOWN_SEALS) !== 0 || pages > MAX_FILE_PAGES) return false;
  if (first === null || first % context.memory.pageSize !== 0 || values.folios.order > 20 || (values.folios.flags & ~3) !== 0) return false;
  if (values.size === 0n && values.nr_folios === 0n && first === 0) return values.folios.total_pages === 0 && values.folios.flags === 0;
  if (context.memory.stateOf(first) === 'out-of-range' || first === 0) return false;
  return values.nr_folios > 0n && values.nr_folios <= BigInt(Math.ceil(pages)) && values.folios.total_pages > 0;
}

function checkScalars(context: Context, reading: Reading, seals: number | null, flags: number | null): void {
  if (seals !== null && (seals & ~KNOWN_SEALS) !== 0) {
    context.observations.add(
      'memfd-seals',
      reading.field('seals'),
      `seals ${hex(seals)} holds ${hex((seals & ~KNOWN_SEALS) >>> 0)}, which no kernel up to 7.3 knows`,
      natureOfNonsense(context),
    );
  }
  if (flags !== null && flags !== 0)
    context.observations.add('memfd-flags', reading.field('flags'), `flags is ${hex(flags)}, always 0 so far`, natureOfNonsense(context));
}

class MemfdTable implements Memfd {
  readonly kind = 'memfd';
  readonly struct = 'memfd_luo_ser';
  readonly reading: Reading;
  readonly pos: bigint;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  readonly folioCount: bigint;
  readonly area: VmallocArea | null;
  readonly readableFolios: number;
  readonly node: Node;
  /** bytes */
  readonly pageSize: number;
  readonly #context: Context;
  #kept: readonly Folio[] | null = null;
  /** orders by entry, as asked for: 0 = not asked yet, 1 = not preserved, else the order + 2 */
  readonly #orders: Uint8Array | null;

  constructor(context: Context, reading: Reading, scalars: Scalars, area: VmallocArea | null, readable: number) {
    this.#context = context;
    this.pageSize = context.memory.pageSize;
    this.reading = reading;
    this.node = reading.node;
    this.pos = scalars.pos;
    this.size = scalars.size;
    this.seals = scalars.seals;
    this.flags = scalars.flags;
    this.folioCount = scalars.folioCount;
    this.area = area;
    this.readableFolios = readable;
    this.#orders = readable <= MAX_KEPT_FOLIOS ? new Uint8Array(readable) : null;
  }

  entryAddress(entry: number): number | null {
    const offset = entry * sizeOf(memfdLuoFolioSer);
    const block = this.area?.blocks[Math.floor(offset / this.area.blockSize)];
    return this.area === null || block === undefined ? null : block + (offset % this.area.blockSize);
  }

  *folios(): Iterable<Folio> {
    for (const entry of this.entries()) if (entry.pfn !== 0) yield entry;
  }

  entryBehind(): number | null {
    if (this.area === null) return null;
    const entrySize = sizeOf(memfdLuoFolioSer);
    const bytes = this.area.read(this.readableFolios * entrySize, this.#context.memory.pageSize);
    let used = 0;
    while (used < bytes.length && bytes[used] === 0) used++;
    return used === bytes.length ? null : this.readableFolios + Math.floor(used / entrySize);
  }

  /** Tables of everyday size are decoded once; those of huge guests are read again, in pieces, by whoever asks. */
  entries(): Iterable<Folio> {
    if (this.readableFolios > MAX_KEPT_FOLIOS) return this.#readEntries();
    this.#kept ??= [...this.#readEntries()];
    return this.#kept;
  }

  *#readEntries(): Iterable<Folio> {
    if (this.area === null) return;
    const entrySize = sizeOf(memfdLuoFolioSer);
    const at = folioOffsets();
    for (let first = 0; first < this.readableFolios; first += ENTRIES_A_PIECE) {
      const bytes = this.area.read(first * entrySize, Math.min(ENTRIES_A_PIECE, this.readableFolios - first) * entrySize);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let offset = 0; offset + entrySize <= bytes.length; offset += entrySize) {
        const low = view.getUint32(offset + at.word, true);
        const high = view.getUint32(offset + at.word + 4, true);
        const pfn = (high & at.pfnHighMask) * 2 ** 32 + low;
        const index = view.getUint32(offset + at.index + 4, true) * 2 ** 32 + view.getUint32(offset + at.index, true);
        const folio = { entry: first + offset / entrySize, pfn, flags: high >>> at.flagsShift, index };
        yield Number.isSafeInteger(index) ? folio : { ...folio, exactIndex: view.getBigUint64(offset + at.index, true) };
      }
    }
  }

  /** The nodes of one entry's fields, down to the bit. */
  fieldsOf(entry: number, path: string): readonly TreeNode[] {
    const address = this.entryAddress(entry);
    return address === null ? [] : readStruct(this.#context.memory, memfdLuoFolioSer, address, { path, name: `[${entry}]` }).node.children();
  }

  pagesOf(folio: Folio, next: Folio | null): number | null {
    if (this.#context.map !== null) {
      const order = this.#orderOf(folio);
      return order === null ? null : 2 ** order;
    }
    // Preserving fills holes, so a folio reaches to the next one's index, and the last one to the end of the file.
    const end = next?.index ?? Math.ceil(Number(this.size) / this.pageSize);
    return end > folio.index ? end - folio.index : null;
  }

  #orderOf(folio: Folio): number | null {
    const known = this.#orders?.[folio.entry] ?? 0;
    if (known > 0) return known === 1 ? null : known - 2;
    const order = this.#context.map?.orderAt(folio.pfn * this.pageSize) ?? null;
    if (this.#orders !== null) this.#orders[folio.entry] = order === null ? 1 : order + 2;
    return order;
  }

  *runs(): Iterable<FolioRun> {
    let run: { index: number | bigint; pfn: number; pages: number; flags: number } | null = null;
    for (const [folio, next] of pairs(this.folios())) {
      const pages = this.pagesOf(folio, next) ?? 1;
      const index = folio.exactIndex ?? folio.index;
      if (run !== null && typeof run.index === 'number' && run.index + run.pages === index && run.pfn + run.pages === folio.pfn && run.flags === folio.flags)
        run.pages += pages;
      else {
        if (run !== null) yield run;
        run = { index, pfn: folio.pfn, pages, flags: folio.flags };
      }
    }
    if (run !== null) yield run;
  }
}

/** Where the parts of a record stand, from its layout; the two 32-bit halves of the packed word are read apart for speed. */
function folioOffsets() {
  const table = layoutTable(memfdLuoFolioSer);
  const word = table.field('pfn_flags');
  const pfn = word.bits.find((bit) => bit.name === 'pfn');
  const flags = word.bits.find((bit) => bit.name === 'flags');
  if (pfn === undefined || flags === undefined) throw new Error('memfd_luo_folio_ser has no pfn or flags');
  return { word: word.offset, index: table.field('index').offset, pfnHighMask: 2 ** (pfn.field.width - 32) - 1, flagsShift: flags.lowBit - 32 };
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
    type: `struct ${memfdLuoFolioSer.name}[${memfd.readableFolios}]`,
    address: memfd.entryAddress(0),
    bits: memfd.readableFolios * sizeOf(memfdLuoFolioSer) * 8,
    meaning: `${memfd.readableFolios} entries`,
    description: memfdLuoFolioSer.meaning,
    children: () => [...pairs(memfd.folios())].map(([folio, next]) => folioNode(memfd, path, folio, next)),
  });
}

function folioNode(memfd: MemfdTable, path: string, folio: Folio, next: Folio | null): Node {
  const pages = memfd.pagesOf(folio, next);
  const flagNames = memfdLuoFolioSer.fields.pfn_flags.fields.flags.flagNames;
  const node = new Node(`${path}/folios[]/${folio.entry}`, `[${folio.entry}]`, {
    type: `struct ${memfdLuoFolioSer.name}`,
    address: memfd.entryAddress(folio.entry),
    bitOffset: folio.entry * sizeOf(memfdLuoFolioSer) * 8,
    bits: sizeOf(memfdLuoFolioSer) * 8,
    meaning: `page ${folio.index} at pfn ${hex(folio.pfn)}, ${pages ?? '?'} pages, ${flagsText(folio.flags, flagNames)}`,
    description: memfdLuoFolioSer.meaning,
    layout: { struct: memfdLuoFolioSer, field: null },
    children: () => memfd.fieldsOf(folio.entry, `${path}/folios[]/${folio.entry}`),
  });
  node.pointer = folio.pfn * memfd.pageSize;
  return node;
}
