/**
 * Decompression of kernels and BTF files in memory: one stream at the start of some bytes, whatever follows it ignored
 * (a bzImage's payload is followed by its size). For kernel-file.ts.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { decompressLz4Legacy } from './lz4.js';
import { decompressXz } from './xz.js';

export type PayloadKind = 'gzip' | 'xz' | 'zstd' | 'lz4';

/** First bytes, as scripts/extract-vmlinux of 7.3 searches for them. */
export const payloadMagics: readonly { readonly kind: PayloadKind; readonly magic: Uint8Array }[] = [
  { kind: 'gzip', magic: Uint8Array.of(0x1f, 0x8b, 0x08) },
  { kind: 'xz', magic: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00) },
  { kind: 'lz4', magic: Uint8Array.of(0x02, 0x21, 0x4c, 0x18) },
  { kind: 'zstd', magic: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd) },
];

/** More than any kernel or BTF has: a decompression bomb ends here. */
const MAX_CONTENTS = 1 << 30;
const PIECE = 64 * 1024;

/** Which compression `bytes` start with, or null. */
export const payloadKindOf = (bytes: Uint8Array): PayloadKind | null => payloadMagics.find(({ magic }) => startsWith(bytes, magic))?.kind ?? null;

const startsWith = (bytes: Uint8Array, magic: Uint8Array): boolean => magic.every((byte, index) => bytes[index] === byte);

/**
 * The contents of the stream that `bytes` start with. What was decompressed before an error is returned too: the caller
 * checks whether it is whole (bytes that follow a stream can't be told from a damaged one everywhere).
 * @throws Error where not even the beginning could be decompressed
 */
export async function decompressPayload(kind: PayloadKind, bytes: Uint8Array): Promise<Uint8Array> {
  switch (kind) {
    case 'gzip':
      return gunzip(bytes);
    case 'lz4':
      return decompressLz4Legacy(bytes, MAX_CONTENTS);
    case 'xz':
      return decompressXz(bytes, MAX_CONTENTS);
    case 'zstd':
      return collect(zstdChunks(bytes));
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of chunks) {
      parts.push(Uint8Array.from(chunk));
      total += chunk.length;
      if (total > MAX_CONTENTS) break;
    }
  } catch (error) {
    if (total === 0) throw error;
  }
  return Buffer.concat(parts, total);
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

/** Calls in a row without output: the decoder reports an error by standing still. */
const STALLED = 64;

async function* zstdChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  const wasm = new ZSTDDecoder();
  await wasm.init();
  let empty = 0;
  for (const chunk of wasm.decodeStreaming(pieces(bytes))) {
    empty = chunk.length > 0 ? 0 : empty + 1;
    if (empty >= STALLED) return;
    yield chunk;
  }
}

/** Bits of a gzip header's flags: what follows its first ten bytes. Source: RFC 1952, 2.3.1. */
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;

/** The first member alone: Node's own gunzip takes the bytes behind it for another one. */
function gunzip(bytes: Uint8Array): Uint8Array {
  const flags = bytes[3] ?? 0;
  let at = 10;
  if ((flags & FEXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [FNAME, FCOMMENT]) if ((flags & text) !== 0) at = bytes.indexOf(0, at) + 1;
  if ((flags & FHCRC) !== 0) at += 2;
  const { buffer: contents, engine } = inflateWithEnd(bytes.subarray(at));
  const end = at + engine.bytesWritten;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (end + 4 > bytes.length || view.getUint32(end, true) !== crc32(contents)) throw new RangeError('the checksum differs');
  return contents;
}

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

const isInflated = (value: unknown): value is Inflated =>
  typeof value === 'object' && value !== null && 'buffer' in value && Buffer.isBuffer(value.buffer) && 'engine' in value;

/** `info` makes Node return the engine too, which knows how many bytes of input it took; its types leave that out. */
function inflateWithEnd(bytes: Uint8Array): Inflated {
  const result: unknown = inflateRawSync(bytes, { maxOutputLength: MAX_CONTENTS, info: true });
  if (!isInflated(result)) throw new TypeError('inflateRawSync gave no engine');
  return result;
}
