/**
 * shmem files: memfds and tmpfs files, with their pages in the machine's memory. What each operation refuses, sealed or frozen, is
 * what mm/shmem.c and mm/memfd.c of 7.1.13 and 7.3.4 refuse. Results are 0 (or bytes written) or negative errnos.
 */
import { F_SEAL, IMPLIED_BY_EXEC, KNOWN_SEALS } from '../../../abi/memfd/v2.js';
import { negative } from '../faults.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { KernelSpec } from '../kernel/release.js';
import type { Machine, Steps } from '../machine.js';
import { PageNumbers } from '../trace/column.js';
import type { FileBody } from './open-file.js';

export const sealBits = (names: readonly (keyof typeof F_SEAL)[]): number => names.reduce((bits, name) => bits | F_SEAL[name], 0);
/** Nothing can be written under either of them. */
const UNWRITABLE = F_SEAL.WRITE | F_SEAL.FUTURE_WRITE;
const EXECUTABLE = 0o111;
/** How far a file can reach: MAX_LFS_FILESIZE. */
const MAX_FILE_SIZE = 2 ** 63;
/** 2 * XA_CHUNK_SHIFT - 1: no folio in a page cache is larger. */
const MAX_XAS_ORDER = 11;

/** Contiguous pages of a file. */
export interface Folio {
  /** index of its first page in the file */
  readonly index: number;
  /** physical address of its first page */
  readonly address: number;
  readonly order: number;
  readonly uptodate: boolean;
}

/** Bytes that are looked at, of a page, for one thing that is. */
export const LOOK = 4096;

/** Orders are below this: a folio is kept as one number, page frame, order and whether it is up to date. */
const ORDERS = 64;

interface ShmemOptions {
  readonly kind: 'memfd' | 'tmpfs' | 'tmpfs-unlinked' | 'o-tmpfile';
  readonly name: string;
  readonly ino: number;
  /** permission bits */
  readonly mode: number;
  readonly seals: number;
  readonly linked: boolean;
  /** memory comes in huge folios where it fits */
  readonly huge: boolean;
  /** `size=` of the mount it is alone on, in bytes; none unless given */
  readonly limit?: number;
}

export class ShmemInode implements FileBody {
  readonly kind: ShmemOptions['kind'];
  readonly name: string;
  readonly ino: number;
  readonly mode: number;
  /** i_nlink is not 0 */
  readonly linked: boolean;
  seals: number;
  /** bytes */
  size = 0;
  /** shmem_freeze: preserved, so its size and its pages must stay */
  frozen = false;
  /** pages are pinned: F_SEAL_WRITE can't be added */
  pinned = false;
  /** i_mmap_writable: shared mappings that can write, or that mprotect(2) could make so */
  writableMappings = 0;
  /** restored without a single folio looked at: every page is there, in order, and up to date; `folios` is empty */
  restoredWhole = false;
  /** page of the first folio that was restored after one of a later page: entries are handed over in the order of the file */
  restoredOutOfOrder: number | null = null;
  readonly #machine: Machine;
  readonly #pages: PageAllocator;
  readonly #spec: KernelSpec;
  readonly #huge: boolean;
  /** index of a folio's first page -> the folio as a number */
  readonly #folios = new PageNumbers();
  /** pages the file system has for it, and those it has */
  readonly #room: number;
  #held = 0;
  #users = 0;
  /** order of the largest folio it ever had */
  #largest = 0;

  constructor(machine: Machine, pages: PageAllocator, spec: KernelSpec, options: ShmemOptions) {
    this.#machine = machine;
    this.#pages = pages;
    this.#spec = spec;
    this.kind = options.kind;
    this.name = options.name;
    this.ino = options.ino;
    this.mode = options.mode;
    this.seals = options.seals;
    this.linked = options.linked;
    this.#huge = options.huge;
    this.#room = options.limit === undefined ? Number.POSITIVE_INFINITY : Math.floor(options.limit / machine.pageSize);
  }

  opened(): void {
    this.#users++;
  }

