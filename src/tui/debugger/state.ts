/** The state of the debugger: the engine's client, what it shows at the current step, and the cursor of each pane. */
import { type EngineClient, type FieldChange, type StateNode, type StateValue, type Step, breakpointText, stateTree } from '../../engine/client.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import type { Inspector } from '../inspector/state.js';
import { type Grid, addressDigits, bytesPerRow, followSelection, rowStart } from '../model/hex.js';
import { lastOf } from '../model/last-of.js';
import { type PaneBox, type Size, boxOf } from '../model/screen.js';
import { filterOf, paneBox } from '../model/view.js';
import { escapeText } from '../../report/escape.js';
import { hasWords } from '../model/match.js';
import type { Headline } from '../model/finding.js';
import { type Scroll, START, jumpTo, keepInView } from '../model/scroll.js';
import { type Shell, openShell } from '../model/shell.js';
import type { BitSpan } from '../model/value.js';
import type { Cause } from './cause.js';
import type { Companion } from './companion.js';
import { type DebuggerPane, type Laid, SHARED, debuggerBands } from './layout.js';
import { type StateRow, changesBetween, stateRows, stateText, stateWords } from './state-rows.js';
import { type StepLine, stepLines } from './step-lines.js';
import { TraceIndex } from './trace-index.js';

/** What there is at one step. */
interface Present {
  readonly position: number;
  readonly step: Step | null;
  readonly stack: readonly Step[];
  readonly memory: PhysicalMemory;
  /** what kernels and devices show of themselves; made when a pane first asks */
  readonly shown: () => StatesShown;
  /** what the step changed in memory, field by field; made when a pane first asks */
  readonly fields: () => readonly FieldChange[];
  /** bytes that the step wrote, with what was there before */
  readonly written: readonly { readonly start: number; readonly end: number; readonly before: Uint8Array }[];
}

interface StatesShown {
  readonly tree: StateNode;
  readonly changes: ReadonlyMap<string, StateValue | null>;
  readonly changeTexts: readonly string[];
}

/** What came of the run before it was changed: to hold the run after it against. */
export interface OtherRun {
  readonly end: string;
  /** each step of the trace in one line, to find the first that differs */
  readonly steps: readonly string[];
  readonly logs: readonly string[];
}

/** A row of the stack pane. */
export type StackRow =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'call'; readonly step: Step }
  /** `note`: hits, and what is still to be passed */
  | { readonly kind: 'breakpoint'; readonly text: string; readonly note: string }
  | { readonly kind: 'mark'; readonly name: string; readonly step: number };

export interface Debugger {
  readonly client: EngineClient;
  readonly shell: Shell<DebuggerPane>;
  readonly slot: DebuggerPane;
  readonly index: TraceIndex;
  readonly present: Present;
  readonly program: Scroll;
  /** rows of the timeline are steps: row 0 is step 1 */
  readonly timeline: Scroll;
  readonly stack: Scroll;
  readonly step: Scroll;
  readonly state: Scroll;
  readonly device: Scroll;
  /** paths of the state tree that the user closed */
  readonly closed: ReadonlySet<string>;
  readonly memoryTop: number;
  readonly selection: BitSpan | null;
  readonly log: Scroll;
  readonly query: string | null;
  /** the run goes on in the background: to find out where it goes wrong, or only how it ends */
  readonly seeking: 'failure' | 'end' | null;
  /** found by `F` */
  readonly cause: Cause | null;
  /** the run as it was before the first edit */
  readonly before: OtherRun | null;
  /** what the run has come to, once it has ended */
  readonly headline: Headline | null;
  readonly past: readonly number[];
  readonly future: readonly number[];
  /** breakpoints that go once they were hit, as text */
  readonly temporary: readonly string[];
  /** how often a breakpoint, as text, is still to be passed */
  readonly ignores: ReadonlyMap<string, number>;
  /** how often it stopped the run so far */
  readonly stopped: ReadonlyMap<string, number>;
  /** the last way through time, to go it again; null before the first */
  readonly again: ((state: Debugger) => Debugger) | null;
  /** panes that have not shown yet what the last step changed: it comes into sight when they do */
  readonly unfollowed: ReadonlySet<DebuggerPane>;
  /** the state panes show only what the step changed */
  readonly onlyChanges: boolean;
  /** the scenario as it was written; null for a dump */
  readonly source: string | null;
  /** the memory of the step, opened over the debugger */
  readonly inspector: Inspector | null;
  /** a real kernel that carries the same steps out; null for the engine alone */
  readonly companion: Companion | null;
}

