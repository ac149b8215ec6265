/** reserve_mem= regions and the memblock subtree that hands them over. Source: abi/memblock; mm/memblock.c, 7.1.13 to 7.3.4. */
import { RESERVE_MEM_COMPATIBLE, reserveMemNode } from '../../../abi/memblock/reserve-mem-v1.js';
import { memblockV1 } from '../../../abi/memblock/v1.js';
import { buildFdt, fdtInteger, type FdtNode, fdtProperties, fdtProperty, fdtStrings } from '../../codec/fdt.js';
import { PHYSICAL_LIMIT } from '../../memory/memory.js';
import { readFdt } from '../kho/incoming.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';
import type { ReserveMem } from '../scenario/types.js';

const SUBTREE = 'memblock';

/** A region in memory, in bytes. */
export interface ReservedRegion {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

/** Takes over the regions that the previous kernel handed over. @returns those that fit what this kernel was asked for */
export function* reviveRegions(kho: Kho, wanted: readonly ReserveMem[]): Steps<ReservedRegion[]> {
  const revived: ReservedRegion[] = [];
  if (wanted.length === 0) return revived;
  const { machine } = kho;
  const blob = yield* kho.retrieveSubtree(SUBTREE);
  if (typeof blob === 'number') return revived;
  const { root } = readFdt(machine, blob.address);
  if (root === null || !fdtStrings(fdtProperty(root, 'compatible')).includes(memblockV1.compatible)) {
    yield machine.printk(`Reserved memory: FDT '${SUBTREE}' is incompatible with '${memblockV1.compatible}'`, 'next-kernel');
    return revived;
  }
  for (const region of wanted) {
    const found = reviveOne(root, region);
    if (typeof found === 'string') yield machine.printk(found, 'next-kernel');
    else {
      revived.push(found);
      yield machine.printk(`Revived memory reservation '${region.name}' from KHO`, 'next-kernel');
    }
  }
  return revived;
}

function reviveOne(root: FdtNode, { name, size, align }: ReserveMem): ReservedRegion | string {
  const node = root.children.find((child) => child.name === name);
  if (node === undefined) return `FDT '${SUBTREE}' has no child '${name}'`;
  if (!fdtStrings(fdtProperty(node, 'compatible')).includes(RESERVE_MEM_COMPATIBLE)) return `Node '${name}' is incompatible with '${RESERVE_MEM_COMPATIBLE}'`;
  const start = fdtInteger(node, reserveMemNode, 'start');
  const found = fdtInteger(node, reserveMemNode, 'size');
  if (start === null || found === null) return `Node '${name}' is missing properties`;
  if (start % BigInt(align) !== 0n) return `KHO reserve_mem '${name}' has wrong alignment (0x${align.toString(16)}, 0x${start.toString(16)})`;
  if (found !== BigInt(size)) return `KHO reserve_mem '${name}' has wrong size (0x${found.toString(16)} != 0x${size.toString(16)})`;
  // Aligned to a page, 64 bits are exact in a number.
  return { name, start: Number(start), size };
}

/** late_initcall: the subtree for the next kernel. Without regions there is none. */
export function* handOverRegions(kho: Kho, regions: readonly ReservedRegion[], fresh: ReadonlySet<string>): Steps<void> {
  if (regions.length === 0 || !kho.enabled) return;
  const { machine, pages } = kho;
  const page = pages.alloc();
  if (page === null || (yield* kho.preservePages(page, 1)) !== 0) {
    yield machine.printk('Failed to prepare memblock FDT for KHO: -12', 'kernel');
    return;
  }
  for (const region of regions) {
    // Until the map has been walked, memblock gives out scratch alone: a region that was not revived is in scratch, and cannot be preserved.
    if (kho.incoming !== null && fresh.has(region.name)) yield* kho.warn('kho_preserve_pages');
    else if (region.start + region.size <= PHYSICAL_LIMIT) yield* kho.preservePages(region.start, region.size / machine.pageSize);
  }
  const children = regions.map(({ name, start, size }) => ({
    name,
    properties: fdtProperties(reserveMemNode, { compatible: RESERVE_MEM_COMPATIBLE, start, size }),
    children: [],
  }));
  const blob = buildFdt({ name: '', properties: fdtProperties(memblockV1.fdt, { compatible: memblockV1.compatible }), children });
  machine.memory.write(page, blob, 'fdt_header');
  yield machine.event('kernel', 'prepare_kho_fdt', { address: page, regions: regions.length });
  yield* kho.addSubtree(SUBTREE, page, blob.length);
}
