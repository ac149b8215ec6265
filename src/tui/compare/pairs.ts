/**
 * Two decoded trees as one: nodes at the same place below their handovers are a pair, what only one of them has is half of one. Made as
 * it is opened; differences below a closed pair are looked for up to a bound. Pure.
 */
import type { TreeNode } from '../../tree/tree.js';
import { tableEntries, valueText } from '../model/value.js';
import { escapeText } from '../../report/escape.js';

export type Mark = 'same' | 'changed' | 'lost' | 'new' | 'below';

export interface Pair {
  readonly before: TreeNode | null;
  readonly after: TreeNode | null;
}

/** Pairs looked at for differences below closed ones. */
const MOST_LOOKED_AT = 50_000;

export class Pairs {
  readonly root: TreeNode;
  readonly #pairs = new WeakMap<TreeNode, Pair>();
  readonly #marks = new WeakMap<TreeNode, Mark>();
  #left = MOST_LOOKED_AT;

  constructor(before: TreeNode, after: TreeNode | null) {
    this.root = this.#node('handover', before, after);
  }

  of(node: TreeNode): Pair {
    return this.#pairs.get(node) ?? { before: null, after: null };
  }

  /** How the two sides of a node differ; `below`: not themselves, but something below them. */
  markOf(node: TreeNode): Mark {
    const known = this.#marks.get(node);
    if (known !== undefined) return known;
    const mark = this.#mark(node);
    this.#marks.set(node, mark);
    return mark;
  }

  #mark(node: TreeNode): Mark {
    const { before, after } = this.of(node);
    if (after === null) return 'lost';
    if (before === null) return 'new';
    if (sideText(before) !== sideText(after)) return 'changed';
    if (tableEntries(node) !== null || --this.#left < 0) return 'same';
    return node.children().some((child) => this.markOf(child) !== 'same') ? 'below' : 'same';
  }

  #node(path: string, before: TreeNode | null, after: TreeNode | null): TreeNode {
    const either = before ?? after;
    if (either === null) throw new Error('a pair has at least one side');
    let children: readonly TreeNode[] | null = null;
    const node: TreeNode = {
      path,
      name: path === 'handover' && before !== null && after !== null && before.name !== after.name ? `${before.name} │ ${after.name}` : either.name,
      type: either.type,
      address: either.address,
      bitOffset: either.bitOffset,
      bits: either.bits,
      value: either.value,
      role: either.role,
      meaning: [before?.meaning ?? '', after?.meaning ?? ''].filter((text, index, all) => text !== '' && all.indexOf(text) === index).join(' │ '),
      description: either.description,
      state: either.state,
      why: either.why,
      pointer: either.pointer,
      target: null,
      layout: either.layout,
      fieldType: either.fieldType,
      children: () => {
        children ??= this.#children(path, before, after);
        return children;
      },
    };
    this.#pairs.set(node, { before, after });
    return node;
  }

  #children(path: string, before: TreeNode | null, after: TreeNode | null): TreeNode[] {
    const left = before?.children() ?? [];
    const right = new Map((after?.children() ?? []).map((node) => [tailOf(node, after), node]));
    const out: TreeNode[] = [];
    for (const node of left) {
      const tail = tailOf(node, before);
      const other = right.get(tail) ?? null;
      right.delete(tail);
      out.push(this.#node(`${path}/${tail}`, node, other));
    }
    for (const [tail, node] of right) out.push(this.#node(`${path}/${tail}`, null, node));
    return out;
  }
}

/** The path of a node below the one above it. */
const tailOf = (node: TreeNode, parent: TreeNode | null): string =>
  parent !== null && node.path.startsWith(`${parent.path}/`) ? node.path.slice(parent.path.length + 1) : node.name;

/** What a side says of itself in a row. */
export function sideText(node: TreeNode): string {
  const value = valueText(node);
  const meaning = node.meaning === '' || node.meaning === value ? '' : escapeText(node.meaning);
  return [value, value !== '' && meaning !== '' ? `(${meaning})` : meaning].filter((part) => part !== '').join(' ');
}
