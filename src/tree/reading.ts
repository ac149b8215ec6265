/** Structures read into the tree: nodes made from a layout and its bytes, so that no decoder names an offset. */
import type { CStringValue, DecodedStruct, FieldType, Struct } from '../../abi/layout.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { integerOf, leafOf, textOf } from '../codec/leaf.js';
import { DEFAULT_PAGE_SIZE, type FieldPlacement, layoutTable, typeName, typeSize } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { gapNode } from './gaps.js';
import { Node, type NodeOptions } from './node.js';
import { pathPart, type TreeNode } from './tree.js';
import { meaningOf, plainValue } from './words.js';

/** A structure that was read, or not: `values` is null if its bytes are not there. */
export interface Reading<S extends Struct = Struct> {
  readonly struct: S;
  readonly node: Node;
  /** physical; null for bytes without a known address */
  readonly address: number | null;
  readonly values: DecodedStruct<S> | null;
  /** The node of a field, `outer.inner` for nested ones; found by its last name where the layout has it elsewhere. This node where there is none. */
  field(name: string): Node;
  /** An integer field by name, wherever the layout has it; null where it has none, or the bytes are not there. */
  integer(name: string): bigint | null;
  /** The same for a text. */
  text(name: string): CStringValue | null;
}

interface ReadStructOptions {
  readonly path: string;
  readonly name: string;
  /** in bits from the parent's first byte */
  readonly bitOffset?: number;
  readonly meaning?: string;
}

/** What a structure is called, where its own fields may say it. */
type Naming<S extends Struct> = ReadStructOptions | ((values: DecodedStruct<S> | null) => ReadStructOptions);

/** Reads a structure at a physical address; where a page is missing the node says so and `values` is null. */
export function readStruct<S extends Struct>(memory: PhysicalMemory, struct: S, address: number, naming: Naming<S>): Reading<S> {
  const size = layoutTable(struct, memory.pageSize).size;
  const read = readBytes(memory, address, size);
  const reading = structFromBytes(struct, read.ok ? read.bytes : null, address, memory.pageSize, naming);
  if (!read.ok) markMissing(reading.node, read.state, read.at);
  return reading;
}

/** Marks a node whose page could not be read. */
function markMissing(node: Node, state: ReturnType<PhysicalMemory['stateOf']>, at: number): void {
  node.mark(state === 'out-of-range' ? 'missing-page' : 'excluded-page', `the page at 0x${at.toString(16)} is ${describeState(state)}`);
}

/** The same from bytes already at hand (`null`: they could not be read). */
export function structFromBytes<S extends Struct>(
  struct: S,
  bytes: Uint8Array | null,
  address: number | null,
  pageSize: number,
  naming: Naming<S>,
): Reading<S> {
  const table = layoutTable(struct, pageSize);
  const values = bytes === null ? null : decodeStruct(struct, bytes, 0, { pageSize });
  const options = typeof naming === 'function' ? naming(values) : naming;
  const node = new Node(options.path, options.name, {
    type: `struct ${struct.name}`,
    address,
    bitOffset: options.bitOffset ?? 0,
    bits: table.size * 8,
    meaning: options.meaning ?? '',
    description: struct.meaning,
    layout: { struct, field: null },
    ...(values === null ? {} : fieldsOf(struct, values, address, options.path, pageSize)),
  });
  return {
    struct,
    node,
    address,
    values,
    field(name) {
      const exact = descend(node, name.split('.'));
      if (exact !== null) return exact;
      const leaf = leafOf(struct, name, pageSize);
      return (leaf === null ? null : descend(node, leaf.path)) ?? node;
    },
    integer: (name) => (values === null ? null : integerOf(struct, values, name, pageSize)),
    text: (name) => (values === null ? null : textOf(struct, values, name, pageSize)),
  };
}

function descend(node: Node, path: readonly string[]): Node | null {
  let at = node;
  for (const part of path) {
    const child = at.part(part);
    if (!(child instanceof Node)) return null;
    at = child;
  }
  return at;
}