  /** An open file of the inode is gone; with the last one, and no name, the inode goes too. */
  *release(): Steps<number> {
    if (--this.#users > 0 || this.linked) return 0;
    this.evict();
    yield this.#machine.event('kernel', 'shmem_evict_inode', { ino: this.ino, size: this.size });
    return 0;
  }

  get pageCount(): number {
    return Math.ceil(this.size / this.#machine.pageSize);
  }

  /** The folio that holds page `index` of the file. */
  folioOf(index: number): Folio | null {
    const single = this.#folios.get(index);
    if (single !== undefined) return this.#folio(index, single);
    for (let order = 1; order <= this.#largest; order++) {
      const at = index - (index % 2 ** order);
      const packed = this.#folios.get(at);
      const head = packed === undefined ? null : this.#folio(at, packed);
      if (head !== null && head.index + 2 ** head.order > index) return head;
    }
    return null;
  }

  /** The folio that holds page `index`, allocated if there is a hole. @returns ENOMEM where memory is short, ENOSPC where the file system is full */
  fillHole(index: number): Folio | number {
    const there = this.folioOf(index);
    if (there !== null) return there;
    const order = this.#orderAt(index);
    const head = index - (index % 2 ** order);
    if (this.#held + 2 ** order > this.#room) return negative('ENOSPC');
    const address = this.#pages.alloc(order);
    if (address === null) return negative('ENOMEM');
    const folio: Folio = { index: head, address, order, uptodate: false };
    this.#add(folio);
    return folio;
  }

  /** Puts a restored folio into the file. @returns 0, or EEXIST where the place is taken */
  insert(folio: Folio): number {
    if (this.folioOf(folio.index) !== null) return negative('EEXIST');
    this.#add(folio);
    return 0;
  }

  #folio(index: number, packed: number): Folio {
    const pfn = Math.floor(packed / (2 * ORDERS));
    return { index, address: pfn * this.#machine.pageSize, order: Math.floor(packed / 2) % ORDERS, uptodate: packed % 2 === 1 };
  }

  #keep({ index, address, order, uptodate }: Folio): void {
    this.#folios.set(index, ((address / this.#machine.pageSize) * ORDERS + order) * 2 + (uptodate ? 1 : 0));
  }

  #add(folio: Folio): void {
    this.#keep(folio);
    this.#held += 2 ** folio.order;
    this.#largest = Math.max(this.#largest, folio.order);
  }

  /** Folios in ascending order of their place. */
  *inOrder(): Iterable<Folio> {
    for (const [index, packed] of this.#folios.entries()) yield this.#folio(index, packed);
  }

  get folioCount(): number {
    return this.#folios.size;
  }

  get #hugeOrder(): number {
    return this.#machine.pageShift - 3;
  }

  // A huge folio must lie wholly inside the file and on nothing that is there already.
  #orderAt(index: number): number {
    if (!this.#huge) return 0;
    const pages = 2 ** this.#hugeOrder;
    const head = index - (index % pages);
    if (head + pages > this.pageCount) return 0;
    for (let at = head; at < head + pages; at++) if (this.#folios.get(at) !== undefined) return 0;
    return this.#hugeOrder;
  }

  /** pwrite(2) at `offset`. @returns bytes written or a negative errno */
  write(offset: number, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    const { pageSize } = this.#machine;
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done;
      // generic_perform_write asks for the rest up to the end of the chunk, and then writes page by page.
      const error = this.#writeBegin(at, Math.min(bytes.length - done, this.#chunk - (at % this.#chunk)));
      if (error !== 0) return done > 0 ? done : error;
      const part = bytes.subarray(done, done + pageSize - (at % pageSize));
      const folio = this.fillHole(Math.floor(at / pageSize));
      if (typeof folio === 'number') return done > 0 ? done : folio;
      this.bringUpToDate(folio);
      this.#machine.memory.write(folio.address + (at - folio.index * pageSize), part, 'page', this.name);
      done += part.length;
      this.size = Math.max(this.size, offset + done);
    }
    return done;
  }

  /** Bytes of one chunk of a write: a page, or the largest folio a file can have. */
  get #chunk(): number {
    const { pageSize, pageShift } = this.#machine;
    return this.#spec.writeChunk === 'page' ? pageSize : pageSize * 2 ** Math.min(pageShift - 3, MAX_XAS_ORDER);
  }

  /** Makes whole pages of the file what `contents` says; as write does, but for many pages at once. */
  writePage(index: number, contents: Uint8Array): number {
    const { pageSize } = this.#machine;
    const error = this.#writeBegin(index * pageSize, pageSize);
    if (error !== 0) return error;
    const folio = this.fillHole(index);
    if (typeof folio === 'number') return folio;
    if (folio.order > 0) this.bringUpToDate(folio);
    else this.#keep({ ...folio, uptodate: true });
    this.#machine.memory.replacePage(folio.address + (index - folio.index) * pageSize, contents, 'page');
    this.size = Math.max(this.size, (index + 1) * pageSize);
    return pageSize;
  }

