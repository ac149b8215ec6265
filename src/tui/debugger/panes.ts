/** The panes of the debugger: what each shows, and what motions and Enter in it do. Pure, but that Enter moves the engine's client. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import type { Key } from '../model/keys.js';
import { lastOf } from '../model/last-of.js';
import { hexRows, moveRows, rowStart } from '../model/hex.js';
import { type ListPane, listPane } from '../model/list.js';
import { moveBy, rowsOf } from '../model/scroll.js';
import { type Line, type Span, fill, padTo, restyle, span, textOf } from '../model/text.js';
import type { Pane } from '../model/view.js';
import { type DebuggerPane, LOOK, STOPS } from './layout.js';
import {
  type Debugger,
  type StackRow,
  detailRows,
  deviceRows,
  followMemory,
  kernelRows,
  memoryGrid,
  settle,
  stackRows,
  timelineHeight,
  timelineRows,
} from './state.js';
import { type StateRow, stateLine, stateWords } from './state-rows.js';
import { type StepLine, argsText, laneHeading, laneRow, programText, resultText } from './step-lines.js';
import { remove } from './stops.js';
import { type ConsoleLine, stepHasWords } from './trace-index.js';
import { runToAction, travelled } from './travel.js';

type Of = Pane<Debugger, DebuggerPane>;

// The scenario: done, being carried out, to come; what came out where it is known and already past.

interface Planned {
  readonly step: Debugger['client']['program'][number];
  readonly action: number;
}

/** A dump's program grows while the next kernel finds what there is: it is known by its length. */
const planned = lastOf((program: Debugger['client']['program'], length: number): readonly Planned[] =>
  program.slice(0, length).map((step, action) => ({ step, action })),
);

