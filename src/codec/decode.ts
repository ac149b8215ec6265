/**
 * Decoding: a layout becomes a binary-parser parser, built in this one place so that its traps stay here: every parser
 * gets its endianness explicitly, bit-fields are split from a whole integer, strings are cut at the first NUL, and the
 * bytes are checked to be there before binary-parser sees them.
 */
import { Parser } from 'binary-parser';
import type { CStringValue, Decoded, DecodedStruct, Endian, FieldType, Struct } from '../../abi/layout.js';
import { DEFAULT_PAGE_SIZE, type FieldPlacement, layoutTable, typeSize } from './layout-table.js';

export class ShortInputError extends Error {
  override readonly name = 'ShortInputError';
  readonly needed: number;
  readonly available: number;
  constructor(structName: string, needed: number, available: number) {
    super(`struct ${structName} needs ${needed} bytes, ${available} are there`);
    this.needed = needed;
    this.available = available;
  }
}

export interface DecodeOptions {
  /** bytes; 4096 unless given */
  readonly pageSize?: number;
  /** overrides the structure's own (a big-endian host's kvm_run) */
  readonly endian?: Endian;
}

const compiled = new Map<string, WeakMap<Struct, Parser>>();

/**
 * Decodes one `struct` at `offset` of `bytes`.
 * @returns the fields by the kernel's names; 8-byte integers as bigint, char arrays as CStringValue, unions as raw bytes
 * @throws ShortInputError if fewer bytes are left than the structure has
 */
export function decodeStruct<S extends Struct>(struct: S, bytes: Uint8Array, offset = 0, options: DecodeOptions = {}): DecodedStruct<S> {
  const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
  const { size } = layoutTable(struct, pageSize);
  if (offset < 0 || bytes.length - offset < size) throw new ShortInputError(struct.name, size, Math.max(0, bytes.length - offset));
  const raw: unknown = parserOf(struct, pageSize, options.endian ?? struct.endian).parse(bytes.subarray(offset, offset + size));
  // binary-parser's result is untyped; the parser was generated from the same layout the type is derived from.
  return raw as DecodedStruct<S>;
}

function parserOf(struct: Struct, pageSize: number, endian: Endian): Parser {
  const key = `${pageSize}/${endian}`;
  let cache = compiled.get(key);
  if (cache === undefined) {
    cache = new WeakMap();
    compiled.set(key, cache);
  }
  let parser = cache.get(struct);
  if (parser === undefined) {
    parser = buildParser(struct, pageSize, endian);
    cache.set(struct, parser);
  }
  return parser;
}

function buildParser(struct: Struct, pageSize: number, endian: Endian): Parser {
  const parser = new Parser().endianness(endian);
  const { fields, size } = layoutTable(struct, pageSize);
  let at = 0;
  for (const field of fields) {
    if (field.offset > at) parser.seek(field.offset - at);
    addField(parser, field, pageSize, endian);
    at = field.offset + field.size;
  }
  // What follows a nested structure starts after its trailing hole.
  if (size > at) parser.seek(size - at);
  return parser;
}

function addField(parser: Parser, field: FieldPlacement, pageSize: number, endian: Endian): void {
  const { name, type } = field;
  switch (type.kind) {
    case 'int':
      addInteger(parser, name, type.bytes, type.signed);
      break;
    case 'bits':
      if (type.bytes === 8) parser.uint64(name, { formatter: (value: bigint) => splitBits(field, value) });
      else if (type.bytes === 4) parser.uint32(name, { formatter: (value: number) => splitBits(field, BigInt(value)) });
      else if (type.bytes === 2) parser.uint16(name, { formatter: (value: number) => splitBits(field, BigInt(value)) });
      else parser.uint8(name, { formatter: (value: number) => splitBits(field, BigInt(value)) });
      break;
    case 'cstring':
      parser.buffer(name, { length: type.bytes, formatter: toCString });
      break;
    case 'bytes':
    case 'union':
      parser.buffer(name, { length: type.bytes, formatter: copyOf });
      break;
    case 'nested':
      parser.nest(name, { type: buildParser(type.struct, pageSize, endian) });
      break;
    case 'array':
      addArray(parser, name, type.of, field.size / typeSize(type.of, pageSize), pageSize, endian);
      break;
  }
}

function addInteger(parser: Parser, name: string, size: 1 | 2 | 4 | 8, signed: boolean): void {
  if (size === 1) signed ? parser.int8(name) : parser.uint8(name);
  else if (size === 2) signed ? parser.int16(name) : parser.uint16(name);
  else if (size === 4) signed ? parser.int32(name) : parser.uint32(name);
  else signed ? parser.int64(name) : parser.uint64(name);
}

function addArray(parser: Parser, name: string, of: FieldType, count: number, pageSize: number, endian: Endian): void {
  const length = Math.floor(count);
  if (of.kind === 'nested') {
    parser.array(name, { type: buildParser(of.struct, pageSize, endian), length });
    return;
  }
  const element = new Parser().endianness(endian);
  addField(element, { name: 'value', offset: 0, size: typeSize(of, pageSize), type: of, bits: [] }, pageSize, endian);
  parser.array(name, { type: element, length, formatter: (items: readonly { value: unknown }[]) => items.map((item) => item.value) });
}

/** Parts as numbers; one wider than 53 bits, which no described layout has, as a bigint where a number would round it. */
function splitBits(field: FieldPlacement, value: bigint): Record<string, number | bigint> {
  const parts: Record<string, number | bigint> = {};
  for (const { name, lowBit, field: bit } of field.bits) {
    const part = (value >> BigInt(lowBit)) & ((1n << BigInt(bit.width)) - 1n);
    parts[name] = Number.isSafeInteger(Number(part)) ? Number(part) : part;
  }
  return parts;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Reads a fixed-size char array the way the kernel's string functions do: up to the first NUL. */
export function toCString(field: Uint8Array): CStringValue {
  const nul = field.indexOf(0);
  const bytes = Uint8Array.from(nul === -1 ? field : field.subarray(0, nul));
  let trailing = 0;
  for (let index = nul === -1 ? field.length : nul; index < field.length; index++) if (field[index] !== 0) trailing++;
  let validUtf8 = true;
  try {
    strictUtf8.decode(bytes);
  } catch {
    validUtf8 = false;
  }
  return { text: lenientUtf8.decode(bytes), bytes, validUtf8, terminated: nul !== -1, trailing };
}

const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

/** Decodes a value of any field type (an FDT property, say). @throws ShortInputError */
export function decodeValue<T extends FieldType>(type: T, bytes: Uint8Array, offset = 0, options: DecodeOptions = {}): Decoded<T> {
  const decoded = decodeStruct(wrapperOf(type), bytes, offset, options);
  return decoded.value as Decoded<T>;
}

const wrappers = new WeakMap<FieldType, Struct<{ readonly value: FieldType }>>();

function wrapperOf(type: FieldType): Struct<{ readonly value: FieldType }> {
  let wrapper = wrappers.get(type);
  if (wrapper === undefined) {
    wrapper = { kind: 'struct', name: 'value', meaning: type.meaning, source: '', packed: true, endian: 'little', fields: { value: type } };
    wrappers.set(type, wrapper);
  }
  return wrapper;
}
