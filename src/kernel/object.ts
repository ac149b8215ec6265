/**
 * Objects of a kernel by their types: `task.get('files.fdt.max_fds').number()`. A path goes through structures by their members'
 * names and through pointers by itself, as C's `->` does. Whatever is not there is a KernelFault that says what, and where it was looked for.
 */
import { KernelFault, hexOf } from './fault.js';
import type { KernelTypes } from './types.js';
import type { VirtualMemory } from './virtual-memory.js';

/** What objects are read from. */
interface ObjectSource {
  readonly virtual: VirtualMemory;
  readonly types: KernelTypes;
}

/** Physical addresses are told apart from virtual ones by the space an object is in, never by their value. */
type Space = 'virtual' | 'physical';

const MAX_TEXT = 4096;

export class KernelObject {
  readonly source: ObjectSource;
  readonly typeId: number;
  readonly address: bigint;
  readonly space: Space;
  readonly #bits: { readonly offset: number; readonly width: number } | null;

  constructor(
    source: ObjectSource,
    typeId: number,
    address: bigint,
    space: Space = 'virtual',
    bits: { readonly offset: number; readonly width: number } | null = null,
  ) {
    this.source = source;
    this.typeId = typeId;
    this.address = address;
    this.space = space;
    this.#bits = bits;
  }

  /** `struct luo_file at 0xffff…` */
  toString(): string {
    return `${this.source.types.text(this.typeId)} at ${hexOf(this.address)}`;
  }

  /** The member at the end of `path`: names with dots between, pointers are followed. @throws KernelFault */
  get(path: string): KernelObject {
    let at: KernelObject = this;
    for (const name of path.split('.')) at = at.#member(name);
    return at;
  }

  /** The first of `paths` that this kernel has: names change between releases. @throws KernelFault where it has none of them */
  first(paths: readonly string[]): KernelObject {
    const found = this.firstOrNull(paths);
    if (found !== null) return found;
    throw new KernelFault(
      'no-member',
      `${this.toString()} has no ${paths.join(', nor ')}: the structure has changed, and this is read by the kernel's own BTF (${this.source.types.source})`,
    );
  }

  /** The same, null where this kernel has none of them. */
  firstOrNull(paths: readonly string[]): KernelObject | null {
    for (const path of paths) {
      try {
        return this.get(path);
      } catch (error) {
        if (!(error instanceof KernelFault) || error.kind !== 'no-member') throw error;
      }
    }
    return null;
  }

  has(path: string): boolean {
    return this.firstOrNull([path]) !== null;
  }

