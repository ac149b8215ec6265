/** Where LUO keeps serialised entries: a chain of blocks (7.2 on) or contiguous pages (up to 7.1). Addresses are physical; results 0 or negative errnos. */
import type { Steps } from '../machine.js';
import type { Area } from '../../../abi/contract.js';
import { areaCapacity, entryOffset } from '../../codec/area.js';
import { negative } from '../faults.js';
import type { Kho } from '../kho/kho.js';
import { KHO_MAX_BLOCKS, khoBlockHeaderSer } from '../../../abi/kho/block.js';
import { sizeOf } from '../../codec/layout-table.js';

/** Walks the entries while they are written. */
interface EntryWriter {
  /** the next free entry's address, or null where there is no room */
  reserve(): number | null;
  /** steps back to the entry reserved last */
  previous(): number | null;
}

export interface EntryStore {
  /** address of the first piece, 0 for none */
  readonly head: number;
  /** the pieces say themselves how many entries they hold; else somebody else counts */
  readonly counts: boolean;
  /** makes room for `count` entries in all */
  grow(count: number): Steps<number>;
  /** gives back what `count` entries don't need */
  shrink(count: number): Steps<void>;
  /** gives everything back */
  destroy(): Steps<void>;
  /** zeroes all entries */
  clear(): Steps<void>;
  writer(): EntryWriter;
  /** takes over what the previous kernel left at `head` */
  restore(head: number): Steps<number>;
  /** addresses of the entries, in order. @param count how many, where the store does not say */
  entries(count: number): Iterable<number>;
}

/** @param permanent contiguous pages that live as long as the kernel, entries or none */
export const entryStore = (kho: Kho, area: Area, permanent: boolean): EntryStore =>
  area.maxPieces > 1 ? new BlockSet(kho, area) : new ContiguousEntries(kho, area, permanent);

/** Contiguous pages of entries: sessions and files up to 7.1. Source: abi/luo/areas.ts; kernel/liveupdate/luo_session.c and luo_file.c, 7.1.13. */
class ContiguousEntries implements EntryStore {
  readonly #kho: Kho;
  readonly #area: Area;
  readonly counts = false;
  readonly #capacity: number;
  /** the area lives as long as the kernel, entries or none */
  readonly #permanent: boolean;
  #head = 0;
  #incoming = false;

  constructor(kho: Kho, area: Area, permanent: boolean) {
    this.#kho = kho;
    this.#area = area;
    this.#permanent = permanent;
    this.#capacity = areaCapacity(area, kho.machine.pageSize);
  }

  get head(): number {
    return this.#head;
  }

  *restore(head: number): Steps<number> {
    this.#head = head;
    this.#incoming = true;
    yield* [];
    return 0;
  }

