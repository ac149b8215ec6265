/** What a key does in the debugger. The engine's client moves through time; everything else is this view's own state. */
import { parseBreakpoint, type StateNode, type Step } from '../../engine/client.js';
import { hex } from '../../handover/meaning.js';
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { moveRows, rowStart } from '../model/hex.js';
import type { CommonAction } from '../model/keys.js';
import type { Step as ProgramStep } from '../model/program.js';
import type { Size } from '../model/screen.js';
import { type Motion, jumpTo, moveBy, rowsOf, scrollText } from '../model/scroll.js';
import { ask, motionOf, say, shellKey } from '../model/shell.js';
import { parseEdit } from './edit.js';
import { DEBUGGER_SPEC, type DebuggerAction } from './keys.js';
import { type Debugger, arrive, box, detailRows, deviceRows, followMemory, kernelRows, memoryGeometry, settle, stackRows, timelineHeight } from './state.js';
import { stepText } from './step-lines.js';

const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;

const only = (state: Debugger): ProgramStep<Debugger> => ({ state, effects: [] });
const tell = (state: Debugger, toast: string): Debugger => ({ ...state, shell: say(state.shell, toast) });

/** One key, by the name the key table uses. */
export function reduceDebugger(before: Debugger, key: string): ProgramStep<Debugger> {
  const result = shellKey(before.shell, key, DEBUGGER_SPEC);
  const state = { ...before, shell: result.shell };
  switch (result.kind) {
    case 'done':
      return { state: settle(state), effects: result.effects };
    case 'entered':
      return entered(state, result.sign, result.text);
    case 'action':
      return only(act(state, result.action));
  }
}

function entered(state: Debugger, sign: string, text: string): ProgramStep<Debugger> {
  switch (sign) {
    case '/':
      return only(find({ ...state, query: text || null }, 1));
    case 'mark: ':
      return only(mark(state, text));
    case 'go to mark: ':
      return only(goToMark(state, text));
    case 'edit ':
      return only(edit(state, text));
    default:
      return command(state, text);
  }
}

/** Where an action takes the client; null for actions that do not move it. */
function travel(state: Debugger, action: DebuggerAction | CommonAction): (() => Step | null) | null {
  const { client } = state;
  switch (action) {
    case 'step':
      return () => client.step();
    case 'stepBack':
      return () => client.back();
    case 'over':
      return () => client.next();
    case 'overBack':
      return () => client.backOver();
    case 'out':
      return () => client.out();
    case 'outBack':
      return () => client.backOut();
    case 'continue':
      return () => client.continue();
    case 'continueBack':
      return () => client.backToBreakpoint();
    case 'nextAction':
      return () => client.toAction(1);
    case 'previousAction':
      return () => client.toAction(-1);
    case 'undoEdits':
      return () => client.undoEdits();
    default:
      return null;
  }
}

function act(state: Debugger, action: DebuggerAction | CommonAction): Debugger {
  const motion = motionOf(action);
  if (motion !== null) return move(state, motion);
  const going = travel(state, action);
  if (going !== null) return travelled(state, going, action === 'undoEdits');
  switch (action) {
    case 'failure':
      return goToFailure(state);
    case 'enter':
      return enter(state);
    case 'left':
    case 'right':
    case 'toggle':
      return toggle(state, action);
    case 'breakpoint':
      return toggleBreakpoint(state);
    case 'mark':
      return { ...state, shell: ask(state.shell, 'mark: ') };
    case 'goToMark':
      return { ...state, shell: ask(state.shell, 'go to mark: ') };
    case 'remove':
      return remove(state);
    case 'edit':
      return { ...state, shell: ask(state.shell, 'edit ', editStart(state)) };
    case 'nextMatch':
      return find(state, 1);
    case 'previousMatch':
      return find(state, -1);
    case 'escape':
      return { ...state, query: null };
    default:
      return state;
  }
}

/** To the first expectation that was not met; where all are met, to the errno with which the agent was first refused. */
function goToFailure(state: Debugger): Debugger {
  const { client, index } = state;
  const failure = client.failure();
  if (failure !== null) return travelled(state, () => client.runTo(failure.step), false);
  index.extend(client);
  for (const { first, last, done } of index.actions.values()) {
    if (done?.errno == null) continue;
    for (let number = first; number <= last; number++) {
      if (client.stepAt(number)?.errno == null) continue;
      return tell(
        travelled(state, () => client.runTo(number), false),
        'every expectation is met; this is the first errno that an agent was given',
      );
    }
  }
  return tell(state, 'nothing went wrong: every expectation is met, and no call of the agent was refused');
}

