/**
 * LZ4 as kernels are compressed with (`lz4 -l`): the legacy frame, a chain of blocks of up to 8 MiB each. For payload.ts.
 * Source: lz4 doc/lz4_Frame_format.md, "Legacy frame", and doc/lz4_Block_format.md; lib/decompress_unlz4.c, 7.3.
 */
import { tooLarge } from './too-large.js';

/** Uncompressed bytes of a block at most, and what a block may grow to where it does not compress. */
const BLOCK = 8 << 20;
const MAX_COMPRESSED_BLOCK = BLOCK + Math.floor(BLOCK / 255) + 16;
const MAGIC_BYTES = 4;
const MIN_MATCH = 4;

/**
 * The contents of the legacy frame at the start of `bytes`; what follows its last block is ignored.
 * @param limit in bytes
 * @throws RangeError where a block is damaged or the contents are larger than `limit`
 */
export function decompressLz4Legacy(bytes: Uint8Array, limit: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let total = 0;
  let at = MAGIC_BYTES;
  while (at + 4 <= bytes.length) {
    const length = view.getUint32(at, true);
    // The size of the whole kernel is after the last block: it is no block's length.
    if (length === 0 || length > MAX_COMPRESSED_BLOCK || at + 4 + length > bytes.length) break;
    const part = decompressBlock(bytes.subarray(at + 4, at + 4 + length));
    total += part.length;
    if (total > limit) throw tooLarge(limit);
    parts.push(part);
    at += 4 + length;
    if (part.length < BLOCK) break;
  }
  return Buffer.concat(parts, total);
}

/** The first block alone. @throws RangeError where it is damaged */
export function lz4LegacyHead(bytes: Uint8Array): Uint8Array {
  if (bytes.length < MAGIC_BYTES + 4) throw new RangeError('no block');
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(MAGIC_BYTES, true);
  if (length === 0 || length > MAX_COMPRESSED_BLOCK || MAGIC_BYTES + 4 + length > bytes.length) throw new RangeError('no block');
  return decompressBlock(bytes.subarray(MAGIC_BYTES + 4, MAGIC_BYTES + 4 + length));
}

function decompressBlock(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(BLOCK);
  let from = 0;
  let to = 0;
  const extended = (nibble: number): number => {
    let length = nibble;
    if (nibble !== 15) return length;
    for (;;) {
      const byte = input[from++];
      if (byte === undefined) throw new RangeError('a length is cut off');
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (from < input.length) {
    const token = input[from++] ?? 0;
    const literals = extended(token >>> 4);
    if (from + literals > input.length || to + literals > BLOCK) throw new RangeError('literals reach past the block');
    out.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === input.length) return out.subarray(0, to);
    const low = input[from];
    const high = input[from + 1];
    if (low === undefined || high === undefined) throw new RangeError('a match is cut off');
    from += 2;
    const distance = low | (high << 8);
    const length = extended(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > to || to + length > BLOCK) throw new RangeError('a match reaches outside the block');
    // Byte by byte where the match overlaps what it writes.
    if (distance >= length) out.copyWithin(to, to - distance, to - distance + length);
    else for (let index = 0; index < length; index++) out[to + index] = out[to - distance + index] ?? 0;
    to += length;
  }
  return out.subarray(0, to);
}