export function openDebuggerState(client: EngineClient, size: Size, source: string | null = null, companion: Companion | null = null): Debugger {
  const shell = openShell<DebuggerPane>(size, 'timeline');
  const rest = { slot: 'step', program: START, timeline: START, stack: START, step: START, state: START, device: START, closed: new Set<string>() } as const;
  if (client.position === 0) client.step();
  return arrive({
    client,
    shell,
    index: new TraceIndex(),
    present: presentOf(client),
    ...rest,
    memoryTop: 0,
    selection: null,
    log: START,
    query: null,
    seeking: 'failure',
    cause: null,
    before: null,
    headline: null,
    past: [],
    future: [],
    temporary: [],
    ignores: new Map(),
    stopped: new Map(),
    again: null,
    unfollowed: new Set(),
    onlyChanges: false,
    source,
    inspector: null,
    companion,
  });
}

/** Steps carried out in the background at a time. */
const SLICE = 2_000;

/**
 * Carries the run on without moving; at its end goes to where it went wrong, unless the user has gone somewhere by then.
 * Null when there is nothing left to do.
 */
export function seek(state: Debugger): Debugger | null {
  if (state.seeking === null) return null;
  const { client, index } = state;
  const { position } = client;
  client.runTo(client.length + SLICE);
  client.runTo(position);
  index.extend(client);
  if (client.end === null) return { ...state };
  const ended: Debugger = { ...state, seeking: null, headline: headlineOf(client, index) };
  const failure = state.seeking === 'failure' && position === 1 ? client.failure() : null;
  if (failure === null) return ended;
  client.runTo(failure.step);
  return arrive(ended);
}

/** What a run has come to, in words. A scenario is held against what it expects, a dump against everything coming back. */
function headlineOf(client: EngineClient, index: TraceIndex): Headline | null {
  const { end } = client;
  if (end === null) return null;
  if (!client.fromDump) {
    if (end.expectationsMet) return { text: `ends as expected: ${end.ending}`, word: `ends: ${end.ending}`, severity: 'good' };
    const count = client.mismatches.length;
    const missed = count === 0 ? `${client.scenario.end} expected` : `${count} expectation${count === 1 ? '' : 's'} not met`;
    return { text: `ends: ${end.ending}`, word: `ends: ${end.ending}, ${missed}`, severity: 'error' };
  }
  if (end.ending === 'panic') return { text: end.reason ?? 'the kernel panics', word: 'the next kernel panics', severity: 'error' };
  if (end.ending === 'unknown') return { text: end.reason ?? 'cannot be known', word: 'unknown: a page is not in the dump', severity: 'warning' };
  const refused: string[] = [];
  let files = 0;
  let session = '';
  for (const [action, step] of client.program.entries()) {
    const done = index.actions.get(action)?.done ?? null;
    if (step.do === 'open' && done?.errno != null)
      return { text: `open: ${done.errno}`, word: `/dev/liveupdate: open fails, ${done.errno}`, severity: 'error' };
    if (step.do === 'retrieve-session') {
      session = escapeText(new TextDecoder().decode(step.name));
      if (done?.errno != null) refused.push(`${session} ${done.errno}`);
    }
    if (step.do === 'finish' && done?.errno != null) refused.push(`finish ${session} ${done.errno}`);
    if (step.do !== 'retrieve') continue;
    files++;
    if (done?.errno != null) refused.push(`${session}/0x${step.token.toString(16)} ${done.errno}`);
  }
  if (refused.length > 0) return { text: refused.join(', '), word: `${refused.length} of ${files} files lost: ${refused[0]}`, severity: 'error' };
  if (end.ending === 'cold-boot') return { text: end.reason ?? '', word: 'cold boot: nothing was taken over', severity: 'error' };
  return { text: 'everything comes back', word: `all ${files} files come back`, severity: 'good' };
}

