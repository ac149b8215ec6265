/**
 * Fields of a kernel's structure that are a described field under another name. Only of fields without which nothing after them is found
 * (`LEADING`): a structure has to have them, whatever it calls them. Any other field that is gone is gone.
 */
import type { FieldType, Struct } from '../../../abi/layout.js';
import { layoutTable } from '../../codec/layout-table.js';
import { leavesOf } from '../../codec/leaf.js';
import type { Btf } from './btf.js';
import type { BtfLayoutMember } from './struct-layout.js';

type Class = 'number' | 'text' | 'struct' | 'array';

interface Field {
  readonly name: string;
  /** from the start of the structure */
  readonly bitOffset: number;
  readonly bits: number;
  readonly is: Class;
}

/** Own name to described name. @param leading described names that may be looked for under another */
export function renamesOf(btf: Btf, described: Struct, members: readonly BtfLayoutMember[], leading: readonly string[]): Readonly<Record<string, string>> {
  const before = describedFields(described);
  const now = members.map((member): Field => ({ ...member, is: classOf(btf, member) }));
  const taken = new Set([...before, ...leavesOf(described)].map(({ name }) => name));
  const kept = new Set(now.map(({ name }) => name));
  const gone = before.filter(({ name }) => !kept.has(name) && leading.includes(name));
  const fresh = now.filter(({ name }) => !taken.has(name));
  const found: Record<string, string> = {};
  for (const field of gone) {
    const inPlace = fresh.find((one) => one.is === field.is && one.bitOffset === field.bitOffset && one.bits === field.bits);
    const one = inPlace ?? betweenSameNeighbours(field, before, now, taken);
    if (one !== null && !(one.name in found)) found[one.name] = field.name;
  }
  return found;
}

/** The only new field between those that stood before and after `field`, where it was the only one there, too. */
function betweenSameNeighbours(field: Field, before: readonly Field[], now: readonly Field[], taken: ReadonlySet<string>): Field | null {
  const at = before.indexOf(field);
  const [above, below] = [before[at - 1]?.name, before[at + 1]?.name];
  const [first, last] = [
    above === undefined ? -1 : now.findIndex(({ name }) => name === above),
    below === undefined ? now.length : now.findIndex(({ name }) => name === below),
  ];
  const one = now[first + 1];
  const fits = one !== undefined && last === first + 2 && !taken.has(one.name) && one.is === field.is;
  return fits && (above === undefined || first >= 0) ? one : null;
}

function describedFields(struct: Struct): readonly Field[] {
  return layoutTable(struct).fields.flatMap(({ name, type, offset, size, bits }): Field[] =>
    bits.length > 0
      ? bits.map((part) => ({ name: part.name, bitOffset: offset * 8 + part.lowBit, bits: part.field.width, is: 'number' }))
      : [{ name, bitOffset: offset * 8, bits: size * 8, is: CLASSES[type.kind] }],
  );
}

const CLASSES: Readonly<Record<FieldType['kind'], Class>> = {
  int: 'number',
  bits: 'number',
  cstring: 'text',
  bytes: 'text',
  array: 'array',
  nested: 'struct',
  union: 'struct',
};

function classOf(btf: Btf, { typeId, isBitField, bits }: BtfLayoutMember): Class {
  const id = btf.resolve(typeId);
  const kind = btf.kindOf(id);
  if (isBitField || kind === 'INT' || kind === 'ENUM' || kind === 'ENUM64' || kind === 'PTR') return 'number';
  if (kind === 'ARRAY') return btf.byteSize(btf.resolve(btf.arrayOf(id).type)) === 1 ? 'text' : 'array';
  // DECLARE_KHOSER_PTR: one address in two types.
  return kind === 'UNION' && bits === 64 ? 'number' : 'struct';
}
