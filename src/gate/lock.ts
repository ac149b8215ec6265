/** abi.lock: layouts, strings and numbers of a tree's ABI headers, as JSON with a schema, to hold a later tree against. */
import { UserError } from '../codec/user-error.js';
import type { Header } from './header.js';
import type { Measured } from './layout.js';

const LOCK_SCHEMA = 'luo-inspect.abi-lock/1';

interface Lock {
  readonly schema: typeof LOCK_SCHEMA;
  readonly headers: Readonly<
    Record<
      string,
      {
        readonly structs: Readonly<
          Record<
            string,
            { readonly size: number; readonly fields: readonly { readonly name: string; readonly bit: number; readonly bits: number; readonly type: string }[] }
          >
        >;
        readonly strings: Readonly<Record<string, string>>;
        readonly numbers: Readonly<Record<string, string>>;
        readonly unmeasured: Readonly<Record<string, string>>;
      }
    >
  >;
}

const sorted = <T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

export const lockOf = (headers: ReadonlyMap<string, Header>): Lock => ({
  schema: LOCK_SCHEMA,
  headers: sorted(
    [...headers].map(([path, header]) => [
      path,
      {
        structs: sorted(
          [...header.structs].map(([name, { size, leaves }]) => [
            name,
            { size, fields: leaves.map((field) => ({ name: field.path, bit: field.bitOffset, bits: field.bits, type: field.type })) },
          ]),
        ),
        strings: sorted(header.strings),
        numbers: sorted([...header.numbers].map(([name, value]) => [name, `0x${BigInt.asUintN(64, value).toString(16)}`])),
        unmeasured: sorted(header.unmeasured.map(({ name, problem }) => [name, problem])),
      },
    ]),
  ),
});

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The headers a lock describes. @throws UserError where it is no lock */
export function headersOfLock(text: string, label: string): ReadonlyMap<string, Header> {
  let lock: unknown;
  try {
    lock = JSON.parse(text);
  } catch {
    throw new UserError(`${label}: is no JSON; write a lock with \`luo-inspect abi lock <tree> -o ${label}\``);
  }
  if (!isObject(lock) || lock.schema !== LOCK_SCHEMA || !isObject(lock.headers))
    throw new UserError(`${label}: is no lock of schema ${LOCK_SCHEMA}; write one with \`luo-inspect abi lock <tree>\``);
  return new Map(Object.entries(lock.headers).map(([path, value]) => [path, headerOf(path, value, label)]));
}

function headerOf(path: string, value: unknown, label: string): Header {
  const bad = (what: string): UserError => new UserError(`${label}: ${what} of ${JSON.stringify(path)} is damaged; write the lock anew`);
  if (!isObject(value) || !isObject(value.structs) || !isObject(value.strings) || !isObject(value.numbers)) throw bad('the entry');
  const structs = new Map<string, Measured>();
  for (const [name, struct] of Object.entries(value.structs)) {
    if (!isObject(struct) || typeof struct.size !== 'number' || !Array.isArray(struct.fields)) throw bad(`struct ${name}`);
    const leaves = struct.fields.map((field: unknown) => {
      if (
        !isObject(field) ||
        typeof field.name !== 'string' ||
        typeof field.bit !== 'number' ||
        typeof field.bits !== 'number' ||
        typeof field.type !== 'string'
      )
        throw bad(`struct ${name}`);
      return { name: field.name, path: field.name, bitOffset: field.bit, bits: field.bits, type: field.type };
    });
    structs.set(name, { name, size: struct.size, fields: leaves, leaves });
  }
  const strings = new Map<string, string>();
  for (const [name, text] of Object.entries(value.strings)) {
    if (typeof text !== 'string') throw bad(`string ${name}`);
    strings.set(name, text);
  }
  const numbers = new Map<string, bigint>();
  for (const [name, number] of Object.entries(value.numbers)) {
    if (typeof number !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(number)) throw bad(`number ${name}`);
    numbers.set(name, BigInt(number));
  }
  return { path, structs, unmeasured: [], strings, numbers, whole: true };
}
