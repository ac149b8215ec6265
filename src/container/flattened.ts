/** makedumpfile's flattened form (-F): the pieces of a dump in the order they were written. Seen as the dump they make up. */
import { FLATTENED_HEADER_BLOCK, FLATTENED_SIGNATURE, flattenedHeader, flattenedPiece } from '../../abi/kdump/kdump.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, readAt } from './byte-source.js';
import { bytesIn, ExtentBuilder, findExtent } from './extents.js';

/** makedumpfile writes pieces of many pages; a guard against damage. */
const MAX_PIECES = 1 << 24;
/** Bytes of the dump that may be in no piece, beside as many as the file has. */
const MOST_HOLES = 16 * 1024 * 1024;

export const isFlattened = (head: Uint8Array): boolean =>
  head.length >= sizeOf(flattenedHeader) && decodeStruct(flattenedHeader, head).signature.text === FLATTENED_SIGNATURE;

/** The dump in the flattened file. @throws UserError where it is damaged or cut short */
export function flattenedSource(source: ByteSource): ByteSource {
  const { name } = source;
  const header = decodeStruct(flattenedHeader, readAt(source, 0, sizeOf(flattenedHeader)));
  if (header.type !== 1n || header.version !== 1n)
    throw new UserError(
      `${name}: a flattened dump of type ${header.type}, version ${header.version} (offset 0), not 1 and 1; rearrange it with makedumpfile -R`,
    );
  const pieces = readPieces(source);
  const extents = new ExtentBuilder();
  let size = 0;
  // What was written last holds: makedumpfile writes the header again at the end.
  for (const { start, end, offset } of pieces.reverse()) {
    extents.add(start, end, offset);
    size = Math.max(size, end);
  }
  const table = extents.build();
  const holes = size - bytesIn(table);
  if (holes > source.size + MOST_HOLES)
    throw new UserError(`${name}: flattened dump damaged: ${holes} bytes of the dump were never written, the file has ${source.size}; write it again`);
  if (holes === size) throw new UserError(`${name}: a flattened dump without any piece (offset ${FLATTENED_HEADER_BLOCK}); write it again`);
  return {
    name,
    size,
    readInto(offset, length, target, targetOffset = 0) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      let done = 0;
      while (done < wanted) {
        const at = offset + done;
        const index = findExtent(table, at);
        const start = table.starts[index] ?? size;
        const end = table.ends[index] ?? size;
        const part = Math.min(wanted - done, (start > at ? start : end) - at);
        // Nothing was written there: a hole.
        if (start > at) target.fill(0, targetOffset + done, targetOffset + done + part);
        else if (source.readInto((table.offsets[index] ?? 0) + at - start, part, target, targetOffset + done) < part) return done;
        done += part;
      }
      return done;
    },
    close: () => source.close(),
  };
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

function readPieces(source: ByteSource): Piece[] {
  const { name, size } = source;
  const head = sizeOf(flattenedPiece);
  const pieces: Piece[] = [];
  let at = FLATTENED_HEADER_BLOCK;
  for (;;) {
    const bytes = readAt(source, at, head);
    if (bytes.length < head) throw new UserError(`${name}: flattened dump cut short: no end mark before offset ${size}; write it again`);
    const { offset, buf_size } = decodeStruct(flattenedPiece, bytes);
    if (offset === -1n && buf_size === -1n) return pieces;
    if (offset < 0n || buf_size < 0n || offset + buf_size > BigInt(Number.MAX_SAFE_INTEGER))
      throw new UserError(`${name}: flattened dump damaged: the piece at offset ${at} belongs at ${offset}, ${buf_size} bytes long; write it again`);
    const length = Number(buf_size);
    if (at + head + length > size)
      throw new UserError(
        `${name}: flattened dump cut short: the piece at offset ${at} ends at offset ${at + head + length}, the file at ${size}; write it again`,
      );
    if (pieces.length >= MAX_PIECES) throw new UserError(`${name}: more than ${MAX_PIECES} pieces at offset ${at}; rearrange it with makedumpfile -R`);
    if (length > 0) pieces.push({ start: Number(offset), end: Number(offset) + length, offset: at + head });
    at += head + length;
  }
}
