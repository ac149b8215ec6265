/**
 * The kinds of value a scenario holds: how each is read from text, and how a JSON Schema says it. Parser, schema and reference
 * are made of the same tables (verbs, faults, devices), which are made of these.
 */
import { type ErrnoName, isErrnoName, MAX_ERRNO } from '../../../abi/errno.js';
import type { Cursor } from './cursor.js';
import { type Expectation, type FdRef, type SignalName, expectSuccess } from './terms.js';

export type JsonSchema = { readonly [key: string]: unknown };

export interface ValueType<T> {
  /** how documentation names it */
  readonly label: string;
  readonly schema: JsonSchema;
  /** @throws UserError with line and column where the value is not of this kind */
  read(cursor: Cursor): T;
}

const MAX_U64 = (1n << 64n) - 1n;
const MIN_S64 = -(1n << 63n);
const INTEGER = /^(-?)(0x[0-9a-fA-F]+|[0-9]+)$/;

function integerText(cursor: Cursor): bigint {
  const match = cursor.text === null ? null : INTEGER.exec(cursor.text.trim());
  if (match === null) throw cursor.error(`${shown(cursor)} is not an integer; write it in decimal or as 0x…`);
  const magnitude = BigInt(match[2] ?? '0');
  return match[1] === '-' ? -magnitude : magnitude;
}

export const shown = (cursor: Cursor): string =>
  cursor.isNull ? 'nothing' : cursor.text !== null ? JSON.stringify(clip(cursor.text)) : cursor.items() === null ? 'a mapping' : 'a list';
const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

function ranged(cursor: Cursor, value: bigint, min: bigint, max: bigint): bigint {
  if (value < min || value > max) throw cursor.error(`${value} is out of range; it must be from ${min} to ${max}`);
  return value;
}

const integerSchema = (min: bigint): JsonSchema => ({
  anyOf: [
    min >= 0n ? { type: 'integer', minimum: 0 } : { type: 'integer' },
    { type: 'string', pattern: min >= 0n ? '^(0x[0-9a-fA-F]+|[0-9]+)$' : '^-?(0x[0-9a-fA-F]+|[0-9]+)$' },
  ],
});

/** An integer that fits a JavaScript number. */
export const number = (min = 0, max = Number.MAX_SAFE_INTEGER): ValueType<number> => ({
  label: 'integer',
  schema: integerSchema(BigInt(min)),
  read: (cursor) => Number(ranged(cursor, integerText(cursor), BigInt(min), BigInt(max))),
});

export const u64: ValueType<bigint> = { label: 'u64', schema: integerSchema(0n), read: (cursor) => ranged(cursor, integerText(cursor), 0n, MAX_U64) };
export const s64: ValueType<bigint> = {
  label: 's64',
  schema: integerSchema(-1n),
  read: (cursor) => ranged(cursor, integerText(cursor), MIN_S64, MAX_U64 >> 1n),
};

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n };

/** Bytes: `n`, `nKiB`, `nMiB`, `nGiB`, `nTiB`. */
export const size = (min = 0): ValueType<number> => ({
  label: 'size',
  schema: {
    anyOf: [
      { type: 'integer', minimum: min },
      { type: 'string', pattern: '^(0x[0-9a-fA-F]+|[0-9]+)\\s*(KiB|MiB|GiB|TiB)?$' },
    ],
  },
  read(cursor) {
    const match = cursor.text === null ? null : /^(0x[0-9a-fA-F]+|[0-9]+)\s*(KiB|MiB|GiB|TiB)?$/.exec(cursor.text.trim());
    if (match === null) throw cursor.error(`${shown(cursor)} is not a size; write n, nKiB, nMiB, nGiB or nTiB`);
    const value = BigInt(match[1] ?? '0') * (UNITS[match[2] ?? ''] ?? 1n);
    return Number(ranged(cursor, value, BigInt(min), BigInt(Number.MAX_SAFE_INTEGER)));
  },
});

