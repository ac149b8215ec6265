/** The panes of the debugger: what each shows, and what motions and Enter in it do. Pure, but that Enter moves the engine's client. */
import type { StateNode } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import type { Key } from '../model/keys.js';
import { hasWords } from '../model/match.js';
import { hexRows, moveRows, rowStart } from '../model/hex.js';
import { listRows } from '../model/list.js';
import type { PaneBox, PaneContent } from '../model/screen.js';
import { type Scroll, keepInView, moveBy, positionOf, rowsOf, scrollText } from '../model/scroll.js';
import { type Line, type Span, fill, line, padTo, restyle, span } from '../model/text.js';
import { type Pane, filterOf } from '../model/view.js';
import { type DebuggerPane, LOOK, STOPS } from './layout.js';
import { type Debugger, type StackRow, detailRows, deviceRows, followMemory, kernelRows, memoryGrid, settle, stackRows, timelineHeight } from './state.js';
import { type StateRow, stateLine } from './state-rows.js';
import { argsText, laneHeading, laneRow, programText, resultText, stepText } from './step-lines.js';
import { remove } from './stops.js';
import { runToAction, travelled } from './travel.js';

type Of = Pane<Debugger, DebuggerPane>;
type Scheduled = Debugger['client']['program'][number];

const note = (rows: readonly unknown[], scroll: Scroll, { height }: PaneBox): string => (rows.length > height ? positionOf(scroll.cursor, rows.length) : '');

// The scenario: done, being carried out, to come; what came out where it is known and already past.

function programLine({ client, present, index }: Debugger): (step: Scheduled, action: number) => Line {
  const current = present.step?.action ?? null;
  const wrong = new Map(client.mismatches.map((mismatch) => [mismatch.action, mismatch]));
  // an agent on a dump has no file with lines: then its steps are counted
  const numbered = new Set(client.program.map((step) => step.position.line)).size > 1;
  return (step, action) => {
    const result = index.actions.get(action)?.done ?? null;
    const past = result !== null && result.step <= present.position;
    const mismatch = wrong.get(action);
    const sign: Span = action === current ? span('▶', 'focus') : mismatch !== undefined ? span('!', 'error') : span(' ');
    const failed = mismatch !== undefined || client.fromDump;
    const outcome: Span[] = !past
      ? []
      : result.errno === null && result.result !== null
        ? [span(' ok', 'good')]
        : [span(` ${resultText(result)}`, failed ? 'error' : 'warning')];
    const told = mismatch !== undefined && past ? [span(` (${escapeText(mismatch.expected)} expected)`, 'error')] : [];
    const [verb = '', ...rest] = programText(step).split(' ');
    const style = action === current ? 'title' : past ? 'dim' : 'plain';
    return [
      sign,
      span(padTo(String(numbered ? step.position.line : action + 1), 4), 'address'),
      span(verb, style === 'plain' ? 'name' : style),
      ...outcome,
      ...told,
      span(` ${rest.join(' ')}`, 'dim'),
    ];
  };
}

const program: Of = {
  id: 'program',
  content: (state, size) => {
    const rows = state.client.program;
    return {
      title: 'program',
      note: note(rows, state.program, size),
      rows: listRows(rows, state.program, size, state.shell.focus === 'program', programLine(state)),
    };
  },
  move: (state, motion, { height }, count) => ({
    ...state,
    program: moveBy(state.program, rowsOf(motion, height) * count, state.client.program.length, height),
  }),
  enter: (state) => {
    const action = state.index.actions.get(state.program.cursor);
    if (action !== undefined) return travelled(state, () => state.client.runTo(action.first), true);
    return travelled(state, () => runToAction(state, state.program.cursor), true);
  },
  click: (state, row) => ({ ...state, program: { ...state.program, cursor: Math.min(state.client.program.length - 1, state.program.top + row) } }),
};

// All steps, in the lanes of their actors.

/** Steps that a filter looks at. */
const MOST_FILTERED = 200_000;

/** Numbers of the steps shown; null for all of them. */
function shownSteps(state: Debugger): readonly number[] | null {
  const filter = filterOf<DebuggerPane>(state, 'timeline');
  if (filter === '') return null;
  const found: number[] = [];
  for (let number = 1; number <= Math.min(state.client.length, MOST_FILTERED); number++) {
    const step = state.client.stepAt(number);
    if (step !== null && hasWords(`${step.actor} ${stepText(step)}`, filter)) found.push(number);
  }
  return found;
}

