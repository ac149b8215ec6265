/** Fields of a structure as a contract file writes them: `u64`, `char[48]`, `phys`, `kho_vmalloc`, or a mapping that says more. */
import type { BitField, FieldType, FlagNames, Role, Struct, Symbols } from '../../abi/layout.js';
import type { Cursor } from '../engine/scenario/cursor.js';
import { optional, readKeys, required, schemaOfKeys } from '../engine/scenario/keys.js';
import { type JsonSchema, number, oneOf, shown, text, type ValueType } from '../engine/scenario/values.js';

const ROLES = ['number', 'count', 'bytes', 'pages', 'phys', 'opaque', 'flags', 'enum', 'bool', 'pfn', 'index', 'reserved'] as const satisfies readonly Role[];
const INTEGERS: Readonly<Record<string, { readonly bytes: 1 | 2 | 4 | 8; readonly signed: boolean }>> = {
  u8: { bytes: 1, signed: false },
  u16: { bytes: 2, signed: false },
  u32: { bytes: 4, signed: false },
  u64: { bytes: 8, signed: false },
  s32: { bytes: 4, signed: true },
  s64: { bytes: 8, signed: true },
};

/** No structure of a handover has a field of more elements. */
const MAX_ELEMENTS = 1 << 16;

/** Finds a structure that a field names. @throws UserError where there is none, or it contains itself */
export type FindStruct = (name: string, cursor: Cursor) => Struct;

/** A mapping whose keys are names of the writer's own, as C has them. */
export function named<T>(of: ValueType<T>, what: string): ValueType<ReadonlyMap<string, T>> {
  const type = keyed(of, what);
  return {
    ...type,
    read(cursor) {
      for (const [key, { key: at }] of cursor.entries() ?? [])
        if (!/^[A-Za-z_]\w*$/.test(key)) throw at.error(`${JSON.stringify(key)} is no name of C: letters, digits and _, no digit first`);
      return type.read(cursor);
    },
  };
}

function keyed<T>(of: ValueType<T>, what: string): ValueType<ReadonlyMap<string, T>> {
  return {
    label: `{ name: ${of.label} }`,
    schema: { type: 'object', additionalProperties: of.schema },
    read(cursor) {
      const entries = cursor.entries();
      if (entries === null) throw cursor.error(`${shown(cursor)} where ${what} belong, which are a mapping`);
      return new Map([...entries].map(([name, { value }]) => [name, of.read(value)]));
    },
  };
}

const namesOf = (what: string): ValueType<Readonly<Record<string, string>>> => {
  const type = keyed(text, what);
  return {
    ...type,
    label: '{ number: name }',
    read(cursor) {
      for (const [key, { key: at }] of cursor.entries() ?? [])
        if (!/^-?\d+$/.test(key)) throw at.error(`${JSON.stringify(key)} is not a number; ${what} are listed by number`);
      return Object.fromEntries(type.read(cursor));
    },
  };
};

const wordKeys = {
  role: optional(oneOf(ROLES), 'what an integer stands for: decides how it is shown'),
  meaning: optional(text, 'what the field is for, in one line'),
  flags: optional(namesOf('flags'), 'names of its bits, by bit number'),
};

export const bitKeys = { width: required(number(1, 53), 'in bits'), ...wordKeys };
const WIDTH = number(1, 53);
const bit: ValueType<BitField> = {
  label: 'width in bits, or { width, role, meaning, flags }',
  schema: { anyOf: [WIDTH.schema, schemaOfKeys(bitKeys)] },
  read(cursor) {
    if (cursor.text !== null) return { width: WIDTH.read(cursor), role: 'number', meaning: '' };
    const { width, role, meaning, flags } = readKeys(cursor, bitKeys, 'a bit-field');
    return { width, role: role ?? (flags === null ? 'number' : 'flags'), meaning: meaning ?? '', ...(flags === null ? {} : { flagNames: flags }) };
  },
};

