/** The debugger's keys and commands: small letters go forwards, capitals backwards. */
import { type CommandHelp, type CommonAction, GENERAL_KEYS, type KeyTable, MOVE_KEYS, PANE_KEYS } from '../model/keys.js';
import type { ShellSpec } from '../model/shell.js';

export const DEBUGGER_PANES = ['program', 'timeline', 'stack', 'step', 'state', 'memory', 'device', 'log'] as const;
export type DebuggerPane = (typeof DEBUGGER_PANES)[number];

export type DebuggerAction =
  | 'step'
  | 'stepBack'
  | 'over'
  | 'overBack'
  | 'out'
  | 'outBack'
  | 'continue'
  | 'continueBack'
  | 'nextAction'
  | 'previousAction'
  | 'failure'
  | 'breakpoint'
  | 'mark'
  | 'goToMark'
  | 'remove'
  | 'edit'
  | 'undoEdits'
  | 'inspect';

const TIME = 'Time';
const STOPS = 'Breakpoints, marks, edits';
const LOOK = 'Look';

const DEBUGGER_KEYS: KeyTable<DebuggerAction | CommonAction> = [
  { action: 'step', keys: ['s'], group: TIME, help: 'one step', hint: 'step' },
  { action: 'stepBack', keys: ['S', 'b'], group: TIME, help: 'one step back' },
  { action: 'over', keys: ['n'], group: TIME, help: 'next: over the call that is entered here', hint: 'next' },
  { action: 'overBack', keys: ['N'], group: TIME, help: 'back over the call that was left here' },
  { action: 'out', keys: ['o'], group: TIME, help: 'out of the call', hint: 'out' },
  { action: 'outBack', keys: ['O'], group: TIME, help: 'back to where the call was entered' },
  { action: 'continue', keys: ['c'], group: TIME, help: 'on to the next breakpoint, or to the end', hint: 'continue' },
  { action: 'continueBack', keys: ['C'], group: TIME, help: 'back to the breakpoint before, or to the start', hint: 'back' },
  { action: 'nextAction', keys: ['a'], group: TIME, help: "the agent's next step of the program" },
  { action: 'previousAction', keys: ['A'], group: TIME, help: "the agent's step before" },
  { action: 'failure', keys: ['F'], group: TIME, help: 'where the run first went wrong: an expectation not met, else the first call refused', hint: 'failure' },
  { action: 'breakpoint', keys: ['B'], group: STOPS, help: 'a breakpoint on the operation of the step, or none any more', hint: 'break' },
  { action: 'mark', keys: ['m'], group: STOPS, help: 'name this step' },
  { action: 'goToMark', keys: ["'"], group: STOPS, help: 'go to a named step' },
  { action: 'remove', keys: ['x'], group: STOPS, help: 'remove the breakpoint or mark under the cursor', panes: ['stack'] },
  { action: 'edit', keys: ['e'], group: STOPS, help: 'store other bytes into memory here and see what happens' },
  { action: 'undoEdits', keys: ['u'], group: STOPS, help: 'take all edits back' },
  ...MOVE_KEYS.map((binding) =>
    binding.action === 'left' || binding.action === 'right'
      ? { ...binding, panes: ['state', 'device'], help: binding.action === 'left' ? 'close the node' : 'open the node' }
      : binding,
  ),
  { action: 'enter', keys: ['enter'], group: LOOK, help: 'go to what the row is about: a step, a call, a mark, the bytes written' },
  { action: 'toggle', keys: ['space'], group: LOOK, help: 'open or close the node', panes: ['state', 'device'] },
  { action: 'inspect', keys: ['i'], group: LOOK, help: 'open the memory of this step in the inspector', hint: 'inspect' },
  { action: 'search', keys: ['/'], group: LOOK, help: 'search the timeline: operation, argument, errno, console line', hint: 'search' },
  { action: 'nextMatch', keys: ['>'], group: LOOK, help: 'next match' },
  { action: 'previousMatch', keys: ['<'], group: LOOK, help: 'match before' },
  { action: 'command', keys: [':'], group: LOOK, help: 'type a command' },
  ...PANE_KEYS,
  ...GENERAL_KEYS,
];

const DEBUGGER_COMMANDS: readonly CommandHelp[] = [
  { name: 'run', args: '<step>', help: 'to that step, forwards or backwards' },
  { name: 'until', args: '<moment>', help: 'to the next preserved, frozen, early or booted' },
  { name: 'break', args: '<what>', help: 'op:memfd.freeze, errno:EINVAL, errno:any, session:vm-0, token:0x1, write:0x1000+8, log:text, actor:luo' },
  { name: 'mark', args: '<name>', help: 'name this step' },
  { name: 'goto', args: '0x<address>', help: 'show a physical address in the memory pane' },
  { name: 'edit', args: '0x<address> <bytes>', help: 'store bytes (01 02 ff); 0x<address>+8 = <number> stores a number in host order' },
  { name: 'help', args: '', help: 'the keys' },
  { name: 'q', args: '', help: 'quit' },
];

export const DEBUGGER_SPEC: ShellSpec<DebuggerPane, DebuggerAction> = { panes: DEBUGGER_PANES, table: DEBUGGER_KEYS, commands: DEBUGGER_COMMANDS };
