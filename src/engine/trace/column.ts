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
