/** Reading JSON whose shape is not ours (a capture's ground truth): every step checked, nothing assumed. */

export class Truth {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  static parse(text: string): Truth {
    return new Truth(JSON.parse(text));
  }

  at(...keys: readonly (string | number)[]): Truth {
    let value = this.#value;
    for (const key of keys) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
    return new Truth(value);
  }

  get exists(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  list(): readonly Truth[] {
    return Array.isArray(this.#value) ? this.#value.map((item: unknown) => new Truth(item)) : [];
  }

  keys(): readonly string[] {
    return typeof this.#value === 'object' && this.#value !== null ? Object.keys(this.#value) : [];
  }

  text(): string | null {
    return typeof this.#value === 'string' ? this.#value : null;
  }

  /** A number, or a string of one ("0x…" above 2^53). */
  integer(): bigint | null {
    if (typeof this.#value === 'number' && Number.isSafeInteger(this.#value)) return BigInt(this.#value);
    return typeof this.#value === 'string' && /^(0x[0-9a-f]+|\d+)$/i.test(this.#value) ? BigInt(this.#value) : null;
  }

  number(): number | null {
    return typeof this.#value === 'number' ? this.#value : null;
  }

  isTrue(): boolean {
    return this.#value === true;
  }

  toString(): string {
    return JSON.stringify(this.#value) ?? 'nothing';
  }
}