function presentOf(client: EngineClient): Present {
  const { position } = client;
  const step = client.current;
  return {
    position,
    step,
    stack: client.callStack(),
    memory: client.memoryAt(),
    shown: lastOf(() => {
      const after = client.stateAt(position);
      const changes = changesBetween(client.stateAt(Math.max(0, position - 1)), after);
      const changeTexts = [...changes].map(([path, before]) => `${decodeURI(path)}: ${stateText(before)} → ${stateText(after.get(path))}`);
      return { tree: stateTree(after), changes, changeTexts };
    }),
    fields: lastOf(() => client.changesAt(position)),
    written: (step?.writes ?? []).map((write) => ({ start: write.address, end: write.address + write.length, before: write.before })),
  };
}

/** After the client moved: everything about its step, and all panes follow. */
export function arrive(before: Debugger): Debugger {
  const { client, index } = before;
  index.extend(client);
  const present = presentOf(client);
  const selection = selectionOf(present.step) ?? before.selection ?? lastWrite(client);
  const state: Debugger = { ...before, present, selection, step: START, stack: START, unfollowed: new Set(['state', 'device']) };
  const action = present.step?.action ?? null;
  const row = Math.max(0, present.position - 1);
  const lines = index.linesUpTo(present.position);
  return settle({
    ...state,
    program: action === null ? state.program : jumpTo(state.program, action, client.program.length, box(state, 'program').height),
    timeline: jumpTo(state.timeline, row, client.length, timelineHeight(state)),
    log: keepInView({ cursor: lines - 1, top: lines }, lines, box(state, 'log').height),
  });
}

/** The first thing a step wrote. */
function selectionOf(step: Step | null): BitSpan | null {
  const [write] = step?.writes ?? [];
  return write === undefined ? null : { address: write.address, firstBit: 0, bits: write.length * 8 };
}

/** Steps looked back for something to show in the memory pane. */
const LOOK_BACK = 2_000;

/** What the last write up to this step wrote. */
export function lastWrite(client: EngineClient): BitSpan | null {
  for (let number = client.position; number > 0 && number > client.position - LOOK_BACK; number--) {
    const selection = selectionOf(client.stepAt(number));
    if (selection !== null) return selection;
  }
  return null;
}

const box = (state: Laid, id: DebuggerPane): PaneBox => paneBox({ layout: debuggerBands }, state, id);

/** One row names the lanes. */
export const timelineHeight = (state: Laid): number => Math.max(1, box(state, 'timeline').height - 1);

/** The steps that the filter leaves, null for all; what part of them is on the screen; the step under the cursor, or the next that is shown. */
export function timelineRows(state: Debugger): { readonly shown: readonly number[] | null; readonly at: Scroll; readonly under: number } {
  const filter = filterOf<DebuggerPane>(state, 'timeline');
  const number = state.timeline.cursor + 1;
  if (filter === '') return { shown: null, at: state.timeline, under: number };
  const shown = state.index.matches(state.client, filter);
  const next = shown.findIndex((one) => one >= number);
  const at = keepInView({ ...state.timeline, cursor: next === -1 ? shown.length - 1 : next }, shown.length, timelineHeight(state));
  return { shown, at, under: shown[at.cursor] ?? number };
}

