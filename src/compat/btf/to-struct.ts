/**
 * A BTF structure as a layout of the language of abi/, so that everything that reads by a layout can read what nobody described:
 * places and sizes from BTF, words and roles from the described layout where it has a field of the same name.
 */
import type { BitField, BitsType, Endian, FieldType, FlagNames, Role, Struct } from '../../../abi/layout.js';
import { type Leaf, leavesOf } from '../../codec/leaf.js';
import type { Btf } from './btf.js';
import type { BtfLayoutMember } from './struct-layout.js';
import { layoutTable } from '../../codec/layout-table.js';

type Leading = Readonly<Record<string, readonly string[]>>;

/** Fields of one structure with all that are nested in it: a handover's have a few dozen. */
const MAX_FIELDS = 4096;
const MAX_NESTING = 8;
/** No structure of a handover is larger than a few pages. */
const MAX_BYTES = 1 << 20;

/**
 * The struct (or union) called `name`; null where the BTF has none.
 * @param described gives fields of the same name their words; null where nobody described it
 * @param leading by structure, the described fields that may be there under another name
 * @throws UserError where the BTF is damaged, or the structure is larger than any that is handed over
 */
export function structOfBtf(btf: Btf, name: string, described: Struct | null, leading: Leading = {}): Struct | null {
  const id = btf.find('STRUCT', name) ?? btf.find('UNION', name);
  return id === null ? null : new Conversion(btf, leading).struct(id, name, described, 0);
}

class Conversion {
  readonly #btf: Btf;
  readonly #leading: Leading;
  #left = MAX_FIELDS;

  constructor(btf: Btf, leading: Leading) {
    this.#btf = btf;
    this.#leading = leading;
  }

  struct(id: number, name: string, described: Struct | null, depth: number): Struct {
    const btf = this.#btf;
    const layout = btf.structLayout(id);
    if (layout.size > MAX_BYTES) throw btf.error(id, `struct ${name} has ${layout.size} bytes, more than any that is handed over`);
    const leaves = described === null ? [] : leavesOf(described);
    const fields: Record<string, FieldType> = {};
    const offsets: Record<string, number> = {};
    let end = 0;
    const put = (field: string, offset: number, type: FieldType, size: number): void => {
      if (this.#left-- <= 0) throw btf.error(id, `struct ${name} has more than ${MAX_FIELDS} fields`);
      const unique = field in fields ? `${field}@${offset}` : field;
      fields[unique] = type;
      offsets[unique] = offset;
      end = offset + size;
    };
    const members = this.#disjoint(layout.members, leaves);
    const renamed = described === null ? {} : renamesOf(btf, described, members, this.#leading[described.name] ?? []);
    const known = (own: string): string => renamed[own] ?? own;
    for (let at = 0; at < members.length; ) {
      const member = members[at];
      if (member === undefined) break;
      if (!member.isBitField) {
        put(member.name, member.bitOffset / 8, this.#type({ ...member, name: known(member.name) }, described, leaves, depth), member.bits / 8);
        at++;
        continue;
      }
      const group = bitGroup(members, at, end, layout.size);
      put(group.name, group.offset, bitsOf(group, leaves, known), group.bytes);
      at += group.members.length;
    }
    return {
      kind: 'struct',
      name,
      meaning: described?.meaning ?? 'a structure that no contract describes',
      source: `the types in ${btf.name}`,
      packed: true,
      endian: btf.endian satisfies Endian,
      fields,
      placed: { offsets, size: layout.size },
      ...(Object.keys(renamed).length === 0 ? {} : { renamed }),
    };
  }

  /** Of members that share bytes (an anonymous union) the one that is known by name, else the first; ascending. */
  #disjoint(members: readonly BtfLayoutMember[], leaves: readonly Leaf[]): readonly BtfLayoutMember[] {
    const names = new Set(leaves.flatMap((leaf) => leaf.path));
    const usable = members.filter((member) => member.name !== '' && member.bits > 0 && (member.isBitField ? member.bits <= 64 : member.bitOffset % 8 === 0));
    const rank = (member: BtfLayoutMember): number => (names.has(member.name) ? 0 : 1);
    const taken: BtfLayoutMember[] = [];
    for (const member of [...usable].sort((a, b) => rank(a) - rank(b) || a.bitOffset - b.bitOffset)) {
      const clashes = taken.some((other) => member.bitOffset < other.bitOffset + other.bits && other.bitOffset < member.bitOffset + member.bits);
      if (!clashes) taken.push(member);
    }
    return taken.sort((a, b) => a.bitOffset - b.bitOffset);
  }

  #type(member: BtfLayoutMember, described: Struct | null, leaves: readonly Leaf[], depth: number): FieldType {
    const btf = this.#btf;
    const known = described?.fields[member.name] ?? null;
    const leaf = leaves.find((candidate) => candidate.name === member.name) ?? null;
    const meaning = known?.meaning ?? leaf?.type.meaning ?? 'new: no contract describes it';
    const bytes = member.bits / 8;
    const id = btf.resolve(member.typeId);
    const kind = btf.kindOf(id);
    const whole = isIntSize(bytes) ? bytes : null;
    if (kind === 'STRUCT' && depth < MAX_NESTING) {
      const inner = known?.kind === 'nested' ? known.struct : null;
      return { kind: 'nested', struct: this.struct(id, btf.nameOf(id) || member.name, inner, depth + 1), meaning };
    }
    if (kind === 'ARRAY') return this.#array(id, bytes, described, member.name, meaning, depth);
    // A union of one address in two types (DECLARE_KHOSER_PTR) is that address.
    const isAddress = kind === 'UNION' && whole === 8 && btf.structLayout(id).members.some((part) => part.name === 'phys');
    if (whole !== null && (isAddress || kind === 'INT' || kind === 'ENUM' || kind === 'ENUM64' || kind === 'PTR' || known?.kind === 'int')) {
      const signed = kind === 'INT' && btf.intOf(id).signed;
      return { ...wordsOf(leaf, isAddress ? 'phys' : kind === 'PTR' ? 'opaque' : roleByName(member.name)), kind: 'int', bytes: whole, signed, meaning };
    }
    return { kind: 'bytes', bytes, meaning };
  }

