/**
 * The small language every contract in `abi/` is written in. It describes bytes and nothing else: offsets, sizes,
 * parsers, encoders, documentation and ABI checks are derived from it by `src/codec`.
 *
 * Field order in `fields` is memory order. A struct is packed unless it says `packed: false`, in which case C's natural
 * alignment holds (x86-64 and arm64 agree for every structure described here).
 */

export type Endian = 'little' | 'big';

/** What an integer stands for; decides how it is shown (address, count, flags …) and checked. */
export type Role = 'number' | 'count' | 'bytes' | 'pages' | 'phys' | 'opaque' | 'flags' | 'enum' | 'bool' | 'pfn' | 'index' | 'reserved';

/** Roles whose values are written in hex. */
export const HEX_ROLES: ReadonlySet<Role> = new Set(['phys', 'opaque', 'flags', 'pfn', 'reserved']);

/** value (decimal text) -> the kernel's name for it */
export type Symbols = Readonly<Record<string, string>>;
/** bit number (decimal text) -> the kernel's name for the bit */
export type FlagNames = Readonly<Record<string, string>>;
/** a flag's name without its prefix -> its bit, as a value */
export type Flags = Readonly<Record<string, number>>;

/** Flags as a layout names them: `flagNames('F_SEAL_', { SHRINK: 0x2 })` is `{ 1: 'F_SEAL_SHRINK' }`. */
export const flagNames = (prefix: string, flags: Flags): FlagNames =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [Math.log2(value), `${prefix}${name}`]));

/** The bits of all flags together. */
export const allFlags = (flags: Flags): number => Object.values(flags).reduce((bits, value) => bits | value, 0);

/** The names of the flags that are set in `bits`. */
export const flagsIn = (flags: Flags, bits: number): readonly string[] => Object.keys(flags).filter((name) => (bits & (flags[name] ?? 0)) !== 0);

interface Described {
  readonly meaning: string;
}

export interface IntType<B extends 1 | 2 | 4 | 8 = 1 | 2 | 4 | 8> extends Described {
  readonly kind: 'int';
  readonly bytes: B;
  readonly signed: boolean;
  readonly role: Role;
  readonly symbols?: Symbols;
  readonly flagNames?: FlagNames;
  /** what a `phys` points to, by struct name, where it is always the same */
  readonly pointsTo?: string;
  /** of a `phys`: the page there is the structure's own, whatever it holds */
  readonly ownsPage?: true;
  /** the only values the kernel accepts, where it checks them */
  readonly mustBe?: readonly number[];
}

export interface CStringType extends Described {
  readonly kind: 'cstring';
  readonly bytes: number;
}

export interface BytesType extends Described {
  readonly kind: 'bytes';
  readonly bytes: number;
}

export interface BitField extends Described {
  /** in bits; up to 53 a JavaScript number holds it exactly */
  readonly width: number;
  readonly role: Role;
  readonly flagNames?: FlagNames;
}

/** One integer split into bit-fields, least significant first (gcc and clang on little-endian hosts). */
export interface BitsType<F extends Readonly<Record<string, BitField>> = Readonly<Record<string, BitField>>> extends Described {
  readonly kind: 'bits';
  readonly bytes: 1 | 2 | 4 | 8;
  readonly fields: F;
}

/** `count`: a number, or `page`: as many whole elements as fit in the rest of a page of the machine. */
export interface ArrayType<T extends FieldType = FieldType> extends Described {
  readonly kind: 'array';
  readonly of: T;
  readonly count: number | 'page';
}

/** Structures that share the same bytes; which one holds is told elsewhere, so the value is the raw bytes. */
export interface UnionType extends Described {
  readonly kind: 'union';
  readonly variants: Readonly<Record<string, Struct>>;
  /** size in bytes, at least that of the largest variant */
  readonly bytes: number;
  /** a field beside it that tells which one holds, its value -> the variant's name; or the one that always does */
  readonly select?: UnionSelect;
}

type UnionSelect = { readonly field: string; readonly variants: Readonly<Record<string, string>> } | { readonly always: string };

export interface NestedType<S extends Struct = Struct> extends Described {
  readonly kind: 'nested';
  readonly struct: S;
  /** of a kho_vmalloc: what is in its pages one after the other, and the field beside it that counts them */
  readonly entries?: { readonly of: Struct; readonly count: string };
}

// The recursion through ArrayType needs an interface-level indirection, hence the explicit union.
export type FieldType = IntType | CStringType | BytesType | BitsType | ArrayTypeAny | UnionType | NestedType;
interface ArrayTypeAny extends Described {
  readonly kind: 'array';
  readonly of: FieldType;
  readonly count: number | 'page';
}

export type Fields = Readonly<Record<string, FieldType>>;

