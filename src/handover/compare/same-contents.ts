/** Are the contents of a memfd the same in two dumps? Page by page where both have them, in one pass, holding one piece of each. */
import type { PhysicalMemory } from '../../memory/memory.js';
import { progress } from '../../memory/progress.js';
import { type ContentPiece, PIECE, type PagesRead, readContents } from '../contents.js';
import type { Memfd } from '../memfd.js';

interface ContentsVerdict {
  /** pages that both dumps have and that hold the same */
  readonly same: number;
  readonly different: number;
  /** offset of the first byte that differs, in the file */
  readonly firstDifference: number | null;
  /** pages that one of the dumps does not have */
  readonly unknown: number;
  /** why, for the first of these */
  readonly why: string | null;
}

/** One side of a comparison, with what was read of it so far. */
export interface ContentSide {
  readonly memory: PhysicalMemory;
  readonly read: PagesRead;
}

/** Bytes between two looks at how far it is. */
const STRIDE = 1 << 20;

/** For a piece of either side: files are compared one after another, and may have millions of pages. */
const ROOM = { left: new Uint8Array(PIECE), right: new Uint8Array(PIECE) };

/** Compares up to the smaller of the two sizes. */
export function compareContents(before: Memfd, from: ContentSide, after: Memfd, to: ContentSide): ContentsVerdict {
  const { pageSize } = from.memory;
  const size = Math.min(Number(before.size), Number(after.size));
  const left = new Cursor(readContents(before, from.memory, from.read, ROOM.left));
  const right = new Cursor(readContents(after, to.memory, to.read, ROOM.right));
  const verdict = { same: 0, different: 0, firstDifference: null as number | null, unknown: 0, why: null as string | null };
  for (let at = 0; at < size; ) {
    if (at % STRIDE === 0) progress('comparing contents', at, size);
    const [a, b] = [left.at(at), right.at(at)];
    if (a === null || b === null) break;
    if ('hole' in a.piece && 'hole' in b.piece) {
      const end = Math.min(size, a.end, b.end);
      verdict.same += Math.ceil((end - at) / pageSize);
      at = end;
      continue;
    }
    const missing = 'missing' in a.piece ? a.piece : 'missing' in b.piece ? b.piece : null;
    if (missing !== null) {
      // As far as it reaches: a size that damage made has more pages than anybody can count one by one.
      const end = Math.min(size, 'missing' in a.piece ? a.end : b.end);
      verdict.unknown += Math.ceil((end - at) / pageSize);
      verdict.why ??= missing.why;
      at = end;
      continue;
    }
    const end = Math.min(size, at - (at % pageSize) + pageSize, a.end, b.end);
    const offset = firstDifference(a.piece, b.piece, at, end);
    if (offset === null) verdict.same++;
    else {
      verdict.different++;
      verdict.firstDifference ??= offset;
    }
    at = end;
  }
  return verdict;
}

class Cursor {
  readonly #pieces: Iterator<ContentPiece>;
  #piece: ContentPiece | null = null;
  #end = 0;

  constructor(pieces: Iterable<ContentPiece>) {
    this.#pieces = pieces[Symbol.iterator]();
  }

  /** The piece that holds `offset`, which never goes back; null past the end. */
  at(offset: number): { readonly piece: ContentPiece; readonly end: number } | null {
    while (this.#piece === null || offset >= this.#end) {
      const next = this.#pieces.next();
      if (next.done === true) return null;
      this.#piece = next.value;
      this.#end = next.value.offset + ('bytes' in next.value ? next.value.bytes.length : next.value.length);
    }
    return { piece: this.#piece, end: this.#end };
  }
}

/** A hole reads as zeros. */
const byteAt = (piece: ContentPiece, offset: number): number => ('bytes' in piece ? (piece.bytes[offset - piece.offset] ?? 0) : 0);

function firstDifference(a: ContentPiece, b: ContentPiece, from: number, end: number): number | null {
  if ('bytes' in a && 'bytes' in b) {
    const left = Buffer.from(a.bytes.buffer, a.bytes.byteOffset + from - a.offset, end - from);
    const right = Buffer.from(b.bytes.buffer, b.bytes.byteOffset + from - b.offset, end - from);
    if (left.equals(right)) return null;
  }
  for (let offset = from; offset < end; offset++) if (byteAt(a, offset) !== byteAt(b, offset)) return offset;
  return null;
}