/** The fields of a structure: all, or one by its name. */
function fieldsOf(struct: Struct, values: Readonly<Record<string, unknown>>, address: number | null, path: string, pageSize: number): NodeOptions {
  return {
    children: () => fieldNodes(struct, values, address, path, pageSize),
    child(name) {
      const field = layoutTable(struct, pageSize).fields.find((one) => one.name === name);
      return field === undefined ? null : fieldNode(struct, field, values, address, path, pageSize);
    },
  };
}

/** The fields of a structure as nodes, from values already decoded; its holes as gaps. */
export function fieldNodes(
  struct: Struct,
  values: Readonly<Record<string, unknown>>,
  address: number | null,
  path: string,
  pageSize = DEFAULT_PAGE_SIZE,
): readonly Node[] {
  const table = layoutTable(struct, pageSize);
  const nodes = table.fields.map((field) => fieldNode(struct, field, values, address, path, pageSize));
  for (const hole of table.holes) nodes.push(gapNode(path, address, hole.offset, hole.size));
  return nodes.sort((a, b) => a.bitOffset - b.bitOffset);
}

function fieldNode(
  struct: Struct,
  field: FieldPlacement,
  values: Readonly<Record<string, unknown>>,
  base: number | null,
  path: string,
  pageSize: number,
): Node {
  const address = base === null ? null : base + field.offset;
  const [own, value] = [`${path}/${pathPart(field.name)}`, values[field.name]];
  const node = typedNode(own, field.name, field.type, value, address, field.offset * 8, pageSize, { struct, field: field.name }, field);
  const variant = variantIn(field.type, values);
  if (variant !== null && value instanceof Uint8Array)
    for (const part of fieldNodes(variant, decodeStruct(variant, value, 0, { pageSize }), address, own, pageSize)) node.add(part);
  return node;
}

/** The structure that a union holds, where a field beside it tells; null where none does. */
function variantIn(type: FieldType, values: Readonly<Record<string, unknown>>): Struct | null {
  if (type.kind !== 'union' || type.select === undefined) return null;
  const { select } = type;
  return type.variants[('always' in select ? select.always : select.variants[String(values[select.field])]) ?? ''] ?? null;
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
    ...partsOf(path, type, value, address, pageSize, placement),
  });
  if (type.kind === 'int' && type.role === 'phys' && typeof value === 'bigint' && value !== 0n) node.pointer = physicalAddress(value);
  return node;
}

/** Most fields are numbers and have no parts: they keep nothing to make them from. */
function partsOf(path: string, type: FieldType, value: unknown, address: number | null, pageSize: number, placement: FieldPlacement | null): NodeOptions {
  if (type.kind === 'nested' && isRecord(value)) return fieldsOf(type.struct, value, address, path, pageSize);
  return type.kind === 'bits' || type.kind === 'array' ? { children: () => partNodes(path, type, value, address, pageSize, placement) } : {};
}

function partNodes(
  path: string,
  type: FieldType,
  value: unknown,
  address: number | null,
  pageSize: number,
  placement: FieldPlacement | null,
): readonly TreeNode[] {
  if (type.kind === 'bits' && isRecord(value) && placement !== null) {
    return placement.bits.map(({ name, lowBit, field }) => {
      const part = value[name];
      return new Node(`${path}/${pathPart(name)}`, name, {
        type: `u${type.bytes * 8}:${field.width}`,
        address,
        bitOffset: lowBit,
        bits: field.width,
        value: typeof part === 'number' || typeof part === 'bigint' ? part : null,
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

/** A single value (an FDT property's, say) as a node. `bytes` must be as long as the type. */
export function valueNode(path: string, name: string, type: FieldType, bytes: Uint8Array, address: number | null, bitOffset: number, pageSize: number): Node {
  return typedNode(path, name, type, decodeValue(type, bytes, 0, { pageSize }), address, bitOffset, pageSize, null, null);
}