  #array(id: number, bytes: number, described: Struct | null, name: string, meaning: string, depth: number): FieldType {
    const btf = this.#btf;
    const array = btf.arrayOf(id);
    const element = btf.resolve(array.type);
    const kind = btf.kindOf(element);
    const size = btf.byteSize(element);
    const known = described?.fields[name] ?? null;
    if (kind === 'INT' && size === 1)
      return { kind: known?.kind === 'cstring' || (known === null && btf.nameOf(element) === 'char') ? 'cstring' : 'bytes', bytes, meaning };
    const count = size === 0 ? 0 : Math.floor(bytes / size);
    const role: Role = known?.kind === 'array' && known.of.kind === 'int' ? known.of.role : 'number';
    if (kind === 'INT' && isIntSize(size))
      return { kind: 'array', of: { kind: 'int', bytes: size, signed: btf.intOf(element).signed, role, meaning }, count, meaning };
    if (kind === 'STRUCT' && depth < MAX_NESTING) {
      const inner = known?.kind === 'array' && known.of.kind === 'nested' ? known.of.struct : null;
      return { kind: 'array', of: { kind: 'nested', struct: this.struct(element, btf.nameOf(element) || name, inner, depth + 1), meaning }, count, meaning };
    }
    return { kind: 'bytes', bytes, meaning };
  }
}

const isIntSize = (bytes: number): bytes is 1 | 2 | 4 | 8 => bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8;

/** What a name says of a field that is new. */
const roleByName = (name: string): Role => (/(^|_)(flags|seals)$/.test(name) ? 'flags' : /_pa$|_phys$|^phys_/.test(name) ? 'phys' : 'number');

function wordsOf(leaf: Leaf | null, otherwise: Role): { readonly role: Role; readonly flagNames?: FlagNames; readonly pointsTo?: string } {
  const type = leaf?.type;
  if (type === undefined || !('role' in type)) return { role: otherwise };
  return {
    role: type.role,
    ...(type.flagNames === undefined ? {} : { flagNames: type.flagNames }),
    ...('pointsTo' in type && type.pointsTo !== undefined ? { pointsTo: type.pointsTo } : {}),
  };
}

interface BitGroup {
  readonly name: string;
  /** in bytes */
  readonly offset: number;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly members: readonly BtfLayoutMember[];
}

/** The bit-fields from `first` on that one integer holds, and the integer: after byte `from`, before the next member that is not one. */
function bitGroup(members: readonly BtfLayoutMember[], first: number, from: number, size: number): BitGroup {
  const head = members[first];
  if (head === undefined) throw new Error('no bit-field there');
  const start = Math.max(from, Math.floor(head.bitOffset / 8));
  const taken: BtfLayoutMember[] = [];
  for (let at = first; at < members.length; at++) {
    const member = members[at];
    if (member === undefined || !member.isBitField || member.bitOffset + member.bits > (start + 8) * 8) break;
    taken.push(member);
  }
  const next = members[first + taken.length];
  const last = taken.at(-1) ?? head;
  const used = Math.ceil((last.bitOffset + last.bits) / 8) - start;
  const limit = Math.min(size, next === undefined ? size : Math.floor(next.bitOffset / 8)) - start;
  const bytes = ([1, 2, 4, 8] as const).find((unit) => unit >= used && unit <= limit);
  if (bytes === undefined && taken.length > 1) return bitGroup([...members.slice(0, first), ...taken.slice(0, 1)], first, from, start + limit);
  return { name: taken.map((member) => member.name).join('_'), offset: start, bytes: bytes ?? 1, members: taken };
}

function bitsOf(group: BitGroup, leaves: readonly Leaf[], known: (name: string) => string): BitsType {
  const fields: Record<string, BitField> = {};
  let bit = 0;
  for (const { name, bitOffset, bits } of group.members) {
    // Of fields that lie over each other, as no compiler puts them, the later has what the earlier leaves.
    const low = Math.max(bit, bitOffset - group.offset * 8);
    const width = Math.min(bits, bitOffset + bits - group.offset * 8 - low, group.bytes * 8 - low);
    if (width < 1) continue;
    if (low > bit) fields[`gap@${bit}`] = { width: low - bit, role: 'reserved', meaning: 'bits that belong to no field' };
    const leaf = leaves.find((candidate) => candidate.name === known(name)) ?? null;
    fields[name] = { ...bitWords(leaf, name), width, meaning: leaf?.type.meaning ?? 'new: no contract describes it' };
    bit = low + width;
  }
  return { kind: 'bits', bytes: group.bytes, meaning: 'bit-fields', fields };
}

function bitWords(leaf: Leaf | null, name: string): { readonly role: Role; readonly flagNames?: FlagNames } {
  const { role, flagNames } = wordsOf(leaf, roleByName(name));
  return { role, ...(flagNames === undefined ? {} : { flagNames }) };
}

type Class = 'number' | 'text' | 'struct' | 'array';

interface Field {
  readonly name: string;
  /** from the start of the structure */
  readonly bitOffset: number;
  readonly bits: number;
  readonly is: Class;
}

/** Own name to described name. @param leading described names that may be looked for under another */
function renamesOf(btf: Btf, described: Struct, members: readonly BtfLayoutMember[], leading: readonly string[]): Readonly<Record<string, string>> {
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