function programLine({ client, present, index }: Debugger): (row: Planned) => Line {
  const current = present.step?.action ?? null;
  const wrong = new Map(client.mismatches.map((mismatch) => [mismatch.action, mismatch]));
  // an agent on a dump has no file with lines: then its steps are counted
  const numbered = new Set(client.program.map((step) => step.position.line)).size > 1;
  return ({ step, action }) => {
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

const program = listPane<Debugger, DebuggerPane, Planned>({
  id: 'program',
  rows: ({ client }) => planned(client.program, client.program.length),
  words: ({ step }) => programText(step),
  scroll: (state) => state.program,
  scrolled: (state, scroll) => ({ ...state, program: scroll }),
  line: programLine,
  none: span('no step of user space', 'dim'),
  enter: (state, { action }) => {
    const known = state.index.actions.get(action);
    return travelled(state, () => (known === undefined ? runToAction(state, action) : state.client.runTo(known.first)), true);
  },
});

// All steps, in the lanes of their actors.

const timeline: Of = {
  id: 'timeline',
  filters: true,
  content: (state, size) => {
    const { client, present } = state;
    const digits = String(client.length).length;
    const rows: Line[] = [laneHeading(size.width, digits)];
    const { shown, at, under } = timelineRows(state);
    const count = shown?.length ?? client.length;
    for (let row = at.top; row < Math.min(count, at.top + timelineHeight(state)); row++) {
      const number = shown === null ? row + 1 : (shown[row] ?? 0);
      const step = client.stepAt(number);
      if (step === null) break;
      const match = state.query !== null && stepHasWords(step, state.query);
      const cursor = number === under && state.shell.focus === 'timeline';
      const signs = { cursor, current: number === present.position, match, future: number > present.position };
      const spans = laneRow(step, signs, size.width, digits);
      rows.push(cursor ? restyle(fill(spans, size.width), 'cursor') : spans);
    }
    return { title: 'timeline', note: shown === null ? `${state.timeline.cursor + 1}/${client.length}` : `${count} of ${client.length}`, rows };
  },
  move: (state, motion, { height }, count) => {
    const { shown, at } = timelineRows(state);
    const moved = moveBy(at, rowsOf(motion, height) * count, shown?.length ?? state.client.length, timelineHeight(state));
    return { ...state, timeline: shown === null ? moved : { ...state.timeline, cursor: (shown[moved.cursor] ?? 1) - 1 } };
  },
  enter: (state) => travelled(state, () => state.client.runTo(timelineRows(state).under), true),
  click: (state, row) => {
    const { shown, at } = timelineRows(state);
    const index = at.top + row - 1;
    const cursor = shown === null ? Math.min(state.client.length - 1, index) : (shown[index] ?? 0) - 1;
    return row === 0 || cursor === -1 ? state : { ...state, timeline: { ...state.timeline, cursor } };
  },
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

const stack: ListPane<Debugger, DebuggerPane, StackRow> = listPane<Debugger, DebuggerPane, StackRow>({
  id: 'stack',
  title: () => 'calls',
  rows: stackRows,
  words: (row) => textOf(stackSpans(row)),
  scroll: (state) => state.stack,
  scrolled: (state, scroll) => ({ ...state, stack: scroll }),
  line: () => stackSpans,
  none: span('none', 'dim'),
  enter: (state, row) => {
    const to = row.kind === 'call' ? row.step.step : row.kind === 'mark' ? row.step : null;
    return to === null ? state : travelled(state, () => state.client.runTo(to), true);
  },
  keys: [{ keys: ['x'], group: STOPS, help: 'remove the breakpoint or mark under the cursor', run: (state) => remove(state, stack.current(state)) }],
});

// The step in full.

const step = listPane<Debugger, DebuggerPane, StepLine>({
  id: 'step',
  title: ({ present }) => `step ${present.position}`,
  rows: detailRows,
  words: ({ spans }) => textOf(spans),
  scroll: (state) => state.step,
  scrolled: (state, scroll) => ({ ...state, step: scroll }),
  line: () => (row) => row.spans,
  none: span('none', 'dim'),
  enter: (state, { address, length }) =>
    address === null ? state : settle({ ...state, selection: { address, firstBit: 0, bits: length * 8 }, shell: { ...state.shell, focus: 'memory' } }),
});

// What kernels and devices show of themselves.

/** Opens or closes the node of a row. */
function toggle(state: Debugger, { node }: StateRow, how: 'open' | 'close' | 'toggle'): Debugger {
  if (node.children.length === 0) return state;
  const closed = new Set(state.closed);
  if (how === 'toggle' ? !closed.has(node.path) : how === 'close') closed.add(node.path);
  else closed.delete(node.path);
  return settle({ ...state, closed });
}

const under = (state: Debugger, how: 'open' | 'close' | 'toggle'): Debugger => {
  const row = (state.shell.focus === 'device' ? device : kernels).current(state);
  return row === undefined ? state : toggle(state, row, how);
};

const TREE_KEYS: readonly Key<Debugger>[] = [
  { keys: ['space'], group: LOOK, help: 'open or close the node', run: (state) => under(state, 'toggle') },
  { keys: ['*'], group: LOOK, help: 'only what the step changed, or everything', run: (state) => settle({ ...state, onlyChanges: !state.onlyChanges }) },
];

const statePane = (id: 'state' | 'device', none: string, rows: (state: Debugger) => readonly StateRow[]) =>
  listPane<Debugger, DebuggerPane, StateRow>({
    id,
    rows,
    words: stateWords,
    scroll: (state) => state[id],
    scrolled: (state, scroll) => ({ ...state, [id]: scroll }),
    line: () => stateLine,
    none: span(none, 'dim'),
    sideways: (state, by) => under(state, by === 1 ? 'open' : 'close'),
    enter: (state, row) => toggle(state, row, 'toggle'),
    keys: TREE_KEYS,
  });

const kernels = statePane('state', 'no kernel has anything to show here', kernelRows);
const device = statePane('device', 'no device has anything to show here', deviceRows);

// Memory.

/** What the marked bytes are: the field that the step wrote there, else where they are. */
function memoryNote({ selection, present }: Debugger): string {
  if (selection === null) return '';
  const write = present.step?.writes.find(({ address, length }) => selection.address >= address && selection.address < address + length);
  return write?.struct == null ? hex(selection.address) : escapeText(`${write.struct}${write.field === null ? '' : `.${write.field}`}`);
}

const memory: Of = {
  id: 'memory',
  content: (state, size) => {
    const grid = memoryGrid(state);
    const rows = hexRows(grid, rowStart(grid, state.memoryTop), {
      height: size.height,
      digits: grid.digits,
      selection: state.selection,
      changed: state.present.written,
      ...(state.client.fromDump ? {} : { words: () => 'no memory' }),
    });
    return { title: 'memory', note: memoryNote(state), rows };
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

const consoleLines = lastOf(({ position }: Debugger['present'], index: Debugger['index']) => index.console.slice(0, index.linesUpTo(position)));

const log = listPane<Debugger, DebuggerPane, ConsoleLine>({
  id: 'log',
  rows: ({ present, index }) => consoleLines(present, index),
  words: ({ text }) => text,
  scroll: (state) => state.log,
  scrolled: (state, scroll) => ({ ...state, log: scroll }),
  line:
    ({ present }) =>
    (row) => {
      const now = row.step === present.position;
      return [span(now ? '▶' : ' ', 'focus'), span(`${row.kernel} `, 'address'), span(escapeText(row.text), now ? 'title' : 'plain')];
    },
  none: span('nothing printed yet', 'dim'),
  enter: (state, { step: to }) => travelled(state, () => state.client.runTo(to), true),
});

export const DEBUGGER_PANES: Readonly<Record<DebuggerPane, Of>> = { program, timeline, stack, step, state: kernels, memory, device, log };
