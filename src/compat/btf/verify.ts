/**
 * Looks at every type of a BTF once, without making a string of anything: whether what is asked later can be answered. For
 * kernels' files that a user gives: damage is told at once, not when a structure is missed. The checks are those of
 * kernel/bpf/btf.c, 7.3, as far as they matter to a reader.
 */
import { MAX_RESOLVE_DEPTH, type BtfReader } from './reader.js';
import { layoutOf } from './struct-layout.js';

/** @throws UserError for the first type that is damaged */
export function verify(btf: BtfReader): void {
  new Verifier(btf).run();
}

class Verifier {
  readonly #btf: BtfReader;
  /** 1: being looked at, so that meeting it again is a cycle; 2: fine */
  readonly #state: Uint8Array;
  /** in bits; -1 where not computed yet */
  readonly #bits: Float64Array;

  constructor(btf: BtfReader) {
    this.#btf = btf;
    this.#state = new Uint8Array(btf.typeCount);
    this.#bits = new Float64Array(btf.typeCount).fill(-1);
  }

  run(): void {
    const btf = this.#btf;
    for (let id = 1; id < btf.typeCount; id++) {
      const kind = btf.kindOf(id);
      if (kind === 'STRUCT' || kind === 'UNION') this.#structure(id, 0);
      else if (kind === 'FUNC_PROTO') for (const type of btf.parameterTypes(id)) btf.kindOf(type);
      else if (kind === 'DATASEC') btf.variablesOf(id);
      else if (kind === 'ARRAY' || kind === 'TYPEDEF' || kind === 'CONST' || kind === 'VOLATILE') this.#sizeOf(id);
    }
  }

  #structure(id: number, depth: number): void {
    if (this.#state[id] === 2) return;
    if (this.#state[id] === 1 || depth > MAX_RESOLVE_DEPTH) throw this.#btf.error(id, 'contains itself, or nests too deep: a cycle');
    this.#state[id] = 1;
    const size = this.#btf.byteSize(id) * 8;
    for (const { type, bitOffset, bitfieldBits } of this.#btf.places(id)) {
      const bits = bitfieldBits > 0 ? bitfieldBits : this.#sizeOf(type);
      // An old bit-field is narrower than its INT: the slow way tells, and has the words for what is wrong.
      if (bitOffset + bits > size) layoutOf(this.#btf, id);
      const inner = this.#contained(type);
      if (inner !== null) this.#structure(inner, depth + 1);
    }
    this.#state[id] = 2;
  }

  /** The structure that a member of that type holds by value. */
  #contained(type: number): number | null {
    let at = this.#btf.resolve(type);
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH && this.#btf.kindOf(at) === 'ARRAY'; depth++) at = this.#btf.resolve(this.#btf.arrayOf(at).type);
    const kind = this.#btf.kindOf(at);
    return kind === 'STRUCT' || kind === 'UNION' ? at : null;
  }

  #sizeOf(type: number): number {
    let bits = this.#bits[type] ?? -1;
    if (bits < 0) {
      bits = this.#btf.byteSize(type) * 8;
      if (type < this.#bits.length) this.#bits[type] = bits;
    }
    return bits;
  }
}
