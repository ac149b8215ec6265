/**
 * Flattened devicetrees, read with suspicion and written the way libfdt lays them out. Used to find handovers, by the
 * decoder, and by the engine. Values of KHO's properties are raw native bytes: they are handed out as bytes, never as cells.
 * Source: Devicetree Specification 0.4, chapter 5; the codes are libfdt's.
 */
import type { FdtNodeLayout } from '../../abi/contract.js';
import type { DecodedStruct } from '../../abi/layout.js';
import { fdtHeader, fdtProp, fdtToken } from '../../abi/fdt/header.js';
import { type Budget, currentBudget } from './budget.js';
import { type DecodeOptions, decodeStruct, decodeValue } from './decode.js';
import { type Encodable, encodeStruct, encodeValue } from './encode.js';
import { offsetOf, sizeOf, typeSize } from './layout-table.js';

export const FDT_MAGIC = 0xd00dfeed;
/** Bytes: libfdt's sizes are ints. */
export const LARGEST_FDT = 0x7fffffff;
const FIRST_SUPPORTED_VERSION = 2;
const LAST_SUPPORTED_VERSION = 17;
/** Deeper than any handover; a guard against damage. */
const MAX_DEPTH = 16;

export interface FdtProperty {
  readonly name: string;
  /** of the property token, in bytes from the start of the blob */
  readonly tokenOffset: number;
  /** of the value, in bytes from the start of the blob */
  readonly offset: number;
  readonly value: Uint8Array;
}

export interface FdtNode {
  /** '' for the root */
  readonly name: string;
  /** of the begin token, in bytes from the start of the blob */
  readonly offset: number;
  /** after the end token; where reading stopped if there is none */
  readonly end: number;
  readonly properties: readonly FdtProperty[];
  readonly children: readonly FdtNode[];
}

interface FdtProblem {
  /** where it was met, in bytes from the start of the blob */
  readonly offset: number;
  /** where the damage is: a field of the header that the others contradict, else `offset` */
  readonly blamed: number;
  /** libfdt's code, negative */
  readonly code: number;
  readonly text: string;
}

export interface Fdt {
  readonly header: DecodedStruct<typeof fdtHeader>;
  readonly bytes: Uint8Array;
  /** null where not even the root node could be read */
  readonly root: FdtNode | null;
  /** what is wrong with it, in the order libfdt would stumble over it */
  readonly problems: readonly FdtProblem[];
}

/** Do these bytes start an FDT header that names a blob of at least a header's size? */
export function hasFdtMagic(bytes: Uint8Array, offset = 0): boolean {
  return offset + 4 <= bytes.length && new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0) === FDT_MAGIC;
}

/** Size the header claims (bytes), or null if there is no room for a header. */
export function fdtTotalSize(bytes: Uint8Array, offset = 0): number | null {
  return bytes.length - offset < sizeOf(fdtHeader) ? null : decodeStruct(fdtHeader, bytes, offset).totalsize;
}

/**
 * Reads an FDT as far as it can be read; whatever is wrong is in `problems`.
 * @throws ShortInputError if there are fewer bytes than a header has
 */
export function parseFdt(bytes: Uint8Array): Fdt {
  const header = decodeStruct(fdtHeader, bytes);
  const problems: FdtProblem[] = [];
  const problem = (offset: number, code: number, text: string): void => {
    const isOfLayout = code !== -9 && code !== -10;
    problems.push({ offset, blamed: (isOfLayout ? contradicted(header, bytes) : null) ?? offset, code, text });
  };
  checkHeader(header, bytes.length, problem);
  if (problems.some((found) => found.code === -9 || found.code === -10)) return { header, bytes, root: null, problems };
  const walker = new StructWalker(header, bytes, problem);
  return { header, bytes, root: walker.root(), problems };
}

type Report = (offset: number, code: number, text: string) => void;

