/**
 * Where a compiler puts the members of a declared structure, on x86-64 and arm64 alike: natural alignment unless packed, bit-fields
 * from the least significant bit. Source: System V ABI AMD64, section 3.1.2; AAPCS64, section 8.
 */
import { currentBudget, raise } from '../codec/budget.js';
import { UserError } from '../codec/user-error.js';
import type { Shape, ShapeField } from '../compat/shape.js';
import type { Aggregate, Declarations, Member } from './declarations.js';
import { type Define, type Token, tokensOf } from './tokens.js';

interface MeasuredField extends ShapeField {
  /** with the names of the structures it is in: `hdr.count` */
  readonly path: string;
}

export interface Measured extends Shape {
  readonly leaves: readonly MeasuredField[];
}

/** A structure that can't be laid out, and why. */
export interface NotMeasured {
  readonly name: string;
  readonly problem: string;
}

interface Sized {
  /** bytes */
  readonly size: number;
  readonly align: number;
  /** as C writes it, synonyms made one */
  readonly text: string;
  readonly leaves: readonly MeasuredField[] | null;
}

/** Bytes and signs of C's own types and the kernel's, by synonym. */
const BASIC: Readonly<Record<string, readonly [number, string]>> = {
  ...Object.fromEntries([8, 16, 32, 64].flatMap((bits) => [`u${bits}`, `__u${bits}`, `uint${bits}_t`].map((name) => [name, [bits / 8, `u${bits}`]]))),
  ...Object.fromEntries([8, 16, 32, 64].flatMap((bits) => [`s${bits}`, `__s${bits}`, `int${bits}_t`].map((name) => [name, [bits / 8, `s${bits}`]]))),
  ...Object.fromEntries([16, 32, 64].flatMap((bits) => [`__le${bits}`, `__be${bits}`].map((name) => [name, [bits / 8, name]]))),
  __aligned_u64: [8, 'u64'],
  bool: [1, 'bool'],
  _Bool: [1, 'bool'],
  char: [1, 'char'],
  'signed char': [1, 's8'],
  'unsigned char': [1, 'u8'],
  short: [2, 's16'],
  'unsigned short': [2, 'u16'],
  int: [4, 's32'],
  unsigned: [4, 'u32'],
  'unsigned int': [4, 'u32'],
  long: [8, 's64'],
  'unsigned long': [8, 'u64'],
  'long long': [8, 's64'],
  'unsigned long long': [8, 'u64'],
  size_t: [8, 'u64'],
  phys_addr_t: [8, 'u64'],
  dma_addr_t: [8, 'u64'],
  pid_t: [4, 's32'],
};

class Unmeasurable extends Error {}

/** More fields than a structure of an ABI header has, arrays of structures opened up. */
const MAX_LEAVES = 4096;

/** @param amount of lines, or of what takes as long @throws UserError where the headers of a command take more than it may spend on them */
export function spendOnHeaders(path: string, amount: number): void {
  const budget = currentBudget();
  if (budget.spend('gate-lines', amount, path)) return;
  const allowed = budget.allowed('gate-lines');
  throw new UserError(`${path}: more than ${allowed} lines, fields and macros in the headers, over all patches; ${raise(budget, 'gate-lines')}`);
}

export class Measurer {
  readonly #path: string;
  readonly #declarations: Declarations;
  readonly #defines: ReadonlyMap<string, Define>;
  readonly #pageSize: number;
  readonly #enums = new Map<string, bigint>();
  /** macros whose value is known: a few that name each other would be worked out without end */
  readonly #values = new Map<string, bigint>();

  /** @param pageSize in bytes: what PAGE_SIZE stands for */
  constructor(path: string, declarations: Declarations, defines: ReadonlyMap<string, Define>, pageSize: number) {
    this.#path = path;
    this.#declarations = declarations;
    this.#defines = defines;
    this.#pageSize = pageSize;
    let next = 0n;
    for (const { name, value, first } of declarations.enumOrder) {
      if (first) next = 0n;
      try {
        if (value !== null) next = this.evaluate(value);
        this.#enums.set(name, next++);
      } catch (error) {
        if (!(error instanceof Unmeasurable)) throw error;
      }
    }
  }

  get enumerators(): ReadonlyMap<string, bigint> {
    return this.#enums;
  }