export interface Struct<F extends Fields = Fields> {
  readonly kind: 'struct';
  /** the kernel's name, without `struct` */
  readonly name: string;
  readonly meaning: string;
  /** kernel release and file, or mail subject and date */
  readonly source: string;
  readonly packed: boolean;
  readonly endian: Endian;
  readonly fields: F;
  /** what follows the structure: as many as a field of it says */
  readonly tail?: Tail;
  /** the name in a kernel's BTF where it differs; null in a contract of a release whose kernels have no such type */
  readonly btfName?: string | null;
  /** where a compiler put the fields, and how long it made the whole, in bytes: for layouts that were measured, not described */
  readonly placed?: Placed;
  /** of a layout that was measured: fields that are taken to be a described one under another name, own name to described name */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** A flexible array after a structure; its size is not part of the structure's. */
export interface Tail {
  readonly name: string;
  /** an integer, or a structure */
  readonly of: IntType | NestedType;
  /** the field that counts them */
  readonly count: string;
}

interface Placed {
  readonly offsets: Readonly<Record<string, number>>;
  readonly size: number;
}

export interface StructOptions<F extends Fields> {
  readonly name: string;
  readonly meaning: string;
  readonly source: string;
  readonly packed?: boolean;
  readonly endian?: Endian;
  readonly btfName?: string | null;
  readonly placed?: Placed;
  readonly tail?: Tail;
  readonly fields: F;
}

export function struct<const F extends Fields>(options: StructOptions<F>): Struct<F> {
  return { kind: 'struct', packed: true, endian: 'little', ...options };
}

type IntOptions = Partial<Omit<IntType, 'kind' | 'bytes' | 'signed' | 'meaning'>>;

function int<B extends 1 | 2 | 4 | 8>(bytes: B, signed: boolean, meaning: string, options: IntOptions = {}): IntType<B> {
  return { kind: 'int', bytes, signed, role: 'number', meaning, ...options };
}

export const u8 = (meaning: string, options?: IntOptions): IntType<1> => int(1, false, meaning, options);
export const u16 = (meaning: string, options?: IntOptions): IntType<2> => int(2, false, meaning, options);
export const u32 = (meaning: string, options?: IntOptions): IntType<4> => int(4, false, meaning, options);
export const u64 = (meaning: string, options?: IntOptions): IntType<8> => int(8, false, meaning, options);
export const s32 = (meaning: string, options?: IntOptions): IntType<4> => int(4, true, meaning, options);
export const s64 = (meaning: string, options?: IntOptions): IntType<8> => int(8, true, meaning, options);

/** A physical address, 8 bytes, 0 meaning none unless the text says otherwise. */
export const phys = (meaning: string, pointsTo?: string): IntType<8> =>
  int(8, false, meaning, pointsTo === undefined ? { role: 'phys' } : { role: 'phys', pointsTo });

export const cstring = (bytes: number, meaning: string): CStringType => ({ kind: 'cstring', bytes, meaning });
export const bytes = (count: number, meaning: string): BytesType => ({ kind: 'bytes', bytes: count, meaning });
export const padding = (count: number, meaning = 'padding'): BytesType => ({ kind: 'bytes', bytes: count, meaning });

export function bits<const F extends Readonly<Record<string, BitField>>>(size: 1 | 2 | 4 | 8, meaning: string, fields: F): BitsType<F> {
  return { kind: 'bits', bytes: size, meaning, fields };
}

export const array = <T extends FieldType>(of: T, count: number | 'page', meaning: string): ArrayType<T> => ({ kind: 'array', of, count, meaning });
export const nested = <S extends Struct>(inner: S, meaning: string, entries?: NestedType['entries']): NestedType<S> => ({
  kind: 'nested',
  struct: inner,
  meaning,
  ...(entries === undefined ? {} : { entries }),
});
export const union = (variants: Readonly<Record<string, Struct>>, size: number, meaning: string, select?: UnionSelect): UnionType => ({
  kind: 'union',
  variants,
  bytes: size,
  meaning,
  ...(select === undefined ? {} : { select }),
});

/** A physical address of a page that is the structure's own. */
export const ownPage = (meaning: string): IntType<8> => int(8, false, meaning, { role: 'phys', ownsPage: true });

/** A NUL-terminated text in a field of fixed size, as decoded. */
export interface CStringValue {
  /** up to the first NUL, as UTF-8, invalid sequences as U+FFFD */
  readonly text: string;
  /** the text's bytes, without the NUL */
  readonly bytes: Uint8Array;
  readonly validUtf8: boolean;
  readonly terminated: boolean;
  /** bytes after the NUL that are not 0 */
  readonly trailing: number;
}

/** The value a field of type `T` decodes to. 8-byte integers are bigint, smaller ones and bit-fields numbers. */
export type Decoded<T> =
  T extends IntType<infer B>
    ? [B] extends [1 | 2 | 4]
      ? number
      : bigint
    : T extends CStringType
      ? CStringValue
      : T extends BytesType | UnionType
        ? Uint8Array
        : T extends BitsType<infer F>
          ? { readonly [K in keyof F]: number }
          : T extends NestedType<infer S>
            ? DecodedStruct<S>
            : T extends ArrayType<infer E>
              ? readonly Decoded<E>[]
              : never;

export type DecodedStruct<S extends Struct> = S extends Struct<infer F> ? { readonly [K in keyof F]: Decoded<F[K]> } : never;
