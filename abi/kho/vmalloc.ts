/** kho_vmalloc: a virtually contiguous area handed over page by page. Source: include/linux/kho/abi/kexec_handover.h; 6.18 to 7.3. */
import { contract } from '../contract.js';
import { array, flagNames, phys, struct, u16, u32 } from '../layout.js';

/** KHO_VMALLOC_*. */
export const KHO_VMALLOC = { ALLOC: 0x1, HUGE_VMAP: 0x2 } as const;

export const khoVmalloc = struct({
  name: 'kho_vmalloc',
  meaning: 'Describes a preserved vmalloc area',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3',
  packed: false,
  fields: {
    first: phys('first chunk, 0 = empty area', 'kho_vmalloc_chunk'),
    total_pages: u32('pages in the area', { role: 'pages' }),
    flags: u16('how it was allocated', { role: 'flags', flagNames: flagNames('KHO_VMALLOC_', KHO_VMALLOC) }),
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

export const khoVmallocContract = contract({
  layer: 'kho-vmalloc',
  id: 'kho-vmalloc',
  compatible: null,
  structs: [khoVmalloc, khoVmallocChunk],
  since: '6.18',
  status: 'released',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3; include/linux/kexec_handover.h, 6.18.15; 7.0 inferred',
  notes: [
    'Has no string: whoever embeds it versions it.',
    'The list ends at the first 0. Where it fills its chunks exactly, an empty chunk follows.',
    'The blocks must add up to total_pages, else nothing is restored.',
    '6.18 restores areas of order above 0 wrongly; the data in memory is right.',
  ],
});
