/**
 * Single values of a structure found by name, wherever a layout puts them: top-level, in a nested structure, or as a bit-field.
 * Readers that ask here follow a layout they have never seen.
 */
import type { BitField, CStringValue, FieldType, Struct } from '../../abi/layout.js';
import { DEFAULT_PAGE_SIZE, layoutTable } from './layout-table.js';

export interface Leaf {
  readonly name: string;
  /** names from the outermost structure down; the integer that holds a bit-field is one of them */
  readonly path: readonly string[];
  /** the same in the names that are described, where this layout has its own (`Struct.renamed`) */
  readonly known: readonly string[];
  /** in bits from the start of the outermost structure */
  readonly bitOffset: number;
  /** in bits */
  readonly bits: number;
  readonly type: FieldType | BitField;
}

/** Deeper nesting than any structure that is handed over. */
const MAX_NESTING = 8;

interface Leaves {
  readonly all: readonly Leaf[];
  /** by the names that were asked for */
  readonly named: Map<string, Leaf | null>;
}

const known = new Map<number, WeakMap<Struct, Leaves>>();

function knownOf(struct: Struct, pageSize: number): Leaves {
  let ofPageSize = known.get(pageSize);
  if (ofPageSize === undefined) {
    ofPageSize = new WeakMap();
    known.set(pageSize, ofPageSize);
  }
  let leaves = ofPageSize.get(struct);
  if (leaves === undefined) {
    leaves = { all: [...collect(struct, pageSize, [], [], 0)], named: new Map() };
    ofPageSize.set(struct, leaves);
  }
  return leaves;
}

/** All leaves in memory order. Cached. @param pageSize in bytes */
export const leavesOf = (struct: Struct, pageSize = DEFAULT_PAGE_SIZE): readonly Leaf[] => knownOf(struct, pageSize).all;

function* collect(struct: Struct, pageSize: number, above: readonly string[], knownAbove: readonly string[], base: number): Iterable<Leaf> {
  const asKnown = (name: string): string => struct.renamed?.[name] ?? name;
  for (const { name, type, offset, size, bits } of layoutTable(struct, pageSize).fields) {
    const path = [...above, name];
    const known = [...knownAbove, asKnown(name)];
    const bitOffset = base + offset * 8;
    if (type.kind === 'nested' && above.length < MAX_NESTING) yield* collect(type.struct, pageSize, path, known, bitOffset);
    else if (type.kind === 'bits')
      for (const part of bits)
        yield {
          name: part.name,
          path: [...path, part.name],
          known: [...known, asKnown(part.name)],
          bitOffset: bitOffset + part.lowBit,
          bits: part.field.width,
          type: part.field,
        };
    else yield { name, path, known, bitOffset, bits: size * 8, type };
  }
}

/** The leaf at `name` (`count`, `file_set_ser.count`); where no path is exactly that, the outermost leaf of its last part's name. Cached. */
export function leafOf(struct: Struct, name: string, pageSize = DEFAULT_PAGE_SIZE): Leaf | null {
  const { all, named } = knownOf(struct, pageSize);
  const before = named.get(name);
  if (before !== undefined) return before;
  const found = find(all, name);
  named.set(name, found);
  return found;
}

function find(leaves: readonly Leaf[], name: string): Leaf | null {
  const exact = leaves.find((leaf) => leaf.path.join('.') === name || leaf.known.join('.') === name);
  if (exact !== undefined) return exact;
  const last = name.slice(name.lastIndexOf('.') + 1);
  const named = leaves.filter((leaf) => leaf.name === last || leaf.known.at(-1) === last);
  return named.reduce<Leaf | null>((best, leaf) => (best === null || leaf.path.length < best.path.length ? leaf : best), null);
}

function valueAt(struct: Struct, values: unknown, name: string, pageSize: number): unknown {
  const leaf = leafOf(struct, name, pageSize);
  if (leaf === null) return null;
  return leaf.path.reduce<unknown>((value, part) => (isRecord(value) ? value[part] : null), values);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** An integer of a decoded structure by name; null where the layout has none of that name. */
export function integerOf(struct: Struct, values: unknown, name: string, pageSize = DEFAULT_PAGE_SIZE): bigint | null {
  const value = valueAt(struct, values, name, pageSize);
  return typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : null;
}

/** A text of a decoded structure by name; null where the layout has none of that name. */
export function textOf(struct: Struct, values: unknown, name: string, pageSize = DEFAULT_PAGE_SIZE): CStringValue | null {
  const value = valueAt(struct, values, name, pageSize);
  return isCString(value) ? value : null;
}

export const isCString = (value: unknown): value is CStringValue => isRecord(value) && 'terminated' in value && 'trailing' in value;

/**
 * Reads an unsigned leaf of at most 64 bits out of bulk tables without a parser: `(view, at)` gives the value of the structure that
 * starts at byte `at`. Values beyond 2^53 are rounded. Null where the structure is too short for it: less than 8 bytes.
 */
export function bulkReader(struct: Struct, leaf: Leaf, pageSize = DEFAULT_PAGE_SIZE): ((view: DataView, at: number) => number) | null {
  const size = layoutTable(struct, pageSize).size;
  const start = Math.min(Math.floor(leaf.bitOffset / 8), size - 8);
  const low = leaf.bitOffset - start * 8;
  if (start < 0 || low + leaf.bits > 64) return null;
  const lowBits = Math.max(0, Math.min(leaf.bits, 32 - low));
  const highBits = leaf.bits - lowBits;
  const lowMask = lowBits === 32 ? 0xffffffff : 2 ** lowBits - 1;
  const highMask = highBits === 32 ? 0xffffffff : 2 ** highBits - 1;
  const highShift = Math.max(0, low - 32);
  const scale = 2 ** lowBits;
  if (lowBits === 0) return (view, at) => ((view.getUint32(at + start + 4, true) >>> highShift) & highMask) >>> 0;
  if (highBits === 0) return (view, at) => ((view.getUint32(at + start, true) >>> low) & lowMask) >>> 0;
  return (view, at) => (((view.getUint32(at + start, true) >>> low) & lowMask) >>> 0) + ((view.getUint32(at + start + 4, true) & highMask) >>> 0) * scale;
}
