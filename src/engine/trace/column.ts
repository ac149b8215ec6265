/** Numbers and repeated texts by the million: growing typed arrays, and texts kept once. Used by the trace and the write log. */

type NumberArray = Float64Array | Uint32Array | Int32Array | Uint8Array | Uint16Array;

/** An append-only column of numbers. */
export class Column<T extends NumberArray> {
  readonly #make: new (
    length: number,
  ) => T;
  #values: T;
  #length = 0;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#values = new make(1024);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new this.#make(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length++] = value;
  }

  /** Changes an entry that is there. */
  set(index: number, value: number): void {
    if (index < this.#length) this.#values[index] = value;
  }

  /** 0 where there is no such entry. */
  at(index: number): number {
    return index < this.#length ? (this.#values[index] ?? 0) : 0;
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
