/** Decoding where the bytes may end early: fields present are decoded, the others are null. */
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

const parts = new WeakMap<Struct, Map<string, Struct>>();

/** The neighbouring fields of `layout` from `first` up to `end`, as a structure of its own: decoding it copies nothing else. */
export function partOf(layout: Struct, first: string, end: string): Struct {
  let known = parts.get(layout);
  if (known === undefined) {
    known = new Map();
    parts.set(layout, known);
  }
  let part = known.get(first);
  if (part === undefined) {
    const names = Object.keys(layout.fields);
    const fields = Object.fromEntries(Object.entries(layout.fields).slice(names.indexOf(first), names.indexOf(end)));
    part = struct({ name: layout.name, meaning: layout.meaning, source: layout.source, packed: layout.packed, endian: layout.endian, fields });
    known.set(first, part);
  }
  return part;
}
