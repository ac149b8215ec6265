/** Contiguous pages of entries: sessions and files up to 7.1. Source: abi/luo/areas.ts; kernel/liveupdate/luo_session.c and luo_file.c, 7.1.13. */
import type { Area } from '../../../abi/contract.js';
import { areaCapacity, entryOffset } from '../../codec/area.js';
import { negative } from '../faults.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';
import type { EntryStore, EntryWriter } from './entry-store.js';

export class ContiguousEntries implements EntryStore {
  readonly #kho: Kho;
  readonly #area: Area;
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

  /** Allocates the area. @returns 0 or a negative errno */
  *setUp(): Steps<number> {
    const address = yield* this.#kho.allocPreserve(this.#area.pages * this.#kho.machine.pageSize);
    if (address < 0) return address;
    this.#head = address;
    return 0;
  }

  /** Takes over the area that the previous kernel left. */
  adopt(head: number): void {
    this.#head = head;
    this.#incoming = true;
  }

  *grow(count: number): Steps<number> {
    if (count > this.#capacity) return negative(this.#area.whenFull === 'ENOSPC' ? 'ENOSPC' : 'ENOMEM');
    return this.#head === 0 ? yield* this.setUp() : 0;
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
      reserve: () => (this.#head === 0 || index === this.#capacity ? null : this.entry(index++)),
      previous: () => (index === 0 ? null : this.entry(--index)),
    };
  }

  /** Address of entry `index`. */
  entry(index: number): number {
    return this.#head + entryOffset(this.#area, index, this.#kho.machine.pageSize);
  }
}
