/** The commands of the debugger: its own, and what those of every view do here. */
import { breakpointText, stepToJson } from '../../engine/client.js';
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { jump, placeOf, settle as settleInspector } from '../inspector/state.js';
import type { Command } from '../model/keys.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { whatIs } from './about.js';
import { when } from './find.js';
import { inspectMemory } from './inspect.js';
import { type Debugger, kernelRows, settle } from './state.js';
import { stepText } from './step-lines.js';
import { MOMENTS, MOST_CHECKED, addBreakpoint, breakpointChoices, deleteBreakpoint, ignore, listBreakpoints } from './stops.js';
import { tell, travelled } from './travel.js';
import { compare, edit, save, setField } from './what-if.js';

export const DEBUGGER_COMMANDS: readonly Command<Debugger>[] = [
  {
    name: 'run',
    args: '<step>',
    help: 'to that step, forwards or backwards',
    run: (state, argument) =>
      /^\d{1,9}$/.test(argument) ? travelled(state, () => state.client.runTo(Number(argument)), true) : tell(state, ':run takes the number of a step'),
  },
  {
    name: 'until',
    args: '<moment|step>',
    help: 'to the next preserved, frozen, early or booted; or to a step',
    complete: () => MOMENTS,
    run: (state, argument) => {
      if (/^\d{1,9}$/.test(argument)) return travelled(state, () => state.client.runTo(Number(argument)), true);
      const moment = MOMENTS.find((one) => one === argument);
      if (moment === undefined) return tell(state, `:until takes ${MOMENTS.join(', ')}, or the number of a step`);
      const { position } = state.client;
      const arrived = travelled(state, () => state.client.runToMoment(moment), true);
      return state.client.position === position ? tell(arrived, `the run passes no ${moment} after this step`) : arrived;
    },
  },
  { name: 'when', args: '<state> = <value>', help: 'to the next step after which the state is so: :when web/files/0x2 = frozen', run: when },
  {
    name: 'break',
    aliases: ['b'],
    args: '<what>',
    help: 'op:memfd.freeze, errno:any, session:vm-0, token:0x1, write:0x1000+8, read:0x1000+8, moment:frozen, log:text, actor:luo; several must all hold',
    complete: breakpointChoices,
    run: (state, text) => addBreakpoint(state, text, false),
  },
  {
    name: 'break!',
    args: '<what>',
    help: 'the same, also where no step of this run stops there',
    complete: breakpointChoices,
    run: (state, text) => addBreakpoint(state, text, true),
  },
  {
    name: 'tbreak',
    args: '<what>',
    help: 'a breakpoint that is gone once it was hit',
    complete: breakpointChoices,
    run: (state, text) => {
      const before = state.client.breakpoints.length;
      const set = addBreakpoint(state, text, false);
      const added = set.client.breakpoints.at(-1);
      return set.client.breakpoints.length === before || added === undefined ? set : { ...set, temporary: [...set.temporary, breakpointText(added)] };
    },
  },
  {
    name: 'ignore',
    args: '<n> <times>',
    help: 'pass breakpoint n (as :info numbers them) so many times before it stops again',
    run: ignore,
  },
  { name: 'delete', args: '<n>', help: 'remove breakpoint n; without a number, all of them', run: deleteBreakpoint },
  { name: 'breakpoints', aliases: ['info'], args: '', help: 'every breakpoint: how often it stopped, how often it would in this run', run: listBreakpoints },
  { name: 'edit', args: '0x<address> <bytes>', help: 'store bytes (01 02 ff); 0x<address>+8 = <number> stores a number in host order', run: edit },
  { name: 'compare', args: '', help: 'the run before and after the edits, side by side', run: compare },
  { name: 'save', args: '<file.yaml>', help: 'the scenario with the edits as flips, in a new file', run: save },
];

const numberOf = (argument: string): number | null => (/^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null);

/** The memory of this step in the inspector, at a node. */
function toPath(state: Debugger, path: string): Debugger {
  const inspector = inspectMemory(state.client, state.shell.size);
  if (inspector === null) return tell(state, 'the memory of this step holds no handover');
  const place = placeOf(inspector, path);
  return place === null
    ? tell(state, `no node ${escapeText(path)} in the memory of this step`)
    : { ...state, inspector: settleInspector(jump(inspector, place)) };
}

/** The row of the state pane whose path ends so. */
function toState(state: Debugger, end: string, what: string): Debugger {
  const open: Debugger = { ...state, closed: new Set(), onlyChanges: false };
  const row = kernelRows(open).findLastIndex(({ node }) => decodeURI(node.path).endsWith(`/${end}`));
  if (row === -1) return tell(state, `no ${what} in the state of this step`);
  return settle({ ...open, state: { ...open.state, cursor: row }, shell: { ...open.shell, focus: 'state' } });
}

/** Sessions and files by the state of this step: `web`, `web 0x1`. */
const stateChoices =
  (shape: RegExp) =>
  (state: Debugger): readonly string[] => [
    ...new Set(kernelRows({ ...state, closed: new Set() }).flatMap(({ node }) => shape.exec(decodeURI(node.path))?.slice(1).join(' ') ?? [])),
  ];

export function exported({ client }: Debugger, json: boolean): string {
  const rows: string[] = [];
  for (let number = 1; number <= Math.min(client.length, MOST_CHECKED); number++) {
    const step = client.stepAt(number);
    if (step !== null) rows.push(json ? JSON.stringify(stepToJson(step)) : `${number} ${step.actor} ${stepText(step)}`);
  }
  return `${rows.join('\n')}\n`;
}

export const DEBUGGER_SHARED: SharedCommands<Debugger> = {
  goto: {
    help: 'show a physical address in the memory pane',
    run: (state, argument) => {
      const address = numberOf(argument);
      if (address === null) return tell(state, ':goto takes a physical address, 0x…');
      return settle({ ...state, selection: { address, firstBit: 0, bits: 8 }, shell: { ...state.shell, focus: 'memory' } });
    },
  },
  whatis: { help: 'what is at an address in the memory of this step', run: whatIs },
  path: { help: 'open the memory of this step in the inspector, at that node', run: toPath },
  session: {
    help: 'go to a session in the state pane',
    complete: stateChoices(/\/sessions\/\w+\/([^/]+)$/),
    run: (state, name) => toState(state, name, `session ${escapeText(name)}`),
  },
  token: {
    help: 'go to a file in the state pane',
    complete: stateChoices(/\/sessions\/\w+\/([^/]+)\/files\/([^/]+)$/),
    run: (state, argument) => {
      const [session = '', token] = argument.split(/\s+/);
      return toState(state, token === undefined ? `files/${session}` : `${session}/files/${token}`, `file ${escapeText(argument)}`);
    },
  },
  set: { help: 'store a value into a decoded field: :set folios[1]/pfn_flags/pfn = 0x23e7', run: setField },
};
