/**
 * A mapping of the scenario as a table of keys: read against it (unknown keys are errors), and turned into a JSON Schema and
 * into documentation.
 */
import { distance } from '../../codec/near.js';
import type { Cursor } from './cursor.js';
import { type JsonSchema, shown, type ValueType } from './values.js';

export interface Key<T> {
  readonly type: ValueType<unknown>;
  readonly doc: string;
  readonly required: boolean;
  /** what an absent key stands for; required keys have none */
  readonly fallback: T | null;
  /** how documentation shows the fallback; empty: nothing */
  readonly shownDefault: string;
  read(cursor: Cursor): T;
}

const key = <T, F>(type: ValueType<T>, doc: string, absent: Pick<Key<F>, 'required' | 'fallback' | 'shownDefault'>): Key<T | F> => ({
  type,
  doc,
  ...absent,
  read: (cursor) => type.read(cursor),
});
export const required = <T>(type: ValueType<T>, doc: string): Key<T> => key<T, T>(type, doc, { required: true, fallback: null, shownDefault: '' });
export const optional = <T>(type: ValueType<T>, doc: string): Key<T | null> => key(type, doc, { required: false, fallback: null, shownDefault: '' });
export const withDefault = <T>(type: ValueType<T>, doc: string, fallback: T, shownDefault: string): Key<T> =>
  key(type, doc, { required: false, fallback, shownDefault });

export type KeyTable = Readonly<Record<string, Key<unknown>>>;
export type ValuesOf<K extends KeyTable> = { readonly [P in keyof K]: K[P] extends Key<infer T> ? T : never };

/**
 * Reads the mapping at `cursor` by `keys`; `what` names it in messages. Keys of `others` are accepted and not read.
 * @throws UserError where it is no mapping, a key is unknown or missing, or a value is not of its kind
 */
export function readKeys<const K extends KeyTable>(cursor: Cursor, keys: K, what: string, others: KeyTable = {}): ValuesOf<K> {
  const entries = cursor.entries();
  if (entries === null) throw cursor.error(`${shown(cursor)} where ${what} belongs, which is a mapping`);
  for (const [name, { key }] of entries) {
    if (Object.hasOwn(keys, name) || Object.hasOwn(others, name)) continue;
    throw key.error(`unknown key ${JSON.stringify(name)} in ${what}${suggestion(name, Object.keys({ ...others, ...keys }))}`);
  }
  const values: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(keys)) {
    const entry = entries.get(name);
    if (entry !== undefined && !(entry.value.isNull && !key.required)) values[name] = key.read(entry.value);
    else if (key.required) throw cursor.error(`${what} needs the key ${JSON.stringify(name)} (${key.doc})`);
    else values[name] = key.fallback;
  }
  // Every key of the table was just read by its own type, or stands for its own fallback.
  return values as ValuesOf<K>;
}

function suggestion(name: string, known: readonly string[]): string {
  const near = known.find((other) => distance(name.toLowerCase(), other.toLowerCase(), 2) <= 2);
  return near === undefined ? `; it has ${known.join(', ')}` : `; did you mean ${near}?`;
}

/** A mapping as a kind of value. */
export const mapping = <const K extends KeyTable>(keys: K, what: string): ValueType<ValuesOf<K>> => ({
  label: `{ ${Object.keys(keys).join(', ')} }`,
  schema: schemaOfKeys(keys),
  read: (cursor) => readKeys(cursor, keys, what),
});

/** For `docs` and editors: a mapping with these keys and no other. */
export function schemaOfKeys(keys: KeyTable): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [name, key] of Object.entries(keys)) properties[name] = { ...key.type.schema, description: key.doc };
  const needed = Object.entries(keys)
    .filter(([, key]) => key.required)
    .map(([name]) => name);
  return { type: 'object', properties, ...(needed.length === 0 ? {} : { required: needed }), additionalProperties: false };
}
