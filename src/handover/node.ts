/** How nodes of the decoded tree are made: from a layout and its bytes, so that no decoder names an offset. */
import type { DecodedStruct, FieldType, Role, Struct } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { type FieldPlacement, layoutTable, typeSize } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { meaningOf, plainValue } from './meaning.js';
import { type NodeState, type NodeValue, type TreeNode, pathPart } from './tree.js';

export interface NodeOptions {
  readonly type?: string;
  readonly address?: number | null;
  readonly bitOffset?: number;
  readonly bits?: number;
  readonly value?: NodeValue;
  readonly role?: Role | null;
  readonly meaning?: string;
  readonly description?: string;
  readonly layout?: TreeNode['layout'];
  readonly fieldType?: FieldType | null;
  readonly children?: () => readonly TreeNode[];
}

/** A node under construction: children can be added, its state changed. */
export class Node implements TreeNode {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly address: number | null;
  readonly bitOffset: number;
  readonly bits: number;
  readonly value: NodeValue;
  readonly role: Role | null;
  meaning: string;
  readonly description: string;
  state: NodeState = 'fine';
  why: string | null = null;
  pointer: number | null = null;
  target: string | null = null;
  readonly layout: TreeNode['layout'];
  readonly fieldType: FieldType | null;
  readonly #own: TreeNode[] = [];
  readonly #later: (() => TreeNode | null)[] = [];
  #lazy: (() => readonly TreeNode[]) | null;

  constructor(path: string, name: string, options: NodeOptions = {}) {
    this.path = path;
    this.name = name;
    this.type = options.type ?? 'group';
    this.address = options.address ?? null;
    this.bitOffset = options.bitOffset ?? 0;
    this.bits = options.bits ?? 0;
    this.value = options.value ?? null;
    this.role = options.role ?? null;
    this.meaning = options.meaning ?? '';
    this.description = options.description ?? '';
    this.layout = options.layout ?? null;
    this.fieldType = options.fieldType ?? null;
    this.#lazy = options.children ?? null;
  }

  /** The children known so far: without those that are made only to be shown. */
  parts(): readonly TreeNode[] {
    if (this.#lazy !== null) {
      const made = this.#lazy();
      this.#lazy = null;
      this.#own.unshift(...made);
    }
    return this.#own;
  }

  children(): readonly TreeNode[] {
    this.parts();
    for (const make of this.#later.splice(0)) {
      const node = make();
      if (node !== null) this.#own.push(node);
    }
    return this.#own;
  }

  /** A child that is made when the children are first asked for. */
  addLater(make: () => TreeNode | null): void {
    this.#later.push(make);
  }

  add<T extends TreeNode>(child: T): T {
    this.#own.push(child);
    return child;
  }

  /** A group below this node. `part` becomes the last part of its path. */
  group(part: string, options: NodeOptions = {}, name = part): Node {
    return this.add(new Node(`${this.path}/${pathPart(part)}`, name, options));
  }

  /** The first reason stays: it is the nearest to the cause. */
  mark(state: NodeState, why: string): this {
    if (this.state === 'fine' || (this.state === 'suspicious' && state === 'invalid')) {
      this.state = state;
      this.why = why;
    }
    return this;
  }

  pointsTo(target: TreeNode): this {
    this.target = target.path;
    return this;
  }
}

/** A structure that was read, or not: `values` is null if its bytes are not there. */
export interface Reading<S extends Struct = Struct> {
  readonly struct: S;
  readonly node: Node;
  /** physical; null for bytes that stand at no known address */
  readonly address: number | null;
  readonly values: DecodedStruct<S> | null;
  /** The node of a field, `outer.inner` for nested ones. */
  field(name: string): Node;
}

export interface ReadStructOptions {
  readonly path: string;
  readonly name: string;
  /** in bits from the parent's first byte */
  readonly bitOffset?: number;
  readonly meaning?: string;
}

/** Reads a structure at a physical address; where a page is missing the node says so and `values` is null. */
export function readStruct<S extends Struct>(memory: PhysicalMemory, struct: S, address: number, options: ReadStructOptions): Reading<S> {
  const size = layoutTable(struct, memory.pageSize).size;
  const read = readBytes(memory, address, size);
  const reading = structFromBytes(struct, read.ok ? read.bytes : null, address, memory.pageSize, options);
  if (!read.ok) markMissing(reading.node, read.state, read.at);
  return reading;
}

/** Marks a node whose page could not be read. */
export function markMissing(node: Node, state: ReturnType<PhysicalMemory['stateOf']>, at: number): void {
  node.mark(state === 'out-of-range' ? 'missing-page' : 'excluded-page', `the page at 0x${at.toString(16)} is ${describeState(state)}`);
}

/** The same from bytes already at hand (`null`: they could not be read). */
export function structFromBytes<S extends Struct>(
  struct: S,
  bytes: Uint8Array | null,
  address: number | null,
  pageSize: number,
  options: ReadStructOptions,
): Reading<S> {
  const table = layoutTable(struct, pageSize);
  const values = bytes === null ? null : decodeStruct(struct, bytes, 0, { pageSize });
  const node = new Node(options.path, options.name, {
    type: `struct ${struct.name}`,
    address,
    bitOffset: options.bitOffset ?? 0,
    bits: table.size * 8,
    meaning: options.meaning ?? '',
    description: struct.meaning,
    layout: { struct, field: null },
    children: () => (values === null ? [] : fieldNodes(struct, values, address, options.path, pageSize)),
  });
  return {
    struct,
    node,
    address,
    values,
    field(name) {
      let at: TreeNode = node;
      for (const part of name.split('.')) {
        const parts: readonly TreeNode[] = at instanceof Node ? at.parts() : at.children();
        const child = parts.find((candidate) => candidate.name === part);
        if (child === undefined) return node;
        at = child;
      }
      return at instanceof Node ? at : node;
    },
  };
}

