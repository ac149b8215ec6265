/** A kernel's types by name, from its BTF: structures and where their members are, looked up once. */
import type { Btf } from '../compat/btf/btf.js';
import { UserError } from '../codec/user-error.js';
import { KernelFault } from './fault.js';

interface Member {
  readonly typeId: number;
  /** in bits from the start of the structure */
  readonly bitOffset: number;
  /** width of a bit-field, 0 where it is not one */
  readonly bitFieldBits: number;
}

/** A BTF that is damaged is a fault of the dump, not of who asked. */
function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UserError) throw new KernelFault('no-type', error.message);
    throw error;
  }
}

/** What gcc calls in debug information what clang calls by its C name. */
const GCC_NAMES: ReadonlyMap<string, string> = new Map([
  ['unsigned long', 'long unsigned int'],
  ['long', 'long int'],
  ['unsigned long long', 'long long unsigned int'],
  ['unsigned short', 'short unsigned int'],
]);

export class KernelTypes {
  readonly btf: Btf;
  /** where the BTF is from, for messages */
  readonly source: string;
  readonly #layouts = new Map<number, ReadonlyMap<string, Member>>();
  readonly #ids = new Map<string, number>();

  constructor(btf: Btf, source: string) {
    this.btf = btf;
    this.source = source;
  }

  /** The id of `struct x`, `union x`, `enum x` or a plain type's name. @throws KernelFault */
  id(name: string): number {
    const id = this.find(name);
    if (id === null) throw new KernelFault('no-type', `the kernel's BTF (${this.source}) has no ${name}`);
    return id;
  }

  /** The same, null where there is none. */
  find(name: string): number | null {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const [, keyword, rest] = /^(struct|union|enum) (.+)$/.exec(name) ?? [];
    const id = guarded(() => {
      if (keyword === undefined || rest === undefined)
        return this.btf.find('TYPEDEF', name) ?? this.btf.find('INT', name) ?? this.btf.find('INT', GCC_NAMES.get(name) ?? name);
      if (keyword === 'enum') return this.btf.find('ENUM', rest) ?? this.btf.find('ENUM64', rest);
      return this.btf.find(keyword === 'struct' ? 'STRUCT' : 'UNION', rest);
    });
    if (id !== null) this.#ids.set(name, id);
    return id;
  }

  /** Members of a structure by name, those of anonymous ones in it included. @throws KernelFault where it is no structure */
  members(id: number): ReadonlyMap<string, Member> {
    const resolved = this.resolve(id);
    const known = this.#layouts.get(resolved);
    if (known !== undefined) return known;
    const kind = this.kind(resolved);
    if (kind !== 'STRUCT' && kind !== 'UNION') throw new KernelFault('no-member', `${this.text(id)} is no structure`);
    const layout = guarded(() => this.btf.structLayout(resolved));
    const members = new Map<string, Member>();
    for (const { name, typeId, bitOffset, bits, isBitField } of layout.members)
      if (name !== '' && !members.has(name)) members.set(name, { typeId, bitOffset, bitFieldBits: isBitField ? bits : 0 });
    this.#layouts.set(resolved, members);
    return members;
  }

  resolve = (id: number): number => guarded(() => this.btf.resolve(id));
  kind = (id: number): ReturnType<Btf['kindOf']> => guarded(() => this.btf.kindOf(this.btf.resolve(id)));
  /** bytes */
  size = (id: number): number => guarded(() => this.btf.byteSize(id));
  /** as C writes it */
  text = (id: number): string => guarded(() => this.btf.typeText(id));
  /** what a pointer points to */
  target = (id: number): number => guarded(() => this.btf.target(this.btf.resolve(id)));
  array = (id: number): { readonly type: number; readonly count: number } =>
    guarded(() => {
      const { type, nelems } = this.btf.arrayOf(this.btf.resolve(id));
      return { type, count: nelems };
    });
  signed = (id: number): boolean =>
    guarded(() => {
      const resolved = this.btf.resolve(id);
      return this.btf.kindOf(resolved) === 'INT'
        ? this.btf.intOf(resolved).signed
        : this.btf.kindOf(resolved).startsWith('ENUM') && this.btf.kindFlag(resolved);
    });
}
