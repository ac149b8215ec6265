/** What a header says: structures laid out, strings and numbers it defines. */
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { type Measured, Measurer, type NotMeasured, spendOnHeaders } from './layout.js';
import type { KnownFile } from './known-file.js';
import { declarationsOf } from './declarations.js';
import { tokenise } from './tokens.js';

export interface Header {
  readonly path: string;
  readonly structs: ReadonlyMap<string, Measured>;
  readonly unmeasured: readonly NotMeasured[];
  /** macros that are a text: compatible strings, names of nodes */
  readonly strings: ReadonlyMap<string, string>;
  /** macros and enumerators that are a number */
  readonly numbers: ReadonlyMap<string, bigint>;
  /** are all lines of the file known? */
  readonly whole: boolean;
}

/** @param pageSize in bytes: what PAGE_SIZE stands for @throws UserError where the headers of a command have more lines than it may read */
export function readHeader(path: string, file: KnownFile, pageSize = DEFAULT_PAGE_SIZE): Header {
  const lines = file.lines();
  spendOnHeaders(path, lines.length);
  const { tokens, defines } = tokenise(lines);
  const source = { tokens, defines };
  const declarations = declarationsOf(source);
  const measurer = new Measurer(path, declarations, defines, pageSize);
  const structs = new Map<string, Measured>();
  const unmeasured: NotMeasured[] = [];
  for (const name of declarations.aggregates.keys()) {
    const measured = measurer.measure(name);
    if ('problem' in measured) unmeasured.push(measured);
    else structs.set(name, measured);
  }
  const strings = new Map<string, string>();
  const numbers = new Map<string, bigint>(measurer.enumerators);
  for (const define of defines.values()) {
    const text = /^"((?:[^"\\]|\\.)*)"$/.exec(define.text);
    if (text?.[1] !== undefined) strings.set(define.name, text[1]);
    else {
      const value = measurer.numberOf(define);
      if (value !== null) numbers.set(define.name, value);
    }
  }
  return { path, structs, unmeasured, strings, numbers, whole: file.whole };
}

export const EMPTY_HEADER = (path: string): Header => ({ path, structs: new Map(), unmeasured: [], strings: new Map(), numbers: new Map(), whole: true });

/** Macros that version what a header describes. */
const VERSION = /COMPATIBLE|VERSION|_FH_NAME|_FLB_NAME|_ABI_/;

export interface VersionMark {
  readonly name: string;
  readonly value: string;
}

/** Every string or number of a header that stands for a version. */
export function versionsOf(header: Header): readonly VersionMark[] {
  const texts = [...header.strings]
    .filter(([name, value]) => VERSION.test(name) || /-v\d+$/.test(value))
    .map(([name, value]) => ({ name, value: JSON.stringify(value) }));
  const numbers = [...header.numbers].filter(([name]) => VERSION.test(name)).map(([name, value]) => ({ name, value: value.toString() }));
  return [...texts, ...numbers];
}

/** Those of them that version one structure: the ones whose names share most words with its own; all where none does. */
export function versionsFor(header: Header, struct: string): readonly VersionMark[] {
  const marks = versionsOf(header);
  const words = new Set(struct.toLowerCase().split('_'));
  const shared = (name: string): number =>
    name
      .toLowerCase()
      .split('_')
      .filter((word) => words.has(word)).length;
  const best = Math.max(0, ...marks.map(({ name }) => shared(name)));
  return best === 0 ? marks : marks.filter(({ name }) => shared(name) === best);
}
