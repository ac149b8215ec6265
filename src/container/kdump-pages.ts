/** The pages of a kdump-compressed dump: found through their descriptors, which are read in blocks, and decompressed into one buffer. */
import { inflateSync } from 'node:zlib';
import { DUMP_DH_COMPRESSED, pageDesc } from '../../abi/kdump/kdump.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { FrameSet } from '../memory/frame-set.js';
import { type ByteSource, readAt } from './byte-source.js';
import { lzoDecompress } from './lzo.js';
import type { PageBitmap } from './page-bitmap.js';
import { snappyDecompress } from './snappy.js';
import type { ZstdDecoder } from '../compress/zstd.js';

/** Pages that are kept unpacked, for small reads. */
const KEPT_PAGES = 64;
/** Descriptors at the end of the table that are looked at to tell a file cut short. */
const LAST_DESCRIPTORS = 1024;
const DESCRIPTORS_A_BLOCK = 1024;
const KEPT_BLOCKS = 16;
/** Read at once where pages are asked for in ascending order, which is also their order in the file. In bytes. */
const WINDOW = 256 * 1024;
/** A page at most this far after the last one still counts as the next. */
const NEAR = 64 * 1024;

const EACH = sizeOf(pageDesc);
const OFFSET_AT = offsetOf(pageDesc, 'offset');
const SIZE_AT = offsetOf(pageDesc, 'size');
const FLAGS_AT = offsetOf(pageDesc, 'flags');

interface Descriptor {
  /** in the file, in bytes */
  offset: number;
  size: number;
  flags: number;
}

