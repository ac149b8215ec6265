/**
 * A kernel's virtual memory over the physical memory of a dump. Pages and translations that were used are kept, few of each; what a
 * dump says is read at most `budget` times, so that no list of a hostile dump takes for ever.
 */
import { type PhysicalMemory, describeState, PHYSICAL_LIMIT } from '../memory/memory.js';
import { KernelFault, hexOf } from './fault.js';
import type { Geometry } from './geometry.js';
import { kernelLimits } from './limits.js';

export interface AddressSpace {
  readonly geometry: Geometry;
  /** physical address of the top page table; null where none is known */
  readonly root: number | null;
  /** [start, end) of virtual addresses that map one to one: physical = virtual - offset. Taken where the tables are not in the dump. */
  readonly linear: readonly { readonly start: bigint; readonly end: bigint; readonly offset: bigint }[];
}

const BUDGET = kernelLimits.reads.value;
const KEPT_PAGES = 256;
const KEPT_TRANSLATIONS = 8192;

export class VirtualMemory {
  readonly memory: PhysicalMemory;
  readonly space: AddressSpace;
  #budget = BUDGET;
  /** by page number; the oldest goes first */
  readonly #pages = new Map<number, Uint8Array>();
  readonly #translations = new Map<number, number>();

  constructor(memory: PhysicalMemory, space: AddressSpace) {
    this.memory = memory;
    this.space = space;
  }

  /** The physical address of a kernel virtual one. @throws KernelFault */
  translate(address: bigint): number {
    const { pageShift } = this.space.geometry;
    const page = Number(BigInt.asUintN(64, address) >> BigInt(pageShift));
    const low = Number(address & BigInt(2 ** pageShift - 1));
    const known = this.#translations.get(page);
    if (known !== undefined) return known + low;
    const base = this.#resolve(BigInt.asUintN(64, address)) - low;
    if (this.#translations.size >= KEPT_TRANSLATIONS) this.#translations.clear();
    this.#translations.set(page, base);
    return base + low;
  }

  #resolve(address: bigint): number {
    this.spend();
    const { root, geometry } = this.space;
    const linear = this.space.linear.find(({ start, end }) => address >= start && address < end);
    if (root === null) {
      if (linear === undefined) throw new KernelFault('unmapped', `${hexOf(address)}: no page tables are known that map it`);
      return Number(address - linear.offset);
    }
    try {
      const { physical, size } = walkTables(this.memory, geometry, root, address);
      return physical + Number(address & BigInt(size - 1));
    } catch (error) {
      if (error instanceof KernelFault && error.kind === 'absent' && linear !== undefined) return Number(address - linear.offset);
      throw error;
    }
  }

  /** `length` bytes at a virtual address; the caller has bounded `length`. @throws KernelFault where a part is not mapped, or not in the dump */
  read(address: bigint, length: number): Uint8Array {
    const out = new Uint8Array(length);
    const pageSize = 2 ** this.space.geometry.pageShift;
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const part = Math.min(length - done, pageSize - Number(at & BigInt(pageSize - 1)));
      const physical = this.translate(at);
      this.#copy(physical, part, out, done, at);
      done += part;
    }
    return out;
  }

  /** `length` bytes at a physical address. @throws KernelFault */
  readPhysical(physical: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    const { pageSize } = this.memory;
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, pageSize - ((physical + done) % pageSize));
      this.#copy(physical + done, part, out, done, null);
      done += part;
    }
    return out;
  }

  /** The bytes, or null where a part can't be read. */
  tryRead(address: bigint, length: number): Uint8Array | null {
    try {
      return this.read(address, length);
    } catch (error) {
      if (error instanceof KernelFault && error.kind !== 'limit') return null;
      throw error;
    }
  }

  /** Within one page. */
  #copy(physical: number, length: number, out: Uint8Array, offset: number, virtual: bigint | null): void {
    this.spend();
    const { pageSize } = this.memory;
    const number = Math.floor(physical / pageSize);
    const start = physical % pageSize;
    if (length > pageSize / 2) {
      if (this.memory.readInto(physical, length, out, offset) < length) throw this.#absent(physical, virtual);
      return;
    }
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      const got = this.memory.readInto(number * pageSize, pageSize, page);
      if (got < start + length) throw this.#absent(physical, virtual);
      if (got === pageSize) {
        if (this.#pages.size >= KEPT_PAGES) for (const oldest of this.#pages.keys()) if (this.#pages.delete(oldest)) break;
        this.#pages.set(number, page);
      }
    }
    out.set(page.subarray(start, start + length), offset);
  }

  #absent(physical: number, virtual: bigint | null): KernelFault {
    const { pageSize } = this.memory;
    const page = physical - (physical % pageSize);
    const what = virtual === null ? '' : ` (of ${hexOf(virtual)})`;
    return new KernelFault('absent', `the page at ${hexOf(page)}${what} is ${describeState(this.memory.stateOf(physical))}`, page);
  }

  /** Takes from what may be read: also for what costs as much without reading. @throws KernelFault where nothing is left */
  spend(reads = 1): void {
    this.#budget -= reads;
    if (this.#budget < 0) throw new KernelFault('limit', `more than ${BUDGET} reads of kernel memory; the rest was not looked at`);
  }
}

