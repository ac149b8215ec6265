/** The kvm_run view: its panes, keys and commands put together. */
import type { SnapshotRow } from '../../kvm/snapshot-view.js';
import { escapeText } from '../../report/escape.js';
import { GENERAL, MOVE, PANES, SEARCH } from '../model/common-keys.js';
import { summaryOf } from '../model/finding.js';
import type { Command, Key } from '../model/keys.js';
import { shellWord } from '../model/match.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { jumpTo } from '../model/scroll.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { type Marks, lastOffered, type View, copiesOf, tell } from '../model/view.js';
import { type KvmPane, kvmBands, kvmBox } from './layout.js';
import { KVM_PANES } from './panes.js';
import { type KvmModel, type KvmState, find, openKvmState, searched, selectedField, settle, show } from './state.js';

const SNAPSHOTS = 'Snapshots and fields';

const COPIES = ['value', 'path', 'bytes', 'address', 'json', 'command'] as const;
type Copy = (typeof COPIES)[number];

function textOf(state: KvmState, what: Copy): string {
  const field = selectedField(state);
  if (what === 'command') return `luo-inspect kvm ${shellWord(state.model.path)}`;
  if (field === null) return '';
  switch (what) {
    case 'value':
      return field.value;
    case 'path':
      return field.path;
    case 'address':
      return `0x${field.offset.toString(16)}`;
    case 'bytes':
      return Buffer.from(state.view.bytes.subarray(field.offset, field.offset + field.size)).toString('hex');
    case 'json':
      return JSON.stringify({ path: field.path, value: field.value, offset: field.offset, size: field.size, meaning: field.meaning });
  }
}

function toField(state: KvmState, wanted: (row: SnapshotRow) => boolean, what: string): KvmState {
  const index = state.rows.findIndex((row) => !('heading' in row) && wanted(row));
  if (index === -1) return tell<KvmState, KvmPane>(state, `no ${what} in this snapshot`);
  return settle({ ...state, fields: jumpTo(state.fields, index, state.rows.length, kvmBox(state, 'payload').height) });
}

/** To the smallest field that covers an offset. */
function atOffset(state: KvmState, argument: string, told: boolean): KvmState {
  if (!/^(0x[0-9a-f]{1,8}|\d{1,8})$/i.test(argument)) return tell<KvmState, KvmPane>(state, 'takes an offset in the page, 0x…');
  const offset = Number(argument);
  const covers = (row: SnapshotRow): boolean => offset >= row.offset && offset < row.offset + row.size;
  const least = Math.min(...state.rows.flatMap((row) => ('heading' in row || !covers(row) ? [] : [row.size])));
  const there = toField(state, (row) => covers(row) && row.size === least, `field at ${argument}`);
  const field = selectedField(there);
  if (!told || field === null || !covers(field)) return there;
  return tell<KvmState, KvmPane>(
    there,
    `${argument}: ${field.path}, byte ${offset - field.offset} of ${field.size}${field.meaning === '' ? '' : `: ${field.meaning}`}`,
  );
}

function exported({ rows, view }: KvmState, json: boolean): string {
  if (json) return `${JSON.stringify({ exit: view.title, explanation: view.explanation, fields: rows.filter((row) => !('heading' in row)) }, null, 1)}\n`;
  const lines = rows.map((row) =>
    'heading' in row ? `\n${row.heading}` : `  ${row.path} ${row.value}${row.words === '' ? '' : `  ${escapeText(row.words)}`}`,
  );
  return `${[view.title, ...view.explanation.map(escapeText), ...lines].join('\n')}\n`;
}

/** A snapshot, and a field of it. */
const MARKS: Marks<KvmState> = {
  group: SNAPSHOTS,
  names: ({ marks }) => [...marks.keys()],
  set: (state, name) => {
    const path = selectedField(state)?.path ?? '';
    const snapshot = state.snapshots.cursor;
    return { state: { ...state, marks: new Map(state.marks).set(name, { snapshot, path }) }, what: `${path} of snapshot ${snapshot}` };
  },
  goTo: (state, name) => {
    const mark = state.marks.get(name);
    if (mark === undefined) return null;
    const there = mark.snapshot === state.snapshots.cursor ? state : show(state, mark.snapshot);
    return mark.path === '' ? there : toField(there, ({ path }) => path === mark.path, `field ${escapeText(mark.path)}`);
  },
};