  measure(name: string): Measured | NotMeasured {
    const aggregate = this.#declarations.aggregates.get(name);
    if (aggregate === undefined) return { name, problem: 'it is not declared here' };
    try {
      const { size, leaves } = this.#aggregate(aggregate, new Set());
      const fields = leaves ?? [];
      return { name, size, fields, leaves: fields };
    } catch (error) {
      if (!(error instanceof Unmeasurable)) throw error;
      return { name, problem: error.message };
    }
  }

  /** The value of a macro that is a number; null where it is not one. */
  numberOf(define: Define): bigint | null {
    if (define.text === '') return null;
    try {
      return this.evaluate(tokensOf(define.text));
    } catch (error) {
      if (!(error instanceof Unmeasurable)) throw error;
      return null;
    }
  }

  /** @throws Unmeasurable where a constant is not known */
  evaluate(tokens: readonly Token[]): bigint {
    return new Expression(
      tokens,
      (word) => this.#constant(word, new Set()),
      (type) => BigInt(this.#sized(type, new Set()).size),
    ).value();
  }

  #constant(word: string, seen: ReadonlySet<string>): bigint {
    if (word === 'PAGE_SIZE') return BigInt(this.#pageSize);
    if (word === 'PAGE_SHIFT') return BigInt(Math.log2(this.#pageSize));
    if (word === 'BITS_PER_BYTE') return 8n;
    if (word === 'BITS_PER_LONG') return 64n;
    const known = this.#enums.get(word) ?? this.#values.get(word);
    if (known !== undefined) return known;
    const define = this.#defines.get(word);
    if (define === undefined || define.text === '') throw new Unmeasurable(`${word} is not defined here`);
    spendOnHeaders(this.#path, 1);
    if (seen.has(word) || seen.size > 32) throw new Unmeasurable(`${word} is defined by itself`);
    const deeper = new Set([...seen, word]);
    const value = new Expression(
      tokensOf(define.text),
      (inner) => this.#constant(inner, deeper),
      (type) => BigInt(this.#sized(type, new Set()).size),
    ).value();
    this.#values.set(word, value);
    return value;
  }

  #aggregate(aggregate: Aggregate, seen: ReadonlySet<Aggregate>): Sized {
    if (aggregate.problem !== null) throw new Unmeasurable(aggregate.problem);
    spendOnHeaders(this.#path, 1);
    if (seen.has(aggregate)) throw new Unmeasurable(`${aggregate.name} holds itself`);
    const deeper = new Set([...seen, aggregate]);
    const leaves: MeasuredField[] = [];
    let bit = 0;
    let widest = 0;
    let align = 1;
    for (const member of aggregate.members) {
      if (aggregate.kind === 'union') bit = 0;
      const { at, bits, align: wanted } = this.#place(member, bit, aggregate.packed, deeper, leaves);
      align = Math.max(align, wanted);
      bit = at + bits;
      widest = Math.max(widest, bit);
    }
    if (aggregate.aligned !== null) align = Math.max(align, Number(this.evaluate(aggregate.aligned)));
    const size = roundUp(Math.ceil(widest / 8), align);
    return { size, align, text: `${aggregate.kind} ${aggregate.name}`, leaves };
  }

  /** Puts one member at or after `bit`; its leaves are added. */
  #place(member: Member, bit: number, packed: boolean, seen: ReadonlySet<Aggregate>, leaves: MeasuredField[]): { at: number; bits: number; align: number } {
    const of: Sized = member.pointer
      ? { size: 8, align: 8, text: 'pointer', leaves: null }
      : member.type.kind === 'inline'
        ? this.#aggregate(member.type.aggregate, seen)
        : this.#sized(member.type.name, seen);
    const aligned = member.aligned === null ? 1 : Number(this.evaluate(member.aligned));
    const align = Math.max(packed ? 1 : of.align, aligned);
    if (member.width !== null) return this.#bitField(member, of, bit, packed, leaves);
    const at = roundUp(bit, align * 8);
    const counts = member.bounds.map((bound) => (bound.length === 0 ? 0 : Number(this.evaluate(bound))));
    if (counts.some((count) => !Number.isSafeInteger(count) || count < 0)) throw new Unmeasurable(`${member.name} has an array of no possible length`);
    const elements = counts.reduce((product, count) => product * count, 1);
    const bits = of.size * 8 * elements;
    if (!Number.isSafeInteger(at + bits)) throw new Unmeasurable(`${member.name} is too large`);
    if (of.leaves === null || counts.length > 0) {
      const type = `${of.text}${counts.map((count) => `[${count === 0 ? '' : count}]`).join('')}`;
      leaves.push({ name: member.name, path: member.name, bitOffset: at, bits, type });
      // What an array's elements look like is a part of the layout, once.
      for (const leaf of of.leaves ?? []) leaves.push({ ...leaf, path: `${member.name}[].${leaf.path}`, bitOffset: at + leaf.bitOffset });
    } else {
      for (const leaf of of.leaves) {
        const path = member.name === '' ? leaf.path : `${member.name}.${leaf.path}`;
        leaves.push({ ...leaf, path, bitOffset: at + leaf.bitOffset });
      }
    }
    spendOnHeaders(this.#path, of.leaves?.length ?? 1);
    if (leaves.length > MAX_LEAVES) throw new Unmeasurable(`more than ${MAX_LEAVES} fields`);
    return { at, bits, align };
  }

  #bitField(member: Member, of: Sized, bit: number, packed: boolean, leaves: MeasuredField[]): { at: number; bits: number; align: number } {
    const width = Number(this.evaluate(member.width ?? []));
    const unit = of.size * 8;
    if (width > unit || width < 0) throw new Unmeasurable(`${member.name} is wider than its type`);
    if (width === 0) return { at: roundUp(bit, unit), bits: 0, align: 1 };
    const crosses = Math.floor(bit / unit) !== Math.floor((bit + width - 1) / unit);
    const at = !packed && crosses ? roundUp(bit, unit) : bit;
    if (member.name !== '') leaves.push({ name: member.name, path: member.name, bitOffset: at, bits: width, type: `${of.text}:${width}` });
    return { at, bits: width, align: packed || member.name === '' ? 1 : of.align };
  }

  #sized(type: string, seen: ReadonlySet<Aggregate>): Sized {
    const basic = BASIC[type];
    if (basic !== undefined) return { size: basic[0], align: basic[0], text: basic[1], leaves: null };
    if (type.endsWith('*')) return { size: 8, align: 8, text: 'pointer', leaves: null };
    if (type.startsWith('enum ')) return { size: 4, align: 4, text: 'u32', leaves: null };
    const aggregate = this.#declarations.aggregates.get(type.replace(/^(struct|union) /, ''));
    if (aggregate !== undefined && /^(struct|union) /.test(type)) return this.#aggregate(aggregate, seen);
    const synonym = this.#declarations.typedefs.get(type);
    if (synonym !== undefined && synonym !== type && seen.size < 32) return this.#sized(synonym, seen);
    const imported = IMPORTED[type];
    if (imported !== undefined) return imported;
    throw new Unmeasurable(`${type} is not declared here`);
  }
}

/** Structures of other headers that ABI headers embed. Source: include/linux/kho/abi/kexec_handover.h and block.h, 7.3. */
const IMPORTED: Readonly<Record<string, Sized>> = {
  'struct kho_vmalloc': { size: 16, align: 8, text: 'struct kho_vmalloc', leaves: null },
  'struct kho_block_header_ser': { size: 16, align: 1, text: 'struct kho_block_header_ser', leaves: null },
};

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Constant expressions: + - * / % << >> & | ^ ~, brackets, sizeof, BIT, GENMASK_ULL and casts to basic types. */
class Expression {
  readonly #tokens: readonly Token[];
  readonly #constant: (word: string) => bigint;
  readonly #sizeOf: (type: string) => bigint;
  #at = 0;
  #steps = 0;

  constructor(tokens: readonly Token[], constant: (word: string) => bigint, sizeOf: (type: string) => bigint) {
    this.#tokens = tokens;
    this.#constant = constant;
    this.#sizeOf = sizeOf;
  }

  value(): bigint {
    const value = this.#binary(0);
    if (this.#at !== this.#tokens.length) throw new Unmeasurable(`${JSON.stringify(this.#tokens[this.#at]?.text ?? '')} in an expression`);
    return value;
  }

  #binary(level: number): bigint {
    if (this.#steps++ > 1000) throw new Unmeasurable('an expression without end');
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = this.#tokens[this.#at]?.text ?? '';
      const apply = this.#tokens[this.#at]?.kind === 'punctuation' ? operators[operator] : undefined;
      if (apply === undefined) return left;
      this.#at++;
      left = apply(left, this.#binary(level + 1));
      if (left > WIDEST || left < -WIDEST) throw new Unmeasurable('a number of more than 128 bits');
    }
  }

  #unary(): bigint {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Unmeasurable('an expression ends too early');
    if (token.kind === 'number') return numberOf(token.text);
    if (token.text === '-' || token.text === '~' || token.text === '+') {
      const value = this.#unary();
      return token.text === '-' ? -value : token.text === '~' ? ~value : value;
    }
    if (token.text === '(') {
      const cast = this.#castTo();
      if (cast) return this.#unary();
      const value = this.#binary(0);
      this.#close();
      return value;
    }
    if (token.kind !== 'word') throw new Unmeasurable(`${JSON.stringify(token.text)} in an expression`);
    if (token.text === 'sizeof') return this.#sizeof();
    if (this.#tokens[this.#at]?.text === '(') return this.#call(token.text);
    return this.#constant(token.text);
  }

  #castTo(): boolean {
    let end = this.#at;
    while (this.#tokens[end]?.kind === 'word') end++;
    const type = this.#tokens.slice(this.#at, end).map((one) => one.text);
    if (type.length === 0 || this.#tokens[end]?.text !== ')' || BASIC[type.join(' ')] === undefined) return false;
    this.#at = end + 1;
    return true;
  }

  #sizeof(): bigint {
    this.#at++;
    const [first] = this.#tokens.slice(this.#at);
    if (first?.kind === 'string') {
      this.#at++;
      this.#close();
      return BigInt(Buffer.byteLength(first.text) + 1);
    }
    const words: string[] = [];
    while (this.#at < this.#tokens.length && this.#tokens[this.#at]?.text !== ')') words.push(this.#tokens[this.#at++]?.text ?? '');
    this.#close();
    return this.#sizeOf(words.join(' '));
  }

  #call(name: string): bigint {
    this.#at++;
    const first = this.#binary(0);
    if (this.#tokens[this.#at]?.text === ',') {
      this.#at++;
      const second = this.#binary(0);
      this.#close();
      if (/^GENMASK(_ULL)?$/.test(name) && first >= second && first < 64n) return ((1n << (first - second + 1n)) - 1n) << second;
      if (/^(ALIGN|__ALIGN_KERNEL|round_up|roundup)$/.test(name) && second > 0n) return ((first + second - 1n) / second) * second;
      if (/^DIV_ROUND_UP$/.test(name) && second > 0n) return (first + second - 1n) / second;
      throw new Unmeasurable(`${name}() is not known`);
    }
    this.#close();
    if (/^(BIT|BIT_ULL|_BITUL|_BITULL)$/.test(name) && first >= 0n && first < 64n) return 1n << first;
    if (/^(UL|ULL|_AC)$/.test(name)) return first;
    if (/^(const_)?ilog2$/.test(name) && first > 0n) return BigInt(first.toString(2).length - 1);
    throw new Unmeasurable(`${name}() is not known`);
  }

  #close(): void {
    if (this.#tokens[this.#at++]?.text !== ')') throw new Unmeasurable('a bracket is not closed');
  }
}

/** Whatever a header computes fits into this. */
const WIDEST = 1n << 128n;

function numberOf(text: string): bigint {
  const digits = text.replace(/[uUlL]+$/, '').replace(/^0(?=\d)/, '0o');
  if (!/^(\d{1,39}|0[xX][\da-fA-F]{1,32}|0[bB][01]{1,128}|0o[0-7]{1,43})$/.test(digits))
    throw new Unmeasurable(`${JSON.stringify(text.slice(0, 40))} in an expression`);
  return BigInt(digits);
}

type Apply = (left: bigint, right: bigint) => bigint;

const shift = (value: bigint): bigint => {
  if (value < 0n || value > 64n) throw new Unmeasurable('a shift by more than 64');
  return value;
};
const divisor = (value: bigint): bigint => {
  if (value === 0n) throw new Unmeasurable('a division by 0');
  return value;
};

/** Operators by level, the loosest first. */
const LEVELS: readonly Readonly<Record<string, Apply>>[] = [
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '<<': (a, b) => a << shift(b), '>>': (a, b) => a >> shift(b) },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': (a, b) => a / divisor(b), '%': (a, b) => a % divisor(b) },
];
