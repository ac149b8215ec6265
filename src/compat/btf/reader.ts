/**
 * The types of a BTF section, one at a time: kind, name, size, members, values, decoded when asked for. For btf.ts.
 * Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst, 7.3.
 */
import { btfArray, btfBitMember, btfIntData, type BtfKindName, btfKinds, btfMember, btfParam, btfVarSecinfo } from '../../../abi/btf/types.js';
import type { DecodedStruct, Struct } from '../../../abi/layout.js';
import { type Budget, currentBudget, raise } from '../../codec/budget.js';
import { decodeStruct } from '../../codec/decode.js';
import { type BitPlacement, layoutTable, offsetOf, sizeOf } from '../../codec/layout-table.js';
import { addedAt, indexTypes, kindFlagAt, kindNumberAt, nameOffAt, type NameTable, nameTable, thirdAt, type TypeIndex, vlenAt } from './type-index.js';
import { btfError, type BtfSection } from './section.js';

/** Longer chains of typedefs, qualifiers and arrays than this are a cycle or damage; libbpf's limit. */
export const MAX_RESOLVE_DEPTH = 32;

function partOfOffset(name: string): BitPlacement {
  const part = layoutTable(btfBitMember)
    .field('offset')
    .bits.find((placed) => placed.name === name);
  if (part === undefined) throw new Error(`btf_bit_member.offset has no ${name}`);
  return part;
}

/** For walking all members of a kernel: 400,000 of them are too many to decode one by one. */
const MEMBER = {
  size: sizeOf(btfMember),
  type: offsetOf(btfMember, 'type'),
  offset: offsetOf(btfMember, 'offset'),
  bitOffset: partOfOffset('bit_offset'),
  bitfieldSize: partOfOffset('bitfield_size'),
} as const;

const PARAMETER = { size: sizeOf(btfParam), type: offsetOf(btfParam, 'type') } as const;

/** No compiler writes other names than C's; what damage made of one is made one again. */
const memberName = (name: string): string => (/^([A-Za-z_]\w*)?$/.test(name) ? name : `_${name.replace(/\W/g, '_')}`);

/** Longer names than this are counted: the kernel's own KSYM_NAME_LEN. */
const MANY_BYTES = 512;

export interface RawMember {
  readonly name: string;
  readonly type: number;
  /** in bits from the start of the structure */
  readonly bitOffset: number;
  /** width of a bit-field, 0 where it is not one */
  readonly bitfieldBits: number;
}

interface Variable {
  readonly name: string;
  readonly type: number;
  /** in bytes: offset in its section, and size */
  readonly offset: number;
  readonly size: number;
}

/** All methods take type ids (0 = void) and throw UserError where the id, or what it leads to, is not there. */
export class BtfReader {
  readonly #section: BtfSection;
  readonly #index: TypeIndex;
  readonly #budget: Budget = currentBudget();
  #names: NameTable | null = null;
  #pointerBytes: number | null = null;

  constructor(section: BtfSection) {
    this.#section = section;
    this.#index = indexTypes(section);
  }

  get name(): string {
    return this.#section.name;
  }

  get endian(): 'little' | 'big' {
    return this.#section.little ? 'little' : 'big';
  }

  /** Number of types, void included: ids are below it. */
  get typeCount(): number {
    return this.#index.count;
  }

