/** Walks a VT-d page table in a dump: which physical pages a device reaches, at which IOVA, and on which pages the table itself is. Layout: abi/iommu/vtd-entry.ts. */
import { VTD_ADDRESS_BITS, VTD_ENTRY, VTD_LARGE_LEVELS, VTD_TABLE } from '../../../abi/iommu/vtd-entry.js';
import { type PhysicalMemory, describeState, readBytes } from '../../memory/memory.js';
import { hex } from '../../tree/words.js';

/** A stretch of memory that is mapped in one piece. */
interface Mapping {
  /** where the device sees it */
  readonly iova: number;
  /** physical, bytes */
  readonly address: number;
  /** bytes */
  readonly size: number;
  readonly writable: boolean;
}

export interface WalkBudget {
  /** tables that may still be read */
  tables: number;
}

export interface TableWalk {
  /** physical, of every table page that was met, readable or not */
  readonly tables: readonly number[];
  /** mapped stretches, in order of IOVA; those that follow each other on both sides are one */
  readonly mappings: readonly Mapping[];
  /** parts that could not be walked, a sentence each; at most 16 */
  readonly unwalked: readonly string[];
  /** did the budget end the walk? */
  readonly cut: boolean;
}

const MAX_UNWALKED = 16;
/** Stretches of one table; a guest's memory in scattered single pages has as many. */
const MAX_MAPPINGS = 1 << 20;
const HIGH_MASK = 2 ** (VTD_ADDRESS_BITS.high - 32) - 1;
const LOW_MASK = ~(2 ** VTD_ADDRESS_BITS.low - 1) >>> 0;

/** @param top physical address of the top table @param topLevel counted from 0 at the lowest level */
export function walkVtd(memory: PhysicalMemory, top: number, topLevel: number, budget: WalkBudget): TableWalk {
  const tables: number[] = [];
  const mappings: Mapping[] = [];
  const unwalked: string[] = [];
  // A table may be shared, but not by itself: a path that comes back to one of its own tables has no end.
  const above = new Set<number>();
  const known = new Set<number>();
  let cut = false;
  const say = (text: string): void => {
    if (unwalked.length < MAX_UNWALKED) unwalked.push(text);
  };
  const add = (mapping: Mapping): void => {
    const last = mappings.at(-1);
    if (last !== undefined && last.iova + last.size === mapping.iova && last.address + last.size === mapping.address && last.writable === mapping.writable)
      mappings[mappings.length - 1] = { ...last, size: last.size + mapping.size };
    else if (mappings.length < MAX_MAPPINGS) mappings.push(mapping);
    else cut = true;
  };
  const visit = (table: number, level: number, iova: number, writable: boolean): void => {
    if (above.has(table)) {
      say(`the table at ${hex(table)} leads back to itself, at IOVA ${hex(iova)}`);
      return;
    }
    if (budget.tables-- <= 0) {
      cut = true;
      return;
    }
    if (!known.has(table)) tables.push(table);
    known.add(table);
    const read = readBytes(memory, table, VTD_TABLE.bytes);
    if (!read.ok) {
      say(`the table at ${hex(table)} for IOVA ${hex(iova)} on is ${describeState(read.state)}`);
      return;
    }
    const words = new Uint32Array(read.bytes.buffer, 0, VTD_TABLE.bytes / 4);
    const span = 2 ** (VTD_TABLE.pageShift + VTD_TABLE.levelBits * level);
    above.add(table);
    for (let index = 0; index < VTD_TABLE.entries && !cut; index++) {
      const low = words[index * 2] ?? 0;
      if ((low & (VTD_ENTRY.read | VTD_ENTRY.write)) === 0) continue;
      const target = ((words[index * 2 + 1] ?? 0) & HIGH_MASK) * 2 ** 32 + ((low & LOW_MASK) >>> 0);
      const at = iova + index * span;
      const writes = writable && (low & VTD_ENTRY.write) !== 0;
      const isLeaf = level === 0 || ((low & VTD_ENTRY.large) !== 0 && VTD_LARGE_LEVELS.includes(level));
      if (isLeaf) add({ iova: at, address: target - (target % span), size: span, writable: writes });
      else visit(target, level - 1, at, writes);
    }
    above.delete(table);
  };
  visit(top, topLevel, 0, true);
  return { tables, mappings, unwalked, cut };
}