export const bool: ValueType<boolean> = {
  label: 'true or false',
  schema: { enum: [true, false, 'on', 'off'] },
  read(cursor) {
    if (cursor.text === 'true' || cursor.text === 'on') return true;
    if (cursor.text === 'false' || cursor.text === 'off') return false;
    throw cursor.error(`${shown(cursor)} is neither true nor false (on and off are accepted)`);
  },
};

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): ValueType<T> {
  return {
    label: words.map((word) => `\`${word}\``).join(', '),
    schema: { enum: words },
    read(cursor) {
      const found = words.find((word) => word === cursor.text);
      if (found === undefined) throw cursor.error(`${shown(cursor)} is not one of ${words.join(', ')}`);
      return found;
    },
  };
}

const scalarText: JsonSchema = { type: ['string', 'number', 'boolean'] };

export const text: ValueType<string> = {
  label: 'text',
  schema: scalarText,
  read(cursor) {
    if (cursor.text === null) throw cursor.error(`${shown(cursor)} where a text belongs; quote it if it is one`);
    return cursor.text;
  },
};

/** A name that later steps use. A bare number is not one: it would be taken for a descriptor. */
export const label: ValueType<string> = {
  label: 'name of a descriptor',
  schema: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_.-]*$' },
  read(cursor) {
    if (cursor.text === null || !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(cursor.text))
      throw cursor.error(`${shown(cursor)} can't be a name; use letters, digits, - and _, starting with a letter`);
    return cursor.text;
  },
};

