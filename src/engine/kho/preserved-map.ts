/** The map of preserved memory that a running kernel keeps, whatever its format. */
import { type Machine, PanicError, type Steps } from '../machine.js';

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

/** Told of each preserved block that the next kernel finds. @param address physical */
export type TakeBlock = (address: number, order: number) => void;

/** No x86-64 or arm64 kernel has a struct page above this address (MAX_PHYSMEM_BITS of 4-level paging). */
const MOST_MEMORY = 2 ** 46;
/** A block this large is no machine's: reserved, it leaves nothing to boot with. */
const LARGEST_BLOCK = 2 ** 40;

/**
 * The walk marks the first struct page of every block, and reserves it: neither is checked.
 * @throws PanicError where there is no struct page, or all memory is gone
 */
export function checkBlock(machine: Machine, address: number, order: number): void {
  const span = machine.pageSize * 2 ** order;
  if (address + span > Math.max(MOST_MEMORY, machine.size))
    throw new PanicError(`BUG: unable to handle page fault: the struct page of a preserved block at 0x${address.toString(16)}, where no memory is`);
  if (span > Math.max(LARGEST_BLOCK, machine.size))
    throw new PanicError(`a preserved block of order ${order} reserves all memory: nothing is left to boot with`);
}
