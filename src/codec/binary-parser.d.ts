/** binary-parser 2.3.0 ships its types where NodeNext does not look (no `types` in its `exports`); this is what we use of it. */
declare module 'binary-parser' {
  interface FieldOptions {
    formatter?: (value: never) => unknown;
  }
  interface LengthOptions extends FieldOptions {
    length: number;
  }
  interface ArrayOptions extends LengthOptions {
    type: Parser;
  }
  export class Parser {
    endianness(endianness: 'little' | 'big'): this;
    int8(name: string, options?: FieldOptions): this;
    uint8(name: string, options?: FieldOptions): this;
    int16(name: string, options?: FieldOptions): this;
    uint16(name: string, options?: FieldOptions): this;
    int32(name: string, options?: FieldOptions): this;
    uint32(name: string, options?: FieldOptions): this;
    int64(name: string, options?: FieldOptions): this;
    uint64(name: string, options?: FieldOptions): this;
    buffer(name: string, options: LengthOptions): this;
    array(name: string, options: ArrayOptions): this;
    nest(name: string, options: { type: Parser }): this;
    seek(relativeOffset: number): this;
    parse(bytes: Uint8Array): unknown;
  }
}