  /** A folio that was allocated and never written holds whatever was in memory: it is zeroed before anybody looks. */
  bringUpToDate(folio: Folio): void {
    if (folio.uptodate) return;
    for (let page = 0; page < 2 ** folio.order; page++) this.#machine.memory.zeroPage(folio.address + page * this.#machine.pageSize);
    this.#keep({ ...folio, uptodate: true });
  }

  // shmem_write_begin: asked once for every chunk of a write.
  #writeBegin(at: number, length: number): number {
    if ((this.seals & UNWRITABLE) !== 0) return negative('EPERM');
    if (at + length > this.size && ((this.seals & F_SEAL.GROW) !== 0 || this.frozen)) return negative('EPERM');
    return at + length > MAX_FILE_SIZE ? negative('EFBIG') : 0;
  }

  /** ftruncate(2). */
  truncate(size: number): number {
    if (size < this.size && (this.seals & F_SEAL.SHRINK) !== 0) return negative('EPERM');
    if (size > this.size && (this.seals & F_SEAL.GROW) !== 0) return negative('EPERM');
    if (size !== this.size && this.frozen) return negative('EPERM');
    if (size < this.size) this.#dropFrom(size);
    this.size = size;
    return 0;
  }

  /** fallocate(2). @param mode as the syscall's flags say */
  fallocate(mode: 'allocate' | 'keep-size' | 'punch-hole', offset: number, length: number): number {
    if (length <= 0) return negative('EINVAL');
    if (this.frozen) return negative('EPERM');
    const { pageSize } = this.#machine;
    if (mode === 'punch-hole') {
      if ((this.seals & UNWRITABLE) !== 0) return negative('EPERM');
      this.#punch(Math.ceil(offset / pageSize), Math.floor((offset + length) / pageSize));
      const first = Math.min(offset + length, Math.ceil(offset / pageSize) * pageSize);
      this.#zeroPart(offset, first);
      this.#zeroPart(Math.max(first, Math.floor((offset + length) / pageSize) * pageSize), offset + length);
      return 0;
    }
    if (offset + length > this.size && (this.seals & F_SEAL.GROW) !== 0) return negative('EPERM');
    // What fails midway is given back, as the kernel does.
    const added: Folio[] = [];
    for (let index = Math.floor(offset / pageSize); index * pageSize < offset + length; index++) {
      this.#machine.work.look(1);
      if (this.folioOf(index) !== null) continue;
      const folio = this.fillHole(index);
      if (typeof folio === 'number') {
        for (const undo of added) this.#drop(undo);
        return folio;
      }
      added.push(folio);
    }
    if (mode === 'allocate') this.size = Math.max(this.size, offset + length);
    return 0;
  }

  /** F_ADD_SEALS. @param writable the descriptor can write */
  addSeals(seals: number, writable: boolean): number {
    if (!writable) return negative('EPERM');
    if ((seals & ~KNOWN_SEALS) !== 0) return negative('EINVAL');
    if ((this.seals & F_SEAL.SEAL) !== 0) return negative('EPERM');
    // An executable file whose execute bits are sealed must not change at all.
    const implied = (seals & F_SEAL.EXEC) !== 0 && (this.mode & EXECUTABLE) !== 0 ? IMPLIED_BY_EXEC : 0;
    const checked = this.#spec.impliedSealsAreChecked ? seals | implied : seals;
    if ((checked & F_SEAL.WRITE) !== 0 && (this.seals & F_SEAL.WRITE) === 0 && (this.writableMappings > 0 || this.pinned)) return negative('EBUSY');
    this.seals |= seals | implied;
    return 0;
  }

  /** mmap(2) of the whole file. @param writable the descriptor can write */
  mmap(write: boolean, shared: boolean, writable: boolean): number {
    if (!shared) return 0;
    if (write && !writable) return negative('EACCES');
    const sealed = (this.seals & UNWRITABLE) !== 0;
    if (write && sealed) return negative('EPERM');
    // VM_MAYWRITE: mprotect(2) could make it writable later.
    if (writable && !sealed) this.writableMappings++;
    return 0;
  }

  /** Is the page at `offset` past the end of the file? A mapping of it gives SIGBUS. */
  reaches(offset: number): boolean {
    return offset <= this.pageCount * this.#machine.pageSize;
  }

  /** A store through a shared mapping. @returns 0, EFAULT where a page is past the end of the file (SIGBUS), or ENOMEM */
  store(offset: number, bytes: Uint8Array): number {
    const { pageSize } = this.#machine;
    if (!this.reaches(offset + bytes.length)) return negative('EFAULT');
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done;
      const part = bytes.subarray(done, done + pageSize - (at % pageSize));
      const folio = this.fillHole(Math.floor(at / pageSize));
      if (typeof folio === 'number') return folio;
      this.bringUpToDate(folio);
      this.#machine.memory.write(folio.address + (at - folio.index * pageSize), part, 'page', this.name);
      done += part.length;
    }
    return 0;
  }

  /** The bytes of page `index`; zeros for a hole. @throws MissingPageError */
  readPage(index: number): Uint8Array {
    const { pageSize } = this.#machine;
    const folio = this.folioOf(index);
    this.#machine.work.look(pageSize / LOOK);
    return folio === null ? new Uint8Array(pageSize) : this.#machine.read(folio.address + (index - folio.index) * pageSize, pageSize);
  }

  /** Gives all memory back: the inode is gone. */
  evict(): void {
    for (const folio of this.inOrder()) this.#drop(folio);
  }

  // The partial page past the new end reads as zeros if the file grows again.
  #dropFrom(size: number): void {
    const { pageSize } = this.#machine;
    this.#punch(Math.ceil(size / pageSize), Number.MAX_SAFE_INTEGER);
    this.#zeroPart(size, Math.ceil(size / pageSize) * pageSize);
  }

  // Zeroes a part of one page, if there is anything in it.
  #zeroPart(from: number, to: number): void {
    const { pageSize } = this.#machine;
    const folio = to <= from ? null : this.folioOf(Math.floor(from / pageSize));
    if (folio?.uptodate === true) this.#machine.memory.write(folio.address + (from - folio.index * pageSize), new Uint8Array(to - from), 'page', this.name);
  }

  // Whole pages [from, to). The part of a large folio inside is zeroed.
  #punch(from: number, to: number): void {
    const { pageSize, memory, work } = this.#machine;
    work.look(this.folioCount);
    for (const folio of this.inOrder()) {
      const end = folio.index + 2 ** folio.order;
      if (folio.index >= from && end <= to) this.#drop(folio);
      else if (folio.uptodate)
        for (let index = Math.max(folio.index, from); index < Math.min(end, to); index++) memory.zeroPage(folio.address + (index - folio.index) * pageSize);
    }
  }

  #drop(folio: Folio): void {
    this.#folios.delete(folio.index);
    this.#held -= 2 ** folio.order;
    this.#pages.free(folio.address);
  }
}