const KEYS: readonly Key<KvmState>[] = [
  {
    keys: [']'],
    group: SNAPSHOTS,
    counts: true,
    help: 'next snapshot',
    hint: 'next',
    run: (state, count) => show(state, state.snapshots.cursor + (count ?? 1)),
  },
  {
    keys: ['['],
    group: SNAPSHOTS,
    counts: true,
    help: 'snapshot before',
    hint: 'before',
    run: (state, count) => show(state, state.snapshots.cursor - (count ?? 1)),
  },
];

const COMMANDS: readonly Command<KvmState>[] = [
  {
    name: 'snapshot',
    args: '<n>',
    help: 'show snapshot n, counted from 0',
    run: (state, argument) => (/^\d{1,9}$/.test(argument) ? show(state, Number(argument)) : tell<KvmState, KvmPane>(state, ':snapshot takes a number')),
  },
];

const NO_SESSIONS = 'a kvm_run page has no sessions; a dump of the machine has';

const SHARED: SharedCommands<KvmState> = {
  goto: { help: 'go to the field at an offset of the page', run: (state, argument) => atOffset(state, argument, false) },
  whatis: { help: 'what is at an offset of the page', run: (state, argument) => atOffset(state, argument, true) },
  path: {
    help: 'go to the field with this path',
    complete: (state) => state.rows.flatMap((row) => ('heading' in row ? [] : [row.path])),
    run: (state, path) => toField(state, (row) => row.path === path, `field ${escapeText(path)}`),
  },
  session: NO_SESSIONS,
  token: NO_SESSIONS,
  set: 'a snapshot is only read: nothing runs on it here',
};

export const KVM: View<KvmState, KvmPane> = {
  name: 'kvm_run snapshots',
  intro: '`luo-inspect <snapshot>`: payload, bytes and explanation of kvm_run pages.',
  panes: KVM_PANES,
  keys: KEYS,
  groups: [MOVE, SNAPSHOTS, SEARCH, PANES, GENERAL],
  commands: COMMANDS,
  shared: SHARED,
  words: {
    left: 'snapshot before',
    right: 'next snapshot',
    enter: 'among the snapshots: look at the fields of the one under the cursor',
    search: 'search fields; among the snapshots, search those',
  },
  tabs: [],
  search: (state, text) => (text === '' ? { ...state, query: null } : find({ ...state, query: text }, 1, true)),
  find: (state, by) => find(state, by, false),
  endSearch: (state) => ({ ...state, query: null }),
  found: (state) => (state.query === null ? null : { query: state.query, ...searched(state) }),
  copies: copiesOf<KvmState, Copy>({
    kinds: COPIES,
    text: textOf,
    keys: [
      { keys: ['y'], what: ['value'], help: 'copy the value (through the terminal, OSC 52)' },
      { keys: ['Y'], what: ['path'], help: "copy the field's path" },
      { keys: ['c'], what: ['command'], help: 'copy a command line that shows this snapshot' },
    ],
  }),
  exported: { help: 'write all fields of this snapshot to a new file: as JSON where its name ends in .json, else as text', text: exported },
  marks: MARKS,
  layout: kvmBands,
  title: ({ model }) => model.title,
  summary: (state) => summaryOf([...state.view.findings, ...state.model.findings]),
  settle,
  goTo: (state) => state,
  work: () => null,
  kept: (state) => ({
    marks: Object.fromEntries(
      [...state.marks, ['last', { snapshot: state.snapshots.cursor, path: selectedField(state)?.path ?? '' }] as const].map(([name, { snapshot, path }]) => [
        name,
        `${snapshot} ${path}`,
      ]),
    ),
  }),
  restored: (state, { marks }) =>
    lastOffered<KvmState, KvmPane>(
      {
        ...state,
        marks: new Map(
          Object.entries(marks).flatMap(([name, text]) => {
            const parts = /^(\d{1,9}) (.*)$/.exec(text);
            return parts === null || Number(parts[1]) >= state.model.count ? [] : [[name, { snapshot: Number(parts[1]), path: parts[2] ?? '' }] as const];
          }),
        ),
      },
      marks.last === undefined ? undefined : `snapshot ${marks.last}`,
    ),
};

export const kvmProgram = (model: KvmModel): Program<KvmState> => programOf(KVM, (size) => openKvmState(model, size));
