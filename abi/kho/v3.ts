/** kho-v3: root FDT with preserved-data and blob-size, radix tree. Source: include/linux/kho/abi/kexec_handover.h, 7.1.13. */
import { contract } from '../contract.js';
import { khoRadixLeaf, khoRadixNode } from './radix.js';
import { khoRootFdt } from './root-fdt.js';
import { khoScratch } from './scratch.js';
import { khoVmalloc, khoVmallocChunk } from './vmalloc.js';

export const khoV3 = contract({
  layer: 'kho',
  id: 'kho-v3',
  format: 'fdt',
  structs: [khoScratch, khoRadixNode, khoRadixLeaf, khoVmalloc, khoVmallocChunk],
  fdt: khoRootFdt('blob-size'),
  map: 'radix',
  since: '7.1',
  until: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.1.13',
  notes: ['Differs from kho-v4 only in that it has no block lists.', 'The tree is live from boot; nothing is finalised.'],
});
