/**
 * System.map, the symbol table that a kernel's build leaves: `address type name` lines, the addresses as linked. KASLR moves the kernel
 * as a whole, so one symbol known in both tells how far.
 */
import { UserError } from '../codec/user-error.js';
import { type KernelSymbol, type SymbolTable, tableOf } from './symbols.js';

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
  // Absolute symbols and per-cpu offsets stand below the kernel's half and do not move.
  const symbols = linked.symbols.map(({ name, address }) => ({ name, address: address >= 1n << 63n ? address + shift : address }));
  return tableOf(
    source,
    symbols,
    linked.symbols.some(({ type }) => DATA.test(type)),
  );
}
