/** Random numbers that a seed repeats: Mulberry32, whose 32 bits of state are enough to choose fields, bits and steps. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** in [0, 1) */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** an integer in [0, below) */
  below(below: number): number {
    return Math.floor(this.unit() * below);
  }

  chance(part: number): boolean {
    return this.unit() < part;
  }

  /** @throws RangeError of an empty list */
  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new RangeError('nothing to choose from');
    return one;
  }
}
