/** The panes of the kvm_run view: what each shows, and what motions in it do. Pure. */
import { bufferMemory } from '../../memory/buffer-memory.js';
import { hasWords } from '../model/match.js';
import { hexRows } from '../model/hex.js';
import { listRows } from '../model/list.js';
import { moveBy, positionOf, rowsOf, scrollText } from '../model/scroll.js';
import { type Line, clip, line, span } from '../model/text.js';
import { type Pane, filterOf, focused } from '../model/view.js';
import type { KvmPane } from './layout.js';
import { explanationLines, fieldRow } from './lines.js';
import { type KvmRow, type KvmState, kvmPerRow, selectedField, settle, show } from './state.js';

type Of = Pane<KvmState, KvmPane>;

const matches = (row: KvmRow, wanted: string): boolean => !('heading' in row) && hasWords(`${row.path} ${row.value} ${row.words}`, wanted);

const payload: Of = {
  id: 'payload',
  filters: true,
  content: (state, box) => {
    const inFocus = state.shell.focus === 'payload';
    const filter = filterOf<KvmPane>(state, 'payload');
    const all = state.rows.map((row, index) => ({ row, index }));
    const kept = filter === '' ? all : all.filter(({ row }) => matches(row, filter));
    const at =
      filter === ''
        ? state.fields.top
        : Math.max(
            0,
            Math.min(
              kept.findIndex(({ index }) => index >= state.fields.cursor),
              kept.length - box.height,
            ),
          );
    const rows = kept.slice(at, at + box.height).map(({ row, index }): Line => {
      const selected = index === state.fields.cursor;
      if ('heading' in row) return [span(selected ? '›' : ' ', 'focus'), span(row.heading, 'title')];
      return fieldRow(row, selected, inFocus, state.query !== null && matches(row, state.query), box.width);
    });
    return { title: state.view.title, note: positionOf(state.fields.cursor, state.rows.length), rows };
  },
  move: (state, motion, box, count) => {
    const filter = filterOf<KvmPane>(state, 'payload');
    const by = rowsOf(motion, box.height) * count;
    if (filter === '') return settle({ ...state, fields: moveBy(state.fields, by, state.rows.length, box.height) });
    const kept = state.rows.flatMap((row, index) => (matches(row, filter) ? [index] : []));
    const at = kept.findIndex((index) => index >= state.fields.cursor);
    const next = kept[Math.max(0, Math.min((at === -1 ? 0 : at) + by, kept.length - 1))];
    return next === undefined ? state : settle({ ...state, fields: { ...state.fields, cursor: next } });
  },
  sideways: (state, by, _box, count) => show(state, state.snapshots.cursor + by * count),
  click: (state, row) => settle({ ...state, fields: { ...state.fields, cursor: Math.min(state.rows.length - 1, state.fields.top + row) } }),
};

const explanation: Of = {
  id: 'explanation',
  content: (state, box) => {
    const lines = explanationLines(state.view, state.model, box.width);
    const below = lines.length - state.explanationTop - box.height;
    return { title: 'explanation', note: below > 0 ? `${below} more ↓` : '', rows: lines.slice(state.explanationTop) };
  },
  move: (state, motion, box, count) => {
    const lines = explanationLines(state.view, state.model, box.width).length;
    return { ...state, explanationTop: scrollText(state.explanationTop, rowsOf(motion, box.height) * count, lines, box.height) };
  },
};

const hexPane: Of = {
  id: 'hex',
  content: (state, box) => {
    const field = selectedField(state);
    const perRow = kvmPerRow(box.width);
    const memory = bufferMemory([{ start: 0, bytes: state.view.bytes }]);
    const rows = hexRows({ memory, perRow, keep: field?.offset ?? null }, state.hexTop * perRow, {
      height: Math.max(0, box.height - 2),
      digits: 4,
      selection: field === null || field.size === 0 ? null : { address: field.offset, firstBit: 0, bits: field.size * 8 },
      words: () => 'not in this snapshot',
    });
    const about: Line[] =
      field === null
        ? [[], []]
        : [
            clip(
              [span(field.path, 'title'), span(`  ${field.size} byte${field.size === 1 ? '' : 's'} at 0x${field.offset.toString(16)}`, 'address')],
              box.width,
            ),
            line(field.meaning),
          ];
    return { title: 'bytes', note: `${state.view.bytes.length} bytes`, rows: [...about, ...rows] };
  },
  move: (state, motion, box, count) => {
    const by = rowsOf(motion, box.height) * count;
    const last = Math.ceil(state.view.bytes.length / kvmPerRow(box.width)) - 1;
    return { ...state, hexTop: Math.max(0, Math.min(state.hexTop + (Number.isFinite(by) ? by : Math.sign(by) * 2 ** 20), last)) };
  },
};

/** Snapshots that a filter looks at; each is decoded for its line. */
const MOST_FILTERED = 2_000;

const snapshots: Of = {
  id: 'snapshots',
  filters: true,
  content: (state, box) => {
    const { model } = state;
    const filter = filterOf<KvmPane>(state, 'snapshots');
    const digits = String(model.count - 1).length;
    const rowOf = (index: number): Line => [span(`${index}`.padStart(digits), 'address'), span(`  ${model.label(index)}`)];
    const inFocus = state.shell.focus === 'snapshots';
    if (filter !== '') {
      const kept = Array.from({ length: Math.min(model.count, MOST_FILTERED) }, (_, index) => index).filter((index) => hasWords(model.label(index), filter));
      const cursor = kept.indexOf(state.snapshots.cursor);
      const top = Math.max(0, Math.min(cursor, kept.length - box.height));
      return { title: 'snapshots', note: positionOf(Math.max(0, cursor), kept.length), rows: listRows(kept, { cursor, top }, box, inFocus, rowOf, true) };
    }
    const shown = Array.from({ length: Math.max(0, Math.min(box.height, model.count - state.snapshots.top)) }, (_, index) => state.snapshots.top + index);
    const scroll = { cursor: state.snapshots.cursor - state.snapshots.top, top: 0 };
    return { title: 'snapshots', note: positionOf(state.snapshots.cursor, model.count), rows: listRows(shown, scroll, box, inFocus, rowOf, true) };
  },
  move: (state, motion, box, count) => {
    const { cursor } = moveBy(state.snapshots, rowsOf(motion, box.height) * count, state.model.count, box.height);
    return cursor === state.snapshots.cursor ? state : show(state, cursor);
  },
  enter: (state) => settle(focused<KvmState, KvmPane>(state, 'payload')),
  click: (state, row) => show(state, Math.min(state.model.count - 1, state.snapshots.top + row)),
};

export const KVM_PANES: Readonly<Record<KvmPane, Of>> = { payload, explanation, hex: hexPane, snapshots };
