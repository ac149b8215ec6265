/**
 * A set of page frames as bits: 32 KiB for each GiB of memory (in pages of 4 KiB) that has one in it. Frames beyond the machine's memory,
 * which only a damaged dump names, are remembered one by one, up to a limit; another ends what is scattered over more memory than is told apart.
 */
import { currentBudget } from '../codec/budget.js';
import type { PhysicalMemory } from './memory.js';

const PIECE_LOG2 = 18;
const PIECE = 1 << PIECE_LOG2;
/** Frames outside the machine's memory that are remembered; more of them are more damage than anybody reads about. */
const MOST_OUTSIDE = 1 << 16;

export class FrameSet {
  readonly #pieces: (Uint32Array | undefined)[];
  readonly #outside = new Set<number>();
  readonly #budget = currentBudget();

  /** @param end first frame number that the machine does not have */
  constructor(end: number) {
    this.#pieces = new Array(Math.ceil(end / PIECE));
  }

  /** Of the memory of a dump. */
  static of(memory: PhysicalMemory): FrameSet {
    return new FrameSet(Math.ceil((memory.readable.at(-1)?.end ?? 0) / memory.pageSize));
  }

  has(frame: number): boolean {
    const small = frame >>> 0;
    const index = small === frame ? small >>> PIECE_LOG2 : Math.floor(frame / PIECE);
    if (index >= this.#pieces.length) return this.#outside.has(frame);
    const at = small & (PIECE - 1);
    return (((this.#pieces[index]?.[at >>> 5] ?? 0) >>> (at & 31)) & 1) === 1;
  }

  /** @returns false where it is there already, or there is no room for it */
  add(frame: number): boolean {
    // Small numbers, as nearly all are, are taken apart in 32 bits.
    const small = frame >>> 0;
    const index = small === frame ? small >>> PIECE_LOG2 : Math.floor(frame / PIECE);
    if (index >= this.#pieces.length) {
      if (this.#outside.has(frame) || this.#outside.size >= MOST_OUTSIDE) return false;
      this.#outside.add(frame);
      return true;
    }
    let piece = this.#pieces[index];
    if (piece === undefined) {
      if (!this.#budget.spend('frame-pieces', 1, 'page frames')) return false;
      piece = new Uint32Array(PIECE / 32);
      this.#pieces[index] = piece;
    }
    const at = small & (PIECE - 1);
    const word = piece[at >>> 5] ?? 0;
    const bit = 1 << (at & 31);
    if ((word & bit) !== 0) return false;
    piece[at >>> 5] = word | bit;
    return true;
  }

  /** The bits of 32 frames. @param frame the first of them, a multiple of 32 */
  word(frame: number): number {
    const index = Math.floor(frame / PIECE);
    if (index < this.#pieces.length) return this.#pieces[index]?.[(frame - index * PIECE) >>> 5] ?? 0;
    let word = 0;
    if (this.#outside.size > 0) for (let bit = 0; bit < 32; bit++) if (this.#outside.has(frame + bit)) word |= 1 << bit;
    return word;
  }

  /** Is any of the frames from `first` up to `end` (exclusive) in it? Those outside the machine's memory apart. */
  hasAny(first: number, end: number): boolean {
    const last = Math.min(end, this.#pieces.length * PIECE);
    for (let frame = first; frame < last; ) {
      const piece = this.#pieces[Math.floor(frame / PIECE)];
      const at = frame % PIECE;
      // Nothing in this piece, or in this word.
      if (piece === undefined) frame += PIECE - at;
      else if ((at & 31) === 0 && piece[at >>> 5] === 0) frame += 32;
      else if (this.has(frame)) return true;
      else frame++;
    }
    return false;
  }

  /** All frames, ascending; those outside the machine's memory last. */
  *frames(): Iterable<number> {
    for (const [index, piece] of this.#pieces.entries())
      for (const [at, word] of (piece ?? []).entries())
        for (let bit = 0, left = word; left !== 0; bit++, left >>>= 1) if ((left & 1) !== 0) yield index * PIECE + at * 32 + bit;
    yield* this.#outside;
  }
}