export const fieldKeys = {
  type: optional(text, 'as the short form: `u64`, `char[48]`, `phys`, `u32[4]`, a structure'),
  bits: optional(named(bit, 'bit-fields'), 'instead of `type`: bit-fields of one integer, the lowest first'),
  size: optional(number(1, 8), '1, 2, 4 or 8: bytes of the integer that `bits` share; 8 unless given'),
  ...wordKeys,
  symbols: optional(namesOf('symbols'), 'names of its values, by value'),
  to: optional(text, 'the structure a `phys` leads to'),
};

const SHORT: JsonSchema = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*(\\[([0-9]+|page)\\])?$' };

/** A field, as a function that makes it once every structure of the file is known. */
export const field: ValueType<(find: FindStruct) => FieldType> = {
  label: 'type, or a mapping',
  schema: { anyOf: [SHORT, schemaOfKeys(fieldKeys)] },
  read(cursor) {
    if (cursor.text !== null) return (find) => typeOf(cursor.text ?? '', cursor, find, {});
    const values = readKeys(cursor, fieldKeys, 'a field');
    const words = { role: values.role, meaning: values.meaning ?? '', flags: values.flags, symbols: values.symbols, to: values.to };
    const { type, bits, size } = values;
    if ((type === null) === (bits === null)) throw cursor.error('a field has either `type` or `bits`');
    if (bits === null) return (find) => typeOf(type ?? '', cursor, find, words);
    const bytes = ([1, 2, 4, 8] as const).find((unit) => unit === (size ?? 8));
    if (bytes === undefined) throw cursor.error(`an integer of ${size} bytes; \`size\` is 1, 2, 4 or 8`);
    const width = [...bits.values()].reduce((sum, part) => sum + part.width, 0);
    if (width > bytes * 8) throw cursor.error(`its bit-fields need ${width} bits, and ${bytes} bytes have ${bytes * 8}; name a larger \`size\``);
    return () => ({ kind: 'bits', bytes, meaning: words.meaning, fields: Object.fromEntries(bits) });
  },
};

interface Words {
  readonly role?: Role | null;
  readonly meaning?: string;
  readonly flags?: FlagNames | null;
  readonly symbols?: Symbols | null;
  readonly to?: string | null;
}

function typeOf(source: string, cursor: Cursor, find: FindStruct, words: Words): FieldType {
  const match = /^([A-Za-z_]\w*)(?:\[(\d+|page)\])?$/.exec(source.trim());
  const [, base = '', count] = match ?? [];
  if (match === null)
    throw cursor.error(`${JSON.stringify(source)} is no type; write u8 to u64, s32, s64, phys, char[n], bytes[n], a structure, or any of these with [n]`);
  const meaning = words.meaning ?? '';
  const elements = count === undefined ? null : count === 'page' ? 'page' : Number(count);
  if (elements !== null && elements !== 'page' && (elements < 1 || elements > MAX_ELEMENTS))
    throw cursor.error(`${elements} elements; a field has 1 to ${MAX_ELEMENTS}`);
  if (base === 'char' || base === 'bytes') {
    if (elements === null || elements === 'page') throw cursor.error(`${base} needs its length: ${base}[48]`);
    return { kind: base === 'char' ? 'cstring' : 'bytes', bytes: elements, meaning };
  }
  const one = single(base, cursor, find, words, meaning);
  return elements === null ? one : { kind: 'array', of: one, count: elements, meaning };
}

function single(base: string, cursor: Cursor, find: FindStruct, words: Words, meaning: string): FieldType {
  const integer = base === 'phys' ? INTEGERS.u64 : INTEGERS[base];
  if (integer === undefined) return { kind: 'nested', struct: find(base, cursor), meaning };
  const role = words.role ?? (base === 'phys' ? 'phys' : words.flags == null ? 'number' : 'flags');
  return {
    kind: 'int',
    ...integer,
    role,
    meaning,
    ...(words.flags == null ? {} : { flagNames: words.flags }),
    ...(words.symbols == null ? {} : { symbols: words.symbols }),
    ...(words.to == null ? {} : { pointsTo: words.to }),
  };
}
