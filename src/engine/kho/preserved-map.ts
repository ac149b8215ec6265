/** The map of preserved memory that a running kernel keeps, whatever its format. */
import type { Steps } from '../machine.js';

export interface PreservedMap {
  /** what `preserved-memory-map` of the root FDT holds: a physical address */
  readonly root: number;
  /** @returns 0 or a negative errno */
  add(address: number, order: number): Steps<number>;
  /** @returns whether the block was in the map */
  remove(address: number, order: number): boolean;
  has(address: number, order: number): boolean;
  /** of a map that the next kernel does not read as it is: writes the form that it reads, and sets `root`. @returns 0 or a negative errno */
  finalize?(): Steps<number>;
}

/** A preserved block as the next kernel finds it. */
export interface PreservedBlock {
  readonly address: number;
  readonly order: number;
}
