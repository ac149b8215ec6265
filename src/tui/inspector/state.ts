/** The state of the inspector, and how a node gets selected. Pure. */
import type { TreeNode } from '../../tree/tree.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import { type FindingView, type Marks, marksOf } from '../model/finding.js';
import { addressDigits, bytesPerRow, followSelection, rowStart } from '../model/hex.js';
import { type Band, type PaneBox, type Size, alone, boxOf } from '../model/screen.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Scroll, START, jumpTo } from '../model/scroll.js';
import type { TreeSearch } from '../model/search.js';
import { type Branch, type Place, closedTree, nodeAt, openAt, reveal, rowOfPlace, rowsBetween } from '../model/tree-view.js';
import { type BitSpan, bitSpanOf } from '../model/value.js';
import type { PaneId } from './keys.js';

/** What `openInspector` is given. Texts are already escaped, but for those of the nodes. */
export interface InspectorModel {
  /** file, container, kernel */
  readonly title: string;
  readonly overview: readonly string[];
  readonly roots: readonly TreeNode[];
  readonly memory: PhysicalMemory;
  readonly findings: readonly FindingView[];
}

/** Where a jump came from. */
export interface Visit {
  readonly place: Place;
  /** an address gone to by itself */
  readonly hexAt: number | null;
}

export interface Inspector {
  readonly model: InspectorModel;
  readonly marks: Marks;
  readonly digits: number;
  readonly shell: Shell<PaneId>;
  readonly tree: Branch;
  readonly place: Place;
  readonly treeScroll: Scroll;
  readonly detailTop: number;
  readonly hexTop: number;
  /** an address gone to by itself, shown instead of the selected node until the selection moves */
  readonly hexAt: number | null;
  readonly findings: Scroll;
  /** index of the finding last gone to */
  readonly findingAt: number | null;
  readonly jumps: readonly Visit[];
  readonly search: TreeSearch | null;
  /** the search has found nothing to stand on yet */
  readonly searchPending: boolean;
  /** changes with every slice of background work, so that the screen is drawn again */
  readonly ticks: number;
}

/** The row at the top of the tree, which stands for the dump as a whole. */
const overviewNode = (title: string): TreeNode => ({
  path: 'overview',
  name: 'overview',
  type: 'dump',
  address: null,
  bitOffset: 0,
  bits: 0,
  value: null,
  role: null,
  meaning: '',
  description: title,
  state: 'fine',
  why: null,
  pointer: null,
  target: null,
  layout: null,
  fieldType: null,
  children: () => [],
});

/** Is the row of the dump as a whole selected? */
export const onOverview = (place: Place): boolean => place.length === 1 && place[0] === 0;

export function openState(model: InspectorModel, size: Size): Inspector {
  const roots = [overviewNode(model.title), ...model.roots];
  const state: Inspector = {
    model,
    marks: marksOf(model.findings),
    digits: addressDigits(model.memory),
    shell: openShell(size, 'tree'),
    tree: closedTree(roots),
    place: [0],
    treeScroll: START,
    detailTop: 0,
    hexTop: model.roots.find((root) => root.address !== null)?.address ?? model.memory.readable[0]?.start ?? 0,
    hexAt: null,
    findings: START,
    findingAt: null,
    jumps: [],
    search: null,
    searchPending: false,
    ticks: 0,
  };
  return { ...state, tree: openFirst(state.tree, paneBox(state, 'tree').height) };
}

/** What a reader asks about first, by the depth in the tree: handovers, LUO, sessions. */
const OPEN_FIRST: readonly ((node: TreeNode) => boolean)[] = [
  (node) => node.type === 'handover' || node.type === 'group',
  (node) => node.name === 'luo',
  (node) => node.name === 'sessions',
];

/** Opens that, as long as all rows fit the pane; never a structure or a table. */
function openFirst(tree: Branch, height: number): Branch {
  let open = tree;
  let level: Place[] = tree.children.map((_, index) => [index]);
  for (const wanted of OPEN_FIRST) {
    const next: Place[] = [];
    for (const place of level) {
      const node = nodeAt(open, place);
      if (node === null || !wanted(node)) continue;
      const opened = openAt(open, place);
      if (opened === open || opened.rows > height) continue;
      const children = nodeAt(opened, place)?.children().length ?? 0;
      for (let index = 0; index < children; index++) next.push([...place, index]);
      open = opened;
    }
    level = next;
  }
  return open;
}

