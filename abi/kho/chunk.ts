/**
 * Preserved memory map as a chain of chunks that name bitmaps, kho-v1. Two forms share one string: bitmaps of 512 bytes
 * (6.16 to 6.17.8) and of a page (6.17.9 on). Source: kernel/kexec_handover.c 6.17.8 and 6.18.15, kernel/liveupdate/kexec_handover.c 6.19.11.
 */
import { array, nested, phys, struct, u32, u64 } from '../layout.js';

export const khoserMemChunkHdr = struct({
  name: 'khoser_mem_chunk_hdr',
  meaning: 'Head of a chunk',
  source: 'kernel/kexec_handover.c, 6.17.8 and 6.18.15',
  packed: false,
  fields: {
    next: phys('next chunk, 0 = last', 'khoser_mem_chunk'),
    order: u32('order of every bit of this chunk: a bit stands for PAGE_SIZE << order bytes', { role: 'number' }),
    num_elms: u32('bitmaps in use; may be 0', { role: 'count' }),
  },
});

export const khoserMemBitmapPtr = struct({
  name: 'khoser_mem_bitmap_ptr',
  meaning: 'One bitmap and what its first bit stands for',
  source: 'kernel/kexec_handover.c, 6.17.8 and 6.18.15',
  packed: false,
  fields: {
    phys_start: phys('memory that bit 0 stands for; 0 is an address here'),
    bitmap: phys('the bitmap', 'kho_mem_phys_bits'),
  },
});

export const khoserMemChunk = struct({
  name: 'khoser_mem_chunk',
  meaning: 'One page of the preserved memory map: bitmaps of one order',
  source: 'kernel/kexec_handover.c, 6.17.8 and 6.18.15',
  packed: false,
  fields: {
    hdr: nested(khoserMemChunkHdr, 'head'),
    bitmaps: array(nested(khoserMemBitmapPtr, 'bitmap'), 'page', 'hdr.num_elms of them are in use, phys_start ascending'),
  },
});

const words = (count: number | 'page') =>
  array(u64('64 blocks, the lowest bit first', { role: 'opaque' }), count, 'native unsigned long; bit b is bit b & 7 of byte b >> 3');

/** Bytes of a bitmap up to 6.17.8, whatever the page size. */
const SMALL_BITMAP_BYTES = 512;

export const khoMemPhysBitsSmall = struct({
  name: 'kho_mem_phys_bits',
  meaning: 'A bitmap of 512 bytes',
  source: 'kernel/kexec_handover.c, 6.17.8',
  packed: false,
  fields: { preserve: words(SMALL_BITMAP_BYTES / 8) },
});

export const khoMemPhysBits = struct({
  name: 'kho_mem_phys_bits',
  meaning: 'A bitmap of one page',
  source: 'kernel/kexec_handover.c, 6.18.15',
  packed: false,
  fields: { preserve: words('page') },
});

export type BitmapForm = '512' | 'page';

/** Bytes of one bitmap. @param pageSize in bytes */
export const bitmapBytes = (form: BitmapForm, pageSize: number): number => (form === '512' ? SMALL_BITMAP_BYTES : pageSize);

/** Memory one bitmap covers, in bytes; `phys_start` is a multiple of it. @param pageSize in bytes */
export const bitmapSpan = (form: BitmapForm, pageSize: number, order: number): number => bitmapBytes(form, pageSize) * 8 * pageSize * 2 ** order;
