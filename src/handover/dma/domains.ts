/** Domains of preserved IOMMUs, the devices attached to each, and what their page tables reach. For the FLBs "iommu-liveupdate-v1" and "iommu-liveupdate". */
import { VTD_TOP_LEVELS, VTD_ADDRESS_BITS, VTD_ENTRY, VTD_LARGE_LEVELS, VTD_TABLE } from '../../../abi/iommu/vtd-entry.js';
import { type PhysicalMemory, physicalAddress, describeState, readBytes } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import type { LuoFlb } from '../luo.js';
import { pciAddress } from '../pci.js';
import { hex } from '../../tree/words.js';

export interface DmaDomain {
  readonly node: TreeNode;
  /** PCI addresses of the devices that are attached to it */
  readonly devices: readonly string[];
  /** null where it was not walked; `why` says it */
  readonly walk: TableWalk | null;
  readonly why: string | null;
}

/** Tables read for one handover: 64 GiB of DMA in pages of 4 KiB. */
const MAX_TABLES = 1 << 15;
const DELETED = 1n;

/** Kinds of IOMMU whose tables are known. */
const INTEL = 1n;
const SMMUV3 = 2n;

/** Every domain that is in use, walked as far as its tables are in the dump. */
export function dmaDomains(flbs: readonly LuoFlb[], memory: PhysicalMemory): readonly DmaDomain[] {
  const budget: WalkBudget = { tables: MAX_TABLES };
  return flbs.flatMap(({ decoded }) => (decoded?.kind === 'struct' && decoded.contract.layer === 'iommu' ? domainsBelow(decoded.node, memory, budget) : []));
}

function domainsBelow(root: TreeNode, memory: PhysicalMemory, budget: WalkBudget): readonly DmaDomain[] {
  const entries = (name: string): readonly TreeNode[] =>
    root
      .children()
      .filter((child) => child.type === 'group')
      .flatMap((group) => group.children())
      .flatMap((page) => page.children())
      .filter((entry) => entry.type === `struct ${name}` && (numberIn(entry, 'hdr', 'flags') ?? 0n) % 2n !== DELETED);
  const kinds = new Map(entries('iommu_hw_ser').map((unit) => [unit.address, numberIn(unit, 'type')]));
  const devices = entries('iommu_device_ser').map((device) => ({
    domain: numberIn(device, 'domain_iommu_ser', 'domain_phys'),
    kind: kinds.get(Number(numberIn(device, 'domain_iommu_ser', 'iommu_phys') ?? -1n)) ?? null,
    name: pciAddress(Number(numberIn(device, 'pci_domain_nr') ?? 0n), Number(numberIn(device, 'devid') ?? 0n) & 0xffff),
  }));
  return entries('iommu_domain_ser').map((node): DmaDomain => {
    const own = devices.filter(({ domain }) => domain !== null && node.address !== null && domain === BigInt(node.address));
    const names = own.map(({ name }) => name);
    const not = (why: string): DmaDomain => ({ node, devices: names, walk: null, why });
    const foreign = own.find(({ kind }) => kind !== null && kind !== INTEL);
    if (foreign !== undefined)
      return not(
        foreign.kind === SMMUV3
          ? 'its IOMMU is an SMMUv3, and what is preserved says neither the stage nor the granule of its page tables'
          : `its IOMMU is of kind ${foreign.kind}, of which no page table is described; only Intel's are walked`,
      );
    const top = physicalAddress(numberIn(node, 'top_table_phys') ?? 0n);
    const level = Number(numberIn(node, 'top_level') ?? -1n);
    if (top === null || top === 0) return not('it has no page table');
    if (level < VTD_TOP_LEVELS.least || level > VTD_TOP_LEVELS.most)
      return not(`its page table has its top at level ${level}, and VT-d has only 1 to 4 (30 to 57 bits of IOVA)`);
    return { node, devices: names, walk: walkVtd(memory, top, level, budget), why: null };
  });
}

/** An integer field below a node, by the names that lead to it. */
function numberIn(node: TreeNode, ...names: readonly string[]): bigint | null {
  let at: TreeNode | undefined = node;
  for (const name of names) at = at?.children().find((child) => child.name === name);
  const value = at?.value;
  return typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : null;
}

/* Walks a VT-d page table in a dump: which physical pages a device reaches, at which IOVA, and on which pages the table itself is. Layout: abi/iommu/vtd-entry.ts. */

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

interface WalkBudget {
  /** tables that may still be read */
  tables: number;
}

interface TableWalk {
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