function fieldNodes(struct: Struct, values: Readonly<Record<string, unknown>>, address: number | null, path: string, pageSize: number): readonly TreeNode[] {
  const table = layoutTable(struct, pageSize);
  const nodes = table.fields.map((field) => fieldNode(struct, field, values[field.name], address, path, pageSize));
  for (const hole of table.holes) nodes.push(gapNode(path, address, hole.offset, hole.size));
  return nodes.sort((a, b) => a.bitOffset - b.bitOffset);
}

/** Bytes that belong to no field. */
export function gapNode(path: string, base: number | null, offset: number, size: number): Node {
  return new Node(`${path}/gap@${offset}`, 'gap', {
    type: 'gap',
    address: base === null ? null : base + offset,
    bitOffset: offset * 8,
    bits: size * 8,
    description: 'bytes that belong to no field',
  });
}

/**
 * The bytes of a page behind what was decoded at its start, as a gap below `parent`. `start`: physical, of what was decoded;
 * `used`: bytes decoded from there. Nothing is added where the page ends there, or can't be read.
 */
export function addRestOfPage(memory: PhysicalMemory, parent: Node, start: number, used: number): void {
  const from = start + used;
  const length = (memory.pageSize - (from % memory.pageSize)) % memory.pageSize;
  if (length === 0) return;
  parent.addLater(() => {
    const read = readBytes(memory, from, length);
    if (!read.ok) return null;
    let filled = 0;
    for (const byte of read.bytes) if (byte !== 0) filled++;
    return new Node(`${parent.path}/gap@${used}`, 'gap', {
      type: 'gap',
      address: from,
      bitOffset: used * 8,
      bits: length * 8,
      meaning: filled === 0 ? `${length} bytes, all 0` : `${length} bytes, ${filled} of them not 0`,
      description: 'the rest of the page, which nothing describes',
    });
  });
}

function fieldNode(struct: Struct, field: FieldPlacement, value: unknown, base: number | null, path: string, pageSize: number): Node {
  const address = base === null ? null : base + field.offset;
  return typedNode(`${path}/${pathPart(field.name)}`, field.name, field.type, value, address, field.offset * 8, pageSize, { struct, field: field.name }, field);
}

function typedNode(
  path: string,
  name: string,
  type: FieldType,
  value: unknown,
  address: number | null,
  bitOffset: number,
  pageSize: number,
  layout: TreeNode['layout'],
  placement: FieldPlacement | null,
): Node {
  const size = placement?.size ?? typeSize(type, pageSize);
  const node = new Node(path, name, {
    type: typeName(type),
    address,
    bitOffset,
    bits: size * 8,
    value: plainValue(type, value),
    role: type.kind === 'int' ? type.role : null,
    meaning: meaningOf(type, value),
    description: type.meaning,
    layout,
    fieldType: type,
    children: () => partNodes(path, type, value, address, pageSize, placement),
  });
  if (type.kind === 'int' && type.role === 'phys' && typeof value === 'bigint' && value !== 0n) node.pointer = physicalAddress(value);
  return node;
}

function partNodes(
  path: string,
  type: FieldType,
  value: unknown,
  address: number | null,
  pageSize: number,
  placement: FieldPlacement | null,
): readonly TreeNode[] {
  if (type.kind === 'nested' && isRecord(value)) return fieldNodes(type.struct, value, address, path, pageSize);
  if (type.kind === 'bits' && isRecord(value) && placement !== null) {
    return placement.bits.map(({ name, lowBit, field }) => {
      const part = value[name];
      return new Node(`${path}/${pathPart(name)}`, name, {
        type: `u${type.bytes * 8}:${field.width}`,
        address,
        bitOffset: lowBit,
        bits: field.width,
        value: typeof part === 'number' ? part : null,
        role: field.role,
        meaning: meaningOf(field, part),
        description: field.meaning,
      });
    });
  }
  if (type.kind === 'array' && Array.isArray(value)) {
    const size = typeSize(type.of, pageSize);
    return value.map((item: unknown, index) =>
      typedNode(`${path}/${index}`, `[${index}]`, type.of, item, address === null ? null : address + index * size, index * size * 8, pageSize, null, null),
    );
  }
  return [];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !(value instanceof Uint8Array);

/** The C-like name of a field's type. */
export function typeName(type: FieldType): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 's' : 'u'}${type.bytes * 8}`;
    case 'cstring':
      return `char[${type.bytes}]`;
    case 'bytes':
      return `u8[${type.bytes}]`;
    case 'bits':
      return `u${type.bytes * 8} bits`;
    case 'union':
      return 'union';
    case 'nested':
      return `struct ${type.struct.name}`;
    case 'array':
      return `${typeName(type.of)}[${type.count === 'page' ? '' : type.count}]`;
  }
}

/** A single value (an FDT property's, say) as a node. `bytes` must be as long as the type. */
export function valueNode(path: string, name: string, type: FieldType, bytes: Uint8Array, address: number | null, bitOffset: number, pageSize: number): Node {
  return typedNode(path, name, type, decodeValue(type, bytes, 0, { pageSize }), address, bitOffset, pageSize, null, null);
}
