/** The memfd handler: shmem files without a name. Source: abi/memfd; mm/memfd_luo.c, the same in 7.1.13, 7.2.13 and 7.3.4, and 6.19.11 but for seals. */
import { FOLIO, FOLIO_FLAGS, memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { F_SEAL, KNOWN_SEALS, memfdLuoSerV2 } from '../../../abi/memfd/v2.js';
import type { DecodedStruct, Struct } from '../../../abi/layout.js';
import { integerOf } from '../../codec/leaf.js';
import { layoutTable, sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import { OpenFile } from '../fs/open-file.js';
import { type Folio, ShmemInode } from '../fs/shmem.js';
import type { FileHandler, FileOpArgs, KernelServices } from '../handler.js';
import { type VmallocDescriptor, preserveVmalloc, restoreVmalloc, unpreserveVmalloc, vmallocDescriptor } from '../kho/vmalloc.js';
import { featureWords, unknownFeatures } from '../luo/root.js';
import type { Steps } from '../machine.js';
import type { Kho } from '../kho/kho.js';

const UINT_MAX = 0xffffffff;
const INT_MAX = 0x7fffffff;
const POINTER_BYTES = 8;
const NEW_FILE_MODE = 0o777;

/** What preserve keeps for unpreserve: the folio array's pages and the folios pinned. */
interface Preserved {
  readonly area: readonly number[];
  readonly folios: number;
  readonly descriptor: VmallocDescriptor;
}

/** struct memfd_luo_ser of either version. */
interface MemfdSer {
  readonly pos: bigint;
  readonly size: bigint;
  /** null in memfd-v1, which has none */
  readonly seals: number | null;
  readonly nr_folios: bigint;
  readonly folios: DecodedStruct<typeof memfdLuoSerV2>['folios'];
  /** features it requires and this kernel does not know */
  readonly unknown: bigint;
}

const NO_AREA: VmallocDescriptor = { first: 0, total_pages: 0, flags: 0, order: 0 };

export class MemfdHandler implements FileHandler {
  readonly name = 'memfd';
  readonly compatible: string;
  readonly #kernel: KernelServices;

  constructor(kernel: KernelServices) {
    this.#kernel = kernel;
    this.compatible = kernel.spec.memfdCompatible;
  }

  /** struct memfd_luo_ser of this kernel */
  get #layout(): Struct {
    return this.#kernel.spec.memfdSer ?? memfdLuoSerV2;
  }

  get #hasSeals(): boolean {
    return 'seals' in this.#layout.fields;
  }

  #read(at: number): MemfdSer {
    const layout = this.#layout;
    const values = this.#kernel.machine.readStruct(layout, at);
    const integer = (name: string): bigint => integerOf(layout, values, name) ?? 0n;
    return {
      pos: integer('pos'),
      size: integer('size'),
      seals: this.#hasSeals ? Number(integer('seals')) : null,
      nr_folios: integer('nr_folios'),
      unknown: unknownFeatures(layout, values),
      folios: {
        first: integer('folios.first'),
        total_pages: Number(integer('folios.total_pages')),
        flags: Number(integer('folios.flags')),
        order: Number(integer('folios.order')),
      },
    };
  }

  canPreserve(file: OpenFile): boolean {
    return file.body instanceof ShmemInode && !file.body.linked;
  }

  getId(file: OpenFile): object {
    return file.body;
  }

  *preserve(args: FileOpArgs): Steps<number> {
    const { machine, kho } = this.#kernel;
    const inode = args.file?.body;
    if (!(inode instanceof ShmemInode) || args.file === null) return negative('EINVAL');
    inode.frozen = true;
    const ser = yield* kho.allocPreserve(sizeOf(this.#layout));
    if (ser < 0) {
      inode.frozen = false;
      return ser;
    }
    const preserved = yield* this.#preserveInto(ser, inode, args.file);
    if (typeof preserved === 'number') {
      yield* kho.unpreserveFree(ser);
      inode.frozen = false;
      return preserved;
    }
    inode.pinned = preserved.folios > 0;
    const common = { pos: args.file.pos, size: inode.size, nr_folios: preserved.folios, folios: { ...preserved.descriptor } };
    machine.writeStruct(this.#layout, ser, { ...featureWords(this.#layout), ...common, ...(this.#hasSeals ? { seals: inode.seals } : {}) });
    yield machine.event('handler', 'write memfd_luo_ser', { address: ser, size: inode.size, folios: preserved.folios });
    args.serializedData = BigInt(ser);
    args.privateData = preserved;
    return 0;
  }

  *#preserveInto(ser: number, inode: ShmemInode, file: OpenFile): Steps<Preserved | number> {
    const { machine } = this.#kernel;
    if (this.#hasSeals && (inode.seals & ~KNOWN_SEALS) !== 0) return negative('EOPNOTSUPP');
    machine.writeField(this.#layout, ser, 'pos', file.pos);
    if (inode.pageCount > UINT_MAX) return negative('EFBIG');
    if (inode.size === 0) return { area: [], folios: 0, descriptor: NO_AREA };
    const room = inode.pageCount * POINTER_BYTES;
    if (room > INT_MAX) yield machine.printk('WARNING: mm/slub.c at __kvmalloc_node_noprof', 'kernel');
    if (room > INT_MAX || room > this.#kernel.pages.freePages * machine.pageSize || !this.#kernel.pages.kmalloc()) return negative('ENOMEM');
    const pinned = this.#pin(inode);
    if (pinned < 0) {
      yield machine.printk(`memfd_luo: failed to pin folios: ${pinned}`, 'handler');
      return pinned;
    }
    return yield* this.#preserveFolios(inode, pinned);
  }

  /** memfd_pin_folios: every hole gets a folio. @returns how many folios there are, or a negative errno; what was filled by then stays */
  #pin(inode: ShmemInode): number {
    let pinned = 0;
    for (let index = 0; index < inode.pageCount; pinned++) {
      const folio = inode.fillHole(index);
      if (typeof folio === 'number') return folio;
      index = folio.index + 2 ** folio.order;
    }
    return pinned;
  }

  /** The folios that memfd_pin_folios found, in order: those that the file's size reaches. */
  *#pinned(inode: ShmemInode): Iterable<Folio> {
    for (const folio of inode.inOrder()) if (folio.index < inode.pageCount) yield folio;
  }

  *#preserveFolios(inode: ShmemInode, count: number): Steps<Preserved | number> {
    const { machine, kho, pages } = this.#kernel;
    const area = this.#vcalloc(count);
    if (area === null) return negative('ENOMEM');
    const entrySize = sizeOf(memfdLuoFolioSer);
    const perPage = machine.pageSize / entrySize;
    let done = 0;
    let error = 0;
    for (const folio of this.#pinned(inode)) {
      error = yield* kho.preserveFolio(folio.address, folio.order);
      if (error !== 0) break;
      // The next kernel takes it as it is.
      inode.bringUpToDate(folio);
      const at = (area[Math.floor(done / perPage)] ?? 0) + (done % perPage) * entrySize;
      machine.writeStruct(memfdLuoFolioSer, at, { pfn_flags: { pfn: folio.address / machine.pageSize, flags: FOLIO_FLAGS }, index: folio.index });
      done++;
    }
    const descriptor = error === 0 ? yield* preserveVmalloc(kho, area) : error;
    if (typeof descriptor !== 'number') return { area, folios: count, descriptor };
    for (const folio of [...this.#pinned(inode)].slice(0, done).reverse()) yield* kho.unpreserveFolio(folio.address, folio.order);
    for (const page of area) pages.free(page);
    return descriptor;
  }

  /** @returns the pages of a zeroed area for `count` folio records, or null */
  #vcalloc(count: number): number[] | null {
    const { machine, pages } = this.#kernel;
    const area: number[] = [];
    const needed = Math.ceil((count * sizeOf(memfdLuoFolioSer)) / machine.pageSize);
    for (let page = 0; page < needed; page++) {
      const address = pages.alloc();
      if (address === null) {
        for (const given of area) pages.free(given);
        return null;
      }
      area.push(address);
    }
    return area;
  }

  *unpreserve(args: FileOpArgs): Steps<void> {
    const { kho, pages } = this.#kernel;
    const inode = args.file?.body;
    if (!(inode instanceof ShmemInode) || !isPreserved(args.privateData)) return;
    inode.frozen = false;
    const { area, folios, descriptor } = args.privateData;
    if (folios > 0) {
      yield* unpreserveVmalloc(kho, descriptor);
      for (const folio of this.#pinned(inode)) yield* kho.unpreserveFolio(folio.address, folio.order);
      for (const page of area) pages.free(page);
    }
    inode.pinned = false;
    yield* kho.unpreserveFree(Number(args.serializedData));
  }

  *freeze(args: FileOpArgs): Steps<number> {
    const { machine } = this.#kernel;
    const ser = Number(args.serializedData);
    if (ser === 0 || args.file === null) {
      yield machine.printk('WARNING: mm/memfd_luo.c at memfd_luo_freeze', 'handler');
      return negative('EINVAL');
    }
    machine.writeField(this.#layout, ser, 'pos', args.file.pos);
    yield machine.event('handler', 'write memfd_luo_ser', { address: ser, pos: args.file.pos });
    return 0;
  }

  *retrieve(args: FileOpArgs): Steps<number> {
    const { machine, kho } = this.#kernel;
    const at = Number(args.serializedData);
    const ser = this.#read(at);
    yield machine.event('handler', 'read memfd_luo_ser', { address: at, size: ser.size, ...(ser.seals === null ? {} : { seals: ser.seals }) });
    const result = yield* this.#restore(ser);
    yield* kho.restoreFree(at);
    if (typeof result === 'number') return result;
    args.file = result;
    return 0;
  }

  *#restore(ser: MemfdSer): Steps<OpenFile | number> {
    if (ser.unknown !== 0n || ((ser.seals ?? 0) & ~KNOWN_SEALS) !== 0) return negative('EOPNOTSUPP');
    const { machine, pages, spec } = this.#kernel;
    if (!pages.kmalloc()) {
      yield machine.printk('memfd_luo: failed to setup file: -ENOMEM', 'handler');
      return negative('ENOMEM');
    }
    const inode = new ShmemInode(machine, pages, spec, {
      kind: 'memfd',
      name: '',
      ino: this.#kernel.nextIno(),
      mode: NEW_FILE_MODE,
      // Without seals to restore it is made as any shmem file, which can have none.
      seals: ser.seals === null ? F_SEAL.SEAL : 0,
      linked: false,
      huge: false,
    });
    if (ser.seals !== null) inode.addSeals(ser.seals, true);
    const file = new OpenFile(inode);
    file.pos = ser.pos;
    inode.size = Number(ser.size);
    if (ser.nr_folios === 0n) return file;
    const area = yield* restoreVmalloc(this.#kernel.kho, vmallocDescriptor(ser.folios));
    const error = area === null ? negative('EINVAL') : yield* this.#restoreFolios(inode, area, Number(ser.nr_folios));
    for (const page of area ?? []) pages.free(page);
    if (error === 0) return file;
    inode.evict();
    return error;
  }

  *#restoreFolios(inode: ShmemInode, area: readonly number[], count: number): Steps<number> {
    const { machine, kho, pages } = this.#kernel;
    if (machine.inBulk && takeWhole(kho, area, count, inode.pageCount)) {
      inode.restoredWhole = true;
      yield machine.event('handler', 'restore folios', { count });
      return 0;
    }
    let latest = 0;
    let error = 0;
    for (let entry = 0; entry < count; entry++) {
      const { pfn_flags, index } = this.#folioRecord(area, entry);
      if (pfn_flags.pfn === 0) continue;
      const address = pfn_flags.pfn * machine.pageSize;
      const order = yield* kho.restoreFolio(address);
      if (error !== 0) {
        // Folios after the one that failed are only given back.
        if (order !== null) pages.free(address);
        continue;
      }
      if (order === null) {
        yield machine.printk(`memfd_luo: Unable to restore folio at physical address: ${address.toString(16)}`, 'handler');
        error = negative('EIO');
        continue;
      }
      const at = Number(index);
      if (at < latest) inode.restoredOutOfOrder ??= at;
      latest = Math.max(latest, at);
      error = inode.insert({ index: at, address, order, uptodate: (pfn_flags.flags & FOLIO.UPTODATE) !== 0 });
      if (error === 0) continue;
      yield machine.printk(`memfd_luo: shmem: failed to add to page cache folio index ${entry}: ${error}`, 'handler');
      pages.free(address);
    }
    return error;
  }

  #folioRecord(area: readonly number[], entry: number): DecodedStruct<typeof memfdLuoFolioSer> {
    const { machine } = this.#kernel;
    const entrySize = sizeOf(memfdLuoFolioSer);
    const perPage = machine.pageSize / entrySize;
    const page = area[Math.floor(entry / perPage)];
    // The count is not checked against the area; the guard page follows it.
    if (page === undefined) machine.fault('the guard page after the array of folios');
    return machine.readStruct(memfdLuoFolioSer, (page ?? 0) + (entry % perPage) * entrySize);
  }

  *finish(args: FileOpArgs): Steps<void> {
    if (args.retrieveStatus !== 0) return;
    const { kho, pages } = this.#kernel;
    const at = Number(args.serializedData);
    const ser = this.#read(at);
    if (ser.nr_folios !== 0n) {
      const area = yield* restoreVmalloc(kho, vmallocDescriptor(ser.folios));
      for (let entry = 0; area !== null && entry < Number(ser.nr_folios); entry++) yield* this.#discard(this.#folioRecord(area, entry).pfn_flags.pfn);
      for (const page of area ?? []) pages.free(page);
    }
    yield* kho.restoreFree(at);
  }

  *#discard(pfn: number): Steps<void> {
    const { machine, kho, pages } = this.#kernel;
    if (pfn === 0) return;
    const address = pfn * machine.pageSize;
    if ((yield* kho.restoreFolio(address)) === null)
      yield machine.printk(`memfd_luo: Unable to restore folio at physical address: ${address.toString(16)}`, 'handler');
    else pages.free(address);
  }
}

function isPreserved(value: unknown): value is Preserved {
  return typeof value === 'object' && value !== null && 'area' in value && 'folios' in value && 'descriptor' in value;
}

/** Taking a table of folios whole where nothing is wrong with it: every page of the file once, in order, up to date, each a preserved block that nobody has taken. */
const ENTRY = layoutTable(memfdLuoFolioSer).size;
const WORD = 4;
const HALF = 2 ** 32;
/** The flags are above the page frame: the upper half, a word of 32 bits, holds the rest of it. */
const HIGH_MASK = 2 ** (bitsOf('pfn').width - 32) - 1;
const FLAG_SHIFT = bitsOf('flags').low - 32;
const INDEX_AT = layoutTable(memfdLuoFolioSer).field('index').offset / WORD;
const PFN_AT = layoutTable(memfdLuoFolioSer).field('pfn_flags').offset / WORD;

function bitsOf(name: string): { readonly low: number; readonly width: number } {
  const bit = layoutTable(memfdLuoFolioSer)
    .field('pfn_flags')
    .bits.find((one) => one.name === name);
  if (bit === undefined) throw new Error(`memfd_luo_folio_ser has no bits ${name}`);
  return { low: bit.lowBit, width: bit.field.width };
}

/**
 * @param area physical addresses of the table's pages @param pageCount of the file
 * @returns whether the folios are taken; false: something is wrong, and nothing was changed
 * @throws MissingPageError @throws PanicError
 */
function takeWhole(kho: Kho, area: readonly number[], count: number, pageCount: number): boolean {
  const { machine, tags } = kho;
  const { pageSize } = machine;
  const perPage = Math.floor(pageSize / ENTRY);
  if (count > area.length * perPage) return false;
  const taken = new Float64Array(count);
  const orders = new Uint8Array(count);
  let done = 0;
  let expected = 0;
  for (let page = 0; done < count; page++) {
    const bytes = machine.read(area[page] ?? 0, Math.min(perPage, count - done) * ENTRY);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD);
    for (let at = 0; at < words.length; at += ENTRY / WORD) {
      const low = words[at + PFN_AT] ?? 0;
      const high = words[at + PFN_AT + 1] ?? 0;
      const pfn = low + (high & HIGH_MASK) * HALF;
      const flags = high >>> FLAG_SHIFT;
      const index = (words[at + INDEX_AT] ?? 0) + (words[at + INDEX_AT + 1] ?? 0) * HALF;
      const address = pfn * pageSize;
      const order = pfn === 0 || index !== expected || (flags & FOLIO.UPTODATE) === 0 || index >= pageCount ? undefined : tags.take(address);
      if (order === undefined) return giveBack(kho, taken, orders, done);
      taken[done] = address;
      orders[done++] = order;
      expected += 2 ** order;
    }
  }
  return expected >= pageCount || giveBack(kho, taken, orders, done);
}

function giveBack({ tags }: Kho, taken: Float64Array, orders: Uint8Array, done: number): false {
  for (let at = 0; at < done; at++) tags.set(taken[at] ?? 0, orders[at] ?? 0);
  return false;
}
