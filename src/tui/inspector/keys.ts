/** The inspector's keys and commands. */
import { type CommandHelp, type CommonAction, GENERAL_KEYS, type KeyTable, MOVE_KEYS, PANE_KEYS } from '../model/keys.js';
import type { ShellSpec } from '../model/shell.js';

export const PANES = ['tree', 'detail', 'hex', 'findings'] as const;
export type PaneId = (typeof PANES)[number];

export type InspectorAction = 'nextFinding' | 'previousFinding';

const TREE = 'Tree and findings';
const SEARCH = 'Search and commands';

export const INSPECTOR_KEYS: KeyTable<InspectorAction | CommonAction> = [
  ...MOVE_KEYS,
  { action: 'enter', keys: ['enter'], group: TREE, help: 'follow a pointer, else open the node; on a finding, go to its node', hint: 'follow' },
  { action: 'back', keys: ['backspace', 'ctrl-o'], group: TREE, help: 'back to where the last jump came from', hint: 'back' },
  { action: 'toggle', keys: ['space'], group: TREE, help: 'open or close the node', panes: ['tree'] },
  { action: 'nextFinding', keys: [']'], group: TREE, help: 'go to the next finding', hint: 'finding' },
  { action: 'previousFinding', keys: ['['], group: TREE, help: 'go to the finding before' },
  { action: 'search', keys: ['/'], group: SEARCH, help: 'search names, values, meanings and addresses', hint: 'search' },
  { action: 'nextMatch', keys: ['n'], group: SEARCH, help: 'next match' },
  { action: 'previousMatch', keys: ['N'], group: SEARCH, help: 'match before' },
  { action: 'command', keys: [':'], group: SEARCH, help: 'type a command' },
  { action: 'copyValue', keys: ['y'], group: SEARCH, help: 'copy the value (through the terminal, OSC 52)' },
  { action: 'copyPath', keys: ['Y'], group: SEARCH, help: 'copy the path' },
  ...PANE_KEYS,
  ...GENERAL_KEYS,
];

export const INSPECTOR_COMMANDS: readonly CommandHelp[] = [
  { name: 'goto', args: '0x<address>', help: 'show a physical address in the hex pane' },
  { name: 'path', args: '<path>', help: 'select the node with this path' },
  { name: 'find', args: '<text>', help: 'search, as / does' },
  { name: 'help', args: '', help: 'the keys' },
  { name: 'q', args: '', help: 'quit' },
];

export const INSPECTOR_SPEC: ShellSpec<PaneId, InspectorAction> = { panes: PANES, table: INSPECTOR_KEYS, commands: INSPECTOR_COMMANDS };