// The order and the codes are those of fdt_check_header().
function checkHeader(header: DecodedStruct<typeof fdtHeader>, available: number, problem: Report): void {
  const at = (name: keyof typeof fdtHeader.fields): number => offsetOf(fdtHeader, name);
  if (header.magic !== FDT_MAGIC) {
    problem(at('magic'), -9, `magic is 0x${header.magic.toString(16)}, not 0xd00dfeed`);
    return;
  }
  if (header.version < FIRST_SUPPORTED_VERSION || header.last_comp_version > LAST_SUPPORTED_VERSION) {
    problem(at('version'), -10, `version ${header.version}, compatible back to ${header.last_comp_version}; libfdt reads 2 to 17`);
    return;
  }
  if (header.version < header.last_comp_version)
    problem(at('version'), -10, `version ${header.version} is older than last_comp_version ${header.last_comp_version}`);
  const size = sizeOf(fdtHeader);
  const total = header.totalsize;
  if (total < size || total > LARGEST_FDT) problem(at('totalsize'), -8, `totalsize is ${total}`);
  const inside = (offset: number, length: number): boolean => offset >= size && offset <= total && length <= total - offset;
  if (!inside(header.off_mem_rsvmap, 0)) problem(at('off_mem_rsvmap'), -8, `the reservation block at ${header.off_mem_rsvmap} lies outside the ${total} bytes`);
  if (!inside(header.off_dt_struct, header.size_dt_struct))
    problem(at('off_dt_struct'), -8, `the structure block (${header.size_dt_struct} bytes at ${header.off_dt_struct}) lies outside the ${total} bytes`);
  if (!inside(header.off_dt_strings, header.size_dt_strings))
    problem(at('off_dt_strings'), -8, `the strings block (${header.size_dt_strings} bytes at ${header.off_dt_strings}) lies outside the ${total} bytes`);
  if (total > available && total <= LARGEST_FDT) problem(at('totalsize'), -8, `totalsize is ${total}, but only ${available} bytes are there`);
}

/**
 * The field of the header that the others contradict, by its offset; null where they agree. As libfdt writes an FDT, the strings are right after
 * the structure block, and nothing after the strings.
 */
function contradicted(header: DecodedStruct<typeof fdtHeader>, bytes: Uint8Array): number | null {
  const { off_dt_struct: struct, size_dt_struct: length, off_dt_strings: strings, size_dt_strings: names, totalsize, version } = header;
  const at = (name: keyof typeof fdtHeader.fields): number => offsetOf(fdtHeader, name);
  if (version < LAST_SUPPORTED_VERSION) return null;
  const [follows, ends] = [struct + length === strings, strings + names === totalsize];
  if (follows && ends) return null;
  if (!follows && !ends) return at('off_dt_strings');
  if (follows) return bytes[totalsize - 1] === 0 && bytes[strings + names - 1] !== 0 ? at('size_dt_strings') : at('totalsize');
  const isNode =
    struct + 4 <= bytes.length && struct >= sizeOf(fdtHeader) && new DataView(bytes.buffer, bytes.byteOffset).getUint32(struct) === fdtToken.beginNode;
  return isNode ? at('size_dt_struct') : at('off_dt_struct');
}

class StructWalker {
  readonly #header: DecodedStruct<typeof fdtHeader>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #problem: Report;
  readonly #end: number;
  readonly #budget: Budget = currentBudget();
  /** property names by their offset: thousands of properties share a few */
  readonly #names = new Map<number, string | null>();
  #at: number;

  constructor(header: DecodedStruct<typeof fdtHeader>, bytes: Uint8Array, problem: Report) {
    this.#header = header;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#problem = problem;
    this.#at = header.off_dt_struct;
    // Before version 17 the header does not say how long the structure block is.
    const claimed = header.version >= 17 ? header.off_dt_struct + header.size_dt_struct : header.totalsize;
    this.#end = Math.min(bytes.length, claimed);
  }

  root(): FdtNode | null {
    const at = this.#at;
    const token = this.#token();
    if (token !== fdtToken.beginNode) {
      this.#problem(at, -11, token === null ? 'the structure block is not there' : `the structure block starts with token ${token}, not with a node`);
      return null;
    }
    const root = this.#node(at, 0);
    const after = this.#at;
    const last = this.#token();
    if (last !== fdtToken.end && last !== null) this.#problem(after, -11, `token ${last} after the root node`);
    return root;
  }

