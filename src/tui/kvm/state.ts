/** The state of the kvm_run view, and what keys do to it. Pure. */
import type { SnapshotRow, SnapshotView } from '../../kvm/snapshot-view.js';
import type { FindingView } from '../model/finding.js';
import { hasWords } from '../model/match.js';
import type { Size } from '../model/screen.js';
import { type Scroll, START, jumpTo, keepInView, scrollText } from '../model/scroll.js';
import { type Shell, openShell } from '../model/shell.js';
import { tell as tellIn } from '../model/view.js';
import { type KvmPane, kvmBox } from './layout.js';
import { explanationLines } from './lines.js';

/** What `openKvm` is given. */
export interface KvmModel {
  /** escaped */
  readonly title: string;
  /** as the user named the file or folder, for command lines */
  readonly path: string;
  readonly count: number;
  /** decoded when it is shown; plain text, safe to print */
  readonly at: (index: number) => SnapshotView;
  /** one escaped line about it, for the list */
  readonly label: (index: number) => string;
  /** what the snapshots say together */
  readonly findings: readonly FindingView[];
}

export interface KvmState {
  readonly model: KvmModel;
  readonly shell: Shell<KvmPane>;
  readonly snapshots: Scroll;
  readonly view: SnapshotView;
  readonly rows: readonly KvmRow[];
  readonly fields: Scroll;
  readonly explanationTop: number;
  readonly hexTop: number;
  readonly query: string | null;
  /** named places */
  readonly marks: ReadonlyMap<string, { readonly snapshot: number; readonly path: string }>;
}

/** A heading, or a field. */
export type KvmRow = { readonly heading: string } | SnapshotRow;

const GROUPS: readonly (readonly [SnapshotRow['group'], string])[] = [
  ['exit', 'exit payload'],
  ['data', 'port data'],
  ['header', 'kvm_run'],
  ['ring', 'coalesced writes'],
  ['registers', 'synchronised registers'],
];

/** Fields by group, what the exit is about first. */
function rowsOfView(view: SnapshotView): KvmRow[] {
  return GROUPS.flatMap(([group, heading]): KvmRow[] => {
    const rows = view.rows.filter((row) => row.group === group);
    return rows.length === 0 ? [] : [{ heading }, ...rows];
  });
}

export function openKvmState(model: KvmModel, size: Size): KvmState {
  const view = model.at(0);
  const shell = openShell<KvmPane>(size, 'payload');
  const state: KvmState = {
    model,
    shell,
    snapshots: START,
    view,
    rows: rowsOfView(view),
    fields: { cursor: 1, top: 0 },
    explanationTop: 0,
    hexTop: 0,
    query: null,
    marks: new Map(),
  };
  return settle(state);
}

/** The field under the cursor; null on a heading. */
export function selectedField(state: KvmState): SnapshotRow | null {
  const row = state.rows[state.fields.cursor];
  return row === undefined || 'heading' in row ? null : row;
}

const tell = (state: KvmState, toast: string): KvmState => tellIn<KvmState, KvmPane>(state, toast);

/** Shows another snapshot; the cursor stays on the field of the same name, where it has one. */
export function show(state: KvmState, index: number): KvmState {
  const { model } = state;
  if (index < 0 || index >= model.count)
    return tell(state, model.count === 1 ? 'there is one snapshot' : index < 0 ? 'this is the first snapshot' : 'this is the last snapshot');
  const path = selectedField(state)?.path;
  const view = model.at(index);
  const rows = rowsOfView(view);
  // a cursor that was never moved stays at the top, where the payload is
  const same = state.fields.cursor === 1 ? 1 : rows.findIndex((row) => !('heading' in row) && row.path === path);
  const fields = { cursor: same === -1 ? 1 : same, top: same === -1 ? 0 : state.fields.top };
  return settle({ ...state, view, rows, fields, explanationTop: 0, snapshots: { ...state.snapshots, cursor: index } });
}

/** Bytes a hex row holds; offsets have four digits. */
export const kvmPerRow = (width: number): 8 | 16 => (width >= 4 + 3 + 16 * 4 ? 16 : 8);

/** Snapshots a search looks at; each is decoded for its line. */
const SEARCH_SNAPSHOTS = 10_000;

/** Indexes of the snapshots whose line has the words of a search; each is decoded for it once. */
const found = new WeakMap<KvmModel, { readonly query: string; readonly indexes: readonly number[] }>();

function snapshotsWith(model: KvmModel, query: string): readonly number[] {
  const known = found.get(model);
  if (known?.query === query) return known.indexes;
  const indexes = Array.from({ length: Math.min(model.count, SEARCH_SNAPSHOTS) }, (_, index) => index).filter((index) => hasWords(model.label(index), query));
  found.set(model, { query, indexes });
  return indexes;
}

/** What the search finds in the pane in focus: fields, or snapshots in their list. */
function matches({ query, model, shell, rows }: KvmState): readonly number[] {
  if (query === null) return [];
  if (shell.focus === 'snapshots') return snapshotsWith(model, query);
  return rows.flatMap((row, index) => ('heading' in row || !hasWords(`${row.path} ${row.value} ${row.words}`, query) ? [] : [index]));
}

const cursorOf = (state: KvmState): number => (state.shell.focus === 'snapshots' ? state.snapshots.cursor : state.fields.cursor);

/** Which of the matches the cursor is on (-1: none), and how many there are. */
export function searched(state: KvmState): { readonly at: number; readonly count: number } {
  const indexes = matches(state);
  return { at: indexes.indexOf(cursorOf(state)), count: indexes.length };
}

/** To the next field (or snapshot, in their list) with the text searched for, around the end. @param here may it be the one under the cursor? */
export function find(state: KvmState, by: 1 | -1, here: boolean): KvmState {
  const { query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const indexes = matches(state);
  const from = cursorOf(state);
  const next =
    by === 1
      ? (indexes.find((index) => index > from || (here && index === from)) ?? indexes[0])
      : (indexes.findLast((index) => index < from) ?? indexes.at(-1));
  if (next === undefined) return tell(state, `no match for ${query}`);
  if (state.shell.focus === 'snapshots') return show(state, next);
  return settle({ ...state, fields: jumpTo(state.fields, next, state.rows.length, kvmBox(state, 'payload').height) });
}

/** Cursors into view; the hex pane follows the selected field. */
export function settle(state: KvmState): KvmState {
  const { rows, model } = state;
  const hex = kvmBox(state, 'hex');
  const explanation = kvmBox(state, 'explanation');
  const field = selectedField(state);
  const perRow = kvmPerRow(hex.width);
  const row = field === null ? state.hexTop : Math.floor(field.offset / perRow);
  // two rows of the pane say what the field is
  const seen = row >= state.hexTop && row < state.hexTop + hex.height - 2;
  return {
    ...state,
    fields: keepInView(state.fields, rows.length, kvmBox(state, 'payload').height),
    snapshots: keepInView(state.snapshots, model.count, kvmBox(state, 'snapshots').height),
    explanationTop: scrollText(state.explanationTop, 0, explanationLines(state.view, model, explanation.width).length, explanation.height),
    hexTop: seen ? state.hexTop : Math.max(0, row - Math.floor((hex.height - 2) / 3)),
  };
}
