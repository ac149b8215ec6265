/**
 * Every write to the simulated machine's memory, in order, as columns: address, what was there, what is there now, and what it
 * means. A small write costs its own bytes twice and a few numbers; a whole page costs two references.
 */
import { Column, Interned } from '../trace/column.js';
import type { StepWrite } from '../trace/step.js';

const ARENA_BYTES = 1 << 20;

export class WriteLog {
  readonly #addresses = new Column(Float64Array);
  readonly #lengths = new Column(Uint32Array);
  /** >= 0: place in the arena; < 0: -(index into `#pages`) - 1 */
  readonly #places = new Column(Float64Array);
  readonly #meanings = new Column(Uint32Array);
  readonly #names = new Interned();
  readonly #joined = new Map<string, Map<string, string>>();
  readonly #arenas: Uint8Array[] = [];
  readonly #pages: (Uint8Array | undefined)[] = [];
  #arena = new Uint8Array(0);
  #arenaUsed = ARENA_BYTES;

  get length(): number {
    return this.#addresses.length;
  }

  /** Logs that `bytes` are about to be written over what `page` holds at `offset`; both are copied. */
  append(address: number, page: Uint8Array, offset: number, bytes: Uint8Array, struct: string, field: string): void {
    const { length } = bytes;
    if (this.#arenaUsed + 2 * length > ARENA_BYTES) {
      this.#arena = new Uint8Array(ARENA_BYTES);
      this.#arenas.push(this.#arena);
      this.#arenaUsed = 0;
    }
    const arena = this.#arena;
    const at = this.#arenaUsed;
    // Most writes are a few bytes: a loop is cheaper than two views and two copies.
    for (let index = 0; index < length; index++) {
      arena[at + index] = page[offset + index] ?? 0;
      arena[at + length + index] = bytes[index] ?? 0;
    }
    this.#push(address, length, (this.#arenas.length - 1) * ARENA_BYTES + at, struct, field);
    this.#arenaUsed += 2 * length;
  }

  /** Logs that a whole page was replaced; both are kept by reference. `undefined`: a page nobody had written. */
  appendPage(address: number, length: number, before: Uint8Array | undefined, after: Uint8Array | undefined, meaning: string): void {
    this.#pages.push(before, after);
    this.#push(address, length, -(this.#pages.length - 2) - 1, meaning, '');
  }

  #push(address: number, length: number, place: number, struct: string, field: string): void {
    this.#addresses.push(address);
    this.#lengths.push(length);
    this.#places.push(place);
    this.#meanings.push(this.#names.id(field === '' ? struct : this.#named(struct, field)));
  }

  // Joining the two for every write would make a new text each time.
  #named(struct: string, field: string): string {
    let fields = this.#joined.get(struct);
    if (fields === undefined) {
      fields = new Map();
      this.#joined.set(struct, fields);
    }
    let name = fields.get(field);
    if (name === undefined) {
      name = `${struct}.${field}`;
      fields.set(field, name);
    }
    return name;
  }

  addressOf(index: number): number {
    return this.#addresses.at(index);
  }

  lengthOf(index: number): number {
    return this.#lengths.at(index);
  }

  /** The page that write number `index` put in place, or null if it was no whole-page write. */
  pageOf(index: number): { readonly after: Uint8Array | undefined; readonly before: Uint8Array | undefined } | null {
    const place = this.#places.at(index);
    if (place >= 0) return null;
    const at = -place - 1;
    return { before: this.#pages[at], after: this.#pages[at + 1] };
  }

  /** The bytes that write number `index` stored; a view that must not be changed. */
  afterOf(index: number): Uint8Array {
    return this.#bytes(index, 1);
  }

  record(index: number): StepWrite {
    const name = this.#names.text(this.#meanings.at(index));
    const dot = name.indexOf('.');
    return {
      address: this.addressOf(index),
      length: this.lengthOf(index),
      struct: name === '' ? null : dot === -1 ? name : name.slice(0, dot),
      field: dot === -1 ? null : name.slice(dot + 1),
      before: this.#bytes(index, 0),
      after: this.#bytes(index, 1),
    };
  }

  #bytes(index: number, which: 0 | 1): Uint8Array {
    const length = this.#lengths.at(index);
    const place = this.#places.at(index);
    if (place < 0) return this.#pages[-place - 1 + which] ?? new Uint8Array(length);
    const arena = this.#arenas[Math.floor(place / ARENA_BYTES)];
    const at = (place % ARENA_BYTES) + which * length;
    return arena === undefined ? new Uint8Array(length) : arena.subarray(at, at + length);
  }
}
