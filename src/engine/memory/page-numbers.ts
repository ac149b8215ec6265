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