/** Moves the client and lets all panes follow; says where the run ended. */
function travelled(state: Debugger, go: () => Step | null, again: boolean): Debugger {
  const { client } = state;
  const before = client.position;
  go();
  if (again) state.index.clear();
  const arrived = arrive(state);
  if (client.position !== before || again) return arrived;
  return tell(arrived, before === 0 ? 'this is before the first step' : (client.end?.reason ?? 'this is the last step of the run'));
}

function move(state: Debugger, motion: Motion): Debugger {
  const { focus } = state.shell;
  const { height } = box(state, focus);
  const by = rowsOf(motion, height);
  switch (focus) {
    case 'program':
      return { ...state, program: moveBy(state.program, by, state.client.program.length, height) };
    case 'timeline':
      return { ...state, timeline: moveBy(state.timeline, by, state.client.length, timelineHeight(state)) };
    case 'stack':
      return { ...state, stack: moveBy(state.stack, by, stackRows(state).length, height) };
    case 'step':
      return { ...state, step: moveBy(state.step, by, detailRows(state).length, height) };
    case 'state':
      return { ...state, state: moveBy(state.state, by, kernelRows(state).length, height) };
    case 'device':
      return { ...state, device: moveBy(state.device, by, deviceRows(state).length, height) };
    case 'log':
      return { ...state, logTop: scrollText(state.logTop, by, state.index.linesUpTo(state.present.position), height) };
    case 'memory': {
      const { perRow } = memoryGeometry(state);
      const { memory } = state.present;
      if (!Number.isFinite(by)) return followMemory(state);
      return { ...state, memoryTop: moveRows(memory, rowStart(memory, state.memoryTop, perRow), by, perRow) };
    }
  }
}

/** Goes to what the row under the cursor is about. */
function enter(state: Debugger): Debugger {
  const { client } = state;
  switch (state.shell.focus) {
    case 'timeline':
      return travelled(state, () => client.runTo(state.timeline.cursor + 1), false);
    case 'program': {
      const action = state.index.actions.get(state.program.cursor);
      if (action !== undefined) return travelled(state, () => client.runTo(action.first), false);
      return travelled(state, () => runToAction(state, state.program.cursor), false);
    }
    case 'stack': {
      const row = stackRows(state)[state.stack.cursor];
      if (row?.kind === 'call') return travelled(state, () => client.runTo(row.step.step), false);
      return row?.kind === 'mark' ? travelled(state, () => client.runTo(row.step), false) : state;
    }
    case 'step': {
      const row = detailRows(state)[state.step.cursor];
      if (row === undefined || row.address === null) return state;
      return settle({ ...state, selection: { address: row.address, firstBit: 0, bits: row.length * 8 }, shell: { ...state.shell, focus: 'memory' } });
    }
    case 'state':
    case 'device':
      return toggle(state, 'toggle');
    default:
      return state;
  }
}

/** Runs on until that step of the program is carried out, or to the end. */
function runToAction(state: Debugger, action: number): Step | null {
  const { client } = state;
  let arrived = client.toAction(1);
  while (arrived !== null && (arrived.action ?? -1) < action && client.position < client.length + 1) {
    const before = client.position;
    arrived = client.toAction(1);
    if (client.position === before) break;
  }
  return arrived;
}

function toggle(state: Debugger, action: 'left' | 'right' | 'toggle'): Debugger {
  const rows = state.shell.focus === 'device' ? deviceRows(state) : kernelRows(state);
  const cursor = state.shell.focus === 'device' ? state.device.cursor : state.state.cursor;
  const node: StateNode | undefined = rows[cursor]?.node;
  if (node === undefined || node.children.length === 0) return state;
  const closed = new Set(state.closed);
  const close = action === 'toggle' ? !closed.has(node.path) : action === 'left';
  if (close) closed.add(node.path);
  else closed.delete(node.path);
  return settle({ ...state, closed });
}

/** On the operation of the step under the timeline's cursor. */
function toggleBreakpoint(state: Debugger): Debugger {
  const { client } = state;
  const step = state.shell.focus === 'timeline' ? client.stepAt(state.timeline.cursor + 1) : state.present.step;
  if (step === null) return tell(state, 'no step here');
  const present = client.breakpoints.find((breakpoint) => breakpoint.kind === 'op' && breakpoint.op === step.op);
  if (present !== undefined) {
    client.removeBreakpoint(present);
    return settle(tell(state, `no breakpoint on ${escapeText(step.op)} any more`));
  }
  client.addBreakpoint({ kind: 'op', op: step.op });
  return settle(tell(state, `breakpoint on ${escapeText(step.op)}`));
}

