/**
 * Encoding: the inverse of decode.ts, from the same layouts (binary-parser has no encoder). Used by the engine, which
 * writes real bytes, and by tests.
 */
import type { FieldType, Struct } from '../../abi/layout.js';
import { DEFAULT_PAGE_SIZE, type FieldPlacement, layoutTable, typeSize } from './layout-table.js';
import type { DecodeOptions } from './decode.js';

/** What a field of type `T` may be given as. Strings for char arrays are UTF-8; numbers and bigints are interchangeable. */
export type Encodable = number | bigint | string | Uint8Array | readonly Encodable[] | { readonly [name: string]: Encodable };
export type EncodableStruct<S extends Struct> = { readonly [K in keyof S['fields']]?: Encodable };

/**
 * The bytes of `struct` with the given fields; fields that are not given are 0.
 * @throws RangeError if a value does not fit its field
 */
export function encodeStruct<S extends Struct>(struct: S, values: EncodableStruct<S>, options: DecodeOptions = {}): Uint8Array {
  const out = new Uint8Array(layoutTable(struct, options.pageSize).size);
  encodeInto(struct, values, out, 0, options);
  return out;
}

/** Writes the given fields of `struct` into `out` at `offset`; bytes of other fields stay as they are. */
export function encodeInto<S extends Struct>(struct: S, values: EncodableStruct<S>, out: Uint8Array, offset: number, options: DecodeOptions = {}): void {
  const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
  const little = (options.endian ?? struct.endian) === 'little';
  const table = layoutTable(struct, pageSize);
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const field = table.field(name);
    writeValue(field.type, value as Encodable, out, offset + field.offset, field, pageSize, little);
  }
}

/** The bytes of one field's value alone: what a debugger writes when a user edits it. @throws RangeError */
export function encodeField(struct: Struct, name: string, value: Encodable, options: DecodeOptions = {}): Uint8Array {
  const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
  const field = layoutTable(struct, pageSize).field(name);
  const out = new Uint8Array(field.size);
  writeValue(field.type, value, out, 0, field, pageSize, (options.endian ?? struct.endian) === 'little');
  return out;
}

/** The bytes of a value of any field type (an FDT property, say); the inverse of decodeValue. @throws RangeError */
export function encodeValue(type: FieldType, value: Encodable, options: DecodeOptions = {}): Uint8Array {
  const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
  const out = new Uint8Array(typeSize(type, pageSize));
  writeValue(type, value, out, 0, { name: 'value', offset: 0, size: out.length, type, bits: [] }, pageSize, options.endian !== 'big');
  return out;
}

function writeValue(type: FieldType, value: Encodable, out: Uint8Array, at: number, field: FieldPlacement, pageSize: number, little: boolean): void {
  switch (type.kind) {
    case 'int':
      writeInteger(out, at, type.bytes, toBigInt(value, field.name), type.signed, little, field.name);
      break;
    case 'bits':
      writeInteger(out, at, type.bytes, joinBits(field, value), false, little, field.name);
      break;
    case 'cstring':
    case 'bytes':
    case 'union':
      writeBytes(out, at, type.bytes, value, field.name);
      break;
    case 'nested': {
      const inner = layoutTable(type.struct, pageSize);
      for (const [name, part] of Object.entries(asRecord(value, field.name))) {
        const placed = inner.field(name);
        writeValue(placed.type, part, out, at + placed.offset, placed, pageSize, little);
      }
      break;
    }
    case 'array': {
      const each = typeSize(type.of, pageSize);
      const items = asArray(value, field.name);
      if (items.length * each > field.size) throw new RangeError(`${field.name} holds ${field.size / each} elements, not ${items.length}`);
      items.forEach((item, index) => {
        writeValue(type.of, item, out, at + index * each, { ...field, type: type.of, size: each }, pageSize, little);
      });
      break;
    }
  }
}

function writeInteger(out: Uint8Array, at: number, size: number, value: bigint, signed: boolean, little: boolean, name: string): void {
  const width = BigInt(size * 8);
  const min = signed ? -(1n << (width - 1n)) : 0n;
  const max = signed ? (1n << (width - 1n)) - 1n : (1n << width) - 1n;
  if (value < min || value > max) throw new RangeError(`${name} = ${value} does not fit ${size} bytes`);
  let rest = BigInt.asUintN(Number(width), value);
  for (let index = 0; index < size; index++) {
    out[at + (little ? index : size - 1 - index)] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function joinBits(field: FieldPlacement, value: Encodable): bigint {
  if (typeof value === 'bigint' || typeof value === 'number') return BigInt(value);
  let joined = 0n;
  const parts = asRecord(value, field.name);
  for (const { name, lowBit, field: bit } of field.bits) {
    const part = toBigInt(parts[name] ?? 0, name);
    if (part < 0n || part >= 1n << BigInt(bit.width)) throw new RangeError(`${name} = ${part} does not fit ${bit.width} bits`);
    joined |= part << BigInt(lowBit);
  }
  return joined;
}

function writeBytes(out: Uint8Array, at: number, size: number, value: Encodable, name: string): void {
  const source = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  if (!(source instanceof Uint8Array)) throw new RangeError(`${name} takes text or bytes`);
  if (source.length > size) throw new RangeError(`${name} holds ${size} bytes, not ${source.length}`);
  out.fill(0, at, at + size);
  out.set(source, at);
}

function toBigInt(value: Encodable, name: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw new RangeError(`${name} takes an integer`);
}

function asRecord(value: Encodable, name: string): Readonly<Record<string, Encodable>> {
  if (typeof value !== 'object' || value instanceof Uint8Array || Array.isArray(value)) throw new RangeError(`${name} takes its fields by name`);
  return value as Readonly<Record<string, Encodable>>;
}

function asArray(value: Encodable, name: string): readonly Encodable[] {
  if (!Array.isArray(value)) throw new RangeError(`${name} takes a list`);
  return value;
}
