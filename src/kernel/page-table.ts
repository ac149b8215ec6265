/** Walks a kernel's page tables. Entries come from a dump: every table must be in memory, and the walk has as many levels as the geometry. */
import { PHYSICAL_LIMIT, type PhysicalMemory, describeState } from '../memory/memory.js';
import { KernelFault, hexOf } from './fault.js';
import type { Geometry } from './geometry.js';

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
