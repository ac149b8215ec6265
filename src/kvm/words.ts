/** Values of a snapshot in words: flags by bit, symbols, sizes. Pure. */
import type { FieldType } from '../../abi/layout.js';
import { hex } from '../tree/words.js';

/** Bits of `value` that `names` has no name for. */
export function unknownBits(value: bigint | number, names: Readonly<Record<string, string>>): bigint {
  if (value === 0n || value === 0) return 0n;
  let rest = BigInt(value);
  for (const bit of Object.keys(names)) rest &= ~(1n << BigInt(bit));
  return rest;
}

/** Names of the bits that are set, joined by `|`; unknown bits in hex; `0` where none is set. */
function flagWords(value: bigint | number, names: Readonly<Record<string, string>>): string {
  const whole = BigInt(value);
  const parts = Object.entries(names)
    .filter(([bit]) => ((whole >> BigInt(bit)) & 1n) === 1n)
    .map(([, name]) => name);
  const rest = unknownBits(whole, names);
  if (rest !== 0n) parts.push(`${hex(rest)} (unknown)`);
  return parts.length === 0 ? '0' : parts.join('|');
}

/** What a decoded integer says beyond its digits; '' where nothing. */
export function wordsOf(type: FieldType, value: unknown): string {
  if (type.kind !== 'int' || (typeof value !== 'bigint' && typeof value !== 'number')) return '';
  const symbol = type.symbols?.[value.toString()];
  if (symbol !== undefined) return symbol;
  if (type.role === 'flags' && BigInt(value) !== 0n) return flagWords(value, type.flagNames ?? {});
  if (type.role === 'bool') return Number(value) === 0 ? 'no' : 'yes';
  return '';
}

/** `4096 bytes`, `1 byte` */
export const countOf = (count: bigint | number, unit: string): string => `${count} ${unit}${BigInt(count) === 1n ? '' : 's'}`;
