/** kho-v4: root FDT with preserved-data and blob-size, radix tree, block lists. Source: include/linux/kho/abi/kexec_handover.h, 7.2 and 7.3. */
import { contract } from '../contract.js';
import { khoRootFdt } from './root-fdt.js';
import { khoBlockHeaderSer } from './block.js';
import { khoRadixLeaf, khoRadixNode } from './radix.js';
import { khoScratch } from './scratch.js';
import { khoVmalloc, khoVmallocChunk } from './vmalloc.js';

export const khoV4 = contract({
  layer: 'kho',
  id: 'kho-v4',
  format: 'fdt',
  structs: [khoScratch, khoRadixNode, khoRadixLeaf, khoVmalloc, khoVmallocChunk, khoBlockHeaderSer],
  fdt: khoRootFdt('blob-size'),
  map: 'radix',
  since: '7.2',
  status: 'released',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.2 and 7.3',
  notes: ['The header comment says kho-v3; what is written is kho-v4.', 'Block lists have no string of their own: this one versions them.'],
});
