/** How a node's value, place and state are written in a row. Pure; everything that comes from a dump is escaped here. */
import { formatBytes, numberText } from '../../tree/words.js';
import type { NodeState, TreeNode } from '../../tree/tree.js';
import { escapeText } from '../../report/escape.js';

/** The value as a program would write it: addresses and flags in hex, text in quotes; '' where there is none. */
export function valueText(node: TreeNode): string {
  const { value } = node;
  if (value === null) return '';
  if (typeof value === 'string') return node.type.startsWith('u8[') ? value : `"${escapeText(value)}"`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return numberText(node.role, value);
}

/** The same for copying: text as it is, without quotes. */
export const rawValueText = (node: TreeNode): string => (typeof node.value === 'string' ? escapeText(node.value) : valueText(node));

/** What a state is called in a row; '' for a node that is fine. */
export function stateWord(state: NodeState): string {
  switch (state) {
    case 'fine':
      return '';
    case 'suspicious':
      return 'odd';
    case 'invalid':
      return 'invalid';
    case 'missing-page':
      return 'outside this dump';
    case 'excluded-page':
      return 'not in this dump';
    case 'unknown-version':
      return 'unknown version';
    case 'reused':
      return 'page reused';
  }
}

/** Size of a node in bytes or bits, in words. */
export function sizeText(bits: number): string {
  if (bits % 8 !== 0) return `${bits} bit${bits === 1 ? '' : 's'}`;
  const bytes = bits / 8;
  if (bytes < 1024) return `${bytes} byte${bytes === 1 ? '' : 's'}`;
  return `${bytes} bytes (${formatBytes(bytes)})`;
}

/** The bits of a node: [start, end) counted from physical address 0, bit 0 of a byte first. Null for groups. */
export interface BitSpan {
  /** physical address of the first byte touched */
  readonly address: number;
  /** from bit 0 of the byte at `address` */
  readonly firstBit: number;
  readonly bits: number;
}

/**
 * Where a node's bits are. A part of a bit-field integer has the address of that integer and its own bit offset in it; every
 * other node's address is its own first byte.
 */
export function bitSpanOf(node: TreeNode, parent: TreeNode | null): BitSpan | null {
  if (node.address === null || node.bits <= 0) return null;
  const isPart = parent !== null && parent.address === node.address && node.bitOffset > 0;
  const start = isPart ? node.bitOffset : 0;
  return { address: node.address + Math.floor(start / 8), firstBit: start % 8, bits: node.bits };
}

/** Bytes a span touches. */
export const bytesTouched = (bitSpan: BitSpan): number => Math.ceil((bitSpan.firstBit + bitSpan.bits) / 8);

/** Does the span touch only a part of its first or last byte? */
export const isPartial = (bitSpan: BitSpan): boolean => bitSpan.firstBit !== 0 || (bitSpan.firstBit + bitSpan.bits) % 8 !== 0;

/** Entries of a bulk table, told from its type without asking for them; null for any other node. */
export function tableEntries(node: TreeNode): number | null {
  const count = /^struct .+\[(\d+)\]$/.exec(node.type)?.[1];
  return count === undefined ? null : Number(count);
}

/** Has the node anything below it? A table is not opened to find out. */
export const hasChildren = (node: TreeNode): boolean => {
  const entries = tableEntries(node);
  return entries === null ? node.children().length > 0 : entries > 0;
};
