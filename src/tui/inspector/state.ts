/** The state of the inspector, and how a node or an address gets selected. Pure. */
import type { AddressIndex } from '../../address/address-index.js';
import type { Handover } from '../../handover/decode.js';
import { isReadable, type PhysicalMemory } from '../../memory/memory.js';
import type { TreeNode } from '../../tree/tree.js';
import { type FindingView, type Headline, type Marks, marksOf } from '../model/finding.js';
import { type Grid, addressDigits, bytesPerRow, followSelection, rowStart } from '../model/hex.js';
import type { PaneBox, Size } from '../model/screen.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Scroll, START, jumpTo, keepInView } from '../model/scroll.js';
import type { TreeSearch } from '../model/search.js';
import { paneBox } from '../model/view.js';
import { type Branch, type Place, closedTree, nodeAt, nodeDown, openAt, placeOfPath, reveal, rowOfPlace, rowsBetween } from '../model/tree-view.js';
import { type BitSpan, bitSpanOf, bytesTouched, hasChildren } from '../model/value.js';
import type { ObjectRow } from './object-rows.js';
import { type Laid, type PaneId, bottomOf, inspectorBands } from './layout.js';

/** One of several pages that are looked at in turn: kvm_run snapshots. */
export interface Series {
  readonly index: number;
  /** a line about each; escaped */
  readonly labels: readonly string[];
  /** decoded when it is shown */
  readonly at: (index: number) => InspectorModel;
}

/** A line of a console log. */
export interface LogRow {
  readonly number: number;
  /** escaped */
  readonly text: string;
}

/** What `openInspector` is given. Texts are already escaped, but for those of the nodes. */
export interface InspectorModel {
  /** file, container, kernel */
  readonly title: string;
  /** as the user named the dump, for command lines */
  readonly path: string;
  readonly headline: Headline;
  readonly overview: readonly string[];
  /** what becomes of sessions and files, in a word or two, by path; empty where nobody knows; read again where they are very many */
  readonly fates: () => Iterable<readonly [string, string]>;
  readonly roots: readonly TreeNode[];
  readonly memory: PhysicalMemory;
  /** physical: the image of the kernel; null where it is not known */
  readonly image: { readonly start: number; readonly end: number } | null;
  readonly findings: readonly FindingView[];
  readonly handovers: readonly Handover[];
  /** built when it is first asked for */
  readonly addresses: () => AddressIndex;
  readonly log: readonly LogRow[];
  /** what KHO and LUO keep in the running kernel; none where its objects could not be read */
  readonly objects: readonly ObjectRow[];
  /** what a kernel of another release makes of what was written, as text; why not where it cannot be told */
  readonly contractsAgainst: (release: string, width: number) => readonly string[];
  /** releases that can be held against it */
  readonly releases: readonly string[];
  /** what the rule of a finding means, for `K`; null for a rule nobody knows */
  readonly ruleText: (id: string) => readonly string[] | null;
  /** of a kvm_run page: its place among the snapshots there are; null for a dump */
  readonly series: Series | null;
}

/** A place to come back to. */
interface Visit {
  readonly place: Place;
  /** an address gone to by itself */
  readonly hexAt: number | null;
  /** which of the snapshots; 0 for a dump */
  readonly snapshot: number;
}

export type SortKey = 'order' | 'session' | 'handler' | 'phase' | 'owner' | 'size' | 'state';

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
  /** the byte under the cursor of the hex pane, where it is not the first of the selected node; null until it is moved or gone to */
  readonly hexAt: number | null;
  readonly findings: Scroll;
  /** are notes shown one by one? */
  readonly notesOpen: boolean;
  /** rules of which every finding is shown, however many there are */
  readonly unfolded: ReadonlySet<string>;
  /** index of the finding last gone to */
  readonly findingAt: number | null;
  /** the pane shown in the place at the bottom */
  readonly bottom: PaneId;
  readonly sessions: Scroll;
  readonly sort: SortKey;
  readonly log: Scroll;
  readonly objects: Scroll;
  readonly snapshots: Scroll;
  /** the part of memory that the map shows, and the cell under its cursor */
  readonly map: { readonly from: number; readonly to: number; readonly cursor: number };
  readonly past: readonly Visit[];
  readonly future: readonly Visit[];
  readonly bookmarks: ReadonlyMap<string, Visit>;
  readonly search: TreeSearch | null;
  /** the search has no match to go to yet */
  readonly searchPending: boolean;
  /** text or bytes searched for in memory, for n and N in the hex pane */
  readonly bytesWanted: Uint8Array | null;
  /** changes with every slice of background work, so that the screen is drawn again */
  readonly ticks: number;
}

