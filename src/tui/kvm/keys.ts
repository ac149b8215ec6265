/** The keys of the kvm_run view. */
import { type CommandHelp, type CommonAction, GENERAL_KEYS, type KeyTable, MOVE_KEYS, PANE_KEYS } from '../model/keys.js';
import type { ShellSpec } from '../model/shell.js';

export const KVM_PANES = ['payload', 'explanation', 'hex', 'snapshots'] as const;
export type KvmPane = (typeof KVM_PANES)[number];

export type KvmAction = 'nextSnapshot' | 'previousSnapshot';

const SNAPSHOTS = 'Snapshots and fields';

const KVM_KEYS: KeyTable<KvmAction | CommonAction> = [
  ...MOVE_KEYS.filter(({ action }) => action !== 'left' && action !== 'right'),
  { action: 'nextSnapshot', keys: [']', 'l', 'right'], group: SNAPSHOTS, help: 'next snapshot', hint: 'next' },
  { action: 'previousSnapshot', keys: ['[', 'h', 'left'], group: SNAPSHOTS, help: 'snapshot before', hint: 'before' },
  { action: 'enter', keys: ['enter'], group: SNAPSHOTS, help: 'look at the fields of the snapshot', panes: ['snapshots'], hint: 'look' },
  { action: 'search', keys: ['/'], group: SNAPSHOTS, help: 'search fields; among the snapshots, search those', hint: 'search' },
  { action: 'nextMatch', keys: ['n'], group: SNAPSHOTS, help: 'next match' },
  { action: 'previousMatch', keys: ['N'], group: SNAPSHOTS, help: 'match before' },
  { action: 'copyValue', keys: ['y'], group: SNAPSHOTS, help: 'copy the value (through the terminal, OSC 52)' },
  { action: 'copyPath', keys: ['Y'], group: SNAPSHOTS, help: "copy the field's path" },
  { action: 'command', keys: [':'], group: SNAPSHOTS, help: 'type a command' },
  ...PANE_KEYS,
  ...GENERAL_KEYS,
];

const KVM_COMMANDS: readonly CommandHelp[] = [
  { name: 'snapshot', args: '<n>', help: 'show snapshot n, counted from 0' },
  { name: 'help', args: '', help: 'the keys' },
  { name: 'q', args: '', help: 'quit' },
];

export const KVM_SPEC: ShellSpec<KvmPane, KvmAction> = { panes: KVM_PANES, table: KVM_KEYS, commands: KVM_COMMANDS };
