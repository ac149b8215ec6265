/**
 * Writes physical memory as a kdump-compressed dump (header version 6, zlib), which crash and makedumpfile read as well. A page that
 * does not get smaller is stored as it is; all zero pages share the first one stored. For `shrink --format kdump` and for large dumps in tests.
 * Source: abi/kdump/kdump.ts; makedumpfile 1.7.2, IMPLEMENTATION.
 */
import { deflateSync } from 'node:zlib';
import { DUMP_DH_COMPRESSED, diskDumpHeader, KDUMP_SIGNATURE, KDUMP_VERSION, kdumpSubHeader, pageDesc } from '../../abi/kdump/kdump.js';
import { encodeInto } from '../codec/encode.js';
import { sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import type { MemoryRange } from '../memory/memory.js';
import type { CoreImage } from './elf-writer.js';
import { type OutputFile, writeOutput, isZero } from './output-file.js';
import { formatVmcoreinfo } from './vmcoreinfo.js';

/** Zero pages, caches, user data, free pages left out: what makedumpfile -d 31 would say. */
const DUMP_LEVEL = 31;
const DESCRIPTORS_A_PIECE = 4096;
/** Signals are let in after so many pages. */
const BREATH = 2048;

/**
 * Writes `image` to `path` (`-`: standard output), as output-file.ts says.
 * @throws UserError where the file can't be written or the memory can't be read
 */
export const writeKdump = (path: string, image: CoreImage): Promise<void> => writeOutput(path, (output) => writeImage(output, image));

async function writeImage(output: OutputFile, image: CoreImage): Promise<void> {
  const { memory, withheld = [] } = image;
  const block = memory.pageSize;
  const frames = Math.ceil(Math.max(0, ...[...memory.readable, ...withheld].map(({ end }) => end)) / block);
  const bitmapSize = Math.ceil(Math.ceil(frames / 8) / block) * block;
  const note = image.vmcoreinfo.size === 0 ? new Uint8Array(0) : formatVmcoreinfo(image.vmcoreinfo);
  const subBlocks = Math.ceil((sizeOf(kdumpSubHeader) + note.length) / block);
  const bitmapsAt = (1 + subBlocks) * block;
  const descriptorsAt = bitmapsAt + 2 * bitmapSize;
  const stored = bitmapOf(memory.readable, block, bitmapSize);
  const present = bitmapOf([...memory.readable, ...withheld], block, bitmapSize);
  const head = new Uint8Array(bitmapsAt);
  const utsname = { release: image.vmcoreinfo.get('OSRELEASE') ?? '', machine: image.arch, sysname: 'Linux' };
  encodeInto(diskDumpHeader, kdumpHeader(frames, { utsname, block, subBlocks, bitmapBlocks: (2 * bitmapSize) / block }), head, 0);
  const noteAt = block + sizeOf(kdumpSubHeader);
  const sub = { dump_level: DUMP_LEVEL, max_mapnr_64: frames, offset_vmcoreinfo: note.length === 0 ? 0 : noteAt, size_vmcoreinfo: note.length };
  encodeInto(kdumpSubHeader, sub, head, block);
  head.set(note, noteAt);
  output.write(head, 0);
  output.write(present, bitmapsAt);
  output.write(stored, bitmapsAt + bitmapSize);
  await writePages(output, image, descriptorsAt);
}

/** What a header of version 6 says of a dump of `frames` page frames, its sub header and its bitmaps in blocks of `block` bytes. */
export const kdumpHeader = (
  frames: number,
  about: {
    readonly utsname: { readonly release: string; readonly machine: string; readonly sysname?: string };
    readonly block: number;
    readonly subBlocks: number;
    readonly bitmapBlocks: number;
  },
) => ({
  signature: new TextEncoder().encode(KDUMP_SIGNATURE),
  header_version: KDUMP_VERSION.wide,
  utsname: about.utsname,
  status: DUMP_DH_COMPRESSED.ZLIB,
  block_size: about.block,
  sub_hdr_size: about.subBlocks,
  bitmap_blocks: about.bitmapBlocks,
  max_mapnr: Math.min(frames, 0xffff_ffff),
  nr_cpus: 1,
});

function bitmapOf(ranges: readonly MemoryRange[], block: number, size: number): Uint8Array {
  const bits = new Uint8Array(size);
  for (const { start, end } of ranges)
    for (let frame = Math.floor(start / block); frame * block < end; frame++) bits[frame >>> 3] = (bits[frame >>> 3] ?? 0) | (1 << (frame & 7));
  return bits;
}

/** Descriptors come before the pages, and the offset of a page depends on those before it: pages are compressed twice, and kept never. */
async function writePages(output: OutputFile, { memory }: CoreImage, descriptorsAt: number): Promise<void> {
  const block = memory.pageSize;
  const each = sizeOf(pageDesc);
  let count = 0;
  for (const { start, end } of memory.readable) count += (end - start) / block;
  const zeroAt = descriptorsAt + count * each;
  let at = zeroAt + block;
  let piece = new Uint8Array(Math.min(DESCRIPTORS_A_PIECE, count) * each);
  let written = 0;
  const flush = (): void => {
    output.write(piece, descriptorsAt + written * each);
    written += piece.length / each;
  };
  let index = 0;
  for (const { data, flags } of packedPages(output, memory)) {
    const inPiece = (index - written) * each;
    encodeInto(pageDesc, data === null ? { offset: zeroAt, size: block } : { offset: at, size: data.length, flags }, piece, inPiece);
    if (data !== null) at += data.length;
    index++;
    if (inPiece + each === piece.length) {
      flush();
      piece = new Uint8Array(Math.min(DESCRIPTORS_A_PIECE, count - written) * each);
    }
    if (index % BREATH === 0) await output.breathe();
  }
  output.write(new Uint8Array(block), zeroAt);
  at = zeroAt + block;
  for (const { data } of packedPages(output, memory)) {
    if (data === null) continue;
    output.write(data, at);
    at += data.length;
    if (index++ % BREATH === 0) await output.breathe();
  }
  output.finish(at);
}

interface PackedPage {
  /** null for a page of zeros */
  readonly data: Uint8Array | null;
  readonly flags: number;
}

function* packedPages(output: OutputFile, memory: CoreImage['memory']): Iterable<PackedPage> {
  const page = new Uint8Array(memory.pageSize);
  for (const { start, end } of memory.readable)
    for (let address = start; address < end; address += page.length) {
      if (memory.readInto(address, page.length, page) < page.length)
        throw new UserError(`${output.name}: not written: the memory at 0x${address.toString(16)} could not be read; check the dump it is from`);
      if (isZero(page)) {
        yield { data: null, flags: 0 };
        continue;
      }
      const packed = deflateSync(page);
      yield packed.length < page.length ? { data: packed, flags: DUMP_DH_COMPRESSED.ZLIB } : { data: page, flags: 0 };
    }
}