  #member(name: string): KernelObject {
    const { types } = this.source;
    const base = types.kind(this.typeId) === 'PTR' ? this.deref() : this;
    const member = types.members(base.typeId).get(name);
    if (member === undefined)
      throw new KernelFault('no-member', `${types.text(base.typeId)} has no member ${name} (BTF: ${types.source}); looked for at ${hexOf(base.address)}`);
    const address = BigInt.asUintN(64, base.address + BigInt(Math.floor(member.bitOffset / 8)));
    const bits = member.bitFieldBits === 0 ? null : { offset: member.bitOffset % 8, width: member.bitFieldBits };
    return new KernelObject(this.source, member.typeId, address, base.space, bits);
  }

  /** What a pointer points to. A pointer is virtual wherever it is. @throws KernelFault where it is null */
  deref(): KernelObject {
    const pointer = this.value();
    if (pointer === 0n) throw new KernelFault('implausible', `the pointer ${this.toString()} is null`);
    return new KernelObject(this.source, this.source.types.target(this.typeId), pointer);
  }

  /** Is it a pointer that is null? */
  get isNull(): boolean {
    return this.value() === 0n;
  }

  /** The object of `type` whose member `member` (a path without pointers) this is: container_of(). */
  containerOf(type: string, member: string): KernelObject {
    const { types } = this.source;
    const id = types.id(type);
    let at = id;
    let bits = 0;
    for (const name of member.split('.')) {
      const found = types.members(at).get(name);
      if (found === undefined) throw new KernelFault('no-member', `${type} has no member ${member} (BTF: ${types.source})`);
      bits += found.bitOffset;
      at = found.typeId;
    }
    return new KernelObject(this.source, id, BigInt.asUintN(64, this.address - BigInt(bits / 8)), this.space);
  }

  /** An element of an array, or of what a pointer points to. The caller bounds `index`. */
  at(index: number): KernelObject {
    const { types } = this.source;
    const isPointer = types.kind(this.typeId) === 'PTR';
    const element = isPointer ? types.target(this.typeId) : types.array(this.typeId).type;
    const start = isPointer ? this.value() : this.address;
    return new KernelObject(this.source, element, BigInt.asUintN(64, start + BigInt(index) * BigInt(types.size(element))), isPointer ? 'virtual' : this.space);
  }

  /** bytes */
  get size(): number {
    return this.source.types.size(this.typeId);
  }

  bytes(length = this.size): Uint8Array {
    return this.space === 'virtual' ? this.source.virtual.read(this.address, length) : this.source.virtual.readPhysical(this.#physical(), length);
  }

  #physical(): number {
    if (this.address >= 1n << 52n) throw new KernelFault('implausible', `${hexOf(this.address)} is no physical address`);
    return Number(this.address);
  }

  /** Where it is in physical memory. @throws KernelFault */
  physical(): number {
    return this.space === 'physical' ? this.#physical() : this.source.virtual.translate(this.address);
  }

  /** An integer, pointer, boolean or enumeration; one in a structure of its own (atomic_t, refcount_t) is found by itself. */
  value(): bigint {
    const { types } = this.source;
    if (this.#bits !== null) return this.#bitField(this.#bits);
    const kind = types.kind(this.typeId);
    if (kind === 'STRUCT' || kind === 'UNION') {
      const [only] = types.members(this.typeId).keys();
      if (only === undefined) throw new KernelFault('no-member', `${this.toString()} has no members`);
      return this.#member(only).value();
    }
    const size = types.size(this.typeId);
    if (size !== 1 && size !== 2 && size !== 4 && size !== 8) throw new KernelFault('no-type', `${this.toString()} is no number: it has ${size} bytes`);
    const bytes = this.bytes(size);
    let value = 0n;
    for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
    return types.signed(this.typeId) ? BigInt.asIntN(size * 8, value) : value;
  }

  #bitField({ offset, width }: { readonly offset: number; readonly width: number }): bigint {
    const bytes = this.bytes(Math.ceil((offset + width) / 8));
    let value = 0n;
    for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
    return (value >> BigInt(offset)) & ((1n << BigInt(width)) - 1n);
  }

  /** @throws KernelFault where it is more than a number holds exactly */
  number(): number {
    const value = this.value();
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER))
      throw new KernelFault('implausible', `${this.toString()} is ${value}`);
    return Number(value);
  }

  /** The bytes of a `char[]` or `char *` up to its NUL (without it); `terminated` where there is one. */
  cstring(most = MAX_TEXT): { readonly bytes: Uint8Array; readonly terminated: boolean } {
    const { types } = this.source;
    const isArray = types.kind(this.typeId) === 'ARRAY';
    const start = isArray ? this : this.deref();
    const limit = isArray ? Math.min(most, types.size(this.typeId)) : most;
    const parts: number[] = [];
    while (parts.length < limit) {
      const at = new KernelObject(this.source, start.typeId, start.address + BigInt(parts.length), start.space);
      // Up to the end of the page at most: what follows a string need not be mapped.
      const part = at.bytes(Math.min(limit - parts.length, 256 - Number(at.address % 256n)));
      const end = part.indexOf(0);
      parts.push(...(end === -1 ? part : part.subarray(0, end)));
      if (end !== -1) return { bytes: Uint8Array.from(parts), terminated: true };
    }
    return { bytes: Uint8Array.from(parts), terminated: false };
  }

  text(most = MAX_TEXT): string {
    return Buffer.from(this.cstring(most).bytes).toString('utf8');
  }
}
