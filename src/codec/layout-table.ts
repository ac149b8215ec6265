/**
 * Offsets, sizes and alignments of a layout, derived from its description in `abi/`. Everything that needs to know where a
 * field is (parser, encoder, tree, hex highlighting, documentation, ABI checks) asks here.
 */
import type { BitField, FieldType, Struct } from '../../abi/layout.js';

/** Sizes in bytes that a page of x86-64 (the first alone) or arm64 can have. */
export const PAGE_SIZES: readonly number[] = [4096, 16384, 65536];

/** The page size arrays of count `page` are laid out for, when nothing else is known. */
export const DEFAULT_PAGE_SIZE = 4096;

export interface BitPlacement {
  readonly name: string;
  /** in bits from the least significant bit of the containing integer */
  readonly lowBit: number;
  readonly field: BitField;
}

export interface FieldPlacement {
  readonly name: string;
  /** in bytes from the start of the structure */
  readonly offset: number;
  /** in bytes */
  readonly size: number;
  readonly type: FieldType;
  /** the parts of a `bits` field */
  readonly bits: readonly BitPlacement[];
}

interface Hole {
  readonly offset: number;
  readonly size: number;
}

interface LayoutTable {
  readonly struct: Struct;
  /** in bytes, alignment included */
  readonly size: number;
  readonly align: number;
  readonly fields: readonly FieldPlacement[];
  /** bytes that belong to no field: C's own padding */
  readonly holes: readonly Hole[];
  field(name: string): FieldPlacement;
}

const tables = new Map<number, WeakMap<Struct, LayoutTable>>();

/**
 * The layout of `struct` on a machine with pages of `pageSize` bytes. Cached.
 * @throws Error if the description itself is wrong (a field name given twice, a bit-field that does not fit).
 */
export function layoutTable(struct: Struct, pageSize = DEFAULT_PAGE_SIZE): LayoutTable {
  let ofPageSize = tables.get(pageSize);
  if (ofPageSize === undefined) {
    ofPageSize = new WeakMap();
    tables.set(pageSize, ofPageSize);
  }
  let table = ofPageSize.get(struct);
  if (table === undefined) {
    table = place(struct, pageSize);
    ofPageSize.set(struct, table);
  }
  return table;
}

/** Size of `struct` in bytes. */
export const sizeOf = (struct: Struct, pageSize = DEFAULT_PAGE_SIZE): number => layoutTable(struct, pageSize).size;

/** Offset of a field in bytes. `name` is a field of the structure; it throws if there is none of that name. */
export const offsetOf = <S extends Struct>(struct: S, name: keyof S['fields'] & string, pageSize = DEFAULT_PAGE_SIZE): number =>
  layoutTable(struct, pageSize).field(name).offset;

/** Elements an array field holds on a machine with pages of `pageSize` bytes. */
export function arrayCount(placement: FieldPlacement, pageSize = DEFAULT_PAGE_SIZE): number {
  if (placement.type.kind !== 'array') throw new Error(`${placement.name} is not an array`);
  return Math.floor(placement.size / typeSize(placement.type.of, pageSize));
}

/** Size of one value of `type`, in bytes. For an array of count `page` at offset `at`, what is left of the page. */
export function typeSize(type: FieldType, pageSize = DEFAULT_PAGE_SIZE, at = 0): number {
  switch (type.kind) {
    case 'int':
    case 'cstring':
    case 'bytes':
    case 'bits':
    case 'union':
      return type.bytes;
    case 'nested':
      return sizeOf(type.struct, pageSize);
    case 'array': {
      const each = typeSize(type.of, pageSize);
      return each * (type.count === 'page' ? Math.floor((pageSize - at) / each) : type.count);
    }
  }
}

function alignOf(type: FieldType, pageSize: number): number {
  switch (type.kind) {
    case 'int':
    case 'bits':
      return type.bytes;
    case 'cstring':
    case 'bytes':
      return 1;
    case 'nested':
      return layoutTable(type.struct, pageSize).align;
    case 'array':
      return alignOf(type.of, pageSize);
    case 'union':
      return Math.max(1, ...Object.values(type.variants).map((variant) => layoutTable(variant, pageSize).align));
  }
}

function place(struct: Struct, pageSize: number): LayoutTable {
  const fields: FieldPlacement[] = [];
  const holes: Hole[] = [];
  let offset = 0;
  let align = 1;
  for (const [name, type] of Object.entries(struct.fields)) {
    const fieldAlign = struct.packed ? 1 : alignOf(type, pageSize);
    const aligned = struct.placed?.offsets[name] ?? roundUp(offset, fieldAlign);
    if (aligned < offset) throw new Error(`struct ${struct.name}: ${name} overlaps the field before it`);
    if (aligned > offset) holes.push({ offset, size: aligned - offset });
    align = Math.max(align, fieldAlign);
    const size = typeSize(type, pageSize, aligned);
    fields.push({ name, offset: aligned, size, type, bits: placeBits(struct, name, type) });
    offset = aligned + size;
  }
  const size = struct.placed?.size ?? roundUp(offset, align);
  if (size < offset) throw new Error(`struct ${struct.name} ends within its last field`);
  if (size > offset) holes.push({ offset, size: size - offset });
  const byName = new Map(fields.map((field) => [field.name, field]));
  return {
    struct,
    size,
    align,
    fields,
    holes,
    field(name) {
      const found = byName.get(name);
      if (found === undefined) throw new Error(`struct ${struct.name} has no field ${name}`);
      return found;
    },
  };
}

function placeBits(struct: Struct, name: string, type: FieldType): readonly BitPlacement[] {
  if (type.kind !== 'bits') return [];
  let lowBit = 0;
  const placed: BitPlacement[] = [];
  for (const [bitName, field] of Object.entries(type.fields)) {
    if (field.width < 1 || field.width > 64) throw new Error(`struct ${struct.name}: ${name}.${bitName} is ${field.width} bits wide`);
    placed.push({ name: bitName, lowBit, field });
    lowBit += field.width;
  }
  if (lowBit > type.bytes * 8) throw new Error(`struct ${struct.name}: the bit-fields of ${name} need ${lowBit} bits`);
  return placed;
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** The C-like name of a field's type. @param count elements of an array, where its layout has settled it */
export function typeName(type: FieldType, count?: number): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 's' : 'u'}${type.bytes * 8}`;
    case 'cstring':
      return `char[${type.bytes}]`;
    case 'bytes':
      return `u8[${type.bytes}]`;
    case 'bits':
      return `u${type.bytes * 8} bits`;
    case 'union':
      return 'union';
    case 'nested':
      return `struct ${type.struct.name}`;
    case 'array':
      return `${typeName(type.of)}[${count ?? (type.count === 'page' ? '' : type.count)}]`;
  }
}
