/** The state of the kvm_run view, and what keys do to it. Pure. */
import type { SnapshotRow, SnapshotView } from '../../kvm/snapshot-view.js';
import type { CommonAction } from '../model/keys.js';
import type { FindingView } from '../model/finding.js';
import type { Step } from '../model/program.js';
import { type Band, type PaneBox, type Size, alone, boxOf } from '../model/screen.js';
import { type Motion, type Scroll, START, jumpTo, keepInView, moveBy, rowsOf, scrollText } from '../model/scroll.js';
import { type Shell, motionOf, openShell, say, shellKey } from '../model/shell.js';
import { explanationLines } from './lines.js';
import { KVM_SPEC, type KvmAction, type KvmPane } from './keys.js';

/** What `openKvm` is given. */
export interface KvmModel {
  /** escaped */
  readonly title: string;
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
  };
  return settle(state);
}

/** Wide: payload, hex and explanation beside each other; narrow: explanation above hex. Snapshots below, where there are several. */
export function kvmBands({ shell, model }: Pick<KvmState, 'shell' | 'model'>): Band[] {
  const { size, focus, zoom } = shell;
  if (zoom) return alone(size, focus);
  const body = size.rows - 2;
  const most = focus === 'snapshots' ? Math.floor(body / 2) : Math.max(2, Math.floor(body / 5));
  const strip = model.count > 1 ? 1 + Math.min(model.count, most) : 0;
  const upper = body - strip;
  const bands: Band[] = [{ height: upper, columns: size.columns >= 150 ? wide(size.columns, upper) : narrow(size.columns, upper) }];
  if (strip > 0) bands.push({ height: strip, columns: [{ width: size.columns, panes: [{ id: 'snapshots', height: strip }] }] });
  return bands;
}

function wide(columns: number, height: number): Band['columns'] {
  const hex = 78;
  const left = Math.floor((columns - hex - 2) / 2);
  return [
    { width: left, panes: [{ id: 'payload', height }] },
    { width: hex, panes: [{ id: 'hex', height }] },
    { width: columns - left - hex - 2, panes: [{ id: 'explanation', height }] },
  ];
}

function narrow(columns: number, height: number): Band['columns'] {
  const left = Math.floor(columns / 2);
  const top = Math.ceil(height * 0.58);
  return [
    { width: left, panes: [{ id: 'payload', height }] },
    {
      width: columns - left - 1,
      panes: [
        { id: 'explanation', height: top },
        { id: 'hex', height: height - top },
      ],
    },
  ];
}

export const kvmBox = (state: Pick<KvmState, 'shell' | 'model'>, id: KvmPane): PaneBox =>
  boxOf(kvmBands(state), id) ?? { width: state.shell.size.columns, height: state.shell.size.rows - 3 };

/** The field under the cursor; null on a heading. */
export function selectedField(state: KvmState): SnapshotRow | null {
  const row = state.rows[state.fields.cursor];
  return row === undefined || 'heading' in row ? null : row;
}

export function reduceKvm(before: KvmState, key: string): Step<KvmState> {
  const result = shellKey(before.shell, key, KVM_SPEC);
  const state = { ...before, shell: result.shell };
  switch (result.kind) {
    case 'done':
      return { state: settle(state), effects: result.effects };
    case 'entered':
      return result.sign === '/' ? only(find({ ...state, query: result.text || null }, 1, true)) : command(state, result.text);
    case 'action':
      return act(state, result.action);
  }
}

const only = (state: KvmState): Step<KvmState> => ({ state, effects: [] });
const tell = (state: KvmState, toast: string): KvmState => ({ ...state, shell: say(state.shell, toast) });

