/**
 * Kernel virtual addresses of an x86-64 dump, through the kernel's own page tables. Entries come from a dump: every table
 * must be in memory, and the walk has at most five levels. Source: Intel SDM vol. 3, 4.5; arch/x86/include/asm/page_64_types.h.
 */
import { PHYSICAL_LIMIT, type PhysicalMemory, readBytes } from '../../memory/memory.js';
import type { Vmcoreinfo } from './vmcoreinfo.js';

/** Where the kernel image is mapped: __START_KERNEL_map. */
const START_KERNEL_MAP = 0xffffffff80000000n;
const PRESENT = 1n;
const LARGE = 1n << 7n;
const ADDRESS = (1n << 52n) - 1n;
const INDEX_BITS = 9;
const ENTRIES_MASK = 511n;

export interface VirtualMemory {
  /** The physical address of a kernel virtual one, or null where nothing is mapped or a table is missing. */
  translate(address: bigint): number | null;
  /** `length` bytes, or null where a part can't be read; `length` must have been bounded. */
  read(address: bigint, length: number): Uint8Array | null;
}

/** Null where VMCOREINFO does not tell where the page tables are. */
export function kernelMemory(memory: PhysicalMemory, info: Vmcoreinfo): VirtualMemory | null {
  const root = info.symbol('init_top_pgt') ?? info.symbol('swapper_pg_dir');
  const base = info.number('phys_base');
  if (root === null || base === null || root < START_KERNEL_MAP) return null;
  const levels = info.number('pgtable_l5_enabled') === 1n ? 5 : 4;
  const mask = info.number('sme_mask') ?? 0n;
  const table = root - START_KERNEL_MAP + base;
  const translate = (address: bigint): number | null => walk(memory, table, levels, mask, address);
  return {
    translate,
    read(address, length) {
      const out = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = address + BigInt(done);
        const part = Math.min(length - done, memory.pageSize - Number(at % BigInt(memory.pageSize)));
        const physical = translate(at);
        if (physical === null || memory.readInto(physical, part, out, done) < part) return null;
        done += part;
      }
      return out;
    },
  };
}

function walk(memory: PhysicalMemory, root: bigint, levels: number, mask: bigint, address: bigint): number | null {
  const pageShift = Math.log2(memory.pageSize);
  let table = root;
  for (let level = levels - 1; level >= 0; level--) {
    const shift = BigInt(pageShift + level * INDEX_BITS);
    const index = (address >> shift) & ENTRIES_MASK;
    const at = table + index * 8n;
    if (at < 0n || at >= BigInt(PHYSICAL_LIMIT)) return null;
    const read = readBytes(memory, Number(at), 8);
    if (!read.ok) return null;
    const entry = new DataView(read.bytes.buffer).getBigUint64(0, true) & ~mask;
    if ((entry & PRESENT) === 0n) return null;
    const last = level === 0 || (level <= 2 && (entry & LARGE) !== 0n);
    const low = (1n << (last ? shift : BigInt(pageShift))) - 1n;
    const next = entry & ADDRESS & ~low;
    if (last) {
      const physical = next | (address & low);
      return physical < BigInt(PHYSICAL_LIMIT) ? Number(physical) : null;
    }
    table = next;
  }
  return null;
}