/** Cursors into view after anything changed; the place that panes share shows the one in focus. */
export function settle(before: Debugger): Debugger {
  const slot = SHARED.includes(before.shell.focus) ? before.shell.focus : before.slot;
  const state = { ...before, slot };
  const { client, unfollowed } = state;
  const bands = debuggerBands(state);
  // the first thing that changed comes into sight, once
  const followed = (id: 'state' | 'device', rowsIn: (state: Debugger) => readonly StateRow[]): Scroll => {
    const height = boxOf(bands, id)?.height;
    // of a pane that is not on the screen nothing is asked
    if (height === undefined) return state[id];
    const rows = rowsIn(state);
    const changed = unfollowed.has(id) ? rows.findIndex((row) => row.before !== null) : -1;
    return changed === -1 ? keepInView(state[id], rows.length, height) : jumpTo(state[id], changed, rows.length, height);
  };
  const settled: Debugger = {
    ...state,
    timeline: keepInView(state.timeline, client.length, timelineHeight(state)),
    state: followed('state', kernelRows),
    device: followed('device', deviceRows),
    unfollowed: new Set([...unfollowed].filter((id) => boxOf(bands, id) === null)),
  };
  return boxOf(bands, 'memory') === null ? settled : followMemory(settled);
}

export function memoryGrid(state: Debugger): Grid & { readonly digits: number; readonly height: number } {
  const { width, height } = box(state, 'memory');
  const { memory } = state.present;
  const digits = addressDigits(memory);
  return { memory, digits, perRow: bytesPerRow(width, digits), height, keep: state.selection?.address ?? null };
}

export function followMemory(state: Debugger): Debugger {
  const grid = memoryGrid(state);
  const top = rowStart(grid, state.memoryTop);
  return { ...state, memoryTop: state.selection === null ? top : followSelection(grid, top, state.selection, grid.height) };
}

export const kernelRows = rowsOfState('state', (name) => name !== 'devices');
export const deviceRows = rowsOfState('device', (name) => name === 'devices');

function rowsOfState(pane: DebuggerPane, only: (name: string) => boolean): (state: Debugger) => readonly StateRow[] {
  const rowsOf = lastOf(({ shown }: Present, closed: ReadonlySet<string>, onlyChanges: boolean, filter: string) => {
    const { tree, changes } = shown();
    return stateRows(tree, only, closed, changes).filter(
      (row) => (!onlyChanges || row.before !== null) && (filter === '' || hasWords(stateWords(row), filter)),
    );
  });
  return ({ present, closed, onlyChanges, shell }) => rowsOf(present, closed, onlyChanges, shell.filters.get(pane) ?? '');
}

const linesOf = lastOf(({ step, position, shown, fields }: Present, width: number, cause: Cause | null) =>
  stepLines(step, step === null ? [] : shown().changeTexts, fields(), width, cause?.step === position ? cause.because : []),
);

/** The first column is the cursor's. */
export const detailRows = (state: Debugger): readonly StepLine[] => linesOf(state.present, box(state, 'step').width - 1, state.cause);

/** Calls, innermost first; breakpoints; marks. */
export function stackRows({ client, present, ignores, stopped, temporary }: Debugger): StackRow[] {
  const rows: StackRow[] = [...present.stack].reverse().map((step): StackRow => ({ kind: 'call', step }));
  if (rows.length === 0) rows.push({ kind: 'heading', text: 'outside of any call' });
  if (client.breakpoints.length > 0) rows.push({ kind: 'heading', text: 'breakpoints' });
  for (const text of client.breakpoints.map(breakpointText)) {
    const hit = stopped.get(text) ?? 0;
    const left = ignores.get(text) ?? 0;
    const notes = [temporary.includes(text) ? 'once' : '', hit === 0 ? '' : `${hit}×`, left === 0 ? '' : `passes ${left} more`];
    rows.push({ kind: 'breakpoint', text, note: notes.filter(Boolean).join(', ') });
  }
  if (client.marks.size > 0) rows.push({ kind: 'heading', text: 'marks' });
  for (const [name, step] of client.marks) rows.push({ kind: 'mark', name, step });
  return rows;
}
