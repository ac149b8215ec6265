/** kho-v1, with bitmaps of one page and, up to 6.17.8, of 512 bytes. Source: kernel/kexec_handover.c 6.17.8 and 6.18.15, kernel/liveupdate/kexec_handover.c 6.19.11; 6.16, 6.17.9 and 7.0 inferred. */
import { contract } from '../contract.js';
import { khoMemPhysBits, khoMemPhysBitsSmall, khoserMemBitmapPtr, khoserMemChunk, khoserMemChunkHdr } from './chunk.js';
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

export const khoV1Small = contract({
  layer: 'kho',
  id: 'kho-v1-512',
  compatible: 'kho-v1',
  format: 'fdt',
  structs: [khoScratch, khoserMemChunk, khoserMemChunkHdr, khoserMemBitmapPtr, khoMemPhysBitsSmall],
  fdt: khoRootFdt('fdt'),
  map: 'chunks-512',
  since: '6.16',
  until: '6.17',
  status: 'released',
  source: 'kernel/kexec_handover.c, 6.17.8; 6.16 inferred',
  discriminates:
    'A phys_start that is no multiple of 8 * PAGE_SIZE * (PAGE_SIZE << order), or a bitmap that is not page-aligned, proves this form (128 MiB at 4 KiB and order 0).',
  notes: [
    'The tree is built by writing 1 to debugfs finalize; kexec data is attached only if that came before the image was loaded.',
    'Bitmaps are slab objects and may lie anywhere, even in scratch.',
    'Neither chunks nor bitmaps are preserved: once read they are overwritten.',
    'Block sizes are computed in a 32-bit int: from order 19 on (4 KiB pages) they overflow.',
  ],
});
