/** What a key does in the debugger. The engine's client moves through time; everything else is this view's own state. */
import { parseBreakpoint, type StateNode } from '../../engine/client.js';
import { hex } from '../../tree/words.js';
import { escapeText } from '../../report/escape.js';
import { moveRows, rowStart } from '../model/hex.js';
import type { CommonAction } from '../model/keys.js';
import type { Step as ProgramStep } from '../model/program.js';
import type { Size } from '../model/screen.js';
import { type Motion, moveBy, rowsOf, scrollText } from '../model/scroll.js';
import { ask, motionOf, shellKey } from '../model/shell.js';
import { reduce, resize } from '../inspector/reduce.js';
import type { Inspector } from '../inspector/state.js';
import { inspectMemory } from './inspect.js';
import { DEBUGGER_SPEC, type DebuggerAction } from './keys.js';
import { type Debugger, box, detailRows, deviceRows, followMemory, kernelRows, memoryGeometry, settle, stackRows, timelineHeight } from './state.js';
import { goToFailure, runToAction, tell, travel, travelled } from './travel.js';
import { entered, find } from './typed.js';

const only = (state: Debugger): ProgramStep<Debugger> => ({ state, effects: [] });

/** One key, by the name the key table uses. */
export function reduceDebugger(before: Debugger, key: string): ProgramStep<Debugger> {
  if (before.inspector !== null) return inInspector(before, before.inspector, key);
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

/** Keys go to the inspector while it is open; its end is the way back, but for Ctrl-C. */
function inInspector(state: Debugger, inspector: Inspector, key: string): ProgramStep<Debugger> {
  const { state: next, effects } = reduce(inspector, key);
  const closing = key !== 'ctrl-c' && effects.some((effect) => effect.kind === 'quit');
  return closing ? only({ ...state, inspector: null }) : { state: { ...state, inspector: next }, effects };
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
    case 'inspect': {
      const inspector = inspectMemory(state.client, state.shell.size);
      return inspector === null ? tell(state, 'the memory of this step holds no handover') : { ...state, inspector };
    }
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

/** The bytes that are selected, ready to be changed. */
function editStart(state: Debugger): string {
  const { selection } = state;
  if (selection === null) return '0x';
  const length = selection.bits / 8;
  return [1, 2, 4, 8].includes(length) ? `${hex(selection.address)}+${length} = ` : `${hex(selection.address)} `;
}

export const resizeDebugger = (state: Debugger, size: Size): Debugger =>
  settle({ ...state, shell: { ...state.shell, size }, inspector: state.inspector === null ? null : resize(state.inspector, size) });
