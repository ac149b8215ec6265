/** LZO1X, as kdump pages are compressed with it. Source: Documentation/staging/lzo.rst, 7.3 (without its run-length extension). */

/** How many literals the last instruction copied decides what an instruction below 16 means: 0, 1 to 3, or a long run. */
const AFTER_LONG_RUN = 4;

/** `input` decompressed, or null where it is damaged or does not decompress to `size` bytes. */
export function lzoDecompress(input: Uint8Array, size: number): Uint8Array | null {
  const reader = new LzoReader(input, size);
  return reader.run() ? reader.out : null;
}

class LzoReader {
  readonly #input: Uint8Array;
  readonly out: Uint8Array;
  #ip = 0;
  #op = 0;
  #damaged = false;

  constructor(input: Uint8Array, size: number) {
    this.#input = input;
    this.out = new Uint8Array(size);
  }

  /** Whether the input was whole and filled the output exactly. */
  run(): boolean {
    let state = 0;
    const first = this.#input[0] ?? 0;
    if (first > 17) {
      this.#ip = 1;
      this.#literals(first - 17);
      state = first - 17 < 4 ? first - 17 : AFTER_LONG_RUN;
    }
    while (!this.#damaged) {
      const t = this.#byte();
      let length: number;
      let distance: number;
      let literals: number;
      if (t >= 64) {
        length = (t >> 5) + 1;
        distance = (this.#byte() << 3) + ((t >> 2) & 7) + 1;
        literals = t & 3;
      } else if (t >= 32) {
        length = this.#extended(t & 31, 31) + 2;
        const low = this.#u16();
        distance = (low >> 2) + 1;
        literals = low & 3;
      } else if (t >= 16) {
        length = this.#extended(t & 7, 7) + 2;
        const low = this.#u16();
        distance = ((t & 8) << 11) + (low >> 2);
        if (distance === 0) return !this.#damaged && length === 3 && this.#op === this.out.length && this.#ip === this.#input.length;
        distance += 0x4000;
        literals = low & 3;
      } else if (state === 0) {
        this.#literals(this.#extended(t, 15) + 3);
        state = AFTER_LONG_RUN;
        continue;
      } else {
        length = state === AFTER_LONG_RUN ? 3 : 2;
        distance = (this.#byte() << 2) + (t >> 2) + (state === AFTER_LONG_RUN ? 0x801 : 1);
        literals = t & 3;
      }
      this.#match(distance, length);
      this.#literals(literals);
      state = literals;
    }
    return false;
  }

  #byte(): number {
    const value = this.#input[this.#ip++];
    if (value === undefined) this.#damaged = true;
    return value ?? 0;
  }

  #u16(): number {
    return this.#byte() | (this.#byte() << 8);
  }

  /** A length of 0 goes on in the bytes that follow: 255 for each zero byte, then the last. */
  #extended(length: number, base: number): number {
    if (length !== 0) return length;
    let extended = base;
    let value = this.#byte();
    while (value === 0 && !this.#damaged) {
      extended += 255;
      value = this.#byte();
    }
    return extended + value;
  }

  #literals(count: number): void {
    if (this.#ip + count > this.#input.length || this.#op + count > this.out.length) {
      this.#damaged = true;
      return;
    }
    for (let left = count; left > 0; left--) this.out[this.#op++] = this.#input[this.#ip++] ?? 0;
  }

  #match(distance: number, length: number): void {
    if (distance > this.#op || this.#op + length > this.out.length) {
      this.#damaged = true;
      return;
    }
    // Byte by byte: a match may reach into what it writes.
    for (let left = length; left > 0; left--) {
      this.out[this.#op] = this.out[this.#op - distance] ?? 0;
      this.#op++;
    }
  }
}
