/**
 * A memfd in a running kernel, as the record that the serialised form gives: from the file itself where the kernel has it (size, seals,
 * position, name, the page cache), else from what was handed over, by the kernel's own BTF. Sources: mm/memfd_luo.c, mm/shmem.c, 6.19 to 7.3.
 */
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { memfdLuoSerV2 } from '../../abi/memfd/v2.js';
import { sizeOf } from '../codec/layout-table.js';
import { type Folio, type FolioColumns, type FolioRun, type RunColumns, columnsOf } from '../handover/folio-columns.js';
import type { Memfd } from '../handover/memfd.js';
import type { Node } from '../tree/node.js';
import type { Reading } from '../tree/reading.js';
import { KernelFault, optional } from '../kernel/fault.js';
import { cachedFolios, nameOfFile } from '../kernel/files.js';
import type { Kernel } from '../kernel/kernel.js';
import { KernelObject } from '../kernel/object.js';
import { objectNode } from './nodes.js';
import * as paths from './paths.js';
import { kernelLimits } from '../kernel/limits.js';

/** A folio with the pages it has. */
interface Placed {
  readonly index: number;
  readonly pfn: number;
  readonly pages: number;
  readonly flags: number;
  /** physical address of its entry in a table that was handed over; null for the page cache's */
  readonly entryAt: number | null;
}

/** Folios of all files together that are held in memory; the rest is told to be missing. */
const MAX_FOLIOS = kernelLimits.folios.value;
/** How many a kernel's files have so far. */
const held = new WeakMap<Kernel, number>();
/** Blocks of a folio table. */
const MAX_TABLE_PAGES = kernelLimits.tablePages.value;

interface Parts {
  readonly origin: 'page-cache' | 'handed-over';
  readonly pos: bigint;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  readonly name: string | null;
  readonly folios: readonly Placed[];
  /** why not every folio is listed */
  readonly cut: string | null;
  readonly swapped: number;
  readonly object: KernelObject;
  readonly pageSize: number;
}

export class LiveMemfd implements Memfd {
  readonly kind = 'memfd';
  readonly struct = 'memfd_luo_ser';
  readonly origin: 'page-cache' | 'handed-over';
  readonly pos: bigint;
  readonly size: bigint;
  readonly seals: number | null;
  readonly flags: number | null;
  /** what memfd_create() was given; null where it has none, or no file tells it */
  readonly name: string | null;
  readonly folioCount: bigint;
  readonly area = null;
  readonly contract = null;
  readonly entrySize = sizeOf(memfdLuoFolioSer);
  readonly flagNames = undefined;
  readonly readableFolios: number;
  readonly pageSize: number;
  /** why not every folio is listed; null where all are */
  readonly cut: string | null;
  /** pages that were in swap */
  readonly swapped: number;
  readonly object: KernelObject;
  readonly #folios: readonly Placed[];
  #node: Node | null = null;
  #path = '';

  constructor(parts: Parts) {
    this.origin = parts.origin;
    this.pos = parts.pos;
    this.size = parts.size;
    this.seals = parts.seals;
    this.flags = parts.flags;
    this.name = parts.name;
    this.#folios = parts.folios;
    this.readableFolios = parts.folios.length;
    this.folioCount = BigInt(parts.folios.length) + (parts.cut === null ? 0n : 1n);
    this.cut = parts.cut;
    this.swapped = parts.swapped;
    this.object = parts.object;
    this.pageSize = parts.pageSize;
  }

  /** Puts its node below `parent`. */
  placeBelow(parent: Node): void {
    this.#path = `${parent.path}/${this.origin === 'page-cache' ? 'file' : 'memfd_luo_ser'}`;
    parent.add(this.node);
  }

