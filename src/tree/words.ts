/** Values in words: symbols, flags by name, sizes in units, addresses in hex. Pure; shared by tree, report and terminal. */
import { type BitField, type CStringValue, type FieldType, HEX_ROLES, type Role } from '../../abi/layout.js';
import type { NodeValue } from './tree.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A size in the largest unit that divides it evenly, or with one decimal. */
export function formatBytes(value: bigint | number): string {
  let size = Number(value);
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${Number.isInteger(size) ? size : size.toFixed(1)} ${UNITS[unit]}`;
}

/** `1 file`, `2 files`, and `? files` where nobody knows how many. */
export const counted = (count: number | bigint | null | undefined, what: string): string => `${count ?? '?'} ${what}${count === 1 || count === 1n ? '' : 's'}`;

/** `0x…`, lower case, no leading zeros. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Bytes as hex digits without separators. */
export const hexBytes = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Bits of `value` that `names` has no name for. */
export function unknownBits(value: bigint | number, names: Readonly<Record<string, string>> | undefined): bigint {
  let rest = BigInt(value);
  for (const bit of Object.keys(names ?? {})) rest &= ~(1n << BigInt(bit));
  return rest;
}

/** Flag names joined by `|`, unknown bits as hex; `0` where none is set. */
export function flagsText(value: bigint | number, names: Readonly<Record<string, string>> | undefined): string {
  const parts = Object.entries(names ?? {}).flatMap(([bit, name]) => (((BigInt(value) >> BigInt(bit)) & 1n) === 1n ? [name] : []));
  const rest = unknownBits(value, names);
  return [...parts, ...(rest === 0n ? [] : [hex(rest)])].join('|') || '0';
}

/** What a field's value says to a reader; '' where the plain value says it all. */
export function meaningOf(type: FieldType | BitField, value: unknown): string {
  if ('kind' in type && type.kind === 'cstring') return isCString(value) ? cstringMeaning(value) : '';
  if (typeof value !== 'bigint' && typeof value !== 'number') return '';
  if ('kind' in type && type.kind !== 'int') return '';
  const symbol = 'symbols' in type ? type.symbols?.[value.toString()] : undefined;
  if (symbol !== undefined) return symbol;
  switch (type.role) {
    case 'bytes':
      return Number(value) < 1024 ? '' : formatBytes(value);
    case 'flags':
      return flagsText(value, type.flagNames);
    case 'bool':
      return Number(value) === 0 ? 'no' : 'yes';
    case 'phys':
      return BigInt(value) === 0n ? 'none' : '';
    default:
      return '';
  }
}

function cstringMeaning(value: CStringValue): string {
  if (!value.terminated) return 'not NUL-terminated';
  if (!value.validUtf8) return 'not UTF-8';
  return value.trailing > 0 ? `${value.trailing} bytes after the NUL are not 0` : '';
}

const isCString = (value: unknown): value is CStringValue => typeof value === 'object' && value !== null && 'terminated' in value;

/** The value a tree node carries for a decoded field: null for composites. */
export function plainValue(type: FieldType, value: unknown): NodeValue {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  if (isCString(value)) return value.text;
  if (value instanceof Uint8Array) return value.length <= 64 ? hexBytes(value) : `${hexBytes(value.subarray(0, 64))}…`;
  if (type.kind === 'array' && Array.isArray(value)) return null;
  return null;
}

/** Bytes for a sentence: hex, cut short. */
export const escapeForWhy = (bytes: Uint8Array): string => (bytes.length <= 16 ? hexBytes(bytes) : `${hexBytes(bytes.subarray(0, 16))}…`);

/** A node's number as a program would write it: addresses and flags in hex. */
export const numberText = (role: Role | null, value: bigint | number): string => (role !== null && HEX_ROLES.has(role) ? hex(value) : value.toString());
