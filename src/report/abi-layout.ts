/** A structure as rows, the way pahole shows one: every field with offset, size and type, nested ones expanded, holes marked. For `abi show` and docs/abi.md. */
import type { BitField, FieldType, Struct } from '../../abi/layout.js';
import { arrayCount, DEFAULT_PAGE_SIZE, type FieldPlacement, layoutTable, typeSize } from '../codec/layout-table.js';

export interface LayoutRow {
  readonly kind: 'field' | 'bits' | 'hole' | 'variant';
  /** how deep inside nested structures, 0 for the structure's own fields */
  readonly depth: number;
  readonly name: string;
  /** as C would write it */
  readonly type: string;
  /** in bytes from the start of the outermost structure */
  readonly offset: number;
  /** in bytes; for bit-fields that of the integer they share */
  readonly size: number;
  /** of a bit-field, in bits */
  readonly bits: { readonly low: number; readonly width: number } | null;
  readonly meaning: string;
}

/** `u64`, `char[48]`, `struct kho_vmalloc`, `u64[511]` … @param pageSize in bytes, for arrays that fill a page from offset `at` */
export function typeText(type: FieldType, pageSize = DEFAULT_PAGE_SIZE, at = 0): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 's' : 'u'}${type.bytes * 8}`;
    case 'bits':
      return `u${type.bytes * 8}`;
    case 'cstring':
      return `char[${type.bytes}]`;
    case 'bytes':
      return `u8[${type.bytes}]`;
    case 'nested':
      return `struct ${type.struct.name}`;
    case 'union':
      return 'union';
    case 'array':
      return `${typeText(type.of, pageSize)}[${typeSize(type, pageSize, at) / typeSize(type.of, pageSize)}]`;
  }
}

/** All rows of `struct`, in memory order. @param pageSize in bytes */
export function layoutRows(struct: Struct, pageSize = DEFAULT_PAGE_SIZE): readonly LayoutRow[] {
  const rows: LayoutRow[] = [];
  addStruct(rows, struct, pageSize, 0, 0);
  return rows;
}

function addStruct(rows: LayoutRow[], struct: Struct, pageSize: number, base: number, depth: number): void {
  const table = layoutTable(struct, pageSize);
  const holes = [...table.holes];
  for (const field of table.fields) {
    while (holes[0] !== undefined && holes[0].offset < field.offset) addHole(rows, holes.shift(), base, depth);
    addField(rows, field, pageSize, base, depth);
  }
  for (const hole of holes) addHole(rows, hole, base, depth);
}

function addHole(rows: LayoutRow[], hole: { readonly offset: number; readonly size: number } | undefined, base: number, depth: number): void {
  if (hole === undefined) return;
  rows.push({ kind: 'hole', depth, name: '', type: '', offset: base + hole.offset, size: hole.size, bits: null, meaning: 'hole' });
}

function addField(rows: LayoutRow[], field: FieldPlacement, pageSize: number, base: number, depth: number): void {
  const { type } = field;
  const offset = base + field.offset;
  rows.push({
    kind: 'field',
    depth,
    name: field.name,
    type: typeText(type, pageSize, field.offset),
    offset,
    size: field.size,
    bits: null,
    meaning: describe(type),
  });
  switch (type.kind) {
    case 'bits':
      for (const { name, lowBit, field: bit } of field.bits) {
        const bits = { low: lowBit, width: bit.width };
        rows.push({ kind: 'bits', depth: depth + 1, name, type: `u${type.bytes * 8}:${bit.width}`, offset, size: field.size, bits, meaning: describe(bit) });
      }
      break;
    case 'nested':
      addStruct(rows, type.struct, pageSize, offset, depth + 1);
      break;
    case 'array':
      if (type.of.kind === 'nested' && arrayCount(field, pageSize) > 0) addStruct(rows, type.of.struct, pageSize, offset, depth + 1);
      break;
    case 'union':
      for (const [name, variant] of Object.entries(type.variants)) {
        rows.push({
          kind: 'variant',
          depth: depth + 1,
          name,
          type: `struct ${variant.name}`,
          offset,
          size: layoutTable(variant, pageSize).size,
          bits: null,
          meaning: variant.meaning,
        });
        addStruct(rows, variant, pageSize, offset, depth + 2);
      }
      break;
  }
}

/** The meaning with what the values may be: names of flags and symbols, what a pointer points to. */
export function describe(type: FieldType | BitField): string {
  const parts = [type.meaning];
  if ('symbols' in type && type.symbols !== undefined) parts.push(list(type.symbols));
  if ('flagNames' in type && type.flagNames !== undefined) parts.push(list(type.flagNames, 'bit '));
  if ('pointsTo' in type && type.pointsTo !== undefined) parts.push(`-> ${type.pointsTo}`);
  return parts.join('; ');
}

const list = (names: Readonly<Record<string, string>>, prefix = ''): string =>
  Object.entries(names)
    .map(([value, name]) => `${prefix}${value} ${name}`)
    .join(', ');
