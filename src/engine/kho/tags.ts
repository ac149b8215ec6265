/** page->private of preserved blocks that nobody has restored yet: order by the block's first page. A byte a page, kept where there are blocks: a handover may have millions. */

/** Pages of one piece of the table. */
const PIECE_PAGES = 1 << 15;
/** No machine has a larger block. */
const MOST_ORDER = 30;

export class Tags {
  readonly #pageSize: number;
  /** order + 1; 0: no block starts here */
  readonly #pieces = new Map<number, Uint8Array>();
  #size = 0;
  #recent: Uint8Array | undefined;
  #recentNumber = -1;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  get size(): number {
    return this.#size;
  }

  set(address: number, order: number): void {
    const page = address / this.#pageSize;
    if (!Number.isInteger(page)) return;
    const number = Math.floor(page / PIECE_PAGES);
    let piece = this.#piece(number);
    if (piece === undefined) {
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
