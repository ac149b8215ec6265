/**
 * xz streams as kernels are compressed with: one block after another, each LZMA2 with the x86 filter in front, other bytes
 * after the stream. xz-decompress knows neither filters nor an end before the end of the file, so that each block is
 * handed to it as a stream of its own and the filter undone here. For payload.ts.
 * Source: The .xz File Format 1.1.0; lib/xz/xz_dec_bcj.c (bcj_x86) of 7.3.
 */
import { crc32 } from 'node:zlib';
import { ReadableStream } from './pull-stream.js';
import { tooLarge } from './too-large.js';

const STREAM_HEADER = 12;
const FILTER_X86 = 4;
const FILTER_LZMA2 = 0x21;
/** Bytes of the check after each block, by the type in the stream header. */
const checkBytes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const CHECK_CRC32 = 1;

interface Block {
  readonly x86: boolean;
  readonly dictionary: number;
  readonly lzma2: Uint8Array;
  /** in bytes, decompressed */
  readonly size: number;
  readonly crc: number | null;
  readonly end: number;
}

/**
 * The contents of the xz stream at the start of `bytes`.
 * @param limit in bytes
 * @throws RangeError where the stream is damaged, uses a filter other than x86, or holds more than `limit`
 */
export async function decompressXz(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  const check = (bytes[7] ?? 0) & 15;
  const parts: Uint8Array[] = [];
  let total = 0;
  let at = STREAM_HEADER;
  // A block starts with its header's size; 0 there starts the index.
  while (byteAt(bytes, at) !== 0) {
    const block = readBlock(bytes, at, check);
    total += block.size;
    if (total > limit) throw tooLarge(limit);
    const part = await decodeBlock(block);
    if (block.x86) undoX86(part);
    if (block.crc !== null && crc32(part) !== block.crc) throw new RangeError(`the checksum of the block at ${at} differs`);
    parts.push(part);
    at = block.end;
  }
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts, total);
}

/** Up to here the first block is unpacked to see how it starts. */
const HEAD_BLOCK = 1 << 20;

/** How the first block starts: its first LZMA2 chunks alone. @throws RangeError where it is damaged */
export async function xzHead(bytes: Uint8Array): Promise<Uint8Array> {
  if (byteAt(bytes, STREAM_HEADER) === 0) throw new RangeError('no block');
  const block = readBlock(bytes, STREAM_HEADER, (bytes[7] ?? 0) & 15, HEAD_BLOCK);
  // The filter leaves an ELF header as it is: there is no jump in it.
  return decodeBlock(block);
}

/** @param enough bytes of contents from which on the chunks that follow are left out */
function readBlock(bytes: Uint8Array, start: number, check: number, enough = Number.POSITIVE_INFINITY): Block {
  const data = start + (byteAt(bytes, start) + 1) * 4;
  const flags = byteAt(bytes, start + 1);
  let at = start + 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = byteAt(bytes, at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is too long');
  };
  if ((flags & 0x40) !== 0) number();
  if ((flags & 0x80) !== 0) number();
  let x86 = false;
  let dictionary: number | null = null;
  for (let filter = 0; filter <= (flags & 3); filter++) {
    const id = number();
    const properties = number();
    if (id === FILTER_X86 && properties === 0) x86 = true;
    else if (id === FILTER_LZMA2 && properties === 1) dictionary = byteAt(bytes, at);
    else throw new RangeError(`filter 0x${id.toString(16)} is not known`);
    at += properties;
  }
  if (dictionary === null) throw new RangeError('the block has no LZMA2 filter');
  const { end, size, cut } = walkChunks(bytes, data, enough);
  const checkAt = Math.ceil(end / 4) * 4;
  const crc =
    check === CHECK_CRC32
      ? (byteAt(bytes, checkAt) | (byteAt(bytes, checkAt + 1) << 8) | (byteAt(bytes, checkAt + 2) << 16) | (byteAt(bytes, checkAt + 3) << 24)) >>> 0
      : null;
  return {
    x86,
    dictionary,
    lzma2: cut ? Buffer.concat([bytes.subarray(data, end), Uint8Array.of(0)]) : bytes.subarray(data, end),
    size,
    crc,
    end: checkAt + (checkBytes[check] ?? 0),
  };
}