/** The row at the top of the tree: the dump as a whole. */
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
    notesOpen: model.headline.severity !== 'good' && model.findings.every(({ severity }) => severity === 'info'),
    unfolded: new Set(),
    findingAt: null,
    // of many snapshots the list is what is asked for first, unless one of them is wrong
    bottom: model.findings.length === 0 && (model.series?.labels.length ?? 0) > 1 ? 'snapshots' : 'findings',
    sessions: START,
    sort: 'order',
    log: quotedFirst(model),
    objects: START,
    snapshots: { cursor: model.series?.index ?? 0, top: 0 },
    map: wholeMap(model.memory),
    past: [],
    future: [],
    bookmarks: new Map(),
    search: null,
    searchPending: false,
    bytesWanted: null,
    ticks: 0,
  };
  return { ...state, tree: openFirst(state.tree, boxIn(state, 'tree').height) };
}

const GIB = 2 ** 30;

/** All memory that the dump knows, from the GiB in which it begins: below it some machines have none. */
export const wholeMap = ({ readable, pageSize }: PhysicalMemory): Inspector['map'] => {
  const first = readable[0]?.start ?? 0;
  return { from: first - (first % GIB), to: readable.at(-1)?.end ?? pageSize, cursor: 0 };
};

/** The line of the log that a finding quotes by its number; -1 where it quotes none. */
export function quotedLine({ log }: InspectorModel, { message }: FindingView): number {
  const quoted = /console line (\d+)/.exec(message)?.[1];
  return quoted === undefined ? -1 : log.findIndex(({ number }) => number === Number(quoted));
}

/** The log begins at the line that the first finding quotes. */
function quotedFirst(model: InspectorModel): Scroll {
  const cursor = model.findings.map((finding) => quotedLine(model, finding)).find((index) => index !== -1);
  return cursor === undefined ? START : { cursor, top: Math.max(0, cursor - 3) };
}

/** What a reader asks about first, by the depth in the tree: handovers, LUO, sessions. */
const OPEN_FIRST: readonly ((node: TreeNode) => boolean)[] = [
  (node) => node.type === 'handover' || node.type === 'group' || node.name === 'kvm_run',
  (node) => node.name === 'luo' || node.path === 'kvm_run/exit',
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
      // the payload of an exit comes first of all rows: it is seen although not all fit
      if (opened === open || (opened.rows > height && node.path !== 'kvm_run/exit')) continue;
      const children = nodeAt(opened, place)?.children().length ?? 0;
      for (let index = 0; index < children; index++) next.push([...place, index]);
      open = opened;
    }
    level = next;
  }
  return open;
}

/** A pane's inner size. */
export const boxIn = (state: Laid, id: PaneId): PaneBox => paneBox({ layout: inspectorBands }, state, id);

export const selectedNode = (state: Inspector): TreeNode | null => nodeAt(state.tree, state.place);

export const parentNode = (state: Inspector): TreeNode | null => nodeAt(state.tree, state.place.slice(0, -1));

/** The bits of the selected node; a group that has an address has its first byte. Null for what has no bytes at all. */
export function nodeBits(state: Inspector): BitSpan | null {
  const node = selectedNode(state);
  if (node === null) return null;
  const bits = bitSpanOf(node, parentNode(state));
  return bits ?? (node.address === null ? null : { address: node.address, firstBit: 0, bits: 8 });
}

const covers = (bits: BitSpan, address: number): boolean => address >= bits.address && address < bits.address + bytesTouched(bits);

/** What the hex pane marks: the selected node's bits where the cursor is in them, else the byte under the cursor. */
export function hexSelection(state: Inspector): BitSpan | null {
  const bits = nodeBits(state);
  if (state.hexAt === null) return bits;
  return bits !== null && covers(bits, state.hexAt) ? bits : { address: state.hexAt, firstBit: 0, bits: 8 };
}

/** The byte under the hex pane's cursor. */
export const hexCursor = (state: Inspector): number => state.hexAt ?? nodeBits(state)?.address ?? state.hexTop;

/** Which memory the hex pane shows, how many bytes a row, and the byte it keeps in view. */
export function hexGrid(state: Inspector): Grid {
  const width = boxIn(state, 'hex').width;
  return { memory: state.model.memory, perRow: bytesPerRow(width, state.digits), keep: hexCursor(state) };
}

/** Rows of the hex pane that hold bytes: where there is no room beside them, one row has other readings of those under the cursor. */
export function hexHeight(state: Inspector): number {
  const { height, width } = boxIn(state, 'hex');
  const beside = width - (state.digits + 2 + hexGrid(state).perRow * 4) >= READINGS_WIDTH;
  return Math.max(1, height - (beside || height < 4 ? 0 : 1));
}

