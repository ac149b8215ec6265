/** What a verb of the scenario language is: a line of documentation, its keys, and the step they make. The verbs-*.ts files hold the tables. */
import type { Cursor } from './cursor.js';
import { type Expectation, type Fill, type IoctlShape, type StepBase, expectSuccess } from './terms.js';
import { type KeyTable, mapping, optional, readKeys, required, type ValuesOf, withDefault } from './keys.js';
import { bool, expectation, label, listOf, number, oneOf, size, tail, text } from './values.js';

export interface VerbSpec<T = unknown> {
  readonly summary: string;
  /** the verb's own keys, without those that every step has */
  readonly keys: KeyTable;
  /** What the verb's keys make. @throws UserError where a key is unknown, missing or wrong */
  read(cursor: Cursor, index: number): T;
}

/** The keys every step has. */
export const commonKeys = {
  do: required(text, 'the verb'),
  expect: withDefault<Expectation>(expectation, 'what the operation must answer', expectSuccess, '0'),
  by: optional(label, 'the process that does it; the first, PID 1, unless given'),
};

/** A verb whose step holds what its keys do. */
export function verb<const K extends KeyTable>(summary: string, keys: K): VerbSpec<ValuesOf<K>>;
/** A verb with its keys; `make` gets their values, the mapping itself for errors of its own, and the step's place. */
export function verb<const K extends KeyTable, T>(summary: string, keys: K, make: (values: ValuesOf<K>, cursor: Cursor, index: number) => T): VerbSpec<T>;
export function verb<const K extends KeyTable, T>(
  summary: string,
  keys: K,
  make?: (values: ValuesOf<K>, cursor: Cursor, index: number) => T,
): VerbSpec<T | ValuesOf<K>> {
  return {
    summary,
    keys,
    read(cursor, index) {
      const values = readKeys(cursor, keys, nameOf(cursor), commonKeys);
      return make === undefined ? values : make(values, cursor, index);
    },
  };
}

const nameOf = (cursor: Cursor): string => `the ${cursor.entries()?.get('do')?.value.text ?? ''} step`;

/** What every step has, read from the mapping of one; keys of `own` are accepted. */
export function stepBase(cursor: Cursor, index: number, own: KeyTable): StepBase {
  const { expect, by } = readKeys(cursor, commonKeys, nameOf(cursor), own);
  return { index, position: cursor.position, expect, by };
}

/** `as`: the name of the descriptor a step opens. */
export const asKey = { as: optional(label, 'the name later steps call the new descriptor by') };

/** The keys by which an ioctl's argument departs from a well-formed one. */
export const shapeKeys = {
  size: optional(number(0, 0xffff_ffff), "the argument's size field, where it is not the structure's own; nothing is mapped past the first MiB"),
  tail: optional(tail, 'the bytes after the structure up to `size`: one byte, repeated, or the bytes'),
  null: withDefault(bool, 'the argument pointer is NULL', false, 'false'),
  memory: withDefault(
    oneOf(['writable', 'read-only', 'unmapped']),
    "what the argument pointer leads to; from `read-only` memory the kernel reads, and can't store its answer",
    'writable',
    'writable',
  ),
  mapped: optional(size(), 'how many bytes of the argument are mapped, where it ends at a page that is not'),
};

export const shapeOf = (values: ValuesOf<typeof shapeKeys>): IoctlShape => ({
  size: values.size,
  tail: values.tail,
  memory: values.null ? 'null' : values.memory,
  mapped: values.mapped,
});

export const fill = listOf<Fill>(
  mapping(
    {
      page: withDefault(number(0, 2 ** 32), 'first page of the file', 0, '0'),
      pages: withDefault(number(1, 2 ** 20), 'how many pages', 1, '1'),
      seed: required(number(0, 0xffff_ffff), 'seed of the content pattern'),
    },
    'a fill',
  ),
  10_000,
);