  *grow(count: number): Steps<number> {
    if (count > this.#capacity) return negative(this.#area.whenFull === 'ENOSPC' ? 'ENOSPC' : 'ENOMEM');
    if (this.#head !== 0) return 0;
    const address = yield* this.#kho.allocPreserve(this.#area.pages * this.#kho.machine.pageSize);
    if (address >= 0) this.#head = address;
    return Math.min(address, 0);
  }

  *shrink(count: number): Steps<void> {
    if (count === 0 && !this.#permanent && !this.#incoming) yield* this.destroy();
  }

  *destroy(): Steps<void> {
    const head = this.#head;
    this.#head = 0;
    if (head === 0) return;
    if (this.#incoming) yield* this.#kho.restoreFree(head);
    else yield* this.#kho.unpreserveFree(head);
  }

  *clear(): Steps<void> {
    if (this.#head === 0) return;
    const { machine } = this.#kho;
    for (let page = 0; page < this.#area.pages; page++)
      machine.memory.write(this.#head + page * machine.pageSize, new Uint8Array(machine.pageSize), this.#area.entry.name);
    yield machine.event('luo', 'memset', { address: this.#head, size: this.#area.pages * machine.pageSize });
  }

  writer(): EntryWriter {
    let index = 0;
    return {
      reserve: () => (this.#head === 0 || index === this.#capacity ? null : this.#entry(index++)),
      previous: () => (index === 0 ? null : this.#entry(--index)),
    };
  }

  #entry(index: number): number {
    return this.#head + entryOffset(this.#area, index, this.#kho.machine.pageSize);
  }

  *entries(count: number): Iterable<number> {
    for (let index = 0; index < count; index++) yield this.#entry(index);
  }
}

/** A chain of blocks filled with entries of one size, 7.2 and 7.3. Source: abi/kho/block.ts; kernel/liveupdate/kho_block.c, 7.3. */
export class BlockSet implements EntryStore {
  readonly #kho: Kho;
  readonly #area: Area;
  readonly counts = true;
  readonly #perBlock: number;
  #blocks: number[] = [];
  #incoming = false;

  constructor(kho: Kho, area: Area) {
    this.#kho = kho;
    this.#area = area;
    this.#perBlock = areaCapacity(area, kho.machine.pageSize);
  }

  get head(): number {
    return this.#blocks[0] ?? 0;
  }

  *grow(count: number): Steps<number> {
    const before = this.#blocks.length;
    while (count > this.#blocks.length * this.#perBlock) {
      const error = yield* this.#growOne();
      if (error === 0) continue;
      while (this.#blocks.length > before) yield* this.#shrinkOne();
      return error;
    }
    return 0;
  }

  *#growOne(): Steps<number> {
    const { machine } = this.#kho;
    const block = yield* this.#kho.allocPreserve(machine.pageSize);
    if (block < 0) return block;
    const error = this.#add(block, true);
    if (error !== 0) yield* this.#kho.unpreserveFree(block);
    else {
      machine.noteWritten(khoBlockHeaderSer, block);
      yield machine.event('kho', 'kho_block_add', { address: block, blocks: this.#blocks.length });
    }
    return error;
  }

  #add(block: number, link: boolean): number {
    if (this.#blocks.length >= KHO_MAX_BLOCKS) return negative('ENOSPC');
    if (!this.#kho.pages.kmalloc()) return negative('ENOMEM');
    const last = this.#blocks.at(-1);
    // A restored chain is linked already; the kernel stores the same value again.
    if (last !== undefined && link) this.#kho.machine.writeField(khoBlockHeaderSer, last, 'next', block);
    this.#blocks.push(block);
    return 0;
  }

  *shrink(count: number): Steps<void> {
    while (this.#blocks.length > 0 && count <= (this.#blocks.length - 1) * this.#perBlock) yield* this.#shrinkOne();
  }

  *#shrinkOne(): Steps<void> {
    const block = this.#blocks.pop();
    if (block === undefined) return;
    yield* this.#free(block);
    const last = this.#blocks.at(-1);
    if (last !== undefined) this.#kho.machine.writeField(khoBlockHeaderSer, last, 'next', 0);
  }

  *destroy(): Steps<void> {
    const blocks = this.#blocks;
    this.#blocks = [];
    for (const block of blocks) yield* this.#free(block);
  }

  *#free(block: number): Steps<void> {
    if (this.#incoming) yield* this.#kho.restoreFree(block);
    else yield* this.#kho.unpreserveFree(block);
  }

  *clear(): Steps<void> {
    const { machine } = this.#kho;
    const header = sizeOf(khoBlockHeaderSer);
    for (const block of this.#blocks) {
      machine.writeField(khoBlockHeaderSer, block, 'count', 0);
      machine.memory.write(block + header, new Uint8Array(machine.pageSize - header), this.#area.entry.name);
    }
    if (this.#blocks.length > 0) yield machine.event('kho', 'kho_block_set_clear', { address: this.head, blocks: this.#blocks.length });
  }

  writer(): EntryWriter {
    let block = 0;
    let index = 0;
    return {
      reserve: () => {
        if (this.#blocks.length === 0) return null;
        if (index === this.#perBlock) {
          if (block === this.#blocks.length - 1) return null;
          block++;
          index = 0;
        }
        const at = this.#blocks[block] ?? 0;
        const entry = at + entryOffset(this.#area, index++, this.#kho.machine.pageSize);
        this.#kho.machine.writeField(khoBlockHeaderSer, at, 'count', index);
        return entry;
      },
      previous: () => {
        if (this.#blocks.length === 0) return null;
        if (index === 0) {
          if (block === 0) return null;
          block--;
          index = this.#perBlock;
        }
        return (this.#blocks[block] ?? 0) + entryOffset(this.#area, --index, this.#kho.machine.pageSize);
      },
    };
  }

  /** kho_block_set_restore. @returns 0 or a negative errno, the chain then given back */
  *restore(head: number): Steps<number> {
    const { machine } = this.#kho;
    this.#incoming = true;
    if (head === 0) return 0;
    if (this.#isCyclic(head)) {
      yield machine.printk('luo: Block set is corrupted', 'kho');
      return negative('EINVAL');
    }
    let next = head;
    while (next !== 0) {
      const { count, next: after } = machine.readStruct(khoBlockHeaderSer, next);
      const bad = count === 0n || count > BigInt(this.#perBlock);
      if (bad) yield machine.printk(`luo: Block contains invalid entry count: ${count}`, 'kho');
      const error = bad ? negative('EINVAL') : this.#add(next, false);
      if (error !== 0) {
        yield* this.destroy();
        while (next !== 0) {
          const gone = next;
          next = Number(machine.readStruct(khoBlockHeaderSer, gone).next);
          yield* this.#free(gone);
        }
        return error;
      }
      next = Number(after);
    }
    yield machine.event('kho', 'kho_block_set_restore', { address: head, blocks: this.#blocks.length });
    return 0;
  }

  #isCyclic(head: number): boolean {
    const next = (block: number): number => Number(this.#kho.machine.readStruct(khoBlockHeaderSer, block).next);
    let fast = head;
    let slow = head;
    for (let count = 0; fast !== 0; count++) {
      if (count >= KHO_MAX_BLOCKS) return true;
      fast = next(fast);
      if (fast === 0) break;
      fast = next(fast);
      slow = next(slow);
      if (fast !== 0 && slow === fast) return true;
    }
    return false;
  }

  /** A new entry after the last. @returns its physical address, or null where no block has room */
  append(): number | null {
    const { machine } = this.#kho;
    for (const block of this.#blocks) {
      const count = Number(machine.readStruct(khoBlockHeaderSer, block).count);
      if (count >= this.#perBlock) continue;
      machine.writeField(khoBlockHeaderSer, block, 'count', count + 1);
      return block + entryOffset(this.#area, count, machine.pageSize);
    }
    return null;
  }

  *entries(): Iterable<number> {
    const { machine } = this.#kho;
    for (const block of this.#blocks) {
      const count = Number(machine.readStruct(khoBlockHeaderSer, block).count);
      for (let index = 0; index < count; index++) yield block + entryOffset(this.#area, index, machine.pageSize);
    }
  }
}
