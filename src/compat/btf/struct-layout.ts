/**
 * The members of a BTF structure with the places C gave them, anonymous structures and unions opened up. For ABI checks
 * and for reading a kernel's objects by name.
 */
import { type BtfReader, MAX_RESOLVE_DEPTH, type RawMember } from './reader.js';
import { typeText } from './type-text.js';

export interface BtfLayoutMember {
  /** '' only for a bit-field without a name */
  readonly name: string;
  /** in bits from the start of the outermost structure */
  readonly bitOffset: number;
  /** in bits; 0 for a flexible array */
  readonly bits: number;
  /** as C writes it */
  readonly type: string;
  readonly typeId: number;
  readonly isBitField: boolean;
}

export interface BtfLayout {
  readonly name: string;
  readonly kind: 'struct' | 'union';
  /** in bytes */
  readonly size: number;
  readonly members: readonly BtfLayoutMember[];
}

/** More members than this in one structure, and it is damage: the largest of a kernel has a few hundred. */
const MAX_MEMBERS = 20000;

/** @throws UserError where the structure contains itself, a member reaches past its end, or it is not a structure */
export function layoutOf(btf: BtfReader, id: number): BtfLayout {
  const resolved = btf.resolve(id);
  const size = btf.byteSize(resolved);
  const members: BtfLayoutMember[] = [];
  // Structures without members count, too: shared ones can double at each level.
  let opened = 0;
  const open = (structure: number, baseBits: number, depth: number): void => {
    if (depth > MAX_RESOLVE_DEPTH) throw btf.error(id, `nests more than ${MAX_RESOLVE_DEPTH} structures: a cycle`);
    if (++opened > MAX_MEMBERS) throw btf.error(id, `opens up into more than ${MAX_MEMBERS} members that are structures themselves`);
    for (const member of btf.membersOf(structure)) {
      const target = btf.resolve(member.type);
      const kind = btf.kindOf(target);
      if (member.name === '' && (kind === 'STRUCT' || kind === 'UNION')) {
        if (target === structure || target === resolved) throw btf.error(structure, 'contains itself');
        open(target, baseBits + member.bitOffset, depth + 1);
        continue;
      }
      const placed = place(btf, member, target, baseBits);
      if (placed.bitOffset + placed.bits > size * 8)
        throw btf.error(
          structure,
          `has a member ${placed.name === '' ? '' : `${placed.name} `}that ends at bit ${placed.bitOffset + placed.bits} of ${size * 8}`,
        );
      members.push(placed);
      if (members.length > MAX_MEMBERS) throw btf.error(id, `has more than ${MAX_MEMBERS} members`);
    }
  };
  const kind = btf.kindOf(resolved) === 'UNION' ? 'union' : 'struct';
  open(resolved, 0, 0);
  return { name: btf.nameOf(resolved), kind, size, members };
}

function place(btf: BtfReader, member: RawMember, target: number, baseBits: number): BtfLayoutMember {
  const common = { name: member.name, typeId: member.type };
  // Type text is made when asked for: most callers compare numbers alone.
  const withText = (rest: Pick<BtfLayoutMember, 'bitOffset' | 'bits' | 'isBitField'>): BtfLayoutMember => ({
    ...common,
    ...rest,
    get type() {
      return typeText(btf, member.type);
    },
  });
  const bitOffset = baseBits + member.bitOffset;
  if (member.bitfieldBits > 0) return withText({ bitOffset, bits: member.bitfieldBits, isBitField: true });
  const bits = btf.byteSize(member.type) * 8;
  if (btf.kindOf(target) === 'INT') {
    // Before kind_flag existed, a bit-field was an INT of its own width.
    const int = btf.intOf(target);
    if (int.bits !== bits || int.offset !== 0) return withText({ bitOffset: bitOffset + int.offset, bits: int.bits, isBitField: true });
  }
  return withText({ bitOffset, bits, isBitField: false });
}
