/** The decoded handover as a tree that is opened as far as the user wants. Pure. */
import { hex } from '../../../tree/words.js';
import { hasWords } from '../../model/match.js';
import { keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import type { Line } from '../../model/text.js';
import { treeRow } from '../../model/tree-rows.js';
import { closeAt, comparePlaces, isOpen, nodeAt, openAt, placeOfRow } from '../../model/tree-view.js';
import { type Pane, filterOf, tell } from '../../model/view.js';
import { type PaneId, TREE } from '../layout.js';
import { type Inspector, boxIn, jump, jumpToAddress, placeOf, select, selectedNode, visibleRows } from '../state.js';

import { FINDING_KEYS } from './findings.js';

type Of = Pane<Inspector, PaneId>;

function open(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return select(state, [...state.place, 0]);
  const tree = openAt(state.tree, state.place);
  return tree === state.tree ? state : { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, boxIn(state, 'tree').height) };
}

function shut(state: Inspector): Inspector {
  const tree = closeAt(state.tree, state.place);
  return { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, boxIn(state, 'tree').height) };
}

function close(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return shut(state);
  return state.place.length > 1 ? select(state, state.place.slice(0, -1)) : state;
}

/** Follows the selected pointer to the node decoded there, or to the bytes; opens what is no pointer. */
export function follow(state: Inspector): Inspector {
  const node = selectedNode(state);
  if (node === null) return state;
  const place = node.target === null ? null : placeOf(state, node.target);
  if (place !== null) return jump(state, place);
  if (node.pointer !== null) {
    const there = jumpToAddress(state, node.pointer);
    return tell(there, `${hex(node.pointer)}: ${state.model.addresses().telescope(node.pointer)}`);
  }
  return isOpen(state.tree, state.place) ? shut(state) : open(state);
}

/** Opens everything below the node, up to a bound; tables stay closed. */
function openAll(state: Inspector): Inspector {
  const most = 2_000;
  let tree = openAt(state.tree, state.place);
  const pending = [state.place];
  for (let place = pending.shift(); place !== undefined && tree.rows < most; place = pending.shift()) {
    const node = nodeAt(tree, place);
    if (node === null || /\[\d+\]$|table$/.test(node.type)) continue;
    tree = openAt(tree, place);
    for (let index = 0; index < node.children().length; index++) pending.push([...place, index]);
  }
  return tell(select({ ...state, tree }, state.place), tree.rows >= most ? `opened as far as ${most} rows` : 'opened everything below');
}

/** Closes the node and those beside it. */
function closeSiblings(state: Inspector): Inspector {
  let { tree } = state;
  const above = state.place.slice(0, -1);
  const count = above.length === 0 ? tree.children.length : (nodeAt(tree, above)?.children().length ?? 0);
  for (let index = 0; index < count; index++) tree = closeAt(tree, [...above, index]);
  return select({ ...state, tree }, state.place);
}

function sibling(state: Inspector, by: number): Inspector {
  const above = state.place.slice(0, -1);
  const count = above.length === 0 ? state.tree.children.length : (nodeAt(state.tree, above)?.children().length ?? 0);
  const index = (state.place.at(-1) ?? 0) + by;
  return index < 0 || index >= count ? state : select(state, [...above, index]);
}

/** A filter leaves the rows of the open tree that have the text, the one under the cursor, and those above them. */
function filteredRows(state: Inspector, filter: string, height: number) {
  const rows = [];
  for (let row = 0; row < Math.min(state.tree.rows, 20_000); row++) {
    const place = placeOfRow(state.tree, row);
    if (place !== null) rows.push(place);
  }
  const wanted = new Set<string>();
  const text = (place: readonly number[]): string => {
    const node = nodeAt(state.tree, place);
    return node === null ? '' : `${node.name} ${node.meaning} ${node.type}`;
  };
  for (const place of rows)
    if (comparePlaces(place, state.place) === 0 || hasWords(text(place), filter))
      for (let depth = 1; depth <= place.length; depth++) wanted.add(place.slice(0, depth).join('.'));
  const places = rows.filter((place) => wanted.has(place.join('.')));
  const at = Math.max(
    0,
    places.findIndex((place) => comparePlaces(place, state.place) === 0),
  );
  return { places, at, top: Math.max(0, Math.min(at - Math.floor(height / 2), places.length - height)) };
}

export const treePane: Of = {
  id: 'tree',
  filters: true,
  content: (state, box) => {
    const context = { width: box.width, focused: state.shell.focus === 'tree', marks: state.marks, matches: state.search?.matches ?? (() => false) };
    const filter = filterOf<PaneId>(state, 'tree');
    if (filter !== '') {
      const { places, at, top } = filteredRows(state, filter, box.height);
      const rows = places.slice(top, top + box.height).flatMap((place): Line[] => {
        const row = visibleAt(state, place);
        return row === null ? [] : [treeRow(row, comparePlaces(place, state.place) === 0, context)];
      });
      return { title: 'tree', note: positionOf(at, places.length), rows };
    }
    const rows = visibleRows(state).map((row) => treeRow(row, comparePlaces(row.place, state.place) === 0, context));
    return { title: 'tree', note: positionOf(state.treeScroll.cursor, state.tree.rows), rows };
  },
  move: (state, motion, box, count) => {
    const by = rowsOf(motion, box.height) * count;
    const filter = filterOf<PaneId>(state, 'tree');
    if (filter !== '') {
      const { places, at } = filteredRows(state, filter, box.height);
      const next = Math.max(0, Math.min(at + by, places.length - 1));
      return select(state, places[next] ?? state.place);
    }
    const { cursor } = moveBy(state.treeScroll, by, state.tree.rows, box.height);
    return select(state, placeOfRow(state.tree, cursor) ?? state.place);
  },
  sideways: (state, by) => (by === 1 ? open(state) : close(state)),
  enter: follow,
  click: (state, row, { height }) => {
    const filter = filterOf<PaneId>(state, 'tree');
    const filtered = filter === '' ? null : filteredRows(state, filter, height);
    const place = filtered === null ? placeOfRow(state.tree, state.treeScroll.top + row) : filtered.places[filtered.top + row];
    if (place == null) return state;
    return comparePlaces(place, state.place) === 0 ? follow(state) : select(state, place);
  },
  keys: [
    { keys: ['space'], group: TREE, help: 'open or close the node', run: (state) => (isOpen(state.tree, state.place) ? shut(state) : open(state)) },
    { keys: ['e'], group: TREE, help: 'open everything below the node', run: openAll },
    { keys: ['E'], group: TREE, help: 'close the node and those beside it', run: closeSiblings },
    { keys: [')', 'J'], group: TREE, counts: true, help: 'to the node after this one on the same level', run: (state, count) => sibling(state, count ?? 1) },
    { keys: ['('], group: TREE, counts: true, help: 'to the node before this one on the same level', run: (state, count) => sibling(state, -(count ?? 1)) },
    ...FINDING_KEYS,
  ],
};

function visibleAt({ tree }: Inspector, place: readonly number[]) {
  const node = nodeAt(tree, place);
  return node === null ? null : { node, place, depth: place.length - 1, open: isOpen(tree, place) };
}
