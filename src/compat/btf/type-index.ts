/**
 * Where each type of a BTF section starts: one pass over the records, offsets in a typed array, nothing decoded. Names are
 * found through a table of hashes that is built when the first name is asked for. For btf.ts.
 */
import { BTF_MAX_TYPE, btfKinds, btfType } from '../../../abi/btf/types.js';
import { layoutTable, offsetOf, sizeOf } from '../../codec/layout-table.js';
import { btfError, type BtfSection } from './section.js';

const INFO = offsetOf(btfType, 'info');
const NAME_OFF = offsetOf(btfType, 'name_off');
const THIRD = offsetOf(btfType, 'size');
const TYPE_BYTES = sizeOf(btfType);

function bitsOfInfo(name: string): { readonly shift: number; readonly mask: number } {
  const bit = layoutTable(btfType)
    .field('info')
    .bits.find((placed) => placed.name === name);
  if (bit === undefined) throw new Error(`btf_type.info has no ${name}`);
  return { shift: bit.lowBit, mask: 2 ** bit.field.width - 1 };
}
const VLEN = bitsOfInfo('vlen');
const KIND = bitsOfInfo('kind');
const KIND_FLAG = bitsOfInfo('kind_flag');

/** By kind: bytes added once, bytes added for each of vlen; NaN where the kind is unknown. */
const once = new Float64Array(KIND.mask + 1).fill(Number.NaN);
const each = new Float64Array(KIND.mask + 1);
const thirdIsType = new Uint8Array(KIND.mask + 1);
btfKinds.forEach((kind, number) => {
  if (number === 0) return;
  once[number] = kind.adds !== null && kind.repeats === 'once' ? sizeOf(kind.adds) : 0;
  each[number] = kind.adds !== null && kind.repeats === 'vlen' ? sizeOf(kind.adds) : 0;
  thirdIsType[number] = kind.third === 'type' ? 1 : 0;
});

export interface TypeIndex {
  /** types, void (id 0) included */
  readonly count: number;
  /** id -> offset of its btf_type in the section's bytes; entry 0 is unused */
  readonly offsets: Uint32Array;
}

/** @throws UserError where a record is of no known kind, is cut off, or names a string or type that is not there */
export function indexTypes(section: BtfSection): TypeIndex {
  const { view, little, typeStart, typeEnd, name } = section;
  const stringBytes = section.stringEnd - section.stringStart;
  let offsets = new Uint32Array(Math.ceil((typeEnd - typeStart) / (TYPE_BYTES * 1.5)) + 2);
  let count = 1;
  let at = typeStart;
  while (at < typeEnd) {
    if (typeEnd - at < TYPE_BYTES) throw btfError(name, at, `type [${count}] is cut off: ${typeEnd - at} bytes are left`);
    const info = view.getUint32(at + INFO, little);
    const kind = (info >>> KIND.shift) & KIND.mask;
    const length = TYPE_BYTES + (once[kind] ?? Number.NaN) + (each[kind] ?? 0) * ((info >>> VLEN.shift) & VLEN.mask);
    if (Number.isNaN(length)) throw btfError(name, at + INFO, `type [${count}] has the unknown kind ${kind}`);
    if (at + length > typeEnd) throw btfError(name, at, `type [${count}] of ${length} bytes ends past the types`);
    if (view.getUint32(at + NAME_OFF, little) >= stringBytes) throw btfError(name, at + NAME_OFF, `the name of type [${count}] is outside the strings`);
    if (count > BTF_MAX_TYPE) throw btfError(name, at, `more than ${BTF_MAX_TYPE} types (BTF_MAX_TYPE)`);
    if (count === offsets.length) {
      const larger = new Uint32Array(offsets.length * 2);
      larger.set(offsets);
      offsets = larger;
    }
    offsets[count++] = at;
    at += length;
  }
  const index = { count, offsets: offsets.subarray(0, count) };
  for (let id = 1; id < count; id++) {
    const record = index.offsets[id] ?? 0;
    if (thirdIsType[kindNumberAt(section, record)] === 1 && thirdAt(section, record) >= count)
      throw btfError(name, record + THIRD, `type [${id}] refers to type [${thirdAt(section, record)}], and there are ${count}`);
  }
  return index;
}

export const kindNumberAt = (section: BtfSection, record: number): number => (section.view.getUint32(record + INFO, section.little) >>> KIND.shift) & KIND.mask;
export const vlenAt = (section: BtfSection, record: number): number => (section.view.getUint32(record + INFO, section.little) >>> VLEN.shift) & VLEN.mask;
export const kindFlagAt = (section: BtfSection, record: number): boolean =>
  ((section.view.getUint32(record + INFO, section.little) >>> KIND_FLAG.shift) & KIND_FLAG.mask) === 1;
export const nameOffAt = (section: BtfSection, record: number): number => section.view.getUint32(record + NAME_OFF, section.little);
export const thirdAt = (section: BtfSection, record: number): number => section.view.getUint32(record + THIRD, section.little);
/** Offset of what the kind adds. */
export const addedAt = (record: number): number => record + TYPE_BYTES;

/** Names of the kernel are shorter (KSYM_NAME_LEN): what is after this many bytes of one is not hashed. */
const HASHED = 512;

/** FNV-1a of the bytes up to the next NUL. */
function hashAt(bytes: Uint8Array, start: number): number {
  let hash = 0x811c9dc5;
  let at = start;
  for (let byte = bytes[at]; byte !== undefined && byte !== 0 && at < start + HASHED; byte = bytes[++at]) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

export interface NameTable {
  /** ids of the types of that name, ascending */
  idsOf(name: string): readonly number[];
}

/** Chains of ids by the hash of their name, in typed arrays: no string is made for types nobody asks about. */
export function nameTable(section: BtfSection, index: TypeIndex): NameTable {
  const { bytes, stringStart } = section;
  const mask = 2 ** Math.ceil(Math.log2(index.count + 1)) - 1;
  const heads = new Uint32Array(mask + 1);
  const next = new Uint32Array(index.count);
  for (let id = index.count - 1; id > 0; id--) {
    const nameOff = nameOffAt(section, index.offsets[id] ?? 0);
    if (nameOff === 0) continue;
    const slot = hashAt(bytes, stringStart + nameOff) & mask;
    next[id] = heads[slot] ?? 0;
    heads[slot] = id;
  }
  return {
    idsOf(name) {
      const wanted = new TextEncoder().encode(`${name}\0`);
      const found: number[] = [];
      for (let id = heads[hashAt(wanted, 0) & mask] ?? 0; id !== 0; id = next[id] ?? 0) {
        const at = stringStart + nameOffAt(section, index.offsets[id] ?? 0);
        if (wanted.every((byte, position) => bytes[at + position] === byte)) found.push(id);
      }
      return found;
    },
  };
}
