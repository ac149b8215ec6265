/** struct page and what it stands for. Sources: include/asm-generic/memory_model.h, arch/arm64/include/asm/memory.h, 7.3. */
import { KernelFault, hexOf } from './fault.js';
import type { Kernel } from './kernel.js';

/** The page frame number of the page (or folio) at a virtual address in the memory map: page_to_pfn(). @throws KernelFault */
export function pfnOfPage(kernel: Kernel, page: bigint): number {
  const start = memoryMapStart(kernel);
  const size = BigInt(kernel.info.size('page') ?? kernel.types.size(kernel.types.id('struct page')));
  const distance = page - start;
  if (distance < 0n || distance % size !== 0n || distance / size >= 1n << 40n)
    throw new KernelFault('implausible', `${hexOf(page)} is no struct page: the memory map starts at ${hexOf(start)}`);
  return Number(distance / size);
}

/** Where the struct page of frame 0 would stand: `vmemmap`. */
function memoryMapStart(kernel: Kernel): bigint {
  const { info } = kernel;
  const generic = info.symbol('vmemmap');
  if (generic !== null) return generic;
  const [start, offset] = [info.number('VMEMMAP_START'), info.number('PHYS_OFFSET')];
  const size = info.size('page');
  if (start !== null && offset !== null && size !== null)
    return BigInt.asUintN(64, start) - (offset >> BigInt(kernel.virtual.space.geometry.pageShift)) * BigInt(size);
  return kernel.variable('vmemmap_base', 'unsigned long').value();
}
