/** Numbers and repeated texts by the million: growing typed arrays, and texts kept once. Used by the trace and the write log. */

type NumberArray = Float64Array | Uint32Array | Int32Array | Uint8Array | Uint16Array;

/** Entries of one piece: a column grows by whole pieces, so that nothing is copied and little is kept for nothing. */
const PIECE = 1 << 14;

/** An append-only column of numbers. */
export class Column<T extends NumberArray> {
  readonly #make: new (
    length: number,
  ) => T;
  readonly #pieces: T[] = [];
  #last: T;
  #length = 0;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#last = new make(0);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    const at = this.#length % PIECE;
    if (at === 0) {
      this.#last = new this.#make(PIECE);
      this.#pieces.push(this.#last);
    }
    this.#last[at] = value;
    this.#length++;
  }

  /** Changes an entry that is there. */
  set(index: number, value: number): void {
    const piece = this.#pieces[Math.floor(index / PIECE)];
    if (piece !== undefined && index < this.#length) piece[index % PIECE] = value;
  }

  /** 0 where there is no such entry. */
  at(index: number): number {
    return index < this.#length ? (this.#pieces[Math.floor(index / PIECE)]?.[index % PIECE] ?? 0) : 0;
  }
}

/** Texts by number, each kept once. */
export class Interned {
  readonly #texts: string[] = [];
  readonly #ids = new Map<string, number>();

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#texts.length;
      this.#texts.push(text);
      this.#ids.set(text, id);
    }
    return id;
  }

  text(id: number): string {
    return this.#texts[id] ?? '';
  }
}

/** A number for each of many pages, eight bytes apiece: what a Map of millions of them would take ten times the memory for. */
const CHUNK = 512;

export class PageNumbers {
  /** value + 1; 0 where there is none */
  readonly #chunks = new Map<number, Float64Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param page that is no whole number has no value. @param value not negative, below 2^53 */
  get(page: number): number | undefined {
    const stored = this.#chunks.get(Math.floor(page / CHUNK))?.[page % CHUNK] ?? 0;
    return stored === 0 ? undefined : stored - 1;
  }

  set(page: number, value: number): void {
    const index = Math.floor(page / CHUNK);
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = new Float64Array(CHUNK);
      this.#chunks.set(index, chunk);
    }
    if (chunk[page % CHUNK] === 0) this.#size++;
    chunk[page % CHUNK] = value + 1;
  }

  /** @returns whether there was a value */
  delete(page: number): boolean {
    if (this.get(page) === undefined) return false;
    const chunk = this.#chunks.get(Math.floor(page / CHUNK));
    if (chunk !== undefined) chunk[page % CHUNK] = 0;
    this.#size--;
    return true;
  }

  /** Pages with their values, ascending; what is changed meanwhile may or may not be seen. */
  *entries(): Iterable<readonly [page: number, value: number]> {
    for (const index of [...this.#chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.#chunks.get(index);
      for (let at = 0; chunk !== undefined && at < CHUNK; at++) {
        const stored = chunk[at] ?? 0;
        if (stored !== 0) yield [index * CHUNK + at, stored - 1];
      }
    }
  }
}
