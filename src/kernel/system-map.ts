/**
 * System.map, the symbol table that a kernel's build leaves: `address type name` lines, the addresses as linked. KASLR moves the kernel
 * as a whole, so one symbol known in both tells how far.
 */
import { UserError } from '../codec/user-error.js';
import { type KernelSymbol, type SymbolTable, tableOf } from './symbols.js';
import { SHT_SYMTAB, elf64Sym } from '../../abi/elf/elf64.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { type ImageSource, elfHeaders } from '../compat/btf/elf-image.js';

const LINE = /^([0-9a-f]{8,16}) ([A-Za-z?]) (\S+)$/;
const DATA = /^[bBdDrR]$/;
/** Four times as many as a kernel with all symbols has. */
const MAX_LINES = 1_000_000;

export interface LinkedSymbols {
  readonly path: string;
  readonly symbols: readonly (KernelSymbol & { readonly type: string })[];
}

/** @throws UserError where it is no System.map */
export function parseSystemMap(text: string, path: string): LinkedSymbols {
  const symbols: (KernelSymbol & { type: string })[] = [];
  let number = 0;
  // Line by line: all of them at once would be as much again.
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf('\n', start);
    if (end === -1) end = text.length;
    const line = text.slice(start, end);
    number++;
    if (line === '') continue;
    const match = LINE.exec(line);
    const [, address, type, name] = match ?? [];
    if (address === undefined || type === undefined || name === undefined)
      throw new UserError(`${path}: line ${number} is no "address type name"; give the System.map of the kernel in the dump (nm's output)`);
    if (symbols.length >= MAX_LINES) throw new UserError(`${path}: more than ${MAX_LINES} symbols; give the System.map of the kernel in the dump`);
    symbols.push({ name, address: BigInt(`0x${address}`), type });
  }
  if (symbols.length === 0) throw new UserError(`${path}: is empty; give the System.map of the kernel in the dump`);
  return { path, symbols };
}

/** Moved to where the kernel runs. @param anchor a symbol whose address in the dump is known @throws UserError where the file lacks it */
export function relocate(linked: LinkedSymbols, source: string, anchor: KernelSymbol): SymbolTable {
  const own = linked.symbols.find(({ name }) => name === anchor.name);
  if (own === undefined) throw new UserError(`${linked.path}: has no ${anchor.name}, so it is of no kernel; give the System.map of the kernel in the dump`);
  const shift = anchor.address - own.address;
  if (shift % 4096n !== 0n)
    throw new UserError(
      `${linked.path}: ${anchor.name} is 0x${own.address.toString(16)} there and 0x${anchor.address.toString(16)} in the dump, which is no multiple of a page away: it is of another kernel; give the System.map of the kernel in the dump`,
    );
  // Absolute symbols and per-cpu offsets are below the kernel's half and do not move.
  const symbols = linked.symbols.map(({ name, address }) => ({ name, address: address >= 1n << 63n ? address + shift : address }));
  return tableOf(
    source,
    symbols,
    linked.symbols.some(({ type }) => DATA.test(type)),
  );
}

/** A kernel has some 250,000 symbols; more is damage. */
const MAX_SYMBOLS = 4_000_000;
const MAX_STRINGS = 256 << 20;
/** STT_OBJECT, in the low bits of st_info. */
const OBJECT = 1;
const SYM = sizeOf(elf64Sym);
const AT = { name: offsetOf(elf64Sym, 'st_name'), info: offsetOf(elf64Sym, 'st_info'), value: offsetOf(elf64Sym, 'st_value') } as const;

/** Null where the file is stripped. @throws UserError where its headers are damaged */
export function elfSymbols(image: ImageSource): LinkedSymbols | null {
  const { sections, endian } = elfHeaders(image);
  const table = sections.find(({ header }) => header.sh_type === SHT_SYMTAB);
  const strings = table === undefined ? undefined : sections[table.header.sh_link];
  if (endian !== 'little' || table === undefined || strings === undefined || table.range.size > MAX_SYMBOLS * SYM || strings.range.size > MAX_STRINGS)
    return null;
  const entries = image.read(table.range.offset, table.range.size);
  const names = Buffer.from(image.read(strings.range.offset, strings.range.size));
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const symbols: { name: string; address: bigint; type: string }[] = [];
  for (let at = 0; at + SYM <= entries.length; at += SYM) {
    const nameAt = view.getUint32(at + AT.name, true);
    const end = names.indexOf(0, nameAt);
    if (nameAt === 0 || end <= nameAt) continue;
    const type = (view.getUint8(at + AT.info) & 0xf) === OBJECT ? 'd' : 't';
    symbols.push({ name: names.toString('latin1', nameAt, end), address: view.getBigUint64(at + AT.value, true), type });
  }
  return symbols.length === 0 ? null : { path: image.name, symbols };
}