  /** Are both the same, byte for byte? Those of two builds never are. */
  isSameAs(other: BtfReader): boolean {
    const bytesOf = ({ bytes, stringEnd }: BtfSection): Uint8Array => bytes.subarray(0, stringEnd);
    return Buffer.compare(bytesOf(this.#section), bytesOf(other.#section)) === 0;
  }

  /** The first type of that kind and name, or null. */
  find(kind: BtfKindName, name: string): number | null {
    return this.findAll(name).find((id) => this.kindOf(id) === kind) ?? null;
  }

  /** All types of that name, of whatever kind, ascending. */
  findAll(name: string): readonly number[] {
    this.#names ??= nameTable(this.#section, this.#index);
    return this.#names.idsOf(name);
  }

  kindOf(id: number): BtfKindName {
    return id === 0 ? 'UNKN' : (btfKinds[kindNumberAt(this.#section, this.#record(id))]?.name ?? 'UNKN');
  }

  /** The type's name, '' where it has none. */
  nameOf(id: number): string {
    return id === 0 ? 'void' : this.#string(nameOffAt(this.#section, this.#record(id)));
  }

  kindFlag(id: number): boolean {
    return id !== 0 && kindFlagAt(this.#section, this.#record(id));
  }

  vlen(id: number): number {
    return id === 0 ? 0 : vlenAt(this.#section, this.#record(id));
  }

  /** The type that a PTR, TYPEDEF, qualifier, FUNC, FUNC_PROTO (its result), VAR or tag refers to. */
  target(id: number): number {
    return thirdAt(this.#section, this.#record(id));
  }

  /** Through typedefs, qualifiers and type tags to what they stand for. */
  resolve(id: number): number {
    let at = id;
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
      const kind = this.kindOf(at);
      if (kind !== 'TYPEDEF' && kind !== 'CONST' && kind !== 'VOLATILE' && kind !== 'RESTRICT' && kind !== 'TYPE_TAG') return at;
      at = this.target(at);
    }
    throw this.error(id, `leads through more than ${MAX_RESOLVE_DEPTH} typedefs and qualifiers: a cycle`);
  }

  /** Size in bytes; 0 for void, functions and forward declarations. */
  byteSize(id: number): number {
    let count = 1;
    let at = id;
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
      at = this.resolve(at);
      switch (this.kindOf(at)) {
        case 'ARRAY': {
          const array = this.arrayOf(at);
          count *= array.nelems;
          if (!Number.isSafeInteger(count)) throw this.error(id, 'is an array larger than any memory');
          at = array.type;
          continue;
        }
        case 'PTR':
          return count * this.pointerBytes;
        case 'VAR':
          at = this.target(at);
          continue;
        case 'INT':
        case 'ENUM':
        case 'ENUM64':
        case 'STRUCT':
        case 'UNION':
        case 'FLOAT':
        case 'DATASEC':
          return count * thirdAt(this.#section, this.#record(at));
        default:
          return 0;
      }
    }
    throw this.error(id, `is an array of more than ${MAX_RESOLVE_DEPTH} dimensions: a cycle`);
  }

  /** Size of a pointer in bytes: that of `long`, or 8 where the BTF has none. */
  get pointerBytes(): number {
    if (this.#pointerBytes === null) {
      const id = ['long unsigned int', 'unsigned long', 'long int', 'long'].map((name) => this.find('INT', name)).find((found) => found !== null);
      const size = id === undefined || id === null ? 8 : thirdAt(this.#section, this.#record(id));
      this.#pointerBytes = size === 4 ? 4 : 8;
    }
    return this.#pointerBytes;
  }

  /** What an INT says of itself. */
  intOf(id: number): { readonly bits: number; readonly offset: number; readonly signed: boolean } {
    const { data } = this.#added(btfIntData, id, 'INT');
    return { bits: data.bits, offset: data.offset, signed: (data.encoding & 1) === 1 };
  }

  arrayOf(id: number): DecodedStruct<typeof btfArray> {
    return this.#added(btfArray, id, 'ARRAY');
  }

  /** Members as they are declared: anonymous structures and unions are members without a name. */
  membersOf(id: number): readonly RawMember[] {
    if (!this.kindFlag(id))
      return this.#list(btfMember, id, ['STRUCT', 'UNION']).map((member) => ({
        name: memberName(this.#string(member.name_off)),
        type: member.type,
        bitOffset: member.offset,
        bitfieldBits: 0,
      }));
    return this.#list(btfBitMember, id, ['STRUCT', 'UNION']).map((member) => ({
      name: memberName(this.#string(member.name_off)),
      type: member.type,
      bitOffset: member.offset.bit_offset,
      bitfieldBits: member.offset.bitfield_size,
    }));
  }

  /** Type and place of every member, without its name. */
  *places(id: number): Iterable<Omit<RawMember, 'name'>> {
    const { view, little } = this.#section;
    const wide = !this.kindFlag(id);
    const start = addedAt(this.#record(id));
    for (let index = 0; index < this.vlen(id); index++) {
      const at = start + index * MEMBER.size;
      const place = view.getUint32(at + MEMBER.offset, little);
      yield {
        type: view.getUint32(at + MEMBER.type, little),
        bitOffset: wide ? place : (place >>> MEMBER.bitOffset.lowBit) % 2 ** MEMBER.bitOffset.field.width,
        bitfieldBits: wide ? 0 : (place >>> MEMBER.bitfieldSize.lowBit) % 2 ** MEMBER.bitfieldSize.field.width,
      };
    }
  }

  /** Parameters of a FUNC_PROTO; `...` is one without name and type. */
  parametersOf(id: number): readonly { readonly name: string; readonly type: number }[] {
    return this.#list(btfParam, id, ['FUNC_PROTO']).map((param) => ({ name: this.#string(param.name_off), type: param.type }));
  }

  /** Types of the parameters alone. */
  *parameterTypes(id: number): Iterable<number> {
    const { view, little } = this.#section;
    const start = addedAt(this.#record(id)) + PARAMETER.type;
    for (let index = 0; index < this.vlen(id); index++) yield view.getUint32(start + index * PARAMETER.size, little);
  }

  /** Variables of a DATASEC. */
  variablesOf(id: number): readonly Variable[] {
    return this.#list(btfVarSecinfo, id, ['DATASEC']).map((variable) => ({
      name: this.nameOf(variable.type),
      type: variable.type,
      offset: variable.offset,
      size: variable.size,
    }));
  }

  /** An error about type `id`: what, where, what to try. */
  error(id: number, what: string): Error {
    return btfError(this.name, this.#index.offsets[id] ?? 0, `type [${id}] ${what}`);
  }

  #record(id: number): number {
    const at = id > 0 ? this.#index.offsets[id] : undefined;
    if (at === undefined) throw btfError(this.name, this.#section.typeStart, `a reference to type [${id}], and there are ${this.typeCount}`);
    return at;
  }

  #string(offset: number): string {
    const { bytes, stringStart, stringEnd } = this.#section;
    const start = stringStart + offset;
    if (start >= stringEnd) throw btfError(this.name, stringStart, `a name at ${offset}, and the strings have ${stringEnd - stringStart} bytes`);
    const end = bytes.indexOf(0, start);
    if (end - start > MANY_BYTES && !this.#budget.spend('btf-text', end - start, this.name))
      throw btfError(this.name, start, `its names have more than ${this.#budget.allowed('btf-text')} bytes`);
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  }

  #added<S extends Struct>(struct: S, id: number, kind: BtfKindName): DecodedStruct<S> {
    if (this.kindOf(id) !== kind) throw this.error(id, `is a ${this.kindOf(id)}, not a ${kind}`);
    return decodeStruct(struct, this.#section.bytes, addedAt(this.#record(id)), { endian: this.endian });
  }

  #list<S extends Struct>(struct: S, id: number, kinds: readonly BtfKindName[]): readonly DecodedStruct<S>[] {
    if (!kinds.includes(this.kindOf(id))) throw this.error(id, `is a ${this.kindOf(id)}, not a ${kinds.join(' or ')}`);
    if (!this.#budget.spend('btf-visits', this.vlen(id) + 1, this.name))
      throw this.error(id, `is looked at after ${this.#budget.allowed('btf-visits')} members of others; ${raise(this.#budget, 'btf-visits')} if that is meant`);
    const start = addedAt(this.#record(id));
    const each = sizeOf(struct);
    return Array.from({ length: this.vlen(id) }, (_, position) => decodeStruct(struct, this.#section.bytes, start + position * each, { endian: this.endian }));
  }
}
