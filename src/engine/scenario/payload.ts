/**
 * What a handler, an FLB or a subtree of the scenario hands over: bytes, or structures of the contracts in abi/, with what their pointers lead to.
 * For a form that no kernel of the engine writes by itself.
 */
import type { Area, Contract } from '../../../abi/contract.js';
import { khoVmalloc } from '../../../abi/kho/vmalloc.js';
import type { FieldType, Struct } from '../../../abi/layout.js';
import { contracts, findStruct, supporting } from '../../../abi/registry.js';
import type { Encodable } from '../../codec/encode.js';
import type { Cursor } from './cursor.js';
import { bytes, type JsonSchema, shown, u64, type ValueType } from './values.js';

/** One after the other in one piece of preserved memory. */
export type Payload = readonly PayloadPart[];

type PayloadPart = Uint8Array | PayloadStruct;

export interface PayloadStruct {
  readonly struct: Struct;
  /** field -> value; fields that are not given are 0 */
  readonly fields: ReadonlyMap<string, FieldValue>;
  /** what later parts call its address */
  readonly label: string | null;
}

export type FieldValue =
  | { readonly kind: 'value'; readonly value: Encodable }
  /** the address of memory of its own */
  | { readonly kind: 'at'; readonly payload: Payload }
  /** the address of a part that was written before */
  | { readonly kind: 'ref'; readonly label: string }
  /** a kho_vmalloc of these bytes */
  | { readonly kind: 'vmalloc'; readonly payload: Payload }
  /** the first of the chained pages of an area */
  | { readonly kind: 'chain'; readonly area: Area; readonly entries: readonly PayloadStruct[] }
  /** fields of a structure within */
  | { readonly kind: 'inside'; readonly part: PayloadStruct };

/** Structures in structures in structures: more than any contract has. */
const MAX_DEPTH = 12;

export const payload: ValueType<Payload> = {
  label: 'text, `{ hex: … }`, `{ struct, as, fields }`, or a list of `{ hex: … }`, `{ struct, … }` and integers (u64 each)',
  schema: { anyOf: [bytes.schema, { type: 'object', properties: { struct: { type: 'string' } }, required: ['struct'] }, { type: 'array' }] } as JsonSchema,
  read: (cursor) => readPayload(cursor, 0),
};

function readPayload(cursor: Cursor, depth: number): Payload {
  if (depth > MAX_DEPTH) throw cursor.error('structures within structures, too deep to be of a contract');
  const items = cursor.items();
  if (items !== null) return joined(items.map((item) => (item.text === null ? readPart(item, depth) : word(item))));
  const part = readPart(cursor, depth);
  return part instanceof Uint8Array && part.length === 0 ? [] : [part];
}

/** Bytes that follow each other are one part: each is written, and recorded, by itself. */
function joined(parts: readonly PayloadPart[]): Payload {
  const found: PayloadPart[] = [];
  let bytes: Uint8Array[] = [];
  const flush = (): void => {
    if (bytes.length > 0) found.push(new Uint8Array(Buffer.concat(bytes)));
    bytes = [];
  };
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.push(part);
    else {
      flush();
      found.push(part);
    }
  }
  flush();
  return found;
}

function word(cursor: Cursor): Uint8Array {
  const own = new Uint8Array(8);
  new DataView(own.buffer).setBigUint64(0, u64.read(cursor), true);
  return own;
}

const readPart = (cursor: Cursor, depth: number): PayloadPart =>
  cursor.entries()?.has('struct') === true ? readStructPart(cursor, null, depth) : bytes.read(cursor);

interface Named {
  readonly struct: Struct;
  readonly contract: Contract | null;
}

function structNamed(cursor: Cursor): Named {
  const [name = '', version] = (cursor.text ?? '').split('@');
  const found = findStruct(name, version)[0];
  if (found === undefined)
    throw cursor.error(`${shown(cursor)} is no structure known; write <struct>@<compatible or contract>, as luo-inspect abi list names them`);
  // Structures may share a string: the contract's own, where it is named.
  const own = [...contracts, ...supporting].find(({ id }) => id === version);
  const struct = own?.structs.find((one) => one.name === name) ?? found.struct;
  return { struct, contract: own ?? found.contracts[0] ?? null };
}

