/** Builds BTF for tests, in either byte order, from the same contracts the reader uses; damage is done to what it makes. */
import { BTF_MAGIC, BTF_VERSION, btfHeader, btfKinds, type BtfKindName, btfType } from '../../../abi/btf/types.js';
import type { Endian, Struct } from '../../../abi/layout.js';
import { type EncodableStruct, encodeStruct } from '../../../src/codec/encode.js';
import { sizeOf } from '../../../src/codec/layout-table.js';

export class BtfBuilder {
  readonly #endian: Endian;
  #strings = '\0';
  readonly #types: Uint8Array[] = [];
  #count = 0;

  constructor(endian: Endian = 'little') {
    this.#endian = endian;
  }

  /** Offset of `text` in the strings. */
  string(text: string): number {
    if (text === '') return 0;
    const offset = this.#strings.length;
    this.#strings += `${text}\0`;
    return offset;
  }

  /** Adds a type. @param third size or type id @returns its id */
  add<S extends Struct>(
    kind: BtfKindName,
    name: string,
    third: number,
    record: S | null = null,
    records: readonly EncodableStruct<S>[] = [],
    kindFlag = false,
  ): number {
    const number = btfKinds.findIndex((known) => known.name === kind);
    const repeats = btfKinds[number]?.repeats === 'vlen';
    const info = { kind: number, vlen: repeats ? records.length : 0, kind_flag: kindFlag ? 1 : 0 };
    this.#types.push(encodeStruct(btfType, { name_off: this.string(name), info, size: third }, { endian: this.#endian }));
    if (record !== null) for (const values of records) this.#types.push(encodeStruct(record, values, { endian: this.#endian }));
    return ++this.#count;
  }

  build(): Uint8Array {
    const types = Buffer.concat(this.#types);
    const strings = Buffer.from(this.#strings, 'latin1');
    const header = encodeStruct(
      btfHeader,
      { magic: BTF_MAGIC, version: BTF_VERSION, hdr_len: sizeOf(btfHeader), type_len: types.length, str_off: types.length, str_len: strings.length },
      { endian: this.#endian },
    );
    return Buffer.concat([header, types, strings]);
  }
}