/** How the panes share the screen. Findings get more rows while they have the focus. */
export function bandsOf({ shell, model }: Pick<Inspector, 'shell' | 'model'>): Band[] {
  const { size, focus, zoom } = shell;
  if (zoom) return alone(size, focus);
  const body = size.rows - 2;
  const most = focus === 'findings' ? Math.floor(body / 2) : Math.max(2, Math.floor(body / 6));
  // the finding under the cursor is shown whole, which takes some rows more
  const strip = 1 + Math.min(Math.max(1, model.findings.length) + (focus === 'findings' ? 4 : 0), most);
  const upper = body - strip;
  const left = Math.max(20, Math.min(90, Math.round(size.columns * 0.42)));
  const right = size.columns - left - 1;
  const detail = Math.min(20, Math.ceil(upper * 0.52));
  return [
    {
      height: upper,
      columns: [
        { width: left, panes: [{ id: 'tree', height: upper }] },
        {
          width: right,
          panes: [
            { id: 'detail', height: detail },
            { id: 'hex', height: upper - detail },
          ],
        },
      ],
    },
    { height: strip, columns: [{ width: size.columns, panes: [{ id: 'findings', height: strip }] }] },
  ];
}

/** A pane's inner size; of a pane that is not on the screen, what it would have alone. */
export const paneBox = (state: Pick<Inspector, 'shell' | 'model'>, id: PaneId): PaneBox =>
  boxOf(bandsOf(state), id) ?? { width: state.shell.size.columns, height: state.shell.size.rows - 3 };

export const selectedNode = (state: Inspector): TreeNode | null => nodeAt(state.tree, state.place);

export const parentNode = (state: Inspector): TreeNode | null => nodeAt(state.tree, state.place.slice(0, -1));

/** What the hex pane marks: an address gone to, else the selected node's bits; a group has the bits of nothing. */
export function hexSelection(state: Inspector): BitSpan | null {
  if (state.hexAt !== null) return { address: state.hexAt, firstBit: 0, bits: 8 };
  const node = selectedNode(state);
  return node === null ? null : bitSpanOf(node, parentNode(state));
}

export function hexGeometry(state: Inspector): { readonly perRow: number; readonly height: number } {
  const box = paneBox(state, 'hex');
  return { perRow: bytesPerRow(box.width, state.digits), height: box.height };
}

/** Selects the node at `place`, opening what is above it; tree and hex pane follow. */
export function select(state: Inspector, place: Place, tree: Branch = state.tree): Inspector {
  const opened = reveal(tree, place);
  const scroll = jumpTo(state.treeScroll, rowOfPlace(opened, place), opened.rows, paneBox(state, 'tree').height);
  return followHex({ ...state, tree: opened, place, treeScroll: scroll, detailTop: 0, hexAt: null });
}

/** Scrolls the hex pane to what it marks. */
export function followHex(state: Inspector): Inspector {
  const selection = hexSelection(state);
  const { perRow, height } = hexGeometry(state);
  const { memory } = state.model;
  if (selection === null) return { ...state, hexTop: rowStart(memory, state.hexTop, perRow) };
  return { ...state, hexTop: followSelection(memory, rowStart(memory, state.hexTop, perRow), selection, height, perRow) };
}

/** Remembers the current place and goes to another. */
export const jump = (state: Inspector, place: Place): Inspector => select({ ...state, jumps: [...state.jumps, visitOf(state)].slice(-100) }, place);

/** Shows a physical address that no node was decoded at. */
export function jumpToAddress(state: Inspector, address: number): Inspector {
  return followHex({ ...state, jumps: [...state.jumps, visitOf(state)].slice(-100), hexAt: address });
}

const visitOf = (state: Inspector): Visit => ({ place: state.place, hexAt: state.hexAt });

/** The rows of the tree pane that are on the screen. */
export const visibleRows = (state: Inspector) => rowsBetween(state.tree, state.treeScroll.top, paneBox(state, 'tree').height);