  get node(): Node {
    this.#node ??= objectNode(
      this.object,
      this.#path,
      this.origin === 'page-cache' ? 'file' : 'memfd_luo_ser',
      `${this.size} bytes, ${this.readableFolios} folios`,
    );
    return this.#node;
  }

  get reading(): Reading {
    const { node } = this;
    return { struct: memfdLuoSerV2, node, address: node.address, values: null, field: () => node, integer: () => null, text: () => null };
  }

  /** Of a table that was handed over the entry; of the page cache, the object: what tells the folio is there. */
  entryAddress(entry: number): number | null {
    const folio = this.#folios[entry];
    return folio === undefined ? null : (folio.entryAt ?? this.node.address);
  }

  *entries(): Iterable<Folio> {
    for (const [entry, { pfn, flags, index }] of this.#folios.entries()) yield { entry, pfn, flags, index };
  }

  folios(): Iterable<Folio> {
    return this.entries();
  }

  columns(): Iterable<FolioColumns> {
    return columnsOf(this.entries());
  }

  folioAt({ pfn, index, flags }: FolioColumns, at: number): Folio {
    return { entry: at, pfn: pfn[at] ?? 0, index: index[at] ?? 0, flags: flags[at] ?? 0 };
  }

  usedEntryAfter(): number | null {
    return null;
  }

  pagesOf(folio: Folio): number | null {
    return this.#folios[folio.entry]?.pages ?? null;
  }

  *runColumns(): Iterable<RunColumns> {
    const runs = [...this.runs()];
    const column = (of: (run: FolioRun) => number): Float64Array => Float64Array.from(runs, of);
    yield {
      count: runs.length,
      index: column(({ index }) => Number(index)),
      pfn: column(({ pfn }) => pfn),
      pages: column(({ pages }) => pages),
      flags: Uint32Array.from(runs, ({ flags }) => flags),
      exact: null,
    };
  }

  *runs(): Iterable<FolioRun> {
    let run: { index: number; pfn: number; pages: number; flags: number } | null = null;
    for (const { index, pfn, pages, flags } of this.#folios) {
      if (run !== null && run.index + run.pages === index && run.pfn + run.pages === pfn && run.flags === flags) run.pages += pages;
      else {
        if (run !== null) yield run;
        run = { index, pfn, pages, flags };
      }
    }
    if (run !== null) yield run;
  }
}

/** The memfd of a struct file. @throws KernelFault where its size can't be read */
export function memfdOfFile(kernel: Kernel, file: KernelObject): LiveMemfd {
  const size = BigInt.asUintN(64, file.first(paths.memfd.size).value());
  const inode = file.first(paths.memfd.inode).deref();
  const { info } = paths.memfd;
  const seals = optional(() => inode.containerOf(info.type, info.member).first(info.seals).number());
  const name = optional(() => nameOfFile(file));
  const { folios, cut, swapped } = cacheOf(kernel, inode);
  return new LiveMemfd({
    origin: 'page-cache',
    pos: BigInt.asUintN(64, file.first(paths.memfd.position).value()),
    size,
    seals,
    flags: null,
    name: name === null || !name.startsWith(paths.memfd.namePrefix) ? null : name.slice(paths.memfd.namePrefix.length) || null,
    folios,
    cut,
    swapped,
    object: file,
    pageSize: pageSizeOf(kernel),
  });
}

const pageSizeOf = (kernel: Kernel): number => 2 ** kernel.virtual.space.geometry.pageShift;

function cacheOf(kernel: Kernel, inode: KernelObject): { folios: readonly Placed[]; cut: string | null; swapped: number } {
  const folios: Placed[] = [];
  const before = held.get(kernel) ?? 0;
  let swapped = 0;
  try {
    for (const { index, pages, pfn } of cachedFolios(kernel, inode)) {
      if (pfn === null) swapped += pages;
      else if (before + folios.length < MAX_FOLIOS) folios.push({ index, pfn, pages, flags: 0, entryAt: null });
      else return { folios, cut: `more than ${MAX_FOLIOS} folios in all memfds`, swapped };
    }
  } catch (error) {
    if (!(error instanceof KernelFault)) throw error;
    return { folios, cut: error.message, swapped };
  } finally {
    held.set(kernel, before + folios.length);
  }
  return { folios, cut: swapped > 0 ? `${swapped} pages are in swap` : null, swapped };
}