const descriptorAt = (view: DataView, at: number, into: Descriptor): Descriptor => {
  into.offset = view.getUint32(at + OFFSET_AT, true) + view.getUint32(at + OFFSET_AT + 4, true) * 2 ** 32;
  into.size = view.getUint32(at + SIZE_AT, true);
  into.flags = view.getUint32(at + FLAGS_AT, true);
  return into;
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Where the descriptors end, or the pages of the last of them: what the file must at least hold, in bytes. */
export function descriptorsEnd(source: ByteSource, at: number, count: number): number {
  let end = at + count * EACH;
  if (end > source.size) return end;
  const first = Math.max(0, count - LAST_DESCRIPTORS);
  const view = viewOf(readAt(source, at + first * EACH, (count - first) * EACH));
  const descriptor: Descriptor = { offset: 0, size: 0, flags: 0 };
  for (let base = 0; base + EACH <= view.byteLength; base += EACH) {
    const { offset, size } = descriptorAt(view, base, descriptor);
    end = Math.max(end, offset + size);
  }
  return end;
}

interface KdumpPagesOptions {
  readonly source: ByteSource;
  readonly stored: PageBitmap;
  /** in the file, in bytes */
  readonly descriptorsAt: number;
  /** in bytes */
  readonly pageSize: number;
  readonly zstd: ZstdDecoder;
}

export class KdumpPages {
  readonly #options: KdumpPagesOptions;
  /** by their file offset: frames may share a page there */
  readonly #kept = new Map<number, Uint8Array>();
  readonly #damaged: FrameSet;
  /** number of a block of descriptors -> the block */
  readonly #blocks = new Map<number, DataView>();
  readonly #found: Descriptor = { offset: 0, size: 0, flags: 0 };
  /** the frame asked for last, and its place among the descriptors */
  #frame = -1;
  #rank = -1;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  /** where the page read last ends, in the file */
  #readTo = -1;
  /** file offset of the one page that all zero pages share; -1 if they share none */
  readonly #zeroOffset: number;

  constructor(options: KdumpPagesOptions) {
    this.#options = options;
    const { source, stored, descriptorsAt, pageSize } = options;
    this.#damaged = new FrameSet(stored.end);
    const pagesAt = descriptorsAt + stored.count * EACH;
    const first = readAt(source, pagesAt, pageSize);
    this.#zeroOffset = first.length === pageSize && first.every((byte) => byte === 0) ? pagesAt : -1;
  }

  /** Of a frame that the bitmap has: is it all zeros, by its descriptor? */
  isZero(frame: number): boolean {
    const { offset, flags, size } = this.#descriptor(frame);
    return offset === this.#zeroOffset && flags === 0 && size === this.#options.pageSize;
  }

  /** Where a frame's page is in the file, in bytes. */
  offsetOf(frame: number): number {
    return this.#descriptor(frame).offset;
  }

  /** Could the frame's bytes not be read? Known once they were asked for. */
  isDamaged(frame: number): boolean {
    return this.#damaged.has(frame);
  }

  /** Copies `length` bytes from byte `from` of a frame that the bitmap has. @returns false where the page is damaged */
  read(frame: number, from: number, length: number, target: Uint8Array, targetOffset: number): boolean {
    if (this.isZero(frame)) {
      target.fill(0, targetOffset, targetOffset + length);
      return true;
    }
    if (this.#damaged.has(frame)) return false;
    const { offset } = this.#found;
    const kept = this.#kept.get(offset);
    const page = kept ?? this.#unpack(this.#found);
    if (page === null) {
      this.#damaged.add(frame);
      return false;
    }
    // Whoever asks for whole pages goes through them once.
    if (kept === undefined && length < page.length) this.#keep(offset, page);
    target.set(length === page.length ? page : page.subarray(from, from + length), targetOffset);
    return true;
  }

  #keep(offset: number, page: Uint8Array): void {
    if (this.#kept.size >= KEPT_PAGES) {
      const oldest = this.#kept.keys().next().value;
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    this.#kept.set(offset, page.slice());
  }

  #descriptor(frame: number): Descriptor {
    if (frame === this.#frame) return this.#found;
    const { source, stored, descriptorsAt } = this.#options;
    // The frame before is in the file as well: it was asked for.
    this.#rank = frame === this.#frame + 1 && this.#frame !== -1 ? this.#rank + 1 : stored.rank(frame);
    this.#frame = frame;
    const number = Math.floor(this.#rank / DESCRIPTORS_A_BLOCK);
    let block = this.#blocks.get(number);
    if (block === undefined) {
      const first = number * DESCRIPTORS_A_BLOCK;
      block = viewOf(readAt(source, descriptorsAt + first * EACH, Math.min(DESCRIPTORS_A_BLOCK, stored.count - first) * EACH));
      if (this.#blocks.size >= KEPT_BLOCKS) this.#blocks.clear();
      this.#blocks.set(number, block);
    }
    const at = (this.#rank % DESCRIPTORS_A_BLOCK) * EACH;
    // After the end of a file that is cut short there is nothing.
    if (at + EACH > block.byteLength) Object.assign(this.#found, { offset: source.size, size: 1, flags: 0 });
    else descriptorAt(block, at, this.#found);
    return this.#found;
  }

  /** The bytes of a page as they are stored: valid until the next are asked for. */
  #stored(offset: number, size: number): Uint8Array {
    const { source } = this.#options;
    const end = this.#windowAt + this.#window.length;
    const isNext = this.#readTo !== -1 && offset >= this.#readTo && offset - this.#readTo < NEAR;
    this.#readTo = offset + size;
    if (offset < this.#windowAt || offset + size > end) {
      if (!isNext) return readAt(source, offset, size);
      this.#window = readAt(source, offset, Math.max(WINDOW, size));
      this.#windowAt = offset;
    }
    return this.#window.subarray(offset - this.#windowAt, offset - this.#windowAt + size);
  }

  #unpack({ offset, size, flags }: Descriptor): Uint8Array | null {
    const { source, pageSize, zstd } = this.#options;
    // A page that grew by compression is stored as it is.
    if (size > pageSize || offset + size > source.size) return null;
    const bytes = this.#stored(offset, size);
    if ((flags & DUMP_DH_COMPRESSED.ZLIB) !== 0) return inflated(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.LZO) !== 0) return lzoDecompress(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.SNAPPY) !== 0) return snappyDecompress(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.ZSTD) !== 0) return zstd.frame(bytes, pageSize);
    return bytes.length === pageSize ? bytes : null;
  }
}

/** More room than a page: zlib then sees in one call that the stream has ended. */
const ROOM = 128;

function inflated(bytes: Uint8Array, pageSize: number): Uint8Array | null {
  try {
    const page = inflateSync(bytes, { chunkSize: pageSize + ROOM, maxOutputLength: pageSize });
    return page.length === pageSize ? page : null;
  } catch {
    // zlib throws for damage; what is not there is reported by who asked for the page.
    return null;
  }
}
