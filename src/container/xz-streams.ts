/**
 * An .xz file may hold several streams in a row; the decoder reads one. Their places are found from the end
 * of the file: each footer leads to an index, and the index to the stream's size.
 * Source: The .xz File Format 1.2.1, sections 2.1.2 and 4.
 */
import { XZ_EDGE, XZ_FOOTER_MAGIC, xzStreamFooter } from '../../abi/xz/stream.js';
import { decodeStruct } from '../codec/decode.js';
import { type ByteSource, readAt } from './byte-source.js';

interface XzStream {
  /** in the file, in bytes */
  readonly start: number;
  readonly end: number;
}

/** Blocks are megabytes: an index larger than this is damage. */
const LARGEST_INDEX = 16 * 1024 * 1024;
const MOST_STREAMS = 65536;
/** Nobody pads more; a file that ends in more zeros is damaged. */
const MOST_PADDING = 1024 * 1024;

/** The streams of the file in order; the whole file as one where its end does not tell (cut short, or damaged). */
export function xzStreams(source: ByteSource): readonly XzStream[] {
  const whole = [{ start: 0, end: source.size }];
  const streams: XzStream[] = [];
  let end = source.size;
  while (end > 0) {
    end = beforePadding(source, end);
    const size = streamSize(source, end);
    if (size === null || size > end || streams.length >= MOST_STREAMS) return whole;
    streams.push({ start: end - size, end });
    end -= size;
  }
  return streams.length === 0 ? whole : streams.reverse();
}

/** A stream may be followed by zeros, in units of four. */
function beforePadding(source: ByteSource, end: number): number {
  let at = end;
  while (at >= 4 && end - at < MOST_PADDING && readAt(source, at - 4, 4).every((byte) => byte === 0)) at -= 4;
  return at;
}

/** Size of the stream that ends at `end`, or null where none does. */
function streamSize(source: ByteSource, end: number): number | null {
  if (end < 2 * XZ_EDGE) return null;
  const footer = decodeStruct(xzStreamFooter, readAt(source, end - XZ_EDGE, XZ_EDGE));
  if (String.fromCharCode(...footer.magic) !== XZ_FOOTER_MAGIC) return null;
  const indexSize = (footer.backward_size + 1) * 4;
  if (indexSize > LARGEST_INDEX || indexSize + 2 * XZ_EDGE > end) return null;
  const blocks = blocksSize(readAt(source, end - XZ_EDGE - indexSize, indexSize));
  return blocks === null ? null : blocks + indexSize + 2 * XZ_EDGE;
}

/** Bytes of all blocks that an index lists, or null where it is damaged. */
function blocksSize(index: Uint8Array): number | null {
  let at = 1;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = index[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  if (index[0] !== 0) return null;
  const count = number();
  let total = 0;
  for (let record = 0; record < count; record++) {
    if (at >= index.length) return null;
    const unpadded = number();
    number();
    total += Math.ceil(unpadded / 4) * 4;
  }
  return total;
}
