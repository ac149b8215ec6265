/** What a run read of memory, and at which step: the bytes behind an answer. Kept only where somebody is going to ask. */
import { Column } from './column.js';

/** A range that was read, physical, in bytes. */
export interface ReadRange {
  readonly address: number;
  readonly length: number;
}

export class ReadLog {
  readonly #steps = new Column(Uint32Array);
  readonly #addresses = new Column(Float64Array);
  readonly #lengths = new Column(Uint32Array);

  /** @param step the step that is being taken */
  push(step: number, address: number, length: number): void {
    const last = this.#addresses.length - 1;
    // A table read entry by entry is one range.
    if (last >= 0 && this.#steps.at(last) === step && this.#addresses.at(last) + this.#lengths.at(last) === address) {
      this.#lengths.set(last, this.#lengths.at(last) + length);
      return;
    }
    this.#steps.push(step);
    this.#addresses.push(address);
    this.#lengths.push(length);
  }

  /** What was read at steps `from` to `to`, both included, in order. */
  *between(from: number, to: number): Iterable<ReadRange> {
    let low = 0;
    let high = this.#steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#steps.at(middle) < from) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#steps.length && this.#steps.at(at) <= to; at++) yield { address: this.#addresses.at(at), length: this.#lengths.at(at) };
  }
}
