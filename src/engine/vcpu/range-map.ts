/** Values for ranges of whole numbers (pages, frames), the last one set wins. A range costs the same whatever its length. */
export class RangeMap<T> {
  readonly #otherwise: T;
  #ranges: readonly { readonly start: number; readonly end: number; readonly value: T }[] = [];

  constructor(otherwise: T) {
    this.#otherwise = otherwise;
  }

  get(at: number): T {
    const found = this.#ranges.find(({ start, end }) => at >= start && at < end);
    return found === undefined ? this.#otherwise : found.value;
  }

  /** [start, end) */
  set(start: number, end: number, value: T): void {
    const kept = this.#ranges.flatMap((range) => [
      ...(range.start < start ? [{ ...range, end: Math.min(range.end, start) }] : []),
      ...(range.end > end ? [{ ...range, start: Math.max(range.start, end) }] : []),
    ]);
    this.#ranges = [...kept, { start, end, value }];
  }
}
