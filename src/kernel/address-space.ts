/**
 * Where a kernel's page tables are and how they are built, from its VMCOREINFO. Sources: arch/x86/kernel/vmcore_info_64.c,
 * arch/arm64/kernel/vmcore_info.c, Documentation/admin-guide/kdump/vmcoreinfo.rst, 7.3.
 */
import { type Geometry, arm64Geometry, x86Geometry } from './geometry.js';
import type { AddressSpace } from './virtual-memory.js';
import type { Vmcoreinfo } from './vmcoreinfo.js';

/** Where the kernel image of x86-64 is mapped: __START_KERNEL_map. */
export const START_KERNEL_MAP = 0xffffffff80000000n;
const X86_IMAGE_SIZE = 1n << 30n;

/** Null where VMCOREINFO does not tell enough. */
export function addressSpaceOf(info: Vmcoreinfo, pageSize: number): AddressSpace | null {
  return info.number('phys_base') !== null ? x86Space(info) : info.number('kimage_voffset') !== null ? arm64Space(info, pageSize) : null;
}

function x86Space(info: Vmcoreinfo): AddressSpace | null {
  const top = info.symbol('init_top_pgt') ?? info.symbol('swapper_pg_dir');
  const base = info.number('phys_base');
  if (base === null) return null;
  return x86SpaceAt(base, top, info.number('pgtable_l5_enabled') === 1n, info.number('sme_mask') ?? 0n);
}

/** @param top virtual address of the top page table, in the kernel image */
function x86SpaceAt(physBase: bigint, top: bigint | null, fiveLevels: boolean, encryption: bigint): AddressSpace {
  const root = top === null || top < START_KERNEL_MAP ? null : physical(top - START_KERNEL_MAP + physBase);
  return {
    geometry: x86Geometry(fiveLevels ? 5 : 4, encryption),
    root,
    linear: [{ start: START_KERNEL_MAP, end: START_KERNEL_MAP + X86_IMAGE_SIZE, offset: START_KERNEL_MAP - physBase }],
  };
}

function arm64Space(info: Vmcoreinfo, pageSize: number): AddressSpace | null {
  const offset = info.number('kimage_voffset');
  const bits = Number(info.number('VA_BITS') ?? 48n);
  const t1sz = info.number('TCR_EL1_T1SZ');
  const addressBits = t1sz === null ? bits : 64 - Number(t1sz);
  if (offset === null || addressBits < 36 || addressBits > 52) return null;
  const kernelOffset = BigInt.asUintN(64, offset);
  const top = info.symbol('swapper_pg_dir');
  const wide = (info.number('MAX_PHYSMEM_BITS') ?? 48n) > 48n;
  const geometry: Geometry = arm64Geometry(pageSize, addressBits, wide);
  const image = info.symbol('_stext') ?? top;
  return {
    geometry,
    root: top === null ? null : physical(top - kernelOffset),
    linear: image === null ? [] : [{ start: image & ~((1n << 21n) - 1n), end: image + (1n << 27n), offset: kernelOffset }],
  };
}

const physical = (address: bigint): number | null => (address < 0n || address >= 1n << 52n ? null : Number(address));
