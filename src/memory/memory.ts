/**
 * Physical memory as the rest of the program sees it: bytes at physical addresses, in pages that know whether they are
 * there. Containers, the engine and tests implement it; decoders read nothing else.
 *
 * Addresses are JavaScript numbers: a physical address of x86-64 or arm64 has at most 52 bits and fits exactly.
 * `physicalAddress` turns a u64 from a dump into one, or says that it can't be one.
 */

/**
 * `present`: the bytes are there. `zero`: the dump says that the page is all zeros. `excluded`: inside the machine's
 * memory as far as the dump tells, but left out of the dump. `out-of-range`: no memory of this machine as far as the dump tells.
 */
export type PageState = 'present' | 'zero' | 'excluded' | 'out-of-range';

/** [start, end) in bytes, physical */
export interface MemoryRange {
  readonly start: number;
  readonly end: number;
}

export interface PhysicalMemory {
  /** in bytes */
  readonly pageSize: number;
  /** Ranges whose bytes can be read (`present` or `zero`), ascending, not overlapping. */
  readonly readable: readonly MemoryRange[];
  /** Of `readable` what may hold anything but zeros: what is worth a search. Absent where nothing tells. */
  readonly searchable?: readonly MemoryRange[];
  /** The state of the page that holds `address`. */
  stateOf(address: number): PageState;
  /** First address after `address` from which on the state may be another. Absent where each page has to be asked. */
  stateEnd?(address: number): number;
  /** Pages around `address` that are known to be zeros without a look at them; null where that is not known. */
  zerosAround?(address: number): MemoryRange | null;
  /**
   * Copies `length` bytes at `address` into `target` at `targetOffset`.
   * @returns how many bytes could be copied before the first page that is not there (may be less than `length`)
   */
  readInto(address: number, length: number, target: Uint8Array, targetOffset?: number): number;
}

/** Highest physical address the supported architectures can have, exclusive. */
export const PHYSICAL_LIMIT = 2 ** 52;

/** A u64 of a dump as a physical address, or null where no machine has such an address. */
export function physicalAddress(value: bigint): number | null {
  return value < 0n || value >= BigInt(PHYSICAL_LIMIT) ? null : Number(value);
}

type ReadResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly state: PageState; readonly at: number; readonly bytes: Uint8Array };

/**
 * Reads `length` bytes at `address`; where a page is missing, says which state it has, its address, and the bytes before it.
 * `length` must have been bounded by the caller.
 */
export function readBytes(memory: PhysicalMemory, address: number, length: number): ReadResult {
  const bytes = new Uint8Array(length);
  const got = memory.readInto(address, length, bytes);
  if (got === length) return { ok: true, bytes };
  const at = address + got;
  return { ok: false, state: memory.stateOf(at), at, bytes: bytes.subarray(0, got) };
}

/** Does the page that holds `address` have bytes to read? */
export function isReadable(memory: PhysicalMemory, address: number): boolean {
  const state = memory.stateOf(address);
  return state === 'present' || state === 'zero';
}

/** The page state in words a user reads. */
export function describeState(state: PageState): string {
  switch (state) {
    case 'present':
      return 'in this dump';
    case 'zero':
      return 'a zero page';
    case 'excluded':
      return 'not in this dump';
    case 'out-of-range':
      return 'outside the memory of this dump';
  }
}

/** Index of the range that holds `address`, or of the first one after it (`ranges.length` if none), with `inside`. */
export function findRange(ranges: readonly MemoryRange[], address: number): { readonly index: number; readonly inside: boolean } {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range !== undefined && range.end <= address) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return { index: low, inside: range !== undefined && range.start <= address };
}
