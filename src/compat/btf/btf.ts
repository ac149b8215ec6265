/**
 * BTF, the kernel's own description of its types, read lazily: opening indexes where each type starts, names and members
 * are decoded when asked for. For ABI checks against a real kernel, and for walking a kernel's own objects in a dump.
 * Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst, 7.3.
 */
import { BtfReader } from './reader.js';
import { openSection } from './section.js';
import { type BtfLayout, layoutOf } from './struct-layout.js';
import { typeText } from './type-text.js';
import { verify } from './verify.js';

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