/** A memfd of hugetlbfs (MFD_HUGETLB) on a machine without reserved huge pages: it has a size and seals, and nothing can be in it. Source: fs/hugetlbfs/inode.c, 7.3.4. */
export class HugetlbInode implements FileBody {
  readonly kind = 'hugetlb';
  readonly mode: number;
  seals: number;
  /** bytes */
  size = 0;
  readonly #hugePage: number;

  /** @param hugePage bytes */
  constructor(hugePage: number, mode: number, seals: number) {
    this.#hugePage = hugePage;
    this.mode = mode;
    this.seals = seals;
  }

  truncate(size: number): number {
    if (size % this.#hugePage !== 0) return negative('EINVAL');
    if (size < this.size && (this.seals & F_SEAL.SHRINK) !== 0) return negative('EPERM');
    if (size > this.size && (this.seals & F_SEAL.GROW) !== 0) return negative('EPERM');
    this.size = size;
    return 0;
  }

  fallocate(mode: 'allocate' | 'keep-size' | 'punch-hole', offset: number, length: number): number {
    if (mode === 'punch-hole') return (this.seals & UNWRITABLE) !== 0 ? negative('EPERM') : 0;
    if (offset + length > this.size && (this.seals & F_SEAL.GROW) !== 0) return negative('EPERM');
    return negative('ENOSPC');
  }

  addSeals(seals: number): number {
    if ((seals & ~KNOWN_SEALS) !== 0) return negative('EINVAL');
    if ((this.seals & F_SEAL.SEAL) !== 0) return negative('EPERM');
    const implied = (seals & F_SEAL.EXEC) !== 0 && (this.mode & EXECUTABLE) !== 0 ? IMPLIED_BY_EXEC : 0;
    this.seals |= seals | implied;
    return 0;
  }

  mmap(write: boolean, shared: boolean): number {
    if (write && shared && (this.seals & UNWRITABLE) !== 0) return negative('EPERM');
    return negative('ENOMEM');
  }
}
