/**
 * kallsyms, the symbol table that a kernel carries in its read-only data: names compressed with a table of 256 tokens, addresses
 * as 32-bit offsets. Up to 6.19 offsets count from `kallsyms_relative_base`; later they count from where they are.
 * Source: kernel/kallsyms.c, scripts/kallsyms.c, kernel/vmcore_info.c, 6.16 to 7.3.
 */
import { KernelFault, hexOf } from './fault.js';
import { NEAREST_LIMIT, type KernelSymbol, type SymbolTable, isNumbered } from './symbols.js';
import type { VirtualMemory } from './virtual-memory.js';
import { kernelLimits } from './limits.js';

/** Virtual addresses of the tables. */
interface KallsymsPlaces {
  readonly names: bigint;
  readonly count: bigint;
  readonly tokenTable: bigint;
  readonly tokenIndex: bigint;
  readonly offsets: bigint;
  /** null where offsets count from where they are */
  readonly relativeBase: bigint | null;
}

const MAX_SYMBOLS = kernelLimits.symbols.value;
/** KSYM_NAME_LEN is 512. */
const MAX_NAME = 512;
const TOKENS = 256;
/** Longest token, with its NUL, times all of them. */
const TOKEN_TABLE_BYTES = 64 * 1024;
/** Compressed names take 13 bytes each, tokens and length included. */
const NAME_BYTES_EACH = 40;
const PIECE = 1 << 16;
const COMPACT = 0x80;
/** Of all names, expanded: some 25 each. */
const NAMES_BYTES = 1 << 27;
/** Symbols of one name that are listed: static ones of many files share theirs. */
const MOST_NAMESAKES = 4096;

/** @throws KernelFault where a table is not in the dump, or is not a table */
export function readKallsyms(memory: VirtualMemory, places: KallsymsPlaces): SymbolTable {
  const count = u32(memory.read(places.count, 4), 0);
  if (count === 0 || count > MAX_SYMBOLS) throw new KernelFault('implausible', `kallsyms_num_syms at ${hexOf(places.count)} is ${count}`);
  const tokens = readTokens(memory, places);
  const offsets = memory.read(places.offsets, count * 4);
  const base = places.relativeBase === null ? null : new DataView(memory.read(places.relativeBase, 8).buffer).getBigUint64(0, true);
  const names = readNames(memory, places.names, count);
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
  const addressOf = (index: number): bigint =>
    base !== null
      ? base + BigInt(view.getUint32(index * 4, true))
      : BigInt.asUintN(64, places.offsets + BigInt(index * 4) + BigInt(view.getInt32(index * 4, true)));
  const { starts, hashes } = indexNames(names, count, tokens);
  const nameAt = (index: number): string => expand(names, starts[index] ?? 0, tokens).slice(1);
  const symbolAt = (index: number): KernelSymbol => ({ name: nameAt(index), address: addressOf(index) });
  const table: SymbolTable = {
    source: 'kallsyms',
    count,
    // A variable that every kernel has: without CONFIG_KALLSYMS_ALL it is not listed.
    get hasData() {
      return table.find('init_task').length > 0;
    },
    find(name) {
      const wanted = hashOf(name);
      const found: KernelSymbol[] = [];
      let left = MOST_NAMESAKES;
      for (let index = hashes.indexOf(wanted); index !== -1 && left-- > 0; index = hashes.indexOf(wanted, index + 1))
        if (nameAt(index) === name) found.push(symbolAt(index));
      return found;
    },
    findNumbered(name) {
      const found = [...table.find(name)];
      for (let digit = 0; digit < NUMBERED; digit++) found.push(...table.find(`${name}.${digit}`));
      return found.filter((symbol) => isNumbered(symbol.name, name));
    },
    nearest(address) {
      // Sorted by address, but for a few absolute symbols.
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (addressOf(middle) <= address) low = middle + 1;
        else high = middle;
      }
      while (low > 1 && addressOf(low - 2) === addressOf(low - 1)) low--;
      if (low === 0 || address < addressOf(low - 1) || address - addressOf(low - 1) >= NEAREST_LIMIT) return null;
      return symbolAt(low - 1);
    },
  };
  return table;
}

/** Compilers count static variables of a file's functions from 0. */
const NUMBERED = 200;

