/** The bitmaps of a kdump-compressed dump, read block by block: which pages are in it, and the how-manieth each of them is. */
import type { MemoryRange } from '../memory/memory.js';
import { type ByteSource, readAt } from './byte-source.js';
import { isZero } from './output-file.js';

/** Bytes of bitmap between two counts that are kept. */
const BLOCK = 64;
const PIECE = 1024 * 1024;

const bitsOf = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

export class PageBitmap {
  readonly #source: ByteSource;
  readonly #at: number;
  readonly #first: number;
  readonly #end: number;
  /** The block of `first`: what is below it is not read, so that the parts of a dump cost what the whole does. */
  readonly #base: number;
  /** set bits before each block from `base` on; null until they are counted */
  #before: Float64Array | null = null;
  #count = 0;
  readonly #ranked: boolean;
  #block: Uint8Array = new Uint8Array(0);
  #blockIndex = -1;

  /**
   * Bits of page frames [first, end) of the bitmap at offset `at` count; the caller checked that the file holds it. They are
   * counted and listed only when asked for: a file can claim more pages than it has room for. Only a `ranked` bitmap can tell a rank.
   */
  constructor(source: ByteSource, at: number, first: number, end: number, ranked = false) {
    this.#source = source;
    this.#at = at;
    this.#first = first;
    this.#end = end;
    this.#ranked = ranked;
    this.#base = Math.floor(first / 8 / BLOCK);
  }

  get count(): number {
    this.#counted();
    return this.#count;
  }

  #counted(): Float64Array {
    if (this.#before !== null) return this.#before;
    const [first, end, base] = [this.#first, this.#end, this.#base];
    const size = Math.ceil(end / 8);
    const before = new Float64Array(this.#ranked ? Math.max(0, Math.ceil(size / BLOCK) - base) + 1 : 0);
    let count = 0;
    for (let piece = base * BLOCK; piece < size; piece += PIECE) {
      const bytes = readAt(this.#source, this.#at + piece, Math.min(PIECE, size - piece));
      if (isZero(bytes)) {
        before.fill(count, piece / BLOCK - base, Math.ceil((piece + bytes.length) / BLOCK) - base);
        continue;
      }
      for (let index = 0; index < bytes.length; index++) {
        const offset = piece + index;
        if (offset % BLOCK === 0) before[offset / BLOCK - base] = count;
        const byte = bytes[index] ?? 0;
        if (byte === 0) continue;
        const frame = offset * 8;
        if (frame >= first && frame + 8 <= end) count += bitsOf[byte] ?? 0;
        else for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0 && frame + bit >= first && frame + bit < end) count++;
      }
    }
    this.#count = count;
    this.#before = before;
    return before;
  }

  /** First frame after those that count. */
  get end(): number {
    return this.#end;
  }

  /** Ranges of set bits, in page frames, ascending. */
  *frames(): Iterable<MemoryRange> {
    const size = Math.ceil(this.#end / 8);
    let start = -1;
    let stop = -1;
    for (let piece = this.#base * BLOCK; piece < size; piece += PIECE) {
      const bytes = readAt(this.#source, this.#at + piece, Math.min(PIECE, size - piece));
      if (isZero(bytes)) continue;
      for (let index = 0; index < bytes.length; index++) {
        const byte = bytes[index] ?? 0;
        const frame = (piece + index) * 8;
        if (byte === 0xff && frame === stop && frame + 8 <= this.#end) {
          stop += 8;
          continue;
        }
        if (byte === 0) continue;
        for (let bit = 0; bit < 8; bit++) {
          const at = frame + bit;
          if ((byte & (1 << bit)) === 0 || at < this.#first || at >= this.#end) continue;
          if (at !== stop) {
            if (start !== -1) yield { start, end: stop };
            start = at;
          }
          stop = at + 1;
        }
      }
    }
    if (start !== -1) yield { start, end: stop };
  }

  has(frame: number): boolean {
    if (frame < this.#first || frame >= this.#end) return false;
    return ((this.#blockOf(frame)[Math.floor(frame / 8) % BLOCK] ?? 0) & (1 << (frame % 8))) !== 0;
  }

  /** How many bits below `frame` are set. */
  rank(frame: number): number {
    const block = this.#blockOf(frame);
    let rank = this.#counted()[this.#blockIndex - this.#base] ?? 0;
    let at = this.#blockIndex * BLOCK * 8;
    for (const byte of block) {
      if (at >= frame) break;
      if (at + 8 <= frame && at >= this.#first) rank += bitsOf[byte] ?? 0;
      else for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0 && at + bit >= this.#first && at + bit < frame) rank++;
      at += 8;
    }
    return rank;
  }

  #blockOf(frame: number): Uint8Array {
    const index = Math.floor(frame / 8 / BLOCK);
    if (index !== this.#blockIndex) {
      this.#block = readAt(this.#source, this.#at + index * BLOCK, BLOCK);
      this.#blockIndex = index;
    }
    return this.#block;
  }
}