/* Walks a kernel's page tables. Entries come from a dump: every table must be in memory, and the walk has as many levels as the geometry. */

interface Mapping {
  /** physical, of the first byte of the page or block */
  readonly physical: number;
  /** bytes of the page or block that maps the address */
  readonly size: number;
}

/**
 * The page or block that maps `address`.
 * @param root physical address of the top table
 * @throws KernelFault where nothing is mapped there, or a table is not in the dump
 */
export function walkTables(memory: PhysicalMemory, geometry: Geometry, root: number, address: bigint): Mapping {
  const { levels, indexBits, pageShift } = geometry;
  if (address >> BigInt(geometry.addressBits) !== (1n << BigInt(64 - geometry.addressBits)) - 1n)
    throw new KernelFault('unmapped', `${hexOf(address)} is no kernel address of ${geometry.addressBits} bits`);
  const inKernelHalf = address & ((1n << BigInt(geometry.addressBits)) - 1n);
  const entryBytes = new Uint8Array(8);
  const view = new DataView(entryBytes.buffer);
  let table = root;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = BigInt(pageShift + level * indexBits);
    const index = level === levels - 1 ? inKernelHalf >> shift : (inKernelHalf >> shift) & ((1n << BigInt(indexBits)) - 1n);
    const at = table + Number(index) * 8;
    if (memory.readInto(at, 8, entryBytes) < 8)
      throw new KernelFault('absent', `the page table at ${hexOf(at)}, which maps ${hexOf(address)}, is ${describeState(memory.stateOf(at))}`, at);
    const entry = view.getBigUint64(0, true) & ~geometry.encryption;
    if ((entry & geometry.valid) === 0n) throw new KernelFault('unmapped', `nothing is mapped at ${hexOf(address)}`);
    const isBlock = level > 0 && ((entry & geometry.block.mask) !== 0n) === geometry.block.set;
    if (isBlock && level > geometry.highestBlock)
      throw new KernelFault('implausible', `the page table entry at ${hexOf(at)} maps a block of level ${level}`, at);
    const size = 1n << (level === 0 || isBlock ? shift : BigInt(pageShift));
    const next = addressIn(entry, geometry) & ~(size - 1n);
    if (next >= BigInt(PHYSICAL_LIMIT)) throw new KernelFault('implausible', `the page table entry at ${hexOf(at)} names ${hexOf(next)}`, at);
    if (level === 0 || isBlock) return { physical: Number(next), size: Number(size) };
    table = Number(next);
  }
  throw new KernelFault('implausible', `page tables of ${levels} levels`);
}

function addressIn(entry: bigint, { addressMask, moved }: Geometry): bigint {
  const inPlace = entry & addressMask;
  if (moved === null) return inPlace;
  const extra = (entry >> BigInt(moved.from)) & ((1n << BigInt(moved.bits)) - 1n);
  return (inPlace & ((1n << BigInt(moved.to)) - 1n)) | (extra << BigInt(moved.to));
}