  #token(): number | null {
    for (;;) {
      if (this.#at + 4 > this.#end) return null;
      const token = this.#view.getUint32(this.#at);
      this.#at += 4;
      if (token !== fdtToken.nop) return token;
    }
  }

  #node(offset: number, depth: number): FdtNode {
    const nameAt = this.#at;
    const name = this.#string(nameAt, this.#end);
    const properties: FdtProperty[] = [];
    const children: FdtNode[] = [];
    const node = (): FdtNode => ({ name: name ?? '', offset, end: this.#at, properties, children });
    const nul = this.#bytes.indexOf(0, nameAt);
    if (name === null || nul === -1 || nul >= this.#end) {
      this.#problem(this.#at, -11, 'a node whose name does not end');
      this.#at = this.#end;
      return node();
    }
    this.#at = roundUp4(nul + 1);
    for (;;) {
      const tokenOffset = this.#at;
      const token = this.#token();
      if (depth > MAX_DEPTH || !this.#budget.spend('fdt-items', 1, 'an FDT')) {
        this.#problem(tokenOffset, -11, depth > MAX_DEPTH ? 'nodes nest deeper than those of a handover' : 'more nodes and properties than a handover has');
        this.#at = this.#end;
        return node();
      }
      if (token === fdtToken.endNode) return node();
      if (token === fdtToken.beginNode) children.push(this.#node(tokenOffset, depth + 1));
      else if (token === fdtToken.prop) {
        const property = this.#property(tokenOffset);
        if (property === null) return node();
        properties.push(property);
      } else {
        this.#problem(tokenOffset, token === null ? -8 : -11, token === null ? 'the structure block ends inside a node' : `unknown token ${token}`);
        this.#at = this.#end;
        return node();
      }
    }
  }

  #property(tokenOffset: number): FdtProperty | null {
    const head = sizeOf(fdtProp);
    if (this.#at + head > this.#end) {
      this.#problem(tokenOffset, -8, 'the structure block ends inside a property');
      this.#at = this.#end;
      return null;
    }
    const { len, nameoff } = decodeStruct(fdtProp, this.#bytes, this.#at);
    const offset = this.#at + head;
    if (len > this.#end - offset) {
      this.#problem(tokenOffset, -8, `a property of ${len} bytes, with ${this.#end - offset} left`);
      this.#at = this.#end;
      return null;
    }
    this.#at = roundUp4(offset + len);
    const name = this.#propertyName(nameoff);
    if (name === null && this.#bytes.length >= this.#header.totalsize)
      this.#problem(tokenOffset, -11, `a property whose name at offset ${nameoff} is outside the strings block`);
    return { name: name ?? `?${nameoff}`, tokenOffset, offset, value: this.#bytes.subarray(offset, offset + len) };
  }

  #propertyName(nameoff: number): string | null {
    const known = this.#names.get(nameoff);
    if (known !== undefined) return known;
    const strings = this.#header.off_dt_strings;
    const name = this.#string(strings + nameoff, Math.min(this.#bytes.length, strings + this.#header.size_dt_strings));
    this.#names.set(nameoff, name);
    return name;
  }

  /** The text at `offset`, or null if no NUL comes before `end`. A name longer than any is cut. */
  #string(offset: number, end: number): string | null {
    if (offset >= end) return null;
    const longest = this.#budget.allowed('name-bytes');
    const window = this.#bytes.subarray(offset, Math.min(end, offset + longest + 1));
    const nul = window.indexOf(0);
    if (nul === -1 && window.length <= longest) return null;
    const text = window.subarray(0, nul === -1 ? longest : nul);
    if (nul === -1) this.#budget.reach('name-bytes', 'a name of an FDT');
    if (!this.#budget.spend('fdt-text', text.length, 'names of an FDT')) return '…';
    const name = utf8.decode(text);
    return nul === -1 ? `${name}…` : name;
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const roundUp4 = (value: number): number => (value + 3) & ~3;

/** The property of that name (the first, as libfdt does), or null. */
export const fdtProperty = (node: FdtNode, name: string): FdtProperty | null => node.properties.find((property) => property.name === name) ?? null;

/** The strings of a `compatible`-like property: NUL-separated, the last NUL optional. */
export function fdtStrings(property: FdtProperty | null): readonly string[] {
  if (property === null) return [];
  const text = utf8.decode(property.value);
  const parts = text.split('\0');
  if (parts.at(-1) === '') parts.pop();
  return parts;
}

/** The integer of a property, as `layout` describes it; null where it is missing or of another size. */
export function fdtInteger(node: FdtNode, layout: FdtNodeLayout, name: string): bigint | null {
  const value = fdtProperty(node, name)?.value;
  const type = layout.properties[name]?.type;
  if (value === undefined || type === undefined || value.length !== typeSize(type)) return null;
  const read = decodeValue(type, value);
  return typeof read === 'bigint' || typeof read === 'number' ? BigInt(read) : null;
}

/** Properties to write, in their order, as `layout` describes them. */
export const fdtProperties = (layout: FdtNodeLayout, values: Readonly<Record<string, Encodable>>, options?: DecodeOptions): FdtNodeSource['properties'] =>
  Object.entries(values).map(([name, value]) => {
    const described = layout.properties[name];
    if (described === undefined) throw new Error(`${layout.name} has no property ${name}`);
    return [name, encodeValue(described.type, value, options)];
  });

/** A node to write. Properties and children come out in the order given. */
export interface FdtNodeSource {
  readonly name: string;
  readonly properties: readonly (readonly [name: string, value: Uint8Array])[];
  readonly children: readonly FdtNodeSource[];
}

/** Writes an FDT, version 17: header, an empty reservation block, structure, strings. `capacity` pads with zeros after totalsize. */
export function buildFdt(root: FdtNodeSource, capacity = 0): Uint8Array {
  const structure: number[] = [];
  const strings: number[] = [];
  const nameOffsets = new Map<string, number>();
  const push32 = (value: number): void => {
    structure.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  };
  const align = (): void => {
    while (structure.length % 4 !== 0) structure.push(0);
  };
  const nameOffset = (name: string): number => {
    let offset = nameOffsets.get(name);
    if (offset === undefined) {
      offset = strings.length;
      nameOffsets.set(name, offset);
      strings.push(...new TextEncoder().encode(name), 0);
    }
    return offset;
  };
  const emit = (node: FdtNodeSource): void => {
    push32(fdtToken.beginNode);
    structure.push(...new TextEncoder().encode(node.name), 0);
    align();
    for (const [name, value] of node.properties) {
      push32(fdtToken.prop);
      structure.push(...encodeStruct(fdtProp, { len: value.length, nameoff: nameOffset(name) }), ...value);
      align();
    }
    for (const child of node.children) emit(child);
    push32(fdtToken.endNode);
  };
  emit(root);
  push32(fdtToken.end);
  const reservations = sizeOf(fdtHeader);
  const structOffset = reservations + EMPTY_RESERVATIONS;
  const stringsOffset = structOffset + structure.length;
  const totalsize = stringsOffset + strings.length;
  const out = new Uint8Array(Math.max(totalsize, capacity));
  out.set(
    encodeStruct(fdtHeader, {
      magic: FDT_MAGIC,
      totalsize,
      off_dt_struct: structOffset,
      off_dt_strings: stringsOffset,
      off_mem_rsvmap: reservations,
      version: LAST_SUPPORTED_VERSION,
      last_comp_version: 16,
      size_dt_strings: strings.length,
      size_dt_struct: structure.length,
    }),
  );
  out.set(structure, structOffset);
  out.set(strings, stringsOffset);
  return out;
}

/** Bytes of a reservation block that reserves nothing: one all-zero entry of two u64. */
const EMPTY_RESERVATIONS = 16;
