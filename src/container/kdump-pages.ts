/** The pages of a kdump-compressed dump: found through their descriptors, decompressed one by one, the last ones kept. */
import { inflateSync } from 'node:zlib';
import { DUMP_DH_COMPRESSED, pageDesc } from '../../abi/kdump/kdump.js';
import type { DecodedStruct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type ByteSource, readAt } from './byte-source.js';
import { lzoDecompress } from './lzo.js';
import type { PageBitmap } from './page-bitmap.js';
import { snappyDecompress } from './snappy.js';
import type { ZstdDecoder } from '../compress/zstd.js';

const KEPT_PAGES = 64;
/** Descriptors at the end of the table that are looked at to tell a file cut short. */
const LAST_DESCRIPTORS = 1024;

type Descriptor = DecodedStruct<typeof pageDesc>;

/** Where the descriptors end, or the pages of the last of them: what the file must at least hold, in bytes. */
export function descriptorsEnd(source: ByteSource, at: number, count: number): number {
  const each = sizeOf(pageDesc);
  let end = at + count * each;
  if (end > source.size) return end;
  for (let index = Math.max(0, count - LAST_DESCRIPTORS); index < count; index++) {
    const { offset, size } = decodeStruct(pageDesc, readAt(source, at + index * each, each));
    end = Math.max(end, Number(offset) + size);
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
  /** by where they stand in the file: frames may share a page there */
  readonly #kept = new Map<number, Uint8Array>();
  readonly #damaged = new Set<number>();
  /** the descriptor asked for last: a page's state and its bytes are asked for one after the other */
  #last: { readonly frame: number; readonly descriptor: Descriptor } | null = null;
  /** where the one page is that stands for all zero pages, in the file */
  readonly #zeroOffset: bigint | null;

  constructor(options: KdumpPagesOptions) {
    this.#options = options;
    const { source, stored, descriptorsAt, pageSize } = options;
    const pagesAt = descriptorsAt + stored.count * sizeOf(pageDesc);
    const first = readAt(source, pagesAt, pageSize);
    this.#zeroOffset = first.length === pageSize && first.every((byte) => byte === 0) ? BigInt(pagesAt) : null;
  }

  /** Of a frame that the bitmap has: is it all zeros, by its descriptor? */
  isZero(frame: number): boolean {
    const { offset, flags, size } = this.#descriptor(frame);
    return offset === this.#zeroOffset && flags === 0 && size === this.#options.pageSize;
  }

  /** Could the frame's bytes not be read? Known once they were asked for. */
  isDamaged(frame: number): boolean {
    return this.#damaged.has(frame);
  }

  /** The bytes of a frame that the bitmap has, or null where they are damaged. */
  page(frame: number): Uint8Array | null {
    if (this.#damaged.has(frame)) return null;
    const descriptor = this.#descriptor(frame);
    const offset = Number(descriptor.offset);
    const kept = this.#kept.get(offset);
    if (kept !== undefined) return kept;
    const page = this.#unpack(descriptor);
    if (page === null) {
      this.#damaged.add(frame);
      return null;
    }
    if (this.#kept.size >= KEPT_PAGES) {
      const oldest = this.#kept.keys().next().value;
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    this.#kept.set(offset, page);
    return page;
  }

  #descriptor(frame: number): Descriptor {
    if (this.#last === null || this.#last.frame !== frame) {
      const { source, stored, descriptorsAt } = this.#options;
      const each = sizeOf(pageDesc);
      this.#last = { frame, descriptor: decodeStruct(pageDesc, readAt(source, descriptorsAt + stored.rank(frame) * each, each)) };
    }
    return this.#last.descriptor;
  }

  #unpack({ offset, size, flags }: Descriptor): Uint8Array | null {
    const { source, pageSize, zstd } = this.#options;
    // A page that grew by compression is stored as it is.
    if (size > pageSize || offset + BigInt(size) > BigInt(source.size)) return null;
    const bytes = readAt(source, Number(offset), size);
    if ((flags & DUMP_DH_COMPRESSED.ZLIB) !== 0) return inflated(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.LZO) !== 0) return lzoDecompress(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.SNAPPY) !== 0) return snappyDecompress(bytes, pageSize);
    if ((flags & DUMP_DH_COMPRESSED.ZSTD) !== 0) return zstd.frame(bytes, pageSize);
    return bytes.length === pageSize ? bytes : null;
  }
}

function inflated(bytes: Uint8Array, pageSize: number): Uint8Array | null {
  try {
    const page = inflateSync(bytes, { maxOutputLength: pageSize });
    return page.length === pageSize ? page : null;
  } catch {
    // zlib throws for damage; what is not there is reported by who asked for the page.
    return null;
  }
}
