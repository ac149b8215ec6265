/**
 * Decoded values as JSON, for every command that prints structures: addresses, page frames, flags and opaque values are "0x…",
 * counts and lengths numbers (from 2^53 on "0x…"), byte arrays hex, names text, with their bytes beside it where they are no UTF-8.
 */
import { type CStringValue, type FieldType, type Role, type Struct, HEX_ROLES } from '../../abi/layout.js';

export type Json = string | number | boolean | null | readonly Json[] | JsonItems<Json> | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** A list of JSON values that is made while it is written: a table of millions is never held. `JSON.stringify` writes it as a list, too. */
export class JsonItems<T> implements Iterable<T> {
  readonly #make: () => Iterable<T>;

  constructor(make: () => Iterable<T>) {
    this.#make = make;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#make()[Symbol.iterator]();
  }

  toJSON(): readonly T[] {
    return [...this];
  }
}

/** An object of those members of `from`, in this order. */
export function pick<T, const K extends keyof T>(from: T, ...names: readonly K[]): { readonly [P in K]: T[P] };
export function pick(from: object, ...names: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(names.map((name) => [name, Reflect.get(from, name)]));
}

/** JSON whose lists are all held. */
type HeldJson = string | number | boolean | null | readonly HeldJson[] | HeldObject;
export type HeldObject = { readonly [key: string]: HeldJson };

/** The same with every list as an array. */
export const heldObject = (value: JsonObject): HeldObject => Object.fromEntries(Object.entries(value).map(([key, member]) => [key, held(member)]));

function held(value: Json): HeldJson {
  if (typeof value !== 'object' || value === null) return value;
  return Symbol.iterator in value ? Array.from(value, held) : heldObject(value);
}

/** "0x…", lower case, no leading zeros; a negative number in two's complement of `bits`. */
export function hexJson(value: bigint | number, bits = 64): string {
  const whole = BigInt(value);
  return `0x${(whole < 0n ? BigInt.asUintN(bits, whole) : whole).toString(16)}`;
}

/** A number where JavaScript holds it exactly, else "0x…". */
export function countJson(value: bigint | number): number | string {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : hexJson(value);
}

export const bytesJson = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** An integer by what it stands for. @param bits width of the field */
export function integerJson(role: Role, value: bigint | number, bits = 64): Json {
  if (HEX_ROLES.has(role)) return hexJson(value, bits);
  if (role === 'bool') {
    const count = countJson(value);
    return count === 0 ? false : count === 1 ? true : count;
  }
  return countJson(value);
}

/**
 * One decoded value of `type` (as `decodeValue` gives it).
 * @throws TypeError if `value` is not what `type` decodes to
 */
export function jsonOf(type: FieldType, value: unknown): Json {
  switch (type.kind) {
    case 'int':
      return integerJson(type.role, asInteger(value), type.bytes * 8);
    case 'cstring':
      return asCString(value).text;
    case 'bytes':
    case 'union':
      return bytesJson(asBytes(value));
    case 'bits': {
      const parts = asRecord(value);
      return Object.fromEntries(Object.entries(type.fields).map(([name, part]) => [name, integerJson(part.role, asInteger(parts[name]), part.width)]));
    }
    case 'nested':
      return jsonOfStruct(type.struct, asRecord(value));
    case 'array': {
      const items = asList(value);
      const { of } = type;
      if (of.kind === 'int' && of.bytes === 1) return bytesJson(Uint8Array.from(items, (item) => Number(asInteger(item))));
      return items.map((item) => jsonOf(of, item));
    }
  }
}

/**
 * A decoded structure as an object with the kernel's field names. Bit-fields are beside the other fields, as in C; a text
 * that is not UTF-8 gets its bytes in `<field>Bytes`.
 * @throws TypeError if `value` is not what `struct` decodes to
 */
export function jsonOfStruct(struct: Struct, value: Readonly<Record<string, unknown>>): JsonObject {
  const out: Record<string, Json> = {};
  for (const [name, type] of Object.entries(struct.fields)) {
    const json = jsonOf(type, value[name]);
    if (type.kind === 'bits' && typeof json === 'object') Object.assign(out, json);
    else out[name] = json;
    if (type.kind === 'cstring') {
      const text = asCString(value[name]);
      if (!text.validUtf8) out[`${name}Bytes`] = bytesJson(text.bytes);
    }
  }
  return out;
}

function asInteger(value: unknown): bigint | number {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  throw new TypeError(`an integer was expected, not ${typeof value}`);
}

function asBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`bytes were expected, not ${typeof value}`);
}

function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`a list was expected, not ${typeof value}`);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw new TypeError(`fields were expected, not ${typeof value}`);
}

function asCString(value: unknown): CStringValue {
  if (isRecord(value) && typeof value.text === 'string' && value.bytes instanceof Uint8Array && typeof value.validUtf8 === 'boolean') {
    return { text: value.text, bytes: value.bytes, validUtf8: value.validUtf8, terminated: value.terminated === true, trailing: Number(value.trailing) };
  }
  throw new TypeError(`a text was expected, not ${typeof value}`);
}
