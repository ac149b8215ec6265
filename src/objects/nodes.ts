/** Kernel objects as nodes of the decoded tree: one node a member, by BTF, made when first looked at. */
import { Node } from '../tree/node.js';
import { pathPart, type TreeNode } from '../tree/tree.js';
import { attempt, hexOf, optional } from '../kernel/fault.js';
import type { KernelObject } from '../kernel/object.js';

/** Levels of nested structures that are opened. */
const MAX_DEPTH = 6;
/** Elements of an array that are shown. */
const MAX_ELEMENTS = 64;

/** A node for `object`; its address is the physical one. */
export function objectNode(object: KernelObject, path: string, name: string, meaning = '', depth = 0): Node {
  const { types } = object.source;
  const address = optional(() => object.physical());
  const virtual = object.space === 'virtual' ? `virtual ${hexOf(object.address)}` : '';
  const resolved = optional(() => types.kind(object.typeId));
  const isGroup = resolved === 'STRUCT' || resolved === 'UNION' || resolved === 'ARRAY';
  const value = isGroup ? null : attempt(() => object.value());
  const node = new Node(path, name, {
    type: optional(() => types.text(object.typeId)) ?? 'unknown type',
    address,
    bits: optional(() => object.size * 8) ?? 0,
    value: value?.ok === true ? value.value : isText(object, resolved) ? optional(() => object.text()) : null,
    meaning: meaning === '' && value?.ok === true ? meaningOf(object, value.value) : meaning,
    description: virtual,
    children: () => (isGroup && depth < MAX_DEPTH ? (optional(() => childrenOf(object, path, depth)) ?? []) : []),
  });
  if (value?.ok === false) node.mark(value.fault.kind === 'absent' ? 'excluded-page' : 'invalid', value.fault.message);
  return node;
}

const isText = (object: KernelObject, kind: string | null): boolean => {
  if (kind !== 'ARRAY') return false;
  const { types } = object.source;
  return optional(() => types.text(types.array(object.typeId).type).includes('char')) ?? false;
};

/** A pointer is shown as a virtual address, with the symbol it is. */
function meaningOf(object: KernelObject, value: bigint): string {
  if (object.source.types.kind(object.typeId) !== 'PTR') return '';
  return value === 0n ? 'null' : `virtual ${hexOf(BigInt.asUintN(64, value))}`;
}

function childrenOf(object: KernelObject, path: string, depth: number): readonly TreeNode[] {
  const { types } = object.source;
  if (types.kind(object.typeId) === 'ARRAY') {
    if (isText(object, 'ARRAY')) return [];
    const { count } = types.array(object.typeId);
    return Array.from({ length: Math.min(count, MAX_ELEMENTS) }, (_, index) => objectNode(object.at(index), `${path}/${index}`, `[${index}]`, '', depth + 1));
  }
  return [...types.members(object.typeId).keys()].map((member) => objectNode(object.get(member), `${path}/${pathPart(member)}`, member, '', depth + 1));
}
