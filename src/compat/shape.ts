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
  /** with the names of the structures it is in, where they are known: `hdr.count` */
  readonly path?: string;
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

/** One difference between two layouts. `filled`: padding got a meaning, or lost it; `renamed`: the bytes mean the same. */
export type LayoutChange =
  | { readonly kind: 'size' }
  | { readonly kind: 'moved' | 'resized' | 'type' | 'renamed' | 'filled'; readonly before: ShapeField; readonly after: ShapeField }
  | { readonly kind: 'swapped'; readonly before: ShapeField; readonly after: ShapeField; readonly other: ShapeField }
  | { readonly kind: 'removed'; readonly before: ShapeField }
  | { readonly kind: 'added'; readonly after: ShapeField };

/** What tells a field from others of its structure. */
export const fieldName = (field: ShapeField): string => field.path ?? field.name;
const sameSpot = (one: ShapeField, other: ShapeField): boolean => one.bitOffset === other.bitOffset && one.bits === other.bits;

/** Names of bytes that mean nothing yet. */
export const isPadding = ({ name }: ShapeField): boolean => /^_*(pad(ding)?|reserved|rsvd|unused)_?\d*$/i.test(name);

function grouped(fields: readonly ShapeField[], by: (field: ShapeField) => string): ReadonlyMap<string, readonly ShapeField[]> {
  const found = new Map<string, ShapeField[]>();
  for (const field of fields) {
    const group = found.get(by(field));
    if (group === undefined) found.set(by(field), [field]);
    else group.push(field);
  }
  return found;
}

const spotOf = ({ bitOffset, bits }: ShapeField): string => `${bitOffset}:${bits}`;

/**
 * Two layouts, leaf by leaf: in the order of `before`, then what is new. The one comparison of layouts: contracts, BTF and headers.
 * @param types whether the types' names are comparable: both from headers
 */
export function layoutChanges(before: Shape, after: Shape, types = false): readonly LayoutChange[] {
  const found: LayoutChange[] = before.size === after.size ? [] : [{ kind: 'size' }];
  const was = grouped(before.leaves, fieldName);
  const is = grouped(after.leaves, fieldName);
  const stood = grouped(before.leaves, spotOf);
  const stands = grouped(after.leaves, spotOf);
  const twinOf = (field: ShapeField, among: ReadonlyMap<string, readonly ShapeField[]>): ShapeField | undefined => {
    const named = among.get(fieldName(field));
    return named?.find((one) => sameSpot(one, field)) ?? named?.[0];
  };
  const told = new Set<ShapeField>();
  for (const old of before.leaves) {
    const now = twinOf(old, is);
    if (told.has(old)) continue;
    if (now === undefined) {
      const renamed = stands.get(spotOf(old))?.find((field) => !was.has(fieldName(field)) && (!types || field.type === old.type));
      if (renamed === undefined) found.push({ kind: 'removed', before: old });
      else {
        told.add(renamed);
        found.push({ kind: isPadding(old) === isPadding(renamed) ? 'renamed' : 'filled', before: old, after: renamed });
      }
    } else if (sameSpot(old, now)) {
      if (types && old.type !== now.type) found.push({ kind: 'type', before: old, after: now });
    } else {
      const other = stood.get(spotOf(now))?.find((field) => field !== old);
      const there = other === undefined ? undefined : twinOf(other, is);
      if (other !== undefined && there !== undefined && sameSpot(there, old)) {
        told.add(other);
        found.push({ kind: 'swapped', before: old, after: now, other });
      } else found.push({ kind: old.bitOffset === now.bitOffset ? 'resized' : 'moved', before: old, after: now });
    }
  }
  for (const now of after.leaves) if (!was.has(fieldName(now)) && !told.has(now)) found.push({ kind: 'added', after: now });
  return found;
}

/** What differs, a sentence each; empty where the same bytes mean the same. A field that only changed its name is `renamed`. */
interface ShapeDifference {
  readonly kind: 'size' | 'field' | 'renamed';
  readonly text: string;
}

export function compareShapes(one: Shape, other: Shape): readonly ShapeDifference[] {
  const field = (text: string): ShapeDifference => ({ kind: 'field', text: `${one.name}.${text}` });
  const moved = (before: ShapeField, after: ShapeField): ShapeDifference => field(`${before.name} is at ${offsetText(before)} against ${offsetText(after)}`);
  const told = (change: LayoutChange): readonly ShapeDifference[] => {
    switch (change.kind) {
      case 'size':
        return [{ kind: 'size', text: `struct ${one.name} has ${one.size} bytes against ${other.size}` }];
      case 'moved':
        return [moved(change.before, change.after)];
      case 'swapped':
        return [moved(change.before, change.after), moved(change.other, change.before)];
      case 'resized':
        return [field(`${change.before.name} has ${sizeText(change.before)} against ${sizeText(change.after)}`)];
      case 'removed':
        return [field(`${change.before.name} at ${offsetText(change.before)} is gone`)];
      case 'added':
        return [field(`${change.after.name} at ${offsetText(change.after)} is new`)];
      case 'renamed':
      case 'filled':
        return [{ kind: 'renamed', text: `${one.name}.${change.before.name} is called ${change.after.name}` }];
      case 'type':
        return [];
    }
  };
  return layoutChanges(one, other).flatMap(told);
}

/** Does the same layout hold for both? Names are not asked. */
export const sameShape = (one: Shape, other: Shape): boolean => compareShapes(one, other).every((difference) => difference.kind === 'renamed');

export const offsetText = (field: ShapeField): string =>
  field.bitOffset % 8 === 0 ? `${field.bitOffset / 8}` : `${Math.floor(field.bitOffset / 8)}:${field.bitOffset % 8}`;
export const sizeText = (field: ShapeField): string => (field.bits % 8 === 0 ? `${field.bits / 8} bytes` : `${field.bits} bits`);
