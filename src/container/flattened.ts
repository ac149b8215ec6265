/** makedumpfile's flattened form (-F): the pieces of a dump in the order they were written. Seen as the dump they make up. */
import { FLATTENED_HEADER_BLOCK, FLATTENED_SIGNATURE, flattenedHeader, flattenedPiece } from '../../abi/kdump/kdump.js';
import { currentBudget, raise } from '../codec/budget.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, readAt } from './byte-source.js';
import { bytesIn, ExtentBuilder, findExtent } from './extents.js';

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
  for (let index = pieces.length - PIECE_NUMBERS; index >= 0; index -= PIECE_NUMBERS) {
    const [start = 0, end = 0, offset = 0] = pieces.slice(index, index + PIECE_NUMBERS);
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

const PIECE_NUMBERS = 3;

/** Start and end in the dump, and offset in the file, of one piece after the other: there may be millions. */
function readPieces(source: ByteSource): number[] {
  const { name, size } = source;
  const head = sizeOf(flattenedPiece);
  const budget = currentBudget();
  const pieces: number[] = [];
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
    if (!budget.spend('flattened-pieces', 1, name))
      throw new UserError(
        `${name}: more than ${budget.allowed('flattened-pieces')} pieces at offset ${at}; rearrange it with makedumpfile -R, or ${raise(budget, 'flattened-pieces')}`,
      );
    if (length > 0) pieces.push(Number(offset), Number(offset) + length, at + head);
    at += head + length;
  }
}