/** Where the LZMA2 chunks at `start` end, and how many bytes they hold decompressed. */
function walkChunks(bytes: Uint8Array, start: number, enough: number): { readonly end: number; readonly size: number; readonly cut: boolean } {
  const u16 = (at: number): number => byteAt(bytes, at) * 256 + byteAt(bytes, at + 1);
  let size = 0;
  let at = start;
  for (;;) {
    const control = byteAt(bytes, at);
    if (control === 0) return { end: at + 1, size, cut: false };
    if (size >= enough) return { end: at, size, cut: true };
    if (control < 0x80) {
      const length = u16(at + 1) + 1;
      size += length;
      at += 3 + length;
    } else {
      size += (control & 0x1f) * 0x10000 + u16(at + 1) + 1;
      at += (control >= 0xc0 ? 6 : 5) + u16(at + 3) + 1;
    }
  }
}

/** The contents of one stream, piece by piece, through xz-decompress: LZMA2 alone, checks verified. @throws Error with a code of enum xz_ret */
export async function* unxz(input: Iterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = (await import('xz-decompress')).default;
  const compressed = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = input.next();
      // It asks once more after the footer; what is cut short it refuses by itself.
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
  // Of the stream it is given it uses no more than the reader, whatever its types ask for.
  const contents: ReadableStream<Uint8Array> = Reflect.construct(XzReadableStream, [compressed]);
  const reader = contents.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (value.length > 0) yield value;
  }
}

/** A stream of this block alone, without filter and check, through xz-decompress. */
async function decodeBlock(block: Block): Promise<Uint8Array> {
  const out = new Uint8Array(block.size);
  let done = 0;
  for await (const piece of unxz(aloneAsStream(block).values())) {
    out.set(piece.subarray(0, block.size - done), done);
    done += piece.length;
  }
  if (done !== block.size) throw new RangeError(`a block holds ${done} bytes, its chunks say ${block.size}`);
  return out;
}

function aloneAsStream(block: Block): Uint8Array[] {
  const flags = [0, 0];
  const header = withCrc([2, 0, FILTER_LZMA2, 1, block.dictionary, 0, 0, 0]);
  const padding = new Uint8Array((4 - (block.lzma2.length % 4)) % 4);
  const index = [0, 1, ...vli(header.length + block.lzma2.length), ...vli(block.size)];
  while (index.length % 4 !== 0) index.push(0);
  const backward = (index.length + 4) / 4 - 1;
  const tail = [backward & 255, (backward >> 8) & 255, 0, 0, ...flags];
  return [
    Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, ...withCrc(flags)),
    Uint8Array.from(header),
    block.lzma2,
    padding,
    Uint8Array.from(withCrc(index)),
    Uint8Array.of(...withCrc(tail).slice(tail.length), ...tail, 0x59, 0x5a),
  ].filter((piece) => piece.length > 0);
}

function withCrc(bytes: readonly number[]): readonly number[] {
  const crc = crc32(Uint8Array.from(bytes));
  return [...bytes, crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24];
}

function vli(value: number): readonly number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  return [...out, rest];
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError('the stream is cut short');
  return byte;
}

const allowedMask = [true, true, true, false, true, false, false, false] as const;
const maskToBit = [0, 1, 2, 2, 3, 3, 3, 3] as const;
const isMostSignificant = (byte: number): boolean => byte === 0 || byte === 0xff;

/** Turns the absolute targets of CALL and JMP back into relative ones, in place: bcj_x86. */
function undoX86(code: Uint8Array): void {
  let previous = -1;
  let mask = 0;
  for (let at = 0; at + 4 < code.length; at++) {
    if (((code[at] ?? 0) & 0xfe) !== 0xe8) continue;
    const distance = at - previous;
    previous = at;
    mask = distance > 3 ? 0 : (mask << (distance - 1)) & 7;
    if (mask !== 0 && (allowedMask[mask] !== true || isMostSignificant(code[at + 4 - (maskToBit[mask] ?? 0)] ?? 0))) {
      mask = (mask << 1) | 1;
      continue;
    }
    if (!isMostSignificant(code[at + 4] ?? 0)) {
      mask = (mask << 1) | 1;
      continue;
    }
    const view = new DataView(code.buffer, code.byteOffset + at + 1, 4);
    let source = view.getUint32(0, true);
    let target = (source - (at + 5)) >>> 0;
    while (mask !== 0) {
      const bits = (maskToBit[mask] ?? 0) * 8;
      if (!isMostSignificant((target >>> (24 - bits)) & 255)) break;
      source = (target ^ (2 ** (32 - bits) - 1)) >>> 0;
      target = (source - (at + 5)) >>> 0;
    }
    target &= 0x1ffffff;
    view.setUint32(0, (target | (0 - (target & 0x1000000))) >>> 0, true);
    at += 4;
  }
}
