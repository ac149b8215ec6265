/** kho_vmalloc: a virtually contiguous area handed over page by page. Source: include/linux/kho/abi/kexec_handover.h; 6.18 to 7.3. */
import { array, phys, struct, u16, u32 } from '../layout.js';

export const khoVmalloc = struct({
  name: 'kho_vmalloc',
  meaning: 'Describes a preserved vmalloc area',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3',
  packed: false,
  fields: {
    first: phys('first chunk, 0 = empty area', 'kho_vmalloc_chunk'),
    total_pages: u32('pages in the area', { role: 'pages' }),
    flags: u16('how it was allocated', { role: 'flags', flagNames: { 0: 'KHO_VMALLOC_ALLOC', 1: 'KHO_VMALLOC_HUGE_VMAP' } }),
    order: u16('page order of every entry'),
  },
});

export const khoVmallocChunk = struct({
  name: 'kho_vmalloc_chunk',
  meaning: 'One page of the list of blocks that make up a vmalloc area',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3',
  fields: {
    next: phys('next chunk, 0 = last', 'kho_vmalloc_chunk'),
    phys: array(phys('a block of 1 << order pages'), 'page', 'ended by 0 or by the end of the page'),
  },
});
