/** The kvm_run view as a program for the terminal part: payload, hex and explanation side by side. */
import { bufferMemory } from '../../memory/buffer-memory.js';
import { summaryOf } from '../model/finding.js';
import { hexRows } from '../model/hex.js';
import type { Program } from '../model/program.js';
import type { PaneBox, PaneContent } from '../model/screen.js';
import { positionOf } from '../model/scroll.js';
import { frame } from '../model/shell.js';
import { type Line, clip, fill, line, restyle, span } from '../model/text.js';
import { KVM_SPEC } from './keys.js';
import { explanationLines, fieldRow } from './lines.js';
import { type KvmModel, type KvmState, kvmBands, kvmPerRow, openKvmState, reduceKvm, resizeKvm, selectedField } from './state.js';

export const kvmProgram = (model: KvmModel): Program<KvmState> => ({
  initial: (size) => openKvmState(model, size),
  key: reduceKvm,
  resize: resizeKvm,
  screen: (state) =>
    frame(state.shell, KVM_SPEC, {
      title: model.title,
      summary: summaryOf([...state.view.findings, ...model.findings]),
      bands: kvmBands(state),
      contentOf: (id, box) => contentOf(state, id, box),
      status:
        state.query === null
          ? null
          : [
              span(` /${state.query}  `, 'match'),
              span('n', 'key'),
              span(' next  ', 'dim'),
              span('N', 'key'),
              span(' previous  ', 'dim'),
              span('Esc', 'key'),
              span(' end', 'dim'),
            ],
    }),
  work: () => null,
});

function contentOf(state: KvmState, id: string, box: PaneBox): PaneContent {
  switch (id) {
    case 'payload':
      return payload(state, box);
    case 'explanation': {
      const lines = explanationLines(state.view, state.model, box.width);
      const below = lines.length - state.explanationTop - box.height;
      return { title: 'explanation', note: below > 0 ? `${below} more ↓` : '', rows: lines.slice(state.explanationTop) };
    }
    case 'hex':
      return hexPane(state, box);
    default:
      return snapshots(state, box);
  }
}

function payload(state: KvmState, box: PaneBox): PaneContent {
  const focused = state.shell.focus === 'payload';
  const query = state.query?.toLowerCase() ?? null;
  const rows = state.rows.slice(state.fields.top, state.fields.top + box.height).map((row, index): Line => {
    const selected = state.fields.top + index === state.fields.cursor;
    if ('heading' in row) return [span(selected ? '›' : ' ', 'focus'), span(row.heading, 'title')];
    const match = query !== null && `${row.path} ${row.value} ${row.words}`.toLowerCase().includes(query);
    return fieldRow(row, selected, focused, match, box.width);
  });
  return { title: state.view.title, note: positionOf(state.fields.cursor, state.rows.length), rows };
}

function hexPane(state: KvmState, box: PaneBox): PaneContent {
  const field = selectedField(state);
  const perRow = kvmPerRow(box.width);
  const memory = bufferMemory([{ start: 0, bytes: state.view.bytes }]);
  const rows = hexRows(memory, state.hexTop * perRow, {
    height: Math.max(0, box.height - 2),
    perRow,
    digits: 4,
    selection: field === null || field.size === 0 ? null : { address: field.offset, firstBit: 0, bits: field.size * 8 },
    words: () => 'not in this snapshot',
  });
  const about: Line[] =
    field === null
      ? [[], []]
      : [
          clip([span(field.path, 'title'), span(`  ${field.size} byte${field.size === 1 ? '' : 's'} at 0x${field.offset.toString(16)}`, 'address')], box.width),
          line(field.meaning),
        ];
  return { title: 'bytes', note: `${state.view.bytes.length} bytes`, rows: [...about, ...rows] };
}

function snapshots(state: KvmState, box: PaneBox): PaneContent {
  const { model } = state;
  const focused = state.shell.focus === 'snapshots';
  const rows: Line[] = [];
  for (let index = state.snapshots.top; index < Math.min(model.count, state.snapshots.top + box.height); index++) {
    const selected = index === state.snapshots.cursor;
    const row: Line = [
      span(selected ? '›' : ' ', 'focus'),
      span(`${index}`.padStart(String(model.count - 1).length), 'address'),
      span(`  ${model.label(index)}`),
    ];
    rows.push(selected ? restyle(fill(row, box.width), focused ? 'cursor' : 'selected') : row);
  }
  return { title: 'snapshots', note: positionOf(state.snapshots.cursor, model.count), rows };
}
