/** Where LUO keeps serialised entries: a chain of blocks (7.2 on) or contiguous pages (up to 7.1). Addresses are physical; results 0 or negative errnos. */
import type { Steps } from '../machine.js';

/** Walks the entries while they are written. */
export interface EntryWriter {
  /** the next free entry's address, or null where there is no room */
  reserve(): number | null;
  /** steps back to the entry reserved last */
  previous(): number | null;
}

export interface EntryStore {
  /** address of the first piece, 0 for none */
  readonly head: number;
  /** makes room for `count` entries in all */
  grow(count: number): Steps<number>;
  /** gives back what `count` entries don't need */
  shrink(count: number): Steps<void>;
  /** gives everything back */
  destroy(): Steps<void>;
  /** zeroes all entries */
  clear(): Steps<void>;
  writer(): EntryWriter;
}
