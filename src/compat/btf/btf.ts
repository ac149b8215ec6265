/**
 * BTF, the kernel's own description of its types, read lazily: opening indexes where each type starts, names and members
 * are decoded when asked for. For ABI checks against a real kernel, and for walking a kernel's own objects in a dump.
 * Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst, 7.3.
 */
import { BtfReader, MAX_RESOLVE_DEPTH } from './reader.js';
import { openSection } from './section.js';
import { type BtfLayout, layoutOf } from './struct-layout.js';
import { typeText } from './type-text.js';

/** Opens the BTF in `bytes`. @param name as messages name it @throws UserError where it is no BTF, or damaged */
export const openBtf = (bytes: Uint8Array, name: string): Btf => new Btf(openSection(bytes, name));

export class Btf extends BtfReader {
  readonly #layouts = new Map<number, BtfLayout>();

  /** Size and members of a STRUCT or UNION, those of anonymous structures and unions in it included. */
  structLayout(id: number): BtfLayout {
    const known = this.#layouts.get(id);
    if (known !== undefined) return known;
    const layout = layoutOf(this, id);
    this.#layouts.set(id, layout);
    return layout;
  }

  /** The type as C writes it. */
  typeText(id: number): string {
    return typeText(this, id);
  }

  /** Looks at every type once: references in range, no type that contains itself, members inside their structure. @throws UserError */
  verify(): void {
    verify(this);
  }
}

/**
 * Whether what is asked later can be answered, without making a string of anything: damage of a file that a user gives is told at once, not when a
 * structure is missed. The checks are those of kernel/bpf/btf.c, 7.3, as far as they matter to a reader. @throws UserError
 */
function verify(btf: BtfReader): void {
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
