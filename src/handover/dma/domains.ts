/** Domains of preserved IOMMUs, the devices attached to each, and what their page tables reach. For the FLBs "iommu-liveupdate-v1" and "iommu-liveupdate". */
import { VTD_TOP_LEVELS } from '../../../abi/iommu/vtd-entry.js';
import { type PhysicalMemory, physicalAddress } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import type { LuoFlb } from '../luo.js';
import { pciAddress } from '../pci.js';
import { type TableWalk, type WalkBudget, walkVtd } from './vtd.js';

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
