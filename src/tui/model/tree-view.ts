/**
 * Which part of the decoded tree is open. Nodes are asked for their children only when they are opened; a node is addressed
 * by its place (child indexes from the root), and rows are counted, never listed, so that a table of 100,000 entries costs
 * what is on the screen. Pure: opening and closing give a new root.
 */
import type { TreeNode } from '../../tree/tree.js';

/** A node that is open, with the open ones among its children. */
export interface Branch {
  readonly children: readonly TreeNode[];
  /** by child index, ascending */
  readonly open: ReadonlyMap<number, Branch>;
  /** rows below this node */
  readonly rows: number;
}

/** Child indexes from the root down; never empty for a node. */
export type Place = readonly number[];

export interface TreeRow {
  readonly node: TreeNode;
  readonly place: Place;
  readonly depth: number;
  readonly open: boolean;
}

const branch = (children: readonly TreeNode[], open: ReadonlyMap<number, Branch>): Branch => {
  let rows = children.length;
  for (const below of open.values()) rows += below.rows;
  return { children, open, rows };
};

/** The view of `roots` with nothing open. */
export const closedTree = (roots: readonly TreeNode[]): Branch => branch(roots, new Map());

/** The node at `place`, opening nothing; null where the place runs out of what is open. */
export function nodeAt(root: Branch, place: Place): TreeNode | null {
  let at: Branch | undefined = root;
  for (const [depth, index] of place.entries()) {
    if (at === undefined) return null;
    if (depth === place.length - 1) return at.children[index] ?? null;
    at = at.open.get(index);
  }
  return null;
}

/** Is the node at `place` open? The root's own place is not. */
export function isOpen(root: Branch, place: Place): boolean {
  let at: Branch | undefined = root;
  for (const index of place) at = at?.open.get(index);
  return at !== undefined && place.length > 0;
}

/** Opens the node at `place`, and whatever is closed above it. A node without children stays closed. */
export function openAt(root: Branch, place: Place): Branch {
  const [index, ...rest] = place;
  if (index === undefined) return root;
  const node = root.children[index];
  if (node === undefined) return root;
  const children = root.open.get(index) ?? closedTree(node.children());
  if (children.children.length === 0) return root;
  return withOpen(root, index, openAt(children, rest));
}

/** Closes the node at `place`; what was open below it is forgotten. */
export function closeAt(root: Branch, place: Place): Branch {
  const [index, ...rest] = place;
  const below = index === undefined ? undefined : root.open.get(index);
  if (index === undefined || below === undefined) return root;
  return withOpen(root, index, rest.length === 0 ? null : closeAt(below, rest));
}

function withOpen(at: Branch, index: number, below: Branch | null): Branch {
  const open = new Map(at.open);
  if (below === null) open.delete(index);
  else open.set(index, below);
  return branch(at.children, new Map([...open].sort(([a], [b]) => a - b)));
}

/** The place shown in row `row` of `root`; null where there is no such row. */
export function placeOfRow(root: Branch, row: number): Place | null {
  if (row < 0 || row >= root.rows) return null;
  const place: number[] = [];
  let at = root;
  let rest = row;
  for (;;) {
    let skipped = 0;
    let next: Branch | null = null;
    for (const [index, below] of at.open) {
      const start = index + skipped;
      if (rest <= start) break;
      if (rest <= start + below.rows) {
        place.push(index);
        rest -= start + 1;
        next = below;
        break;
      }
      skipped += below.rows;
    }
    if (next === null) {
      place.push(rest - skipped);
      return place;
    }
    at = next;
  }
}

/** The row that shows `place`, or its nearest open ancestor; 0 for the first. */
export function rowOfPlace(root: Branch, place: Place): number {
  let row = 0;
  let at: Branch | undefined = root;
  for (const [depth, index] of place.entries()) {
    if (at === undefined) break;
    row += index + (depth > 0 ? 1 : 0);
    for (const [other, below] of at.open) {
      if (other >= index) break;
      row += below.rows;
    }
    at = at.open.get(index);
  }
  return row;
}

/** `count` rows from row `first` on. */
export function rowsBetween(root: Branch, first: number, count: number): TreeRow[] {
  const rows: TreeRow[] = [];
  for (let row = first; row < first + count; row++) {
    const place = placeOfRow(root, row);
    const node = place === null ? null : nodeAt(root, place);
    if (place === null || node === null) break;
    rows.push({ node, place, depth: place.length - 1, open: isOpen(root, place) });
  }
  return rows;
}

/**
 * The place of the node with this path, or of the deepest one on the way to it: paths are hierarchical, so that each level
 * is one scan of one node's children. Null where not even a root fits.
 */
export function placeOfPath(roots: readonly TreeNode[], path: string): Place | null {
  const place: number[] = [];
  let children = roots;
  for (;;) {
    let best = -1;
    let bestLength = -1;
    for (const [index, child] of children.entries()) {
      if (child.path === path) return [...place, index];
      if (child.path.length > bestLength && path.startsWith(`${child.path}/`)) {
        best = index;
        bestLength = child.path.length;
      }
    }
    const next = children[best];
    if (next === undefined) return place.length === 0 ? null : place;
    place.push(best);
    children = next.children();
  }
}

/** The node at a place, opened or not, and the one above it; null where the place runs out of nodes. */
export function nodeDown(roots: readonly TreeNode[], place: Place): { readonly node: TreeNode; readonly parent: TreeNode | null } | null {
  let nodes = roots;
  let parent: TreeNode | null = null;
  let node: TreeNode | null = null;
  for (const index of place) {
    parent = node;
    node = nodes[index] ?? null;
    nodes = node?.children() ?? [];
  }
  return node === null ? null : { node, parent };
}

/** Opens everything above `place`, so that it has a row. */
export const reveal = (root: Branch, place: Place): Branch => openAt(root, place.slice(0, -1));

/** Order of the rows: -1 where `a` is above `b`. */
export function comparePlaces(a: Place, b: Place): number {
  for (let depth = 0; depth < Math.min(a.length, b.length); depth++) {
    const difference = (a[depth] ?? 0) - (b[depth] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