const timeline: Of = {
  id: 'timeline',
  filters: true,
  content: (state, size) => {
    const { client, present } = state;
    const digits = String(client.length).length;
    const query = state.query?.toLowerCase() ?? null;
    const rows: Line[] = [laneHeading(size.width, digits)];
    const shown = shownSteps(state);
    const count = shown?.length ?? client.length;
    const at =
      shown === null ? state.timeline : keepInView({ ...state.timeline, cursor: nearestShown(shown, state.timeline.cursor + 1) }, count, timelineHeight(state));
    for (let row = at.top; row < Math.min(count, at.top + timelineHeight(state)); row++) {
      const number = shown === null ? row + 1 : (shown[row] ?? 0);
      const step = client.stepAt(number);
      if (step === null) break;
      const match = query !== null && `${step.actor} ${stepText(step)}`.toLowerCase().includes(query);
      const cursor = number === state.timeline.cursor + 1 && state.shell.focus === 'timeline';
      const signs = { cursor, current: number === present.position, match, future: number > present.position };
      const spans = laneRow(step, signs, size.width, digits);
      rows.push(cursor ? restyle(fill(spans, size.width), 'cursor') : spans);
    }
    return { title: 'timeline', note: shown === null ? `${state.timeline.cursor + 1}/${client.length}` : `${count} of ${client.length}`, rows };
  },
  move: (state, motion, { height }, count) => {
    const shown = shownSteps(state);
    if (shown === null) return { ...state, timeline: moveBy(state.timeline, rowsOf(motion, height) * count, state.client.length, timelineHeight(state)) };
    const to = Math.max(0, Math.min(nearestShown(shown, state.timeline.cursor + 1) + rowsOf(motion, height) * count, shown.length - 1));
    return { ...state, timeline: { ...state.timeline, cursor: (shown[to] ?? 1) - 1 } };
  },
  enter: (state) => travelled(state, () => state.client.runTo(state.timeline.cursor + 1), true),
  click: (state, row) =>
    row === 0 ? state : { ...state, timeline: { ...state.timeline, cursor: Math.min(state.client.length - 1, state.timeline.top + row - 1) } },
};

const nearestShown = (shown: readonly number[], number: number): number => {
  const index = shown.findIndex((one) => one >= number);
  return index === -1 ? Math.max(0, shown.length - 1) : index;
};

// Calls, breakpoints, marks.

function stackSpans(row: StackRow): Line {
  switch (row.kind) {
    case 'heading':
      return [span(row.text, 'label')];
    case 'call':
      return [span(`${row.step.op} `, 'name'), span(argsText(row.step), 'value'), span(`  step ${row.step.step}`, 'dim')];
    case 'breakpoint':
      return [span('● ', 'error'), span(escapeText(row.text)), span(row.note === '' ? '' : `  ${row.note}`, 'dim')];
    case 'mark':
      return [span('◆ ', 'info'), span(escapeText(row.name)), span(`  step ${row.step}`, 'dim')];
  }
}

const stack: Of = {
  id: 'stack',
  content: (state, size) => {
    const rows = stackRows(state);
    return { title: 'calls', note: note(rows, state.stack, size), rows: listRows(rows, state.stack, size, state.shell.focus === 'stack', stackSpans) };
  },
  move: (state, motion, { height }, count) => ({ ...state, stack: moveBy(state.stack, rowsOf(motion, height) * count, stackRows(state).length, height) }),
  enter: (state) => {
    const row = stackRows(state)[state.stack.cursor];
    if (row?.kind === 'call') return travelled(state, () => state.client.runTo(row.step.step), true);
    return row?.kind === 'mark' ? travelled(state, () => state.client.runTo(row.step), true) : state;
  },
  keys: [{ keys: ['x'], group: STOPS, help: 'remove the breakpoint or mark under the cursor', run: remove }],
};

// The step in full.

const step: Of = {
  id: 'step',
  content: (state, size) => {
    const rows = detailRows(state);
    const title = `step ${state.present.position}`;
    return { title, note: note(rows, state.step, size), rows: listRows(rows, state.step, size, state.shell.focus === 'step', (row) => row.spans) };
  },
  move: (state, motion, { height }, count) => ({ ...state, step: moveBy(state.step, rowsOf(motion, height) * count, detailRows(state).length, height) }),
  enter: (state) => {
    const row = detailRows(state)[state.step.cursor];
    if (row === undefined || row.address === null) return state;
    return settle({ ...state, selection: { address: row.address, firstBit: 0, bits: row.length * 8 }, shell: { ...state.shell, focus: 'memory' } });
  },
};

// What kernels and devices show of themselves.