/** The memfd as it was handed over, at a physical address. @throws KernelFault where that can't be read */
export function memfdHandedOver(kernel: Kernel, address: bigint): LiveMemfd {
  if (address === 0n || address >= 1n << 52n) throw new KernelFault('implausible', `0x${address.toString(16)} is not a physical address`);
  const { memfd } = paths.serialised;
  const ser = kernel.physicalObject(memfd.type, Number(address));
  const size = BigInt.asUintN(64, ser.first(memfd.size).value());
  const count = ser.first(memfd.count).value();
  const { folios, cut } = tableOf(kernel, ser.first(memfd.folios), count, size);
  const number = (path: readonly string[]): number | null => ser.firstOrNull(path)?.number() ?? null;
  return new LiveMemfd({
    origin: 'handed-over',
    pos: BigInt.asUintN(64, ser.first(memfd.pos).value()),
    size,
    seals: number(memfd.seals),
    flags: number(memfd.flags),
    name: null,
    folios,
    cut,
    swapped: 0,
    object: ser,
    pageSize: pageSizeOf(kernel),
  });
}

/** The folio table that a kho_vmalloc describes, as far as it can be read. */
function tableOf(kernel: Kernel, vmalloc: KernelObject, count: bigint, size: bigint): { folios: readonly Placed[]; cut: string | null } {
  const { folio } = paths.serialised;
  const folios: Placed[] = [];
  const pageSize = pageSizeOf(kernel);
  try {
    const id = kernel.types.id(folio.type);
    const each = kernel.types.size(id);
    const { blocks, blockSize } = blocksOf(kernel, vmalloc);
    const room = Math.floor((blocks.length * blockSize) / each);
    const wanted = Number(count < BigInt(MAX_FOLIOS) ? count : BigInt(MAX_FOLIOS));
    for (let entry = 0; entry < Math.min(wanted, room); entry++) {
      const at = entry * each;
      const address = (blocks[Math.floor(at / blockSize)] ?? 0) + (at % blockSize);
      const object = new KernelObject(kernel, id, BigInt(address), 'physical');
      const pfn = object.first(folio.pfn).number();
      if (pfn === 0) continue;
      folios.push({ index: object.first(folio.index).number(), pfn, pages: 1, flags: object.first(folio.flags).number(), entryAt: address });
    }
    const cut = BigInt(Math.min(wanted, room)) < count ? `nr_folios is ${count}, ${Math.min(wanted, room)} entries could be read` : null;
    return { folios: withPages(folios, Math.ceil(Number(size) / pageSize)), cut };
  } catch (error) {
    if (!(error instanceof KernelFault)) throw error;
    return { folios: withPages(folios, Math.ceil(Number(size) / pageSize)), cut: error.message };
  }
}

/** Preserving fills holes, so a folio reaches to the next one's index, and the last one to the end of the file. */
function withPages(folios: readonly Placed[], filePages: number): readonly Placed[] {
  return folios.map((placed, position) => ({ ...placed, pages: Math.max(1, (folios[position + 1]?.index ?? filePages) - placed.index) }));
}

/** Physical addresses of the blocks of a preserved vmalloc area, from its chain of chunks. */
function blocksOf(kernel: Kernel, vmalloc: KernelObject): { readonly blocks: readonly number[]; readonly blockSize: number } {
  const { vmalloc: at } = paths.serialised;
  const order = vmalloc.first(at.order).number();
  const pages = vmalloc.first(at.totalPages).number();
  if (order > 20) throw new KernelFault('implausible', `${vmalloc.toString()} has blocks of order ${order}`);
  const wanted = Math.min(Math.ceil(pages / 2 ** order), MAX_TABLE_PAGES);
  const blocks: number[] = [];
  const seen = new Set<bigint>();
  let next = vmalloc.first(at.first).value();
  while (next !== 0n && blocks.length < wanted) {
    if (next >= 1n << 52n || seen.has(next)) throw new KernelFault('implausible', `the chunks of ${vmalloc.toString()} lead to 0x${next.toString(16)}`);
    seen.add(next);
    const chunk = kernel.physicalObject(at.chunk, Number(next));
    const entries = chunk.first(at.pages);
    const { count } = kernel.types.array(entries.typeId);
    const bytes = entries.bytes();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < count && blocks.length < wanted; index++) {
      const block = view.getBigUint64(index * 8, true);
      if (block === 0n) break;
      if (block >= 1n << 52n) throw new KernelFault('implausible', `a chunk of ${vmalloc.toString()} names 0x${block.toString(16)}`);
      blocks.push(Number(block));
    }
    next = chunk.first(at.next).value();
  }
  return { blocks, blockSize: 2 ** order * pageSizeOf(kernel) };
}
