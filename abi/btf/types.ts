/** The records of a BTF type section: a btf_type, then what its kind adds. Source: include/uapi/linux/btf.h, 7.3; Documentation/bpf/btf.rst. */
import { bits, type Struct, s32, struct, u32, u8, u16 } from '../layout.js';

const source = 'include/uapi/linux/btf.h, 7.3';
/** The kernel takes no higher id. */
export const BTF_MAX_TYPE = 0x000fffff;
const nameOff = u32('name, as an offset into the strings; 0 = none', { role: 'bytes' });
const typeId = (meaning: string) => u32(meaning, { role: 'index' });

export const btfType = struct({
  name: 'btf_type',
  meaning: 'One type; ids count from 1 in the order of the records, 0 is void',
  source,
  fields: {
    name_off: nameOff,
    info: bits(4, 'kind, number of what follows, and a flag', {
      vlen: { width: 16, role: 'count', meaning: 'members, values, parameters or variables that follow' },
      unused16: { width: 8, role: 'reserved', meaning: 'unused' },
      kind: { width: 5, role: 'enum', meaning: 'BTF_KIND_*' },
      unused29: { width: 2, role: 'reserved', meaning: 'unused' },
      kind_flag: { width: 1, role: 'bool', meaning: 'struct, union: members are btf_member with sizes in bits; enum: signed; fwd: union' },
    }),
    size: u32('size in bytes (INT, ENUM, STRUCT, UNION, DATASEC, FLOAT, ENUM64), else (C: `type`) the id of the type it refers to'),
  },
});

export const btfIntData = struct({
  name: 'btf_int_data',
  meaning: 'What an INT adds',
  source: `${source}: BTF_INT_ENCODING, BTF_INT_OFFSET, BTF_INT_BITS`,
  fields: {
    data: bits(4, 'shape of the integer', {
      bits: { width: 8, role: 'number', meaning: 'width in bits' },
      unused8: { width: 8, role: 'reserved', meaning: 'unused' },
      offset: { width: 8, role: 'number', meaning: 'bit at which the value starts' },
      encoding: { width: 4, role: 'flags', meaning: 'how to show it', flagNames: { 0: 'BTF_INT_SIGNED', 1: 'BTF_INT_CHAR', 2: 'BTF_INT_BOOL' } },
    }),
  },
});

export const btfArray = struct({
  name: 'btf_array',
  meaning: 'What an ARRAY adds',
  source,
  fields: { type: typeId('element'), index_type: typeId('index'), nelems: u32('elements', { role: 'count' }) },
});

export const btfMember = struct({
  name: 'btf_member',
  meaning: 'A member of a STRUCT or UNION',
  source,
  fields: { name_off: nameOff, type: typeId('its type'), offset: u32('in bits, from the start of the structure') },
});

export const btfBitMember = struct({
  name: 'btf_bit_member',
  meaning: 'A member of a STRUCT or UNION with kind_flag: btf_member, its offset split',
  source: `${source}: BTF_MEMBER_BIT_OFFSET, BTF_MEMBER_BITFIELD_SIZE`,
  fields: {
    name_off: nameOff,
    type: typeId('its type'),
    offset: bits(4, 'where, and how many bits', {
      bit_offset: { width: 24, role: 'number', meaning: 'in bits, from the start of the structure' },
      bitfield_size: { width: 8, role: 'number', meaning: 'width in bits; 0 = no bit-field' },
    }),
  },
});

export const btfEnum = struct({
  name: 'btf_enum',
  meaning: 'A value of an ENUM',
  source,
  fields: { name_off: nameOff, val: s32('value; unsigned unless the ENUM has kind_flag') },
});

export const btfEnum64 = struct({
  name: 'btf_enum64',
  meaning: 'A value of an ENUM64',
  source,
  fields: { name_off: nameOff, val_lo32: u32('low half'), val_hi32: u32('high half') },
});

export const btfParam = struct({
  name: 'btf_param',
  meaning: 'A parameter of a FUNC_PROTO; name and type 0 = `...`',
  source,
  fields: { name_off: nameOff, type: typeId('its type') },
});

