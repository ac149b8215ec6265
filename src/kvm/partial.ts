/** Decoding where the bytes may end early: what is there is decoded, what is not is null. */
import { type Endian, type FieldType, type Struct, struct } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { layoutTable } from '../codec/layout-table.js';

/** Decoded fields by the kernel's names; null where the bytes ended. */
export type PartialValues = Readonly<Record<string, unknown>>;

export function decodePartial(layout: Struct, bytes: Uint8Array, offset: number, endian: Endian): PartialValues {
  const table = layoutTable(layout);
  if (bytes.length - offset >= table.size) return decodeStruct(layout, bytes, offset, { endian });
  return Object.fromEntries(table.fields.map((field) => [field.name, decodeField(field.type, bytes, offset + field.offset, field.size, endian)]));
}

/** One value, or null if it is not wholly there. */
export function decodeField(type: FieldType, bytes: Uint8Array, offset: number, size: number, endian: Endian): unknown {
  if (bytes.length - offset < size) return null;
  return decodeValue(type, bytes, offset, { endian });
}

const heads = new WeakMap<Struct, Struct>();

/** The fields of `layout` before `end`, at the same offsets: decoding them does not copy what follows. */
export function headOf(layout: Struct, end: string): Struct {
  let head = heads.get(layout);
  if (head === undefined) {
    const names = Object.keys(layout.fields);
    const fields = Object.fromEntries(Object.entries(layout.fields).slice(0, names.indexOf(end)));
    head = struct({ name: layout.name, meaning: layout.meaning, source: layout.source, packed: layout.packed, endian: layout.endian, fields });
    heads.set(layout, head);
  }
  return head;
}
