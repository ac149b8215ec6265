/**
 * Places to damage: every field of every structure that the decoder shows for a handover, with the bytes that stand there. Of
 * bulk tables (folio entries, radix pages, vmalloc chunks, bitmaps, block entries of pages) the first, second and last in use.
 */
import { fdtHeader } from '../../../abi/fdt/header.js';
import { khoMemPhysBits, khoserMemChunk } from '../../../abi/kho/chunk.js';
import { khoRadixLeaf, khoRadixNode } from '../../../abi/kho/radix.js';
import { khoVmallocChunk } from '../../../abi/kho/vmalloc.js';
import type { Role } from '../../../abi/layout.js';
import { memfdLuoFolioSer } from '../../../abi/memfd/folio.js';
import { layoutTable } from '../../../src/codec/layout-table.js';
import type { Handover } from '../../../src/handover/decode.js';
import type { TreeNode } from '../../../src/tree/tree.js';
import { type PhysicalMemory, readBytes } from '../../../src/memory/memory.js';

export interface Target {
  /** for the list of what was missed */
  readonly name: string;
  readonly path: string;
  /** paths and addresses at which a finding counts: the node's own, and its parent's */
  readonly paths: readonly string[];
  readonly addresses: readonly number[];
  readonly address: number;
  readonly was: Uint8Array;
  readonly kind: 'number' | 'text' | 'bits';
  readonly role: Role | null;
  readonly bigEndian: boolean;
  /** of a bit-field: its lowest bit and width within the word */
  readonly lowBit: number;
  readonly width: number;
}

interface Maker {
  readonly memory: PhysicalMemory;
  readonly out: Target[];
}

/** All targets of one handover. */
export function targetsOf(memory: PhysicalMemory, handover: Handover): readonly Target[] {
  const maker: Maker = { memory, out: [] };
  visit(maker, handover.node, [], false);
  return maker.out;
}

function visit(maker: Maker, node: TreeNode, parents: readonly TreeNode[], bigEndian: boolean): void {
  const struct = node.layout?.field === null ? node.layout.struct.name : null;
  if (node.type === 'gap' || node.type === 'fdt block') return;
  if (node.path.includes('/folios[]')) {
    folioEntries(maker, node, parents);
    return;
  }
  if (struct === khoRadixNode.name || struct === khoRadixLeaf.name) words(maker, node, parents, struct === khoRadixLeaf.name);
  else if (struct === khoVmallocChunk.name) words(maker, node, parents, false);
  else if (struct === khoMemPhysBits.name) words(maker, node, parents, true);
  else field(maker, node, parents, bigEndian);
  const children = node.children();
  const used = struct === khoserMemChunk.name ? usedBitmaps(node) : Number.POSITIVE_INFINITY;
  for (const child of children) {
    const isFdtHeader = child.layout?.struct.name === fdtHeader.name && child.layout.field === null;
    if (child.name === 'bitmaps') for (const entry of child.children().slice(0, used)) visit(maker, entry, [...parents, node, child], false);
    else visit(maker, child, [...parents, node], isFdtHeader || bigEndian);
  }
}

const usedBitmaps = (chunk: TreeNode): number => {
  const header = chunk.children().find((child) => child.name === 'hdr');
  return Number(header?.children().find((child) => child.name === 'num_elms')?.value ?? 0);
};

const addressesOf = (nodes: readonly (TreeNode | undefined)[]): number[] => nodes.flatMap((node) => (node?.address == null ? [] : [node.address]));

function field(maker: Maker, node: TreeNode, parents: readonly TreeNode[], bigEndian: boolean): void {
  const parent = parents.at(-1);
  const type = node.fieldType?.kind ?? (node.type === 'string' ? 'cstring' : null);
  const isText = type === 'cstring' || node.type === 'string';
  if (node.address === null || node.bits === 0 || node.bits % 8 !== 0 || !(type === 'int' || type === 'bits' || isText)) return;
  const read = readBytes(maker.memory, node.address, node.bits / 8);
  if (!read.ok) return;
  const base = { path: node.path, paths: [node.path, ...(parent === undefined ? [] : [parent.path])], addresses: addressesOf([node, parent]), bigEndian };
  maker.out.push({
    ...base,
    name: node.path,
    address: node.address,
    was: read.bytes,
    kind: isText ? 'text' : 'number',
    role: node.role,
    lowBit: 0,
    width: node.bits,
  });
}

const picked = (count: number): readonly number[] => [...new Set([0, 1, count - 1].filter((index) => index >= 0 && index < count))];

function folioEntries(maker: Maker, node: TreeNode, parents: readonly TreeNode[]): void {
  const entries = node.children();
  const table = layoutTable(memfdLuoFolioSer);
  const parent = parents.at(-1);
  for (const index of picked(entries.length)) {
    const entry = entries[index];
    if (entry?.address == null) continue;
    const base = { path: entry.path, paths: [entry.path, node.path], addresses: addressesOf([entry, node, parent]), bigEndian: false };
    for (const placement of table.fields) {
      const address = entry.address + placement.offset;
      const read = readBytes(maker.memory, address, placement.size);
      if (!read.ok) continue;
      const parts =
        placement.bits.length === 0
          ? [{ name: placement.name, lowBit: 0, width: placement.size * 8, role: null }]
          : placement.bits.map((bit) => ({ name: bit.name, lowBit: bit.lowBit, width: bit.field.width, role: bit.field.role }));
      for (const part of parts)
        maker.out.push({
          ...base,
          addresses: [...base.addresses, address],
          name: `${entry.path}/${part.name}`,
          address,
          was: read.bytes,
          kind: placement.bits.length === 0 ? 'number' : 'bits',
          role: part.role,
          lowBit: part.lowBit,
          width: part.width,
        });
    }
  }
}

/** A page of u64: entries in use, and one that is not. */
function words(maker: Maker, node: TreeNode, parents: readonly TreeNode[], bitmap: boolean): void {
  if (node.address === null) return;
  const read = readBytes(maker.memory, node.address, node.bits / 8);
  if (!read.ok) return;
  const view = new DataView(read.bytes.buffer);
  const all = Array.from({ length: read.bytes.length / 8 }, (_, index) => index);
  const used = all.filter((index) => view.getBigUint64(index * 8, true) !== 0n);
  const free = all.filter((index) => view.getBigUint64(index * 8, true) === 0n).slice(0, 1);
  const parent = parents.at(-1);
  for (const index of [...picked(used.length).map((at) => used[at] ?? 0), ...free]) {
    const address = node.address + index * 8;
    maker.out.push({
      name: `${node.path}[${index}]${bitmap ? ' (keys)' : ''}`,
      path: node.path,
      paths: [node.path, ...(parent === undefined ? [] : [parent.path])],
      addresses: [...addressesOf([node, parent]), address],
      address,
      was: read.bytes.slice(index * 8, index * 8 + 8),
      kind: 'number',
      role: bitmap ? 'opaque' : 'phys',
      bigEndian: false,
      lowBit: 0,
      width: 64,
    });
  }
}
