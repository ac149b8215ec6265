/** The kvm_run view: its panes, keys and commands put together. */
import { commonCommands, filterQuestion, generalKeys, moveKeys, paneKeys, searchKeys } from '../model/common-keys.js';
import { summaryOf } from '../model/finding.js';
import type { Command, Key } from '../model/keys.js';
import type { Program } from '../model/program.js';
import { span } from '../model/text.js';
import { type View, effect, programOf, tell } from '../model/view.js';
import { type KvmPane, kvmBands } from './layout.js';
import { KVM_PANES } from './panes.js';
import { type KvmModel, type KvmState, find, openKvmState, selectedField, settle, show } from './state.js';

const SNAPSHOTS = 'Snapshots and fields';

const view = (): View<KvmState, KvmPane> => KVM;

function copy(state: KvmState, what: 'value' | 'path'): KvmState {
  const field = selectedField(state);
  const text = field === null ? '' : what === 'path' ? field.path : field.value;
  if (text === '') return tell<KvmState, KvmPane>(state, 'nothing to copy here');
  return effect<KvmState, KvmPane>(tell<KvmState, KvmPane>(state, `copied ${text}`), { kind: 'copy', text });
}

const KEYS: readonly Key<KvmState>[] = [
  ...moveKeys<KvmState, KvmPane>(view, { left: 'snapshot before', right: 'next snapshot' }),
  { keys: [']'], group: SNAPSHOTS, help: 'next snapshot', hint: 'next', run: (state, count) => show(state, state.snapshots.cursor + (count ?? 1)) },
  { keys: ['['], group: SNAPSHOTS, help: 'snapshot before', hint: 'before', run: (state, count) => show(state, state.snapshots.cursor - (count ?? 1)) },
  ...searchKeys<KvmState, KvmPane>(
    view,
    SNAPSHOTS,
    { enter: 'among the snapshots: look at the fields of the one under the cursor', search: 'search fields; among the snapshots, search those' },
    (state, by) => find(state, by, false),
  ),
  { keys: ['y'], group: SNAPSHOTS, help: 'copy the value (through the terminal, OSC 52)', run: (state) => copy(state, 'value') },
  { keys: ['Y'], group: SNAPSHOTS, help: "copy the field's path", run: (state) => copy(state, 'path') },
  ...paneKeys<KvmState, KvmPane>(view),
  ...generalKeys<KvmState, KvmPane>(view, (state) => ({ ...state, query: null })),
];

const COMMANDS: readonly Command<KvmState>[] = [
  {
    name: 'snapshot',
    args: '<n>',
    help: 'show snapshot n, counted from 0',
    run: (state, argument) => (/^\d{1,9}$/.test(argument) ? show(state, Number(argument)) : tell<KvmState, KvmPane>(state, ':snapshot takes a number')),
  },
  { name: 'find', args: '<text>', help: 'search, as / does', run: (state, text) => find({ ...state, query: text || null }, 1, true) },
  ...commonCommands<KvmState, KvmPane>(view),
];

export const KVM: View<KvmState, KvmPane> = {
  name: 'kvm_run snapshots',
  intro: '`luo-inspect <snapshot>`: payload, bytes and explanation of kvm_run pages.',
  panes: KVM_PANES,
  keys: KEYS,
  commands: COMMANDS,
  questions: { '/': { run: (state, text) => find({ ...state, query: text || null }, 1, true) }, 'filter: ': filterQuestion<KvmState, KvmPane>() },
  layout: kvmBands,
  title: ({ model }) => model.title,
  summary: (state) => summaryOf([...state.view.findings, ...state.model.findings]),
  status: ({ query }) =>
    query === null
      ? null
      : [
          span(` /${query}  `, 'match'),
          span('n', 'key'),
          span(' next  ', 'dim'),
          span('N', 'key'),
          span(' previous  ', 'dim'),
          span('Esc', 'key'),
          span(' end', 'dim'),
        ],
  settle,
  goTo: (state) => state,
  work: () => null,
};

export const kvmProgram = (model: KvmModel): Program<KvmState> => programOf(KVM, (size) => openKvmState(model, size));
