/** A file as far as patches (or a tree) show it: known lines by number, with gaps between. Hunks are applied to it. */
import type { Hunk } from './patch.js';
import type { Line } from './tokens.js';

export class KnownFile {
  /** by line number, from 1 */
  readonly #lines: Map<number, string>;
  /** are all lines known? */
  readonly whole: boolean;
  readonly #last: number;

  private constructor(lines: Map<number, string>, whole: boolean, last: number) {
    this.#lines = lines;
    this.whole = whole;
    this.#last = last;
  }

  static of(text: string): KnownFile {
    const lines = text.split('\n');
    return new KnownFile(new Map(lines.map((line, index) => [index + 1, line])), true, lines.length);
  }

  static readonly empty = new KnownFile(new Map(), true, 0);
  static readonly unknown = new KnownFile(new Map(), false, 0);

  /** What a patch shows of the file before it, beside what was known. */
  learn(hunks: readonly Hunk[]): KnownFile {
    if (this.whole) return this;
    const lines = new Map(this.#lines);
    for (const { beforeStart, lines: shown } of hunks) {
      let at = beforeStart;
      for (const { sign, text } of shown) if (sign !== '+') lines.set(at++, text);
    }
    return new KnownFile(lines, false, 0);
  }

  /** The file after the patch. Lines are taken from the hunks, whatever was known of them. */
  apply(hunks: readonly Hunk[]): KnownFile {
    const lines = new Map<number, string>();
    const numbers = [...this.#lines.keys()].sort((a, b) => a - b);
    let shift = 0;
    let next = 0;
    const keepUpTo = (limit: number): void => {
      for (let number = numbers[next]; number !== undefined && number < limit; number = numbers[++next])
        lines.set(number + shift, this.#lines.get(number) ?? '');
    };
    for (const { beforeStart, afterStart, lines: shown } of hunks) {
      const removed = shown.filter(({ sign }) => sign !== '+').length;
      // A hunk without lines before is after the line it names.
      keepUpTo(removed === 0 ? beforeStart + 1 : beforeStart);
      let at = afterStart;
      for (const { sign, text } of shown) if (sign !== '-') lines.set(at++, text);
      const end = removed === 0 ? beforeStart + 1 : beforeStart + removed;
      while ((numbers[next] ?? Number.POSITIVE_INFINITY) < end) next++;
      shift += shown.filter(({ sign }) => sign === '+').length - shown.filter(({ sign }) => sign === '-').length;
    }
    keepUpTo(Number.POSITIVE_INFINITY);
    return new KnownFile(lines, this.whole, this.#last + shift);
  }

  /** Its lines in order, a null wherever some are not known. */
  lines(): readonly Line[] {
    const out: Line[] = [];
    let last = 0;
    for (const number of [...this.#lines.keys()].sort((a, b) => a - b)) {
      if (number !== last + 1) out.push(null);
      out.push({ number, text: this.#lines.get(number) ?? '' });
      last = number;
    }
    if (!this.whole) out.push(null);
    return out;
  }
}