function remove(state: Debugger): Debugger {
  const { client } = state;
  const row = stackRows(state)[state.stack.cursor];
  if (row?.kind === 'breakpoint') client.removeBreakpoint(parseBreakpoint(row.text));
  else if (row?.kind === 'mark') client.unmark(row.name);
  else return tell(state, 'no breakpoint or mark under the cursor');
  return settle({ ...state });
}

function mark(state: Debugger, name: string): Debugger {
  const wanted = name.trim();
  if (wanted === '') return state;
  state.client.mark(wanted);
  return settle(tell(state, `step ${state.present.position} is ${escapeText(wanted)}`));
}

function goToMark(state: Debugger, name: string): Debugger {
  const step = state.client.marks.get(name.trim());
  return step === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : travelled(state, () => state.client.runTo(step), false);
}

/** The bytes that are selected, ready to be changed. */
function editStart(state: Debugger): string {
  const { selection } = state;
  if (selection === null) return '0x';
  const length = selection.bits / 8;
  return [1, 2, 4, 8].includes(length) ? `${hex(selection.address)}+${length} = ` : `${hex(selection.address)} `;
}

function edit(state: Debugger, text: string): Debugger {
  const typed = parseEdit(text);
  if (typed === null) return tell(state, 'an edit is 0x<address> <bytes> or 0x<address>+<1, 2, 4 or 8> = <number>');
  const arrived = travelled(state, () => state.client.edit(typed.address, typed.bytes), true);
  return tell(arrived, `${typed.bytes.length} bytes stored at ${hex(typed.address)}; u takes it back`);
}

/** Steps of the trace that a search looks at. */
const SEARCH_STEPS = 200_000;

function find(state: Debugger, by: 1 | -1): Debugger {
  const { client, query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const wanted = query.toLowerCase();
  const from = state.timeline.cursor + 1;
  for (let count = 1; count <= Math.min(client.length, SEARCH_STEPS); count++) {
    const number = ((((from - 1 + by * count) % client.length) + client.length) % client.length) + 1;
    const step = client.stepAt(number);
    if (step === null || !`${step.actor} ${stepText(step)}`.toLowerCase().includes(wanted)) continue;
    return { ...state, timeline: jumpTo(state.timeline, number - 1, client.length, timelineHeight(state)) };
  }
  return tell(state, `no step with ${query} in the ${Math.min(client.length, SEARCH_STEPS)} looked at; Enter on a step goes there`);
}

function command(state: Debugger, text: string): ProgramStep<Debugger> {
  const [name = '', ...rest] = text.trim().split(/\s+/);
  const argument = rest.join(' ');
  const { client } = state;
  switch (name) {
    case '':
      return only(state);
    case 'q':
    case 'quit':
      return { state, effects: [{ kind: 'quit' }] };
    case 'help':
      return only({ ...state, shell: { ...state.shell, helpTop: 0 } });
    case 'run':
      return only(/^\d{1,9}$/.test(argument) ? travelled(state, () => client.runTo(Number(argument)), false) : tell(state, ':run takes the number of a step'));
    case 'until': {
      const moment = MOMENTS.find((one) => one === argument);
      if (moment === undefined) return only(tell(state, `:until takes ${MOMENTS.join(', ')}`));
      const position = client.position;
      const arrived = travelled(state, () => client.runToMoment(moment), false);
      return only(client.position === position ? tell(arrived, `the run passes no ${moment} after this step`) : arrived);
    }
    case 'break':
      return only(addBreakpoint(state, argument));
    case 'mark':
      return only(mark(state, argument));
    case 'goto': {
      const address = /^0x[0-9a-f]+$/i.test(argument) ? physicalAddress(BigInt(argument)) : null;
      if (address === null) return only(tell(state, ':goto takes a physical address, 0x…'));
      return only(settle({ ...state, selection: { address, firstBit: 0, bits: 8 }, shell: { ...state.shell, focus: 'memory' } }));
    }
    case 'edit':
      return only(edit(state, argument));
    default:
      return only(tell(state, `no command ${name}: ? lists them`));
  }
}

function addBreakpoint(state: Debugger, text: string): Debugger {
  try {
    state.client.addBreakpoint(parseBreakpoint(text));
  } catch (error) {
    return tell(state, error instanceof Error ? escapeText(error.message) : 'not a breakpoint');
  }
  return settle(tell(state, `breakpoint ${escapeText(text)}`));
}

export const resizeDebugger = (state: Debugger, size: Size): Debugger => settle({ ...state, shell: { ...state.shell, size } });
