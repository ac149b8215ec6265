/** A memfd of the scenario mapped behind a memslot: what the guest writes stands in the file, and goes with it across a live update. */
import { UserError } from '../../codec/user-error.js';
import type { FileBody } from '../fs/open-file.js';
import { ShmemInode } from '../fs/shmem.js';
import { type GuestBytes, GuestMemory, PAGE } from './guest-memory.js';

/** @throws UserError where the descriptor is of no file that can be mapped */
export function mappedFile(body: FileBody | null): GuestBytes {
  if (!(body instanceof ShmemInode)) throw new UserError('a memslot maps a memfd or a file of tmpfs; this descriptor is of neither, or closed');
  if (body.mmap(true, true, true) !== 0) throw new UserError('this file cannot be mapped for writing: its seals forbid it');
  return new MappedFile(body);
}

class MappedFile implements GuestBytes {
  readonly #inode: ShmemInode;
  /** memory mapped anew over a part of the file */
  #over: { readonly first: number; readonly end: number; readonly memory: GuestMemory }[] = [];
  readonly #poisoned = new Set<number>();

  constructor(inode: ShmemInode) {
    this.#inode = inode;
  }

  get size(): number {
    return this.#inode.size;
  }

  read(offset: number, length: number): Uint8Array {
    const over = this.#overAt(offset);
    if (over !== null) return over.read(offset, length);
    const page = Math.floor(offset / PAGE);
    return this.#inode.readPage(page).slice(offset % PAGE, (offset % PAGE) + length);
  }

  write(offset: number, bytes: Uint8Array): void {
    const over = this.#overAt(offset);
    if (over === null) this.#inode.store(offset, bytes);
    else over.write(offset, bytes);
  }

  replace(offset: number, size: number, fill: number): void {
    this.#over.push({ first: offset, end: offset + size, memory: new GuestMemory(offset + size, fill) });
    for (const page of [...this.#poisoned]) if (page * PAGE >= offset && page * PAGE < offset + size) this.#poisoned.delete(page);
  }

  poison(offset: number): void {
    this.#poisoned.add(Math.floor(offset / PAGE));
  }

  isPoisoned(offset: number): boolean {
    return this.#poisoned.has(Math.floor(offset / PAGE));
  }

  #overAt(offset: number): GuestMemory | null {
    return this.#over.findLast(({ first, end }) => offset >= first && offset < end)?.memory ?? null;
  }
}
