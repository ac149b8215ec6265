/** kho-v2: the radix tree, no blob-size yet. Only in mainline from 5 to 18 Apr 2026. Source: include/linux/kho/abi/kexec_handover.h of that window. */
import { contract } from '../contract.js';
import { khoRadixLeaf, khoRadixNode } from './radix.js';
import { khoRootFdt } from './root-fdt.js';
import { khoScratch } from './scratch.js';
import { khoVmalloc, khoVmallocChunk } from './vmalloc.js';

export const khoV2 = contract({
  layer: 'kho',
  id: 'kho-v2',
  format: 'fdt',
  structs: [khoScratch, khoRadixNode, khoRadixLeaf, khoVmalloc, khoVmallocChunk],
  fdt: khoRootFdt('preserved-data'),
  map: 'radix',
  status: 'window',
  source: 'include/linux/kho/abi/kexec_handover.h, mainline between 5 and 18 Apr 2026',
  notes: ['In no release.', 'At 16 KiB pages its tree has 4 levels, one fewer than kho-v3 and kho-v4.'],
});