const btfVar = struct({
  name: 'btf_var',
  meaning: 'What a VAR adds',
  source,
  fields: { linkage: u32('linkage', { role: 'enum', symbols: { 0: 'static', 1: 'global', 2: 'extern' } }) },
});

export const btfVarSecinfo = struct({
  name: 'btf_var_secinfo',
  meaning: 'A variable of a DATASEC',
  source,
  fields: { type: typeId('its VAR'), offset: u32('in the section', { role: 'bytes' }), size: u32('in bytes', { role: 'bytes' }) },
});

const btfDeclTag = struct({
  name: 'btf_decl_tag',
  meaning: 'What a DECL_TAG adds',
  source,
  fields: { component_idx: s32('member or parameter it is about; -1 = the whole') },
});

interface BtfKind<N extends string = string> {
  /** BTF_KIND_* without the prefix */
  readonly name: N;
  /** the keyword or words of C, where it has them */
  readonly keyword: string;
  /** what follows a btf_type of the kind: one such record, or vlen of them */
  readonly adds: Struct | null;
  readonly repeats: 'once' | 'vlen';
  /** the third word of btf_type: a size, a type id, or nothing */
  readonly third: 'size' | 'type' | 'none';
}

const kind = <const N extends string>(
  name: N,
  keyword: string,
  third: BtfKind['third'],
  adds: Struct | null = null,
  repeats: BtfKind['repeats'] = 'vlen',
): BtfKind<N> => ({
  name,
  keyword,
  adds,
  repeats,
  third,
});

/** By BTF_KIND_* number. STRUCT and UNION with kind_flag use btf_bit_member, of the same size. */
export const btfKinds = [
  kind('UNKN', 'void', 'none'),
  kind('INT', '', 'size', btfIntData, 'once'),
  kind('PTR', '*', 'type'),
  kind('ARRAY', '[]', 'none', btfArray, 'once'),
  kind('STRUCT', 'struct', 'size', btfMember),
  kind('UNION', 'union', 'size', btfMember),
  kind('ENUM', 'enum', 'size', btfEnum),
  kind('FWD', 'struct', 'none'),
  kind('TYPEDEF', '', 'type'),
  kind('VOLATILE', 'volatile', 'type'),
  kind('CONST', 'const', 'type'),
  kind('RESTRICT', 'restrict', 'type'),
  kind('FUNC', '', 'type'),
  kind('FUNC_PROTO', '()', 'type', btfParam),
  kind('VAR', '', 'type', btfVar, 'once'),
  kind('DATASEC', '', 'size', btfVarSecinfo),
  kind('FLOAT', '', 'size'),
  kind('DECL_TAG', '', 'type', btfDeclTag, 'once'),
  kind('TYPE_TAG', '', 'type'),
  kind('ENUM64', 'enum', 'size', btfEnum64),
] as const;

export type BtfKindName = (typeof btfKinds)[number]['name'];

/* Head of a BTF section: where types and strings are. Source: include/uapi/linux/btf.h, 7.3; Documentation/bpf/btf.rst. */

export const BTF_MAGIC = 0xeb9f;
export const BTF_VERSION = 1;

export const btfHeader = struct({
  name: 'btf_header',
  meaning: 'Head of a BTF section; offsets count from its end',
  source: 'include/uapi/linux/btf.h, 7.3',
  fields: {
    magic: u16('0xeb9f in the byte order of all that follows', { role: 'opaque' }),
    version: u8('version of the format, 1'),
    flags: u8('always 0', { role: 'flags' }),
    hdr_len: u32('size of this header; newer ones are longer', { role: 'bytes' }),
    type_off: u32('types, from the end of the header', { role: 'bytes' }),
    type_len: u32('size of the types', { role: 'bytes' }),
    str_off: u32('strings, from the end of the header', { role: 'bytes' }),
    str_len: u32('size of the strings', { role: 'bytes' }),
  },
});
