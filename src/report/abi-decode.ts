/** Decoded structures as text: offset, field, value, and what the value means. For `decode`. */
import type { FieldType, Struct } from '../../abi/layout.js';
import { decodeStruct, toCString } from '../codec/decode.js';
import { DEFAULT_PAGE_SIZE, type FieldPlacement, layoutTable } from '../codec/layout-table.js';
import { meaningOf } from '../tree/words.js';
import { escapeText } from './escape.js';
import { type Json, type JsonObject, bytesJson, integerJson, jsonOfStruct } from './json-value.js';
import type { FoundStruct } from '../../abi/registry.js';
import { layoutRows } from './abi-layout.js';

/** Bytes of a byte array shown before it is cut. */
const SHOWN_BYTES = 64;

/** One structure as JSON: its name, then its fields. @throws ShortInputError */
export function decodedJson(struct: Struct, bytes: Uint8Array, pageSize = DEFAULT_PAGE_SIZE): JsonObject {
  return { struct: struct.name, ...jsonOfStruct(struct, decodeStruct(struct, bytes, 0, { pageSize })) };
}

/** One structure as lines of text. @param at shown with the name: where the bytes came from @throws ShortInputError */
export function decodedText(struct: Struct, bytes: Uint8Array, at: string, pageSize = DEFAULT_PAGE_SIZE): readonly string[] {
  const lines: Line[] = [];
  addFields(lines, struct, decodeStruct(struct, bytes, 0, { pageSize }), pageSize, 0, 1);
  const offset = Math.max(...lines.map((line) => line.offset.length));
  const name = Math.max(...lines.map((line) => line.name.length));
  const value = Math.max(...lines.map((line) => (line.value.length > 40 ? 0 : line.value.length)));
  return [
    `struct ${struct.name} at ${at}, ${layoutTable(struct, pageSize).size} bytes`,
    ...lines.map((line) => `  ${line.offset.padStart(offset)}  ${line.name.padEnd(name)}  ${line.value.padEnd(value)}  ${line.meaning}`.trimEnd()),
  ];
}

interface Line {
  readonly offset: string;
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

function addFields(lines: Line[], struct: Struct, values: Readonly<Record<string, unknown>>, pageSize: number, base: number, depth: number): void {
  for (const field of layoutTable(struct, pageSize).fields) addField(lines, field, values[field.name], pageSize, base + field.offset, depth);
}

function addField(lines: Line[], field: FieldPlacement, value: unknown, pageSize: number, at: number, depth: number): void {
  const { type } = field;
  const add = (name: string, shown: string, meaning: string, deeper = 0): void => {
    lines.push({ offset: `0x${at.toString(16)}`, name: `${'  '.repeat(depth - 1 + deeper)}${name}`, value: shown, meaning });
  };
  if (type.kind === 'bits' && isRecord(value)) {
    add(field.name, '', type.meaning);
    for (const { name, field: bit } of field.bits) add(name, scalar(integerJson(bit.role, Number(value[name]), bit.width)), words(bit, value[name]), 1);
  } else if (type.kind === 'nested' && isRecord(value)) {
    add(field.name, `struct ${type.struct.name}`, '');
    addFields(lines, type.struct, value, pageSize, at, depth + 1);
  } else if (type.kind === 'array' && Array.isArray(value)) {
    add(field.name, `${value.length} elements`, '');
    addElements(lines, type.of, value, field.size / Math.max(1, value.length), pageSize, at, depth + 1);
  } else {
    add(field.name, shownValue(type, value), words(type, value));
  }
}

/** Equal neighbours are shown once, with the range of their indices. */
function addElements(lines: Line[], of: FieldType, values: readonly unknown[], each: number, pageSize: number, at: number, depth: number): void {
  for (let index = 0; index < values.length; ) {
    let end = index + 1;
    const key = keyOf(values[index]);
    while (end < values.length && keyOf(values[end]) === key) end++;
    const name = end - index === 1 ? `[${index}]` : `[${index}..${end - 1}]`;
    addField(lines, { name, offset: 0, size: each, type: of, bits: [] }, values[index], pageSize, at + index * each, depth);
    index = end;
  }
}

/** A text that is equal for equal values. */
const keyOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part instanceof Uint8Array ? bytesJson(part) : part));

function shownValue(type: FieldType, value: unknown): string {
  if (type.kind === 'int' && (typeof value === 'bigint' || typeof value === 'number')) return scalar(integerJson(type.role, value, type.bytes * 8));
  if (value instanceof Uint8Array)
    return value.length <= SHOWN_BYTES ? bytesJson(value) : `${bytesJson(value.subarray(0, SHOWN_BYTES))}… (${value.length} bytes)`;
  if (isRecord(value) && typeof value.text === 'string') return `"${escapeText(value.text)}"`;
  return '';
}

const scalar = (json: Json): string => String(json);

function words(type: Parameters<typeof meaningOf>[0], value: unknown): string {
  if ('mustBe' in type && type.mustBe !== undefined && !type.mustBe.includes(Number(value)))
    return `the kernel expects ${type.mustBe.map((expected) => scalar(integerJson(type.role, expected))).join(' or ')}; ${type.meaning}`;
  const said = meaningOf(type, value);
  return said === '' || said === scalar(typeof value === 'bigint' || typeof value === 'number' ? value.toString() : '')
    ? type.meaning
    : `${said}; ${type.meaning}`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

export interface Choice {
  readonly found: FoundStruct;
  /** layouts that differ from it in a name, a type or an offset, and that the bytes did not rule out */
  readonly others: readonly FoundStruct[];
}

/**
 * @param candidates layouts, the one most likely meant first
 * @param bytes what is there; may be shorter than a candidate
 * @param pageSize in bytes
 */
export function chooseByContent(candidates: readonly FoundStruct[], bytes: Uint8Array, pageSize = DEFAULT_PAGE_SIZE): Choice | null {
  const named = candidates.filter((candidate) => namesItself(candidate, bytes, pageSize));
  const [found, ...rest] = named.length > 0 ? named : candidates;
  if (found === undefined) return null;
  const shape = shapeOf(found, pageSize);
  return { found, others: rest.filter((other) => shapeOf(other, pageSize) !== shape) };
}

/** Do the bytes hold the compatible string, or the version, that only this layout has? */
function namesItself({ struct, contracts }: FoundStruct, bytes: Uint8Array, pageSize: number): boolean {
  const table = layoutTable(struct, pageSize);
  if (bytes.length < table.size) return false;
  let named = false;
  for (const field of table.fields) {
    const { type } = field;
    if (type.kind === 'cstring' && field.name === 'compatible' && contracts.some((contract) => contract.structs[0] === struct)) {
      const { text } = toCString(bytes.subarray(field.offset, field.offset + field.size));
      if (!contracts.some((contract) => contract.compatible === text)) return false;
      named = true;
    } else if (type.kind === 'int' && type.mustBe !== undefined) {
      const value: unknown = decodeStruct(struct, bytes, 0, { pageSize })[field.name];
      if (!type.mustBe.includes(Number(value))) return false;
      named = true;
    }
  }
  return named;
}

const shapeOf = ({ struct }: FoundStruct, pageSize: number): string =>
  layoutRows(struct, pageSize)
    .map((row) => `${row.kind} ${row.type} ${row.name} ${row.offset} ${row.bits?.low ?? ''}`)
    .join('\n');
