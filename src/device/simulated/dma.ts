/**
 * What a device goes on doing by itself: writing into physical memory, one page a tick, until it loses bus mastership, is reset,
 * leaves D0 or is told to stop. Deterministic: the nth write of a run of DMA holds n.
 */

/** Where the device writes; addresses are physical, in bytes. */
interface DmaTarget {
  readonly addresses: readonly number[];
}

export interface DmaWrite {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Bytes of one write. */
const BURST = 64;

export class DmaEngine {
  #target: DmaTarget | null = null;
  #writes = 0;

  /** writes made since the machine was switched on */
  get writes(): number {
    return this.#writes;
  }

  get running(): boolean {
    return this.#target !== null;
  }

  start(target: DmaTarget): void {
    this.#target = target.addresses.length === 0 ? null : target;
  }

  stop(): void {
    this.#target = null;
  }

  /** The next write, round and round over the target's pages; null where the engine is stopped. */
  next(): DmaWrite | null {
    if (this.#target === null) return null;
    const address = this.#target.addresses[this.#writes % this.#target.addresses.length];
    if (address === undefined) return null;
    this.#writes++;
    const text = new TextEncoder().encode(`DMA ${String(this.#writes).padStart(12, '0')} `);
    const bytes = new Uint8Array(BURST);
    for (let at = 0; at < BURST; at++) bytes[at] = text[at % text.length] ?? 0;
    return { address, bytes };
  }
}