/** A descriptor: a name given by an earlier `as`, or a number. */
export const fdRef: ValueType<FdRef> = {
  label: 'descriptor',
  schema: { anyOf: [{ type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_.-]*$' }, { type: 'integer' }, { type: 'string', pattern: '^-?[0-9]+$' }] },
  read: (cursor) => (cursor.text !== null && INTEGER.test(cursor.text) ? number(-(2 ** 31), 2 ** 31 - 1).read(cursor) : label.read(cursor)),
};

const HEX = /^([0-9a-fA-F]{2}\s*)*$/;

/** Raw bytes as `{ hex: … }`, or null where the value isn't of that form. */
function hexBytes(cursor: Cursor): Uint8Array | null {
  const entries = cursor.entries();
  if (entries === null) return null;
  const hex = entries.get('hex');
  for (const [name, { key }] of entries) if (name !== 'hex') throw key.error(`unknown key ${JSON.stringify(name)}; raw bytes are written { hex: 00ff… }`);
  if (hex === undefined || hex.value.text === null || !HEX.test(hex.value.text)) throw cursor.error('raw bytes are written { hex: 00ff… }, two digits a byte');
  return Uint8Array.from(Buffer.from(hex.value.text.replaceAll(/\s/g, ''), 'hex'));
}

const HEX_SCHEMA: JsonSchema = {
  type: 'object',
  properties: { hex: { type: ['string', 'integer'], pattern: '^([0-9a-fA-F]{2}\\s*)*$' } },
  required: ['hex'],
  additionalProperties: false,
};

/** A name: text (as UTF-8), or `{ hex: … }`. */
export const bytes: ValueType<Uint8Array> = {
  label: 'text or `{ hex: … }`',
  schema: { anyOf: [scalarText, HEX_SCHEMA] },
  read(cursor) {
    const raw = hexBytes(cursor);
    if (raw !== null) return raw;
    if (cursor.text === null && !cursor.isNull) throw cursor.error(`${shown(cursor)} where a text or { hex: … } belongs`);
    return new TextEncoder().encode(cursor.text ?? '');
  },
};

/** Bytes after an argument: a number is one byte, repeated. */
export const tail: ValueType<Uint8Array> = {
  label: 'byte or `{ hex: … }`',
  schema: { anyOf: [integerSchema(0n), { type: 'boolean' }, HEX_SCHEMA] },
  read(cursor) {
    if (cursor.text === 'true') return Uint8Array.of(0xff);
    if (cursor.text === 'false') return Uint8Array.of(0);
    return hexBytes(cursor) ?? Uint8Array.of(number(0, 255).read(cursor));
  },
};

export const errno: ValueType<ErrnoName> = {
  label: "an errno's name",
  schema: { type: 'string', pattern: '^E[A-Z0-9]+$' },
  read(cursor) {
    if (cursor.text === null || !isErrnoName(cursor.text)) throw cursor.error(`${shown(cursor)} is no errno of the kernel; write its name, like EINVAL`);
    return cursor.text;
  },
};

export const listOf = <T>(of: ValueType<T>, most = 1_000_000): ValueType<readonly T[]> => ({
  label: `list of ${of.label}`,
  schema: { type: 'array', items: of.schema },
  read(cursor) {
    const items = cursor.items();
    if (items === null) throw cursor.error(`${shown(cursor)} where a list belongs; write [ … ]`);
    if (items.length > most) throw cursor.error(`${items.length} entries; at most ${most} are read`);
    return items.map((item) => of.read(item));
  },
});

/** `dddd:bb:dd.f`, the domain optional. */
export const pciAddress: ValueType<{ readonly domain: number; readonly bdf: number }> = {
  label: 'dddd:bb:dd.f',
  schema: { type: 'string', pattern: '^([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7]$' },
  read(cursor) {
    const match = /^(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([01][0-9a-fA-F])\.([0-7])$/.exec(cursor.text ?? '');
    if (match === null) throw cursor.error(`${shown(cursor)} is not a PCI address; write it quoted, as "0000:00:05.0"`);
    const [, domain, bus, device, fn] = match;
    const hex = (digits: string | undefined): number => Number.parseInt(digits ?? '0', 16);
    return { domain: hex(domain), bdf: (hex(bus) << 8) | (hex(device) << 3) | hex(fn) };
  },
};

const signal = oneOf<SignalName>(['SIGBUS', 'SIGKILL']);

/** A part of a console line, or a list of them. */
const consoleLines: ValueType<readonly string[]> = {
  label: 'text or a list of texts',
  schema: { anyOf: [scalarText, { type: 'array', items: scalarText }] },
  read: (cursor) => (cursor.items() === null ? [text.read(cursor)] : listOf(text).read(cursor)),
};

/** `0`, an errno's name, or `{ ret, errno, same, name, signal, console, cloexec }`. */
export const expectation: ValueType<Expectation> = {
  label: "0, an errno's name, or `{ ret, errno, same, name, signal, console, cloexec }`",
  schema: {
    anyOf: [
      { type: 'integer' },
      { type: 'string', pattern: '^(0|E[A-Z0-9]+)$' },
      {
        type: 'object',
        properties: {
          ret: integerSchema(-1n),
          errno: { type: ['string', 'integer'] },
          same: label.schema,
          name: bytes.schema,
          signal: signal.schema,
          console: consoleLines.schema,
          cloexec: bool.schema,
        },
        additionalProperties: false,
      },
    ],
  },
  read(cursor) {
    const entries = cursor.entries();
    if (entries === null) return scalarExpectation(cursor);
    let found = expectSuccess;
    for (const [name, { key, value }] of entries) {
      if (name === 'errno') found = { ...found, errno: value.isNull || value.text === '0' || value.text === '' ? null : errno.read(value) };
      else if (name === 'ret') found = { ...found, ret: number(-MAX_ERRNO).read(value) };
      else if (name === 'same') found = { ...found, same: label.read(value) };
      else if (name === 'name') found = { ...found, name: bytes.read(value) };
      else if (name === 'signal') found = { ...found, signal: signal.read(value) };
      else if (name === 'console') found = { ...found, console: consoleLines.read(value) };
      else if (name === 'cloexec') found = { ...found, cloexec: bool.read(value) };
      else throw key.error(`unknown key ${JSON.stringify(name)}; an expectation has ret, errno, same, name, signal, console, cloexec`);
    }
    return found;
  },
};

function scalarExpectation(cursor: Cursor): Expectation {
  const written = cursor.text ?? '';
  if (written === '0') return expectSuccess;
  if (isErrnoName(written)) return { ...expectSuccess, errno: written };
  throw cursor.error(`${shown(cursor)} is neither 0 nor an errno of the kernel; write expect: EINVAL, or { ret, errno, same, name, signal, console, cloexec }`);
}
