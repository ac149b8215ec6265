/**
 * page->private of preserved blocks that nobody has restored yet: order by the block's first page. Single pages, of which a handover may
 * have millions, are bits; a byte a page, kept where there are blocks, tells the order of others.
 */

import type { Work } from '../work.js';

/** Pages of one piece of the bits: as many as a page of the map has. */
const PIECE_LOG2 = 15;
const PIECE_PAGES = 1 << PIECE_LOG2;
/** Pages of one piece of the bytes: small, since blocks of high orders are far apart. */
const BYTES_PAGES = 1 << 11;
/** Orders from which on blocks are kept one by one, and how many of them count as a piece. */
const LARGE = 6;
const LARGE_A_PIECE = 16;
/** No machine has a larger block. */
const MOST_ORDER = 30;
/** Pieces of the bits that are found by their number: those of the first 2 TiB, in pages of 4 KiB. */
const MOST_NEAR = 1 << 14;

export class Tags {
  readonly #pageSize: number;
  /** bits of single pages; those far up by their number */
  readonly #near: (Uint32Array | undefined)[] = [];
  readonly #far = new Map<number, Uint32Array>();
  /** order + 1; 0: no block of more than one page starts here */
  readonly #bytes = new Map<number, Uint8Array>();
  /** of blocks so large that few of them fit one piece, by their first page */
  readonly #large = new Map<number, number>();
  readonly #work: Work;
  #size = 0;

  /** @param work of the run, which ends where there are too many */
  constructor(pageSize: number, work: Work) {
    this.#pageSize = pageSize;
    this.#work = work;
  }

  get size(): number {
    return this.#size;
  }

  set(address: number, order: number): void {
    const page = address / this.#pageSize;
    if (!Number.isInteger(page)) return;
    if (order > 0 || this.#bytes.size + this.#large.size > 0) this.take(address);
    if (order === 0) {
      const piece = this.#singles(Math.floor(page / PIECE_PAGES)) ?? this.#newSingles(Math.floor(page / PIECE_PAGES));
      const word = (page % PIECE_PAGES) >>> 5;
      const before = piece[word] ?? 0;
      const after = (before | (1 << (page & 31))) >>> 0;
      if (before === after) return;
      piece[word] = after;
    } else if (order >= LARGE) {
      if (this.#large.size % LARGE_A_PIECE === 0) this.#work.keep();
      this.#large.set(page, order);
    } else {
      const number = Math.floor(page / BYTES_PAGES);
      let piece = this.#bytes.get(number);
      if (piece === undefined) {
        this.#work.keep();
        piece = new Uint8Array(BYTES_PAGES);
        this.#bytes.set(number, piece);
      }
      piece[page % BYTES_PAGES] = order + 1;
    }
    this.#size++;
  }

  get(address: number): number | undefined {
    const page = address / this.#pageSize;
    if (!Number.isInteger(page)) return undefined;
    const number = Math.floor(page / PIECE_PAGES);
    if ((((this.#singles(number)?.[(page - number * PIECE_PAGES) >>> 5] ?? 0) >>> (page & 31)) & 1) === 1) return 0;
    const held = this.#bytes.size === 0 ? 0 : (this.#bytes.get(Math.floor(page / BYTES_PAGES))?.[page % BYTES_PAGES] ?? 0);
    if (held !== 0) return held - 1;
    return this.#large.size === 0 ? undefined : this.#large.get(page);
  }

  /** Is `address` inside of a block? */
  covers(address: number): boolean {
    const page = Math.floor(address / this.#pageSize);
    for (let order = 0; order <= MOST_ORDER; order++) if (this.get((page - (page % 2 ** order)) * this.#pageSize) === order) return true;
    return false;
  }

  /** @returns the order of the block that started at `address`, which is no longer kept; undefined where none did */
  take(address: number): number | undefined {
    const page = address / this.#pageSize;
    const number = Math.floor(page / PIECE_PAGES);
    const singles = this.#singles(number);
    if (singles !== undefined && Number.isInteger(page)) {
      const at = (page - number * PIECE_PAGES) >>> 5;
      const word = singles[at] ?? 0;
      const left = word & ~(1 << (page & 31));
      if (left !== (word | 0)) {
        singles[at] = left;
        this.#size--;
        return 0;
      }
    }
    const order = this.get(address);
    if (order === undefined) return undefined;
    this.#size--;
    if (order >= LARGE) this.#large.delete(page);
    else {
      const piece = this.#bytes.get(Math.floor(page / BYTES_PAGES));
      if (piece !== undefined) piece[page % BYTES_PAGES] = 0;
    }
    return order;
  }

  #singles(number: number): Uint32Array | undefined {
    return number < MOST_NEAR ? this.#near[number] : this.#far.get(number);
  }

  #newSingles(number: number): Uint32Array {
    const piece = new Uint32Array(PIECE_PAGES / 32);
    // As large as two pieces of bytes.
    this.#work.keep();
    this.#work.keep();
    if (number >= MOST_NEAR) this.#far.set(number, piece);
    else {
      while (this.#near.length <= number) this.#near.push(undefined);
      this.#near[number] = piece;
    }
    return piece;
  }
}
