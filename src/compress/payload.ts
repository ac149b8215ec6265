/**
 * Decompression of kernels and BTF files in memory: one stream at the start of some bytes, whatever follows it ignored
 * (a bzImage's payload is followed by its size). For kernel-file.ts.
 */
import { pipeline, Readable } from 'node:stream';
import { constants, crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { decompressLz4Legacy, lz4LegacyHead } from './lz4.js';
import { tooLarge } from './too-large.js';
import { decompressXz, xzHead } from './xz.js';
import { zstdDecoder } from './zstd.js';

export type PayloadKind = 'gzip' | 'xz' | 'zstd' | 'lz4';

/** First bytes, as scripts/extract-vmlinux of 7.3 searches for them. */
export const payloadMagics: readonly { readonly kind: PayloadKind; readonly magic: Uint8Array }[] = [
  { kind: 'gzip', magic: Uint8Array.of(0x1f, 0x8b, 0x08) },
  { kind: 'xz', magic: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00) },
  { kind: 'lz4', magic: Uint8Array.of(0x02, 0x21, 0x4c, 0x18) },
  { kind: 'zstd', magic: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd) },
];

const PIECE = 64 * 1024;
/** Of a stream's contents, enough to tell a kernel by. */
const HEAD_INPUT = 4096;

/** Which compression `bytes` start with, or null. */
export const payloadKindOf = (bytes: Uint8Array): PayloadKind | null => payloadMagics.find(({ magic }) => startsWith(bytes, magic))?.kind ?? null;

const startsWith = (bytes: Uint8Array, magic: Uint8Array): boolean => magic.every((byte, index) => bytes[index] === byte);

/**
 * The contents of the stream that `bytes` start with. What was decompressed before an error is returned too: the caller
 * checks whether it is whole (bytes that follow a stream can't be told from a damaged one everywhere).
 * @param limit in bytes
 * @throws Error where not even the beginning could be decompressed; RangeError where it holds more than `limit`
 */
export async function decompressPayload(kind: PayloadKind, bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  switch (kind) {
    case 'gzip':
      return gunzip(bytes, limit);
    case 'lz4':
      return decompressLz4Legacy(bytes, limit);
    case 'xz':
      return decompressXz(bytes, limit);
    case 'zstd':
      return collect((await zstdDecoder()).stream(pieces(bytes)), limit);
  }
}

/** How the contents of the stream start: what tells a kernel from bytes that only look like a magic, without unpacking it. @throws Error */
export async function payloadHead(kind: PayloadKind, bytes: Uint8Array): Promise<Uint8Array> {
  const start = bytes.subarray(0, HEAD_INPUT);
  switch (kind) {
    case 'gzip':
      return inflateRawSync(start.subarray(gzipHeader(start)), { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: HEAD_INPUT * 1100 });
    case 'lz4':
      return lz4LegacyHead(bytes);
    case 'xz':
      return xzHead(bytes);
    case 'zstd':
      for (const chunk of (await zstdDecoder()).stream(pieces(bytes))) if (chunk.length > 0) return chunk;
      return new Uint8Array(0);
  }
}

/** Bytes that grow: pieces of unknown number, held once. */
class Grown {
  #bytes = new Uint8Array(1 << 20);
  #size = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws RangeError past the limit */
  add(chunk: Uint8Array): void {
    const size = this.#size + chunk.length;
    if (size > this.#limit) throw tooLarge(this.#limit);
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(size, Math.min(this.#limit, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#size);
    this.#size = size;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }
}

function collect(chunks: Iterable<Uint8Array>, limit: number): Uint8Array {
  const grown = new Grown(limit);
  try {
    for (const chunk of chunks) grown.add(chunk);
  } catch (error) {
    if (grown.bytes.length === 0 || error instanceof RangeError) throw error;
  }
  return grown.bytes;
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

/** Bits of a gzip header's flags: what follows its first ten bytes. Source: RFC 1952, 2.3.1. */
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;

/** Bytes of the header in front of the first member's deflate stream. */
function gzipHeader(bytes: Uint8Array): number {
  const flags = bytes[3] ?? 0;
  let at = 10;
  if ((flags & FEXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [FNAME, FCOMMENT]) if ((flags & text) !== 0) at = bytes.indexOf(0, at) + 1;
  return (flags & FHCRC) !== 0 ? at + 2 : at;
}

/** The first member alone: Node's own gunzip takes the bytes after it for another one. */
async function gunzip(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  const at = gzipHeader(bytes);
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  // Errors of either side reach the loop below, because pipeline destroys the transform with them.
  pipeline(Readable.from(pieces(bytes.subarray(at))), inflate, () => {});
  const grown = new Grown(limit);
  for await (const chunk of inflate) if (chunk instanceof Uint8Array) grown.add(chunk);
  const contents = grown.bytes;
  const end = at + inflate.bytesWritten;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (end + 4 > bytes.length || view.getUint32(end, true) !== crc32(contents)) throw new Error('the checksum differs');
  return contents;
}