function act(state: KvmState, action: KvmAction | CommonAction): Step<KvmState> {
  const motion = motionOf(action);
  if (motion !== null) return only(move(state, motion));
  switch (action) {
    case 'nextSnapshot':
      return only(show(state, state.snapshots.cursor + 1));
    case 'previousSnapshot':
      return only(show(state, state.snapshots.cursor - 1));
    case 'enter':
      return only(settle({ ...state, shell: { ...state.shell, focus: 'payload' } }));
    case 'nextMatch':
      return only(find(state, 1, false));
    case 'previousMatch':
      return only(find(state, -1, false));
    case 'escape':
      return only({ ...state, query: null });
    case 'copyValue':
    case 'copyPath': {
      const field = selectedField(state);
      const text = field === null ? '' : action === 'copyPath' ? field.path : field.value;
      return text === '' ? only(tell(state, 'nothing to copy here')) : { state: tell(state, `copied ${text}`), effects: [{ kind: 'copy', text }] };
    }
    default:
      return only(state);
  }
}

/** Shows another snapshot; the cursor stays on the field of the same name, where it has one. */
function show(state: KvmState, index: number): KvmState {
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

function move(state: KvmState, motion: Motion): KvmState {
  const { focus } = state.shell;
  const box = kvmBox(state, focus);
  const by = rowsOf(motion, box.height);
  switch (focus) {
    case 'payload':
      return settle({ ...state, fields: moveBy(state.fields, by, state.rows.length, box.height) });
    case 'explanation':
      return { ...state, explanationTop: scrollText(state.explanationTop, by, explanationLines(state.view, state.model, box.width).length, box.height) };
    case 'hex':
      return {
        ...state,
        hexTop: Math.max(
          0,
          Math.min(state.hexTop + (Number.isFinite(by) ? by : Math.sign(by) * 2 ** 20), Math.ceil(state.view.bytes.length / kvmPerRow(box.width)) - 1),
        ),
      };
    case 'snapshots': {
      const { cursor } = moveBy(state.snapshots, by, state.model.count, box.height);
      return cursor === state.snapshots.cursor ? state : show(state, cursor);
    }
  }
}

/** Bytes a hex row holds; offsets have four digits. */
export const kvmPerRow = (width: number): 8 | 16 => (width >= 4 + 3 + 16 * 4 ? 16 : 8);

/** Snapshots a search looks at; each is decoded for its line. */
const SEARCH_SNAPSHOTS = 10_000;

function find(state: KvmState, by: 1 | -1, here: boolean): KvmState {
  const { query, model } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const wanted = query.toLowerCase();
  const among = state.shell.focus === 'snapshots';
  const count = among ? model.count : state.rows.length;
  const from = among ? state.snapshots.cursor : state.fields.cursor;
  const text = (index: number): string => {
    if (among) return model.label(index);
    const row = state.rows[index];
    return row === undefined || 'heading' in row ? '' : `${row.path} ${row.value} ${row.words}`;
  };
  for (let step = here ? 0 : 1; step <= Math.min(count, SEARCH_SNAPSHOTS); step++) {
    const index = (from + by * step + count * 2) % count;
    if (!text(index).toLowerCase().includes(wanted)) continue;
    return among ? show(state, index) : settle({ ...state, fields: jumpTo(state.fields, index, count, kvmBox(state, 'payload').height) });
  }
  return tell(state, `no match for ${query}`);
}

function command(state: KvmState, text: string): Step<KvmState> {
  const [name = '', argument = ''] = text.trim().split(/\s+/);
  switch (name) {
    case '':
      return only(state);
    case 'q':
    case 'quit':
      return { state, effects: [{ kind: 'quit' }] };
    case 'help':
      return only({ ...state, shell: { ...state.shell, helpTop: 0 } });
    case 'snapshot':
      return only(/^\d{1,9}$/.test(argument) ? show(state, Number(argument)) : tell(state, ':snapshot takes a number'));
    default:
      return only(tell(state, `no command ${name}: ? lists them`));
  }
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

export const resizeKvm = (state: KvmState, size: Size): KvmState => settle({ ...state, shell: { ...state.shell, size } });
