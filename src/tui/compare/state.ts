/** The state of two dumps side by side, and how a pair gets selected. Pure. */
import type { Comparison } from '../../handover/compare/compare.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import type { PaneBox, Size } from '../model/screen.js';
import { type Scroll, START, jumpTo, keepInView } from '../model/scroll.js';
import type { TreeSearch } from '../model/search.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Branch, type Place, closedTree, nodeAt, openAt, placeOfPath, reveal, rowOfPlace } from '../model/tree-view.js';
import { hasChildren } from '../model/value.js';
import { paneBox } from '../model/view.js';
import { BOTTOM, type ComparePane, compareBands } from './layout.js';
import { type Pair, Pairs } from './pairs.js';

/** What `openComparison` is given. */
export interface CompareModel {
  /** as the user named them */
  readonly paths: { readonly before: string; readonly after: string };
  readonly comparison: Comparison;
  readonly memory: { readonly before: PhysicalMemory; readonly after: PhysicalMemory };
}

export interface Compared {
  readonly model: CompareModel;
  readonly pairs: Pairs;
  readonly shell: Shell<ComparePane>;
  readonly tree: Branch;
  readonly place: Place;
  readonly scroll: Scroll;
  readonly differences: Scroll;
  readonly files: Scroll;
  readonly tops: { readonly before: number; readonly after: number };
  /** the pane shown in the place at the bottom */
  readonly bottom: ComparePane;
  readonly search: TreeSearch | null;
  readonly marks: ReadonlyMap<string, string>;
}

export const boxIn = (state: Compared, id: ComparePane): PaneBox => paneBox({ layout: compareBands }, state, id);

export const selected = (state: Compared): TreeNode | null => nodeAt(state.tree, state.place);
export const pairOf = (state: Compared): Pair => {
  const node = selected(state);
  return node === null ? { before: null, after: null } : state.pairs.of(node);
};

/** Selects a pair: opened in the tree, in view, both sides from their tops. */
export function select(state: Compared, place: Place): Compared {
  const tree = reveal(state.tree, place);
  return {
    ...state,
    tree,
    place,
    scroll: jumpTo(state.scroll, rowOfPlace(tree, place), tree.rows, boxIn(state, 'pairs').height),
    tops: { before: 0, after: 0 },
  };
}

export const withTree = (state: Compared, tree: Branch): Compared => select({ ...state, tree }, state.place);

const FIRST: ReadonlySet<string> = new Set(['luo', 'sessions']);

/** Opens what differs, as far as the pane has room. */
function openDiffering(pairs: Pairs, height: number): Branch {
  const into = (before: Branch, place: Place): Branch => {
    let tree = before;
    // what a reader asks about first: LUO and its sessions, before the map and the scratch array
    const children = [...(nodeAt(tree, place)?.children().entries() ?? [])].sort(([, a], [, b]) => Number(FIRST.has(b.name)) - Number(FIRST.has(a.name)));
    for (const [index, child] of children) {
      const mark = pairs.markOf(child);
      if (mark !== 'below' && !(mark === 'changed' && hasChildren(child))) continue;
      const opened = openAt(tree, [...place, index]);
      if (opened.rows <= height) tree = into(opened, [...place, index]);
    }
    return tree;
  };
  return into(openAt(closedTree([pairs.root]), [0]), [0]);
}

/** The place of a path of either dump: below its handover the trees are the same. */
export function placeOfSide(state: Compared, path: string): Place | null {
  const slash = path.indexOf('/');
  return placeOfPath([state.pairs.root], slash === -1 ? 'handover' : `handover${path.slice(slash)}`);
}

/** Cursors into view after anything changed; the place at the bottom shows the pane in focus. */
export function settle(before: Compared): Compared {
  const bottom = BOTTOM.includes(before.shell.focus) ? before.shell.focus : before.bottom;
  const state = { ...before, bottom };
  return { ...state, scroll: keepInView(state.scroll, state.tree.rows, boxIn(state, 'pairs').height) };
}

export function openCompared(model: CompareModel, size: Size): Compared {
  const { comparison } = model;
  const made = new Pairs(comparison.before.node, comparison.after?.node ?? null);
  const state: Compared = {
    model,
    pairs: made,
    shell: openShell<ComparePane>(size, 'pairs'),
    tree: closedTree([made.root]),
    place: [0],
    scroll: START,
    differences: START,
    files: START,
    tops: { before: 0, after: 0 },
    bottom: 'differences',
    search: null,
    marks: new Map(),
  };
  return { ...state, tree: openDiffering(made, boxIn(state, 'pairs').height) };
}