const PART_KEYS = ['struct', 'as', 'fields'];

function readStructPart(cursor: Cursor, within: Named | null, depth: number): PayloadStruct {
  const entries = cursor.entries();
  if (entries === null) throw cursor.error(`${shown(cursor)} where a structure belongs: { struct: …, fields: { … } }`);
  for (const [name, { key }] of entries)
    if (!PART_KEYS.includes(name)) throw key.error(`unknown key ${JSON.stringify(name)}; a structure has ${PART_KEYS.join(', ')}`);
  const name = entries.get('struct')?.value;
  const named = name === undefined ? within : structNamed(name);
  if (named === null) throw cursor.error('a structure needs the key "struct"');
  const fields = entries.get('fields')?.value.entries() ?? new Map<string, { readonly value: Cursor }>();
  return { struct: named.struct, fields: readFields(cursor, named, fields, depth), label: entries.get('as')?.value.text ?? null };
}

function readFields(cursor: Cursor, named: Named, fields: ReadonlyMap<string, { readonly value: Cursor }>, depth: number): Map<string, FieldValue> {
  const values = new Map<string, FieldValue>();
  for (const [name, { value }] of fields) {
    const type: FieldType | undefined = named.struct.fields[name];
    if (type === undefined)
      throw value.error(`struct ${named.struct.name} has no field ${JSON.stringify(name)}; it has ${Object.keys(named.struct.fields).join(', ')}`);
    values.set(name, readField(value, type, named, name, depth + 1));
  }
  if (depth > MAX_DEPTH) throw cursor.error('structures within structures, too deep to be of a contract');
  return values;
}

function readField(cursor: Cursor, type: FieldType, named: Named, name: string, depth: number): FieldValue {
  const entries = cursor.entries();
  const ref = entries?.get('ref')?.value.text;
  if (ref != null) return { kind: 'ref', label: ref };
  if (type.kind === 'nested') return readNested(cursor, type.struct, named, depth);
  if (type.kind === 'union') {
    const part = readStructPart(cursor, null, depth);
    return { kind: 'inside', part };
  }
  if (type.kind === 'int' && type.role === 'phys' && cursor.text === null) {
    const chain = entries?.get('chain')?.value;
    if (chain === undefined) return { kind: 'at', payload: readPayload(cursor, depth) };
    const area = areaAt(named, name, type.pointsTo);
    if (area === null) throw cursor.error(`${named.struct.name}.${name} leads to no chain of pages`);
    const items = chain.items();
    if (items === null) throw chain.error('a chain is a list of entries');
    const entry: Named = { struct: area.entry, contract: named.contract };
    return { kind: 'chain', area, entries: items.map((item) => readStructPart(item, entry, depth)) };
  }
  return { kind: 'value', value: readPlain(cursor, type) };
}

function readNested(cursor: Cursor, struct: Struct, named: Named, depth: number): FieldValue {
  const entries = cursor.entries();
  if (entries === null) throw cursor.error(`${shown(cursor)} where fields of struct ${struct.name} belong`);
  const area = struct.name === khoVmalloc.name ? entries.get('vmalloc')?.value : undefined;
  if (area !== undefined) return { kind: 'vmalloc', payload: readPayload(area, depth) };
  return { kind: 'inside', part: { struct, fields: readFields(cursor, { struct, contract: named.contract }, entries, depth), label: null } };
}

/** The area of the contract that a pointer of that name leads to. */
function areaAt(named: Named, field: string, header: string | undefined): Area | null {
  const areas = (named.contract?.areas ?? []).filter((area) => area.header?.name === header);
  return areas.find((area) => field === area.name || field.includes(area.name.replace(/s$/, ''))) ?? null;
}

function readPlain(cursor: Cursor, type: FieldType): Encodable {
  if (type.kind === 'array') {
    const items = cursor.items();
    if (items === null) throw cursor.error(`${shown(cursor)} where a list belongs`);
    return items.map((item) => readPlain(item, type.of));
  }
  return type.kind === 'cstring' || type.kind === 'bytes' ? bytes.read(cursor) : u64.read(cursor);
}
