/** kho-v1 with bitmaps of one page. Source: kernel/kexec_handover.c 6.18.15, kernel/liveupdate/kexec_handover.c 6.19.11; 6.17.9 and 7.0 inferred. */
import { contract } from '../contract.js';
import { khoMemPhysBits, khoserMemBitmapPtr, khoserMemChunk, khoserMemChunkHdr } from './chunk.js';
import { khoRootFdt } from './root-fdt.js';
import { khoScratch } from './scratch.js';

export const khoV1Page = contract({
  layer: 'kho',
  id: 'kho-v1-page',
  compatible: 'kho-v1',
  format: 'fdt',
  structs: [khoScratch, khoserMemChunk, khoserMemChunkHdr, khoserMemBitmapPtr, khoMemPhysBits],
  fdt: khoRootFdt('fdt'),
  map: 'chunks-page',
  since: '6.17.9',
  until: '7.0',
  status: 'released',
  source: 'kernel/kexec_handover.c, 6.18.15; kernel/liveupdate/kexec_handover.c, 6.19.11; 6.17.9 and 7.0 inferred',
  discriminates:
    'Every phys_start is a multiple of 8 * PAGE_SIZE * (PAGE_SIZE << order) and every bitmap page-aligned. Two bitmaps of one order closer together than that prove the other form.',
  notes: [
    'The string did not change with the size of the bitmaps: a kernel of the other form reads the map wrongly and may die before its console speaks.',
    'Up to 6.18 the tree is built by debugfs finalize; 6.19 and 7.0 build it at boot and fill in the map at reboot.',
    'Neither chunks nor bitmaps are preserved: once read they are overwritten.',
    'At least one chunk for every order ever used, even an empty one.',
  ],
});
