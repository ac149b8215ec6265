/** What is done to a field: 0, all ones, one more, one less, another value that looks valid. */
import type { Target } from './targets.js';

export interface Damage {
  readonly what: '0' | 'all ones' | '+1' | '-1' | 'another';
  readonly bytes: Uint8Array;
}

/** Values of the same kind that stand elsewhere in the handover. */
export interface Others {
  /** physical addresses of pages in use */
  readonly pages: readonly bigint[];
  readonly texts: readonly string[];
}

const utf8 = new TextEncoder();

export function damagesOf(target: Target, others: Others): readonly Damage[] {
  const found = target.kind === 'text' ? texts(target, others) : numbers(target, others);
  return found.filter((damage, index) => !same(damage.bytes, target.was) && found.findIndex((other) => same(other.bytes, damage.bytes)) === index);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index]);

function texts(target: Target, others: Others): readonly Damage[] {
  const { was } = target;
  const nul = was.indexOf(0);
  const end = nul <= 0 ? 1 : nul;
  const changed = (at: number, by: number): Uint8Array => was.map((byte, index) => (index === at ? (byte + by) & 0xff : byte));
  const text = new TextDecoder().decode(was.subarray(0, Math.max(0, nul)));
  const other = others.texts.find((candidate) => candidate !== text && candidate.length < was.length && candidate.split('-')[0] === text.split('-')[0]);
  return [
    { what: '0', bytes: new Uint8Array(was.length) },
    { what: 'all ones', bytes: new Uint8Array(was.length).fill(0xff) },
    { what: '+1', bytes: changed(end - 1, 1) },
    { what: '-1', bytes: changed(end - 1, -1) },
    ...(other === undefined ? [] : [{ what: 'another' as const, bytes: padTo(other, was.length) }]),
  ];
}

function padTo(text: string, length: number): Uint8Array {
  const out = new Uint8Array(length);
  out.set(utf8.encode(text).subarray(0, length - 1));
  return out;
}

function numbers(target: Target, others: Others): readonly Damage[] {
  const { width, lowBit } = target;
  const word = toWord(target.was, target.bigEndian);
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(lowBit);
  const value = (word & mask) >> BigInt(lowBit);
  const make = (what: Damage['what'], next: bigint): Damage => ({
    what,
    bytes: fromWord((word & ~mask) | ((BigInt.asUintN(width, next) << BigInt(lowBit)) & mask), target.was.length, target.bigEndian),
  });
  return [
    make('0', 0n),
    make('all ones', (1n << BigInt(width)) - 1n),
    make('+1', value + 1n),
    make('-1', value - 1n),
    make('another', another(target, value, others)),
  ];
}

function another(target: Target, value: bigint, others: Others): bigint {
  switch (target.role) {
    case 'phys':
      return others.pages.find((page) => page !== value) ?? value;
    case 'pfn':
      return (others.pages.find((page) => page >> 12n !== value) ?? value) >> 12n;
    case 'flags':
      return value ^ 1n;
    default:
      return value + 2n;
  }
}

function toWord(bytes: Uint8Array, bigEndian: boolean): bigint {
  let word = 0n;
  for (const [index, byte] of bytes.entries()) word |= BigInt(byte) << BigInt(8 * (bigEndian ? bytes.length - 1 - index : index));
  return word;
}

function fromWord(word: bigint, length: number, bigEndian: boolean): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Number((word >> BigInt(8 * (bigEndian ? length - 1 - index : index))) & 0xffn));
}

/** The value of a damaged field, for the rules of `free.ts`. */
export const fieldValue = (target: Target, damage: Damage): bigint =>
  (toWord(damage.bytes, target.bigEndian) >> BigInt(target.lowBit)) & ((1n << BigInt(target.width)) - 1n);
