/**
 * shmem files: memfds and tmpfs files, with their pages in the machine's memory. What each operation refuses, sealed or frozen, is
 * what mm/shmem.c and mm/memfd.c of 7.1.13 and 7.3.4 refuse. Results are 0 (or bytes written) or negative errnos.
 */
import { negative } from '../faults.js';
import type { PageAllocator } from '../kernel/pages.js';
import type { KernelSpec } from '../kernel/release.js';
import type { Machine, Steps } from '../machine.js';
import type { FileBody } from './open-file.js';

export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 } as const;
export const ALL_SEALS = 0x3f;
const EXECUTABLE = 0o111;
/** How far a file can reach: MAX_LFS_FILESIZE. */
const MAX_FILE_SIZE = 2 ** 63;

/** Pages of a file that stand together. */
export interface Folio {
  /** index of its first page in the file */
  readonly index: number;
  /** physical address of its first page */
  readonly address: number;
  readonly order: number;
  uptodate: boolean;
}

export interface ShmemOptions {
  readonly kind: 'memfd' | 'tmpfs' | 'tmpfs-unlinked' | 'o-tmpfile';
  readonly name: string;
  readonly ino: number;
  /** permission bits */
  readonly mode: number;
  readonly seals: number;
  readonly linked: boolean;
  /** memory comes in huge folios where it fits */
  readonly huge: boolean;
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
  /** writable shared mappings */
  writableMappings = 0;
  readonly folios = new Map<number, Folio>();
  readonly #machine: Machine;
  readonly #pages: PageAllocator;
  readonly #spec: KernelSpec;
  readonly #huge: boolean;
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
    const single = this.folios.get(index);
    if (single !== undefined) return single;
    for (let order = 1; order <= this.#largest; order++) {
      const head = this.folios.get(index - (index % 2 ** order));
      if (head !== undefined && head.index + 2 ** head.order > index) return head;
    }
    return null;
  }

  /** The folio that holds page `index`, allocated if there is a hole. @returns null where memory is short */
  fillHole(index: number): Folio | null {
    const there = this.folioOf(index);
    if (there !== null) return there;
    const order = this.#orderAt(index);
    const head = index - (index % 2 ** order);
    const address = this.#pages.alloc(order);
    if (address === null) return null;
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

  #add(folio: Folio): void {
    this.folios.set(folio.index, folio);
    this.#largest = Math.max(this.#largest, folio.order);
  }

  /** Folios in ascending order of their place. */
  inOrder(): Folio[] {
    return [...this.folios.values()].sort((a, b) => a.index - b.index);
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
    for (const folio of this.folios.values()) if (folio.index >= head && folio.index < head + pages) return 0;
    return this.#hugeOrder;
  }

  /** pwrite(2) at `offset`. @returns bytes written or a negative errno */
  write(offset: number, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (this.#spec.writeAcrossFrozenEnd === 'refused' && this.frozen && offset + bytes.length > this.size) return negative('EPERM');
    const { pageSize } = this.#machine;
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done;
      const part = bytes.subarray(done, done + pageSize - (at % pageSize));
      const error = this.#writeBegin(at, part.length);
      if (error !== 0) return done > 0 ? done : error;
      const folio = this.fillHole(Math.floor(at / pageSize));
      if (folio === null) return done > 0 ? done : negative('ENOMEM');
      folio.uptodate = true;
      this.#machine.memory.write(folio.address + (at - folio.index * pageSize), part, 'page', this.name);
      done += part.length;
      this.size = Math.max(this.size, offset + done);
    }
    return done;
  }

  /** Makes whole pages of the file what `contents` says; as write does, but for many pages at once. */
  writePage(index: number, contents: Uint8Array): number {
    const { pageSize } = this.#machine;
    const error = this.#writeBegin(index * pageSize, pageSize);
    if (error !== 0) return error;
    const folio = this.fillHole(index);
    if (folio === null) return negative('ENOMEM');
    folio.uptodate = true;
    this.#machine.memory.replacePage(folio.address + (index - folio.index) * pageSize, contents, 'page');
    this.size = Math.max(this.size, (index + 1) * pageSize);
    return pageSize;
  }

  // shmem_write_begin: asked once for every page of a write.
  #writeBegin(at: number, length: number): number {
    if ((this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return negative('EPERM');
    if (at + length > this.size && ((this.seals & SEAL.GROW) !== 0 || this.frozen)) return negative('EPERM');
    return at + length > MAX_FILE_SIZE ? negative('EFBIG') : 0;
  }

  /** ftruncate(2). */
  truncate(size: number): number {
    if (size < this.size && (this.seals & SEAL.SHRINK) !== 0) return negative('EPERM');
    if (size > this.size && (this.seals & SEAL.GROW) !== 0) return negative('EPERM');
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
      if ((this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return negative('EPERM');
      this.#punch(Math.ceil(offset / pageSize), Math.floor((offset + length) / pageSize));
      return 0;
    }
    if (offset + length > this.size && (this.seals & SEAL.GROW) !== 0) return negative('EPERM');
    // What fails midway is given back, as the kernel does.
    const added: Folio[] = [];
    for (let index = Math.floor(offset / pageSize); index * pageSize < offset + length; index++) {
      if (this.folioOf(index) !== null) continue;
      const folio = this.fillHole(index);
      if (folio === null) {
        for (const undo of added) this.#drop(undo);
        return negative('ENOMEM');
      }
      added.push(folio);
    }
    if (mode === 'allocate') this.size = Math.max(this.size, offset + length);
    return 0;
  }

  /** F_ADD_SEALS. @param writable the descriptor can write */
  addSeals(seals: number, writable: boolean): number {
    if (!writable) return negative('EPERM');
    if ((seals & ~ALL_SEALS) !== 0) return negative('EINVAL');
    if ((this.seals & SEAL.SEAL) !== 0) return negative('EPERM');
    if ((seals & SEAL.WRITE) !== 0 && (this.seals & SEAL.WRITE) === 0 && (this.writableMappings > 0 || this.pinned)) return negative('EBUSY');
    let added = seals;
    // An executable file whose execute bits are sealed must not change at all.
    if ((seals & SEAL.EXEC) !== 0 && (this.mode & EXECUTABLE) !== 0) added |= SEAL.SHRINK | SEAL.GROW | SEAL.WRITE | SEAL.FUTURE_WRITE;
    this.seals |= added;
    return 0;
  }

  /** mmap(2) of the whole file. @param writable the descriptor can write */
  mmap(write: boolean, shared: boolean, writable: boolean): number {
    if (!shared || !write) return 0;
    if (!writable) return negative('EACCES');
    if ((this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return negative('EPERM');
    this.writableMappings++;
    return 0;
  }

  /** A store through a mapping. @returns 0, or EFAULT where the page lies behind the end of the file (SIGBUS) */
  store(offset: number, bytes: Uint8Array): number {
    const { pageSize } = this.#machine;
    if (offset + bytes.length > this.pageCount * pageSize) return negative('EFAULT');
    let done = 0;
    while (done < bytes.length) {
      const at = offset + done;
      const part = bytes.subarray(done, done + pageSize - (at % pageSize));
      const folio = this.fillHole(Math.floor(at / pageSize));
      if (folio === null) return negative('ENOMEM');
      folio.uptodate = true;
      this.#machine.memory.write(folio.address + (at - folio.index * pageSize), part, 'page', this.name);
      done += part.length;
    }
    return 0;
  }

  /** The bytes of page `index`; zeros for a hole. @throws MissingPageError */
  readPage(index: number): Uint8Array {
    const { pageSize } = this.#machine;
    const folio = this.folioOf(index);
    return folio === null ? new Uint8Array(pageSize) : this.#machine.read(folio.address + (index - folio.index) * pageSize, pageSize);
  }

  /** Gives all memory back: the inode is gone. */
  evict(): void {
    for (const folio of this.inOrder()) this.#drop(folio);
  }

  // The partial page behind the new end reads as zeros if the file grows again.
  #dropFrom(size: number): void {
    const { pageSize } = this.#machine;
    this.#punch(Math.ceil(size / pageSize), Number.MAX_SAFE_INTEGER);
    const rest = size % pageSize;
    const folio = rest === 0 ? null : this.folioOf(Math.floor(size / pageSize));
    if (folio !== null) this.#machine.memory.write(folio.address + (size - folio.index * pageSize), new Uint8Array(pageSize - rest), 'page', this.name);
  }

  #punch(from: number, to: number): void {
    for (const folio of this.inOrder()) if (folio.index >= from && folio.index + 2 ** folio.order <= to) this.#drop(folio);
  }

  #drop(folio: Folio): void {
    this.folios.delete(folio.index);
    this.#pages.free(folio.address);
  }
}