/** Opens or closes the node under the cursor of the state or device pane. */
function toggle(state: Debugger, how: 'open' | 'close' | 'toggle'): Debugger {
  const rows = state.shell.focus === 'device' ? deviceRows(state) : kernelRows(state);
  const cursor = state.shell.focus === 'device' ? state.device.cursor : state.state.cursor;
  const node: StateNode | undefined = rows[cursor]?.node;
  if (node === undefined || node.children.length === 0) return state;
  const closed = new Set(state.closed);
  const close = how === 'toggle' ? !closed.has(node.path) : how === 'close';
  if (close) closed.add(node.path);
  else closed.delete(node.path);
  return settle({ ...state, closed });
}

function treeContent(title: string, rows: readonly StateRow[], scroll: Scroll, size: PaneBox, inFocus: boolean): PaneContent {
  if (rows.length === 0) return { title, note: '', rows: [line(` ${title === 'state' ? 'no kernel has' : 'no device has'} anything to show here`, 'dim')] };
  const shown = rows.slice(scroll.top, scroll.top + size.height);
  return {
    title,
    note: note(rows, scroll, size),
    rows: shown.map((row, index) => stateLine(row, scroll.top + index === scroll.cursor && inFocus, inFocus, size.width)),
  };
}

const sideways = (state: Debugger, by: 1 | -1): Debugger => toggle(state, by === 1 ? 'open' : 'close');

const TREE_KEYS: readonly Key<Debugger>[] = [
  { keys: ['space'], group: LOOK, help: 'open or close the node', run: (state) => toggle(state, 'toggle') },
  { keys: ['*'], group: LOOK, help: 'only what the step changed, or everything', run: (state) => settle({ ...state, onlyChanges: !state.onlyChanges }) },
];

const kernels: Of = {
  id: 'state',
  filters: true,
  content: (state, size) => treeContent('state', kernelRows(state), state.state, size, state.shell.focus === 'state'),
  move: (state, motion, { height }, count) => ({ ...state, state: moveBy(state.state, rowsOf(motion, height) * count, kernelRows(state).length, height) }),
  sideways,
  enter: (state) => toggle(state, 'toggle'),
  keys: TREE_KEYS,
};

const device: Of = {
  id: 'device',
  filters: true,
  content: (state, size) => treeContent('devices', deviceRows(state), state.device, size, state.shell.focus === 'device'),
  move: (state, motion, { height }, count) => ({ ...state, device: moveBy(state.device, rowsOf(motion, height) * count, deviceRows(state).length, height) }),
  sideways,
  enter: (state) => toggle(state, 'toggle'),
  keys: TREE_KEYS,
};

// Memory.

const memory: Of = {
  id: 'memory',
  content: (state, size) => {
    const grid = memoryGrid(state);
    const rows = hexRows(grid, rowStart(grid, state.memoryTop), {
      height: size.height,
      digits: grid.digits,
      selection: state.selection,
      changed: state.present.written,
    });
    const [write] = state.present.step?.writes ?? [];
    return { title: 'memory', note: write?.struct == null ? '' : escapeText(`${write.struct}${write.field === null ? '' : `.${write.field}`}`), rows };
  },
  move: (state, motion, { height }, count) => {
    const grid = memoryGrid(state);
    const by = rowsOf(motion, height) * count;
    if (!Number.isFinite(by)) return followMemory(state);
    return { ...state, memoryTop: moveRows(grid, rowStart(grid, state.memoryTop), by) };
  },
  sideways: (state, by, _box, count) => {
    const { selection } = state;
    return selection === null ? state : settle({ ...state, selection: { address: Math.max(0, selection.address + by * count), firstBit: 0, bits: 8 } });
  },
};

// The console up to this step.

const log: Of = {
  id: 'log',
  filters: true,
  content: (state, size) => {
    const { index, present } = state;
    const count = index.linesUpTo(present.position);
    const filter = filterOf<DebuggerPane>(state, 'log');
    const lines = filter === '' ? null : index.console.slice(0, count).filter(({ text }) => hasWords(text, filter));
    const shown = lines === null ? index.console.slice(state.logTop, Math.min(count, state.logTop + size.height)) : lines.slice(-size.height);
    const rows = shown.map((row): Line => {
      const now = row.step === present.position;
      return [span(now ? '▶' : ' ', 'focus'), span(`${row.kernel} `, 'address'), span(escapeText(row.text), now ? 'title' : 'plain')];
    });
    return { title: 'console', note: positionOf(Math.max(0, count - 1), count), rows: count === 0 ? [line(' nothing printed yet', 'dim')] : rows };
  },
  move: (state, motion, { height }, count) => ({
    ...state,
    logTop: scrollText(state.logTop, rowsOf(motion, height) * count, state.index.linesUpTo(state.present.position), height),
  }),
};

export const DEBUGGER_PANES: Readonly<Record<DebuggerPane, Of>> = { program, timeline, stack, step, state: kernels, memory, device, log };