function readTokens(memory: VirtualMemory, places: KallsymsPlaces): readonly string[] {
  const index = memory.read(places.tokenIndex, TOKENS * 2);
  const table = readUpTo(memory, places.tokenTable, TOKEN_TABLE_BYTES, 4096);
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  return Array.from({ length: TOKENS }, (_, token) => {
    const start = view.getUint16(token * 2, true);
    const end = table.indexOf(0, start);
    if (start >= table.length || end === -1 || end - start > MAX_NAME)
      throw new KernelFault('implausible', `kallsyms_token_table at ${hexOf(places.tokenTable)} has no token ${token}`);
    return Buffer.from(table.buffer, table.byteOffset + start, end - start).toString('latin1');
  });
}

/** As many bytes of the names as there can be, or as the dump has. */
function readNames(memory: VirtualMemory, address: bigint, count: number): Uint8Array {
  return readUpTo(memory, address, count * NAME_BYTES_EACH, PIECE, (bytes) => namesEnd(bytes, count));
}

/** Where `count` names end in `bytes`, or null where they do not yet. Walks from the start: lengths are short. */
function namesEnd(bytes: Uint8Array, count: number): number | null {
  let at = 0;
  for (let index = 0; index < count; index++) {
    at = skip(bytes, at);
    if (at > bytes.length) return null;
  }
  return at;
}

function skip(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  return (first & COMPACT) === 0 ? at + 1 + first : at + 2 + ((first & ~COMPACT) | ((bytes[at + 1] ?? 0) << 7));
}

/** @throws KernelFault where not even the first piece is there, or `whole` is not satisfied */
function readUpTo(memory: VirtualMemory, address: bigint, most: number, piece: number, whole?: (bytes: Uint8Array) => number | null): Uint8Array {
  let held = new Uint8Array(Math.min(most, piece * 4));
  let length = 0;
  let tried = 0;
  while (length < most) {
    const at = address + BigInt(length);
    const part = Math.min(piece - Number(at % BigInt(piece)), most - length);
    if (length + part > held.length) {
      const larger = new Uint8Array(Math.min(most, Math.max(held.length * 2, length + part)));
      larger.set(held.subarray(0, length));
      held = larger;
    }
    const bytes = whole === undefined && length > 0 ? memory.tryRead(at, part) : memory.read(at, part);
    if (bytes === null) break;
    held.set(bytes, length);
    length += part;
    // Names are walked again whenever there is twice as much of them.
    if (whole !== undefined && length >= tried * 1.25 + piece) {
      tried = length;
      const end = whole(held.subarray(0, length));
      if (end !== null) return held.subarray(0, end);
    }
  }
  if (whole === undefined) return held.subarray(0, length);
  const end = whole(held.subarray(0, length));
  if (end === null) throw new KernelFault('implausible', `kallsyms_names at ${hexOf(address)} does not end within ${most} bytes`);
  return held.subarray(0, end);
}

/** Where each name starts, and a hash of it without its type letter; no string is made. */
function indexNames(bytes: Uint8Array, count: number, tokens: readonly string[]): { starts: Uint32Array; hashes: Uint32Array } {
  const starts = new Uint32Array(count);
  const hashes = new Uint32Array(count);
  const codes = tokens.map((token) => Uint8Array.from(Buffer.from(token, 'latin1')));
  let at = 0;
  let left = NAMES_BYTES;
  for (let index = 0; index < count; index++) {
    starts[index] = at;
    const end = skip(bytes, at);
    let hash = HASH_START;
    let first = true;
    for (let position = at + ((bytes[at] ?? 0) & COMPACT ? 2 : 1); position < end; position++) {
      const code = codes[bytes[position] ?? 0];
      if (code === undefined) continue;
      left -= code.length + 1;
      if (left < 0) throw new KernelFault('implausible', `the names of kallsyms take more than ${NAMES_BYTES} bytes`);
      for (let letter = 0; letter < code.length; letter++) {
        const value = code[letter] ?? 0;
        if (first) {
          first = false;
        } else hash = Math.imul(hash ^ value, 0x01000193);
      }
    }
    hashes[index] = hash >>> 0;
    at = end;
  }
  return { starts, hashes };
}

function expand(bytes: Uint8Array, at: number, tokens: readonly string[]): string {
  const end = skip(bytes, at);
  let text = '';
  for (let position = at + ((bytes[at] ?? 0) & COMPACT ? 2 : 1); position < end && text.length <= MAX_NAME; position++)
    text += tokens[bytes[position] ?? 0] ?? '';
  return text;
}

const HASH_START = 0x811c9dc5;

function hashOf(name: string): number {
  let hash = HASH_START;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

const u32 = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