/** Columns that other readings of the bytes take beside the rows. */
export const READINGS_WIDTH = 26;

/** Selects the node at `place`, opening what is above it; the tree pane follows, and the hex pane when all is settled. */
export function select(state: Inspector, place: Place, tree: Branch = state.tree): Inspector {
  const opened = reveal(tree, place);
  const scroll = jumpTo(state.treeScroll, rowOfPlace(opened, place), opened.rows, boxIn(state, 'tree').height);
  return { ...state, tree: opened, place, treeScroll: scroll, detailTop: 0, hexAt: null };
}

/** Scrolls the hex pane to its cursor, or to what it marks. */
function followHex(state: Inspector): Inspector {
  const grid = hexGrid(state);
  const selection = state.hexAt === null ? hexSelection(state) : { address: state.hexAt, firstBit: 0, bits: 8 };
  const top = rowStart(grid, state.hexTop);
  return { ...state, hexTop: selection === null ? top : followSelection(grid, top, selection, hexHeight(state)) };
}

/** Remembers the current place, and goes on from there: what was ahead is forgotten. */
const leaving = (state: Inspector): Inspector => ({ ...state, past: [...state.past, visitOf(state)].slice(-100), future: [] });

/** Remembers the current place and goes to another. */
export const jump = (state: Inspector, place: Place): Inspector => select(leaving(state), place);

export const visitOf = ({ place, hexAt, model }: Inspector): Visit => ({ place, hexAt, snapshot: model.series?.index ?? 0 });

const visit = (state: Inspector, { place, hexAt, snapshot }: Visit): Inspector => ({ ...select(toSnapshot(state, snapshot), place), hexAt });

/** Another snapshot, with the cursor on the field of the same name where it has one. */
export function toSnapshot(state: Inspector, index: number): Inspector {
  const { series } = state.model;
  if (series === null || series.index === index || index < 0 || index >= series.labels.length) return state;
  const { shell, sort, past, future, bookmarks, bottom } = state;
  const fresh = { ...openState(series.at(index), shell.size), shell, sort, past, future, bookmarks, bottom };
  const moved = { ...fresh, snapshots: { ...state.snapshots, cursor: index } };
  const path = onOverview(state.place) ? null : (selectedNode(state)?.path ?? null);
  const place = path === null ? null : placeOf(moved, path);
  return place === null ? moved : select(moved, place);
}

/** Back (-1) or forward (1) in the list of jumps; null where it ends. */
export function travelJumps(state: Inspector, by: 1 | -1): Inspector | null {
  const from = by === -1 ? state.past : state.future;
  const there = from.at(-1);
  if (there === undefined) return null;
  const here = visitOf(state);
  const past = by === -1 ? state.past.slice(0, -1) : [...state.past, here];
  const future = by === -1 ? [...state.future, here] : state.future.slice(0, -1);
  return { ...visit(state, there), past, future };
}

export const jumpToVisit = (state: Inspector, there: Visit): Inspector => visit(leaving(state), there);

/** The place in the tree of a path, or of the deepest node on the way to it that was decoded. */
export const placeOf = (state: Inspector, path: string): Place | null => placeOfPath(state.tree.children, path);

/** The node at a place, opened or not. */
export const nodeOf = (state: Inspector, place: Place): TreeNode | null => nodeDown(state.tree.children, place)?.node ?? null;

/** Puts the hex pane's cursor on an address; the tree goes to what was decoded there, and stays where nothing was. */
export function cursorTo(state: Inspector, address: number): Inspector {
  const bits = nodeBits(state);
  const node = selectedNode(state);
  if (bits !== null && node !== null && covers(bits, address) && !hasChildren(node)) return { ...state, hexAt: address };
  const path = isReadable(state.model.memory, address) ? state.model.addresses().pathAt(address) : null;
  const place = path === null ? null : placeOf(state, path);
  const there = place === null ? state : select(state, place);
  return { ...there, hexAt: address };
}

/** Goes to a physical address as a jump. */
export const jumpToAddress = (state: Inspector, address: number): Inspector => cursorTo(leaving(state), address);

/** The rows of the tree pane that are on the screen. */
export const visibleRows = (state: Inspector) => rowsBetween(state.tree, state.treeScroll.top, boxIn(state, 'tree').height);

/** Cursors into view after anything changed; the bottom place shows the pane in focus. */
export function settle(before: Inspector): Inspector {
  const bottom = bottomOf(before.model).includes(before.shell.focus) ? before.shell.focus : before.bottom;
  const state = { ...before, bottom };
  return followHex({ ...state, treeScroll: keepInView(state.treeScroll, state.tree.rows, boxIn(state, 'tree').height) });
}
