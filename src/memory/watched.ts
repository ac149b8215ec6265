/** Memory that tells somebody while it is read, so that long work over a dump can be given up: whoever is told may throw. */
import type { MemoryRange, PageState, PhysicalMemory } from './memory.js';

/** Reads between two calls. */
const EVERY = 64;

export class WatchedMemory implements PhysicalMemory {
  readonly pageSize: number;
  readonly readable: readonly MemoryRange[];
  readonly #memory: PhysicalMemory;
  readonly #tick: () => void;
  #reads = 0;

  /** @param tick called before one of some reads */
  constructor(memory: PhysicalMemory, tick: () => void) {
    this.#memory = memory;
    this.#tick = tick;
    this.pageSize = memory.pageSize;
    this.readable = memory.readable;
  }

  get searchable(): readonly MemoryRange[] {
    return this.#memory.searchable ?? this.readable;
  }

  stateEnd(address: number): number {
    return this.#memory.stateEnd?.(address) ?? address - (address % this.pageSize) + this.pageSize;
  }

  zerosAround(address: number): MemoryRange | null {
    return this.#memory.zerosAround?.(address) ?? null;
  }

  stateOf(address: number): PageState {
    return this.#memory.stateOf(address);
  }

  readInto(address: number, length: number, target: Uint8Array, targetOffset?: number): number {
    // a large read is somebody's search: each may take as long as many small ones
    if (++this.#reads >= EVERY || length >= 1 << 16) {
      this.#reads = 0;
      this.#tick();
    }
    return this.#memory.readInto(address, length, target, targetOffset);
  }
}
