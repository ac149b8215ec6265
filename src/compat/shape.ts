/**
 * A structure's layout in one form, whether it comes from a contract or from a kernel's BTF, and how two of them differ.
 * For everything that compares layouts.
 */
import type { Struct } from '../../abi/layout.js';
import { arrayCount, layoutTable, typeName } from '../codec/layout-table.js';
import { currentBudget, raise } from '../codec/budget.js';
import type { Btf } from './btf/btf.js';

export interface ShapeField {
  readonly name: string;
  /** in bits from the start of the structure */
  readonly bitOffset: number;
  /** in bits */
  readonly bits: number;
  /** as C writes it */
  readonly type: string;
}

export interface Shape {
  readonly name: string;
  /** in bytes */
  readonly size: number;
  /** as declared: nested structures are one field */
  readonly fields: readonly ShapeField[];
  /** nested structures opened up: what decides whether bytes mean the same */
  readonly leaves: readonly ShapeField[];
}

/** Deeper nesting than any structure of a handover. */
const MAX_NESTING = 8;

/** @param pageSize in bytes; decides arrays that fill a page */
export function shapeOfContract(struct: Struct, pageSize: number): Shape {
  const fields: ShapeField[] = [];
  const leaves: ShapeField[] = [];
  const add = (inner: Struct, base: number, into: readonly ShapeField[][], depth: number): void => {
    for (const placed of layoutTable(inner, pageSize).fields) {
      const bitOffset = base + placed.offset * 8;
      if (placed.bits.length > 0) {
        for (const part of placed.bits)
          for (const list of into) list.push({ name: part.name, bitOffset: bitOffset + part.lowBit, bits: part.field.width, type: `u${placed.size * 8}` });
        continue;
      }
      const field = {
        name: placed.name,
        bitOffset,
        bits: placed.size * 8,
        type: typeName(placed.type, placed.type.kind === 'array' ? arrayCount(placed, pageSize) : undefined),
      };
      if (depth === 0) fields.push(field);
      if (placed.type.kind === 'nested' && depth < MAX_NESTING) add(placed.type.struct, bitOffset, [leaves], depth + 1);
      else leaves.push(field);
    }
  };
  add(struct, 0, [fields, leaves], 0);
  return { name: struct.name, size: layoutTable(struct, pageSize).size, fields, leaves };
}

/** The shape of a struct or union of that name; null where the BTF has none. Of several, the first. @throws UserError where it is damaged */
export function shapeOfBtf(btf: Btf, name: string): Shape | null {
  const id = btf.find('STRUCT', name) ?? btf.find('UNION', name);
  if (id === null) return null;
  const layout = btf.structLayout(id);
  const leaves: ShapeField[] = [];
  const budget = currentBudget();
  const open = (structure: number, base: number, depth: number): void => {
    if (!budget.spend('btf-visits', 1 + btf.structLayout(structure).members.length, btf.name))
      throw btf.error(id, `opens up into more than ${budget.allowed('btf-visits')} members; ${raise(budget, 'btf-visits')} if that is meant`);
    for (const member of btf.structLayout(structure).members) {
      const target = btf.resolve(member.typeId);
      if (!member.isBitField && btf.kindOf(target) === 'STRUCT' && depth < MAX_NESTING) open(target, base + member.bitOffset, depth + 1);
      else leaves.push({ name: member.name, bitOffset: base + member.bitOffset, bits: member.bits, type: member.type });
    }
  };
  open(id, 0, 0);
  const fields = layout.members.map((member) => ({ name: member.name, bitOffset: member.bitOffset, bits: member.bits, type: member.type }));
  return { name, size: layout.size, fields, leaves };
}

/** What differs, a sentence each; empty where the same bytes mean the same. A field that only changed its name is `renamed`. */
export interface ShapeDifference {
  readonly kind: 'size' | 'field' | 'renamed';
  readonly text: string;
}

export function compareShapes(one: Shape, other: Shape): readonly ShapeDifference[] {
  const found: ShapeDifference[] = [];
  if (one.size !== other.size) found.push({ kind: 'size', text: `struct ${one.name} has ${one.size} bytes against ${other.size}` });
  const placeOf = (field: ShapeField): string => `${field.bitOffset}+${field.bits}`;
  const named = new Map(other.leaves.map((field) => [field.name, field]));
  const placed = new Map(other.leaves.map((field) => [placeOf(field), field]));
  const matched = new Set<ShapeField>();
  for (const field of one.leaves) {
    const samePlace = placed.get(placeOf(field));
    if (samePlace !== undefined) {
      const moved = samePlace.name === field.name ? undefined : named.get(field.name);
      matched.add(moved ?? samePlace);
      if (moved !== undefined) found.push({ kind: 'field', text: `${one.name}.${field.name} is at ${offsetText(field)} against ${offsetText(moved)}` });
      else if (samePlace.name !== field.name) {
        // A name that stood elsewhere before is no new name of this field: the field is gone, and the other took its place.
        const tookItsPlace = one.leaves.some((own) => own.name === samePlace.name);
        found.push(
          tookItsPlace
            ? { kind: 'field', text: `${one.name}.${field.name} at ${offsetText(field)} is gone` }
            : { kind: 'renamed', text: `${one.name}.${field.name} is called ${samePlace.name}` },
        );
      }
      continue;
    }
    const sameName = named.get(field.name);
    if (sameName === undefined) found.push({ kind: 'field', text: `${one.name}.${field.name} at ${offsetText(field)} is gone` });
    else {
      matched.add(sameName);
      const what =
        sameName.bitOffset === field.bitOffset
          ? `has ${sizeText(field)} against ${sizeText(sameName)}`
          : `is at ${offsetText(field)} against ${offsetText(sameName)}`;
      found.push({ kind: 'field', text: `${one.name}.${field.name} ${what}` });
    }
  }
  const ownPlaces = new Set(one.leaves.map(placeOf));
  for (const field of other.leaves)
    if (!matched.has(field) && !ownPlaces.has(placeOf(field))) found.push({ kind: 'field', text: `${one.name}.${field.name} at ${offsetText(field)} is new` });
  return found;
}

/** Does the same layout hold for both? Names are not asked. */
export const sameShape = (one: Shape, other: Shape): boolean => compareShapes(one, other).every((difference) => difference.kind === 'renamed');

export const offsetText = (field: ShapeField): string =>
  field.bitOffset % 8 === 0 ? `${field.bitOffset / 8}` : `${Math.floor(field.bitOffset / 8)}:${field.bitOffset % 8}`;
export const sizeText = (field: ShapeField): string => (field.bits % 8 === 0 ? `${field.bits / 8} bytes` : `${field.bits} bits`);
