/** page->private of preserved blocks that nobody has restored yet: order by the block's first page. A byte a page, kept where there are blocks: a handover may have millions. */

import type { Work } from '../work.js';

/** Pages of one piece of the table: small, since blocks of high orders are far apart. */
const PIECE_PAGES = 1 << 11;
/** Orders from which on blocks are kept one by one, and how many of them count as a piece. */
const LARGE = 6;
const LARGE_A_PIECE = 16;
/** No machine has a larger block. */
const MOST_ORDER = 30;

export class Tags {
  readonly #pageSize: number;
  /** order + 1; 0: no block starts here */
  readonly #pieces = new Map<number, Uint8Array>();
  /** of blocks so large that few of them fit one piece, by their first page */
  readonly #large = new Map<number, number>();
  readonly #work: Work;
  #size = 0;
  #recent: Uint8Array | undefined;
  #recentNumber = -1;

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
    if (order >= LARGE) {
      this.delete(address);
      if (this.#large.size % LARGE_A_PIECE === 0) this.#work.keep();
      this.#large.set(page, order);
      this.#size++;
      return;
    }
    if (this.#large.delete(page)) this.#size--;
    const number = Math.floor(page / PIECE_PAGES);
    let piece = this.#piece(number);
    if (piece === undefined) {
      this.#work.keep();
      piece = new Uint8Array(PIECE_PAGES);
      this.#pieces.set(number, piece);
      this.#recentNumber = number;
      this.#recent = piece;
    }
    if (piece[page % PIECE_PAGES] === 0) this.#size++;
    piece[page % PIECE_PAGES] = order + 1;
  }

  get(address: number): number | undefined {
    const page = address / this.#pageSize;
    if (!Number.isInteger(page)) return undefined;
    const large = this.#large.get(page);
    if (large !== undefined) return large;
    const held = this.#piece(Math.floor(page / PIECE_PAGES))?.[page % PIECE_PAGES] ?? 0;
    return held === 0 ? undefined : held - 1;
  }

  /** Is `address` inside of a block? */
  covers(address: number): boolean {
    const page = Math.floor(address / this.#pageSize);
    for (let order = 0; order <= MOST_ORDER; order++) if (this.get((page - (page % 2 ** order)) * this.#pageSize) === order) return true;
    return false;
  }

  delete(address: number): void {
    const page = address / this.#pageSize;
    if (this.#large.delete(page)) {
      this.#size--;
      return;
    }
    const piece = Number.isInteger(page) ? this.#piece(Math.floor(page / PIECE_PAGES)) : undefined;
    if (piece === undefined || (piece[page % PIECE_PAGES] ?? 0) === 0) return;
    piece[page % PIECE_PAGES] = 0;
    this.#size--;
  }

  #piece(number: number): Uint8Array | undefined {
    if (number !== this.#recentNumber) {
      this.#recentNumber = number;
      this.#recent = this.#pieces.get(number);
    }
    return this.#recent;
  }
}
