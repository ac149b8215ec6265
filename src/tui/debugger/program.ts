/** The debugger as a program for the terminal part: what each of its panes shows. */
import type { EngineClient } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { hexRows, rowStart } from '../model/hex.js';
import type { Program } from '../model/program.js';
import { screenOf } from '../inspector/content.js';
import { work } from '../inspector/reduce.js';
import type { PaneBox, PaneContent, Screen } from '../model/screen.js';
import { type Scroll, positionOf } from '../model/scroll.js';
import { frame } from '../model/shell.js';
import { type Line, type Span, clip, fill, line, padTo, restyle, span } from '../model/text.js';
import { DEBUGGER_SPEC } from './keys.js';
import { debuggerBands } from './layout.js';
import { reduceDebugger, resizeDebugger } from './reduce.js';
import {
  type Debugger,
  detailRows,
  deviceRows,
  kernelRows,
  layoutOf,
  memoryGeometry,
  openDebuggerState,
  seekFailure,
  type StackRow,
  stackRows,
  timelineHeight,
} from './state.js';
import { type StateRow, stateLine } from './state-rows.js';
import { argsText, laneHeading, laneRow, programText, resultText, stepText } from './step-lines.js';

export const debuggerProgram = (client: EngineClient): Program<Debugger> => ({
  initial: (size) => openDebuggerState(client, size),
  key: reduceDebugger,
  resize: resizeDebugger,
  screen: (state) => (state.inspector === null ? screenOfDebugger(state) : screenOf(state.inspector)),
  work: workOf,
});

const screenOfDebugger = (state: Debugger): Screen =>
  frame(state.shell, DEBUGGER_SPEC, {
    title: escapeText(state.client.scenario.title || state.client.scenario.file),
    summary: summary(state),
    bands: debuggerBands(layoutOf(state)),
    contentOf: (id, box) => contentOf(state, id, box),
    status:
      state.query === null
        ? null
        : [
            span(` /${state.query}  `, 'match'),
            span('>', 'key'),
            span(' next  ', 'dim'),
            span('<', 'key'),
            span(' previous  ', 'dim'),
            span('Enter', 'key'),
            span(' go there  ', 'dim'),
            span('Esc', 'key'),
            span(' end', 'dim'),
          ],
  });

/** The search of an open inspector, or the run behind the scenes. */
function workOf(state: Debugger): Debugger | null {
  if (state.inspector === null) return seekFailure(state);
  const inspector = work(state.inspector);
  return inspector === null ? null : { ...state, inspector };
}

/** Where the run is, and how it ended if it was run to its end. */
function summary({ client, present }: Debugger): Line {
  const moment = client.moments.findLast((passed) => passed.step <= present.position);
  const spans: Span[] = [
    span(`step ${present.position}/${client.length}`, 'title'),
    span(`  kernel ${present.step?.kernel ?? 0}${moment === undefined ? '' : `, ${moment.moment}`}`),
  ];
  if (client.edits.length > 0) spans.push(span(`  ${client.edits.length} edits`, 'changed'));
  const { end } = client;
  if (end === null) return [...spans, span('  running on …', 'dim')];
  const good = end.expectationsMet;
  return [
    ...spans,
    span(`  ${good ? '' : '! '}ends: ${end.ending}${good ? '' : `, ${client.mismatches.length} expectations not met`}`, good ? 'good' : 'error'),
  ];
}

function contentOf(state: Debugger, id: string, box: PaneBox): PaneContent {
  switch (id) {
    case 'program':
      return programPane(state, box);
    case 'timeline':
      return timelinePane(state, box);
    case 'stack':
      return listPane('calls', '', stackRows(state), state.stack, box, state.shell.focus === 'stack', stackSpans);
    case 'step':
      return listPane(`step ${state.present.position}`, '', detailRows(state), state.step, box, state.shell.focus === 'step', (row) => row.spans);
    case 'state':
      return statePane('state', kernelRows(state), state.state, box, state.shell.focus === 'state');
    case 'device':
      return statePane('devices', deviceRows(state), state.device, box, state.shell.focus === 'device');
    case 'memory':
      return memoryPane(state, box);
    default:
      return logPane(state, box);
  }
}

/** A list with a cursor that is seen while its pane has the focus. */
function listPane<T>(title: string, note: string, rows: readonly T[], scroll: Scroll, box: PaneBox, focused: boolean, spansOf: (row: T) => Line): PaneContent {
  const shown = rows.slice(scroll.top, scroll.top + box.height).map((row, index): Line => {
    const selected = focused && scroll.top + index === scroll.cursor;
    const spans: Line = [span(selected ? '›' : ' ', 'focus'), ...spansOf(row)];
    return selected ? restyle(fill(spans, box.width), 'cursor') : clip(spans, box.width);
  });
  return { title, note: note === '' && rows.length > box.height ? positionOf(scroll.cursor, rows.length) : note, rows: shown };
}

function statePane(title: string, rows: readonly StateRow[], scroll: Scroll, box: PaneBox, focused: boolean): PaneContent {
  const shown = rows.slice(scroll.top, scroll.top + box.height);
  return {
    title,
    note: rows.length > box.height ? positionOf(scroll.cursor, rows.length) : '',
    rows: shown.map((row, index) => stateLine(row, scroll.top + index === scroll.cursor && focused, focused, box.width)),
  };
}

/** The scenario: done, being carried out, to come; what came out where it is known and already past. */
function programPane(state: Debugger, box: PaneBox): PaneContent {
  const { client, present, index } = state;
  const current = present.step?.action ?? null;
  const wrong = new Map(client.mismatches.map((mismatch) => [mismatch.action, mismatch]));
  // an agent on a dump has no file with lines: then its steps are counted
  const lines = new Set(client.program.map((step) => step.position.line)).size > 1;
  const rows = client.program.map((step, action): Line => {
    const result = index.actions.get(action)?.done ?? null;
    const past = result !== null && result.step <= present.position;
    const mismatch = wrong.get(action);
    const sign: Span = action === current ? span('▶', 'focus') : mismatch !== undefined ? span('!', 'error') : span(' ');
    const outcome: Span[] = !past
      ? []
      : result.errno === null && result.result !== null
        ? [span(' ok', 'good')]
        : [span(` ${resultText(result)}`, mismatch === undefined ? 'warning' : 'error')];
    const told = mismatch !== undefined && past ? [span(` (${escapeText(mismatch.expected)} expected)`, 'error')] : [];
    const [verb = '', ...rest] = programText(step).split(' ');
    const style = action === current ? 'title' : past ? 'dim' : 'plain';
    return [
      sign,
      span(padTo(String(lines ? step.position.line : action + 1), 4), 'address'),
      span(verb, style === 'plain' ? 'name' : style),
      ...outcome,
      ...told,
      span(` ${rest.join(' ')}`, 'dim'),
    ];
  });
  return listPane('program', '', rows, state.program, box, state.shell.focus === 'program', (spans) => spans);
}

function timelinePane(state: Debugger, box: PaneBox): PaneContent {
  const { client, present, timeline } = state;
  const digits = String(client.length).length;
  const query = state.query?.toLowerCase() ?? null;
  const rows: Line[] = [laneHeading(box.width, digits)];
  for (let number = timeline.top + 1; number <= Math.min(client.length, timeline.top + timelineHeight(state)); number++) {
    const step = client.stepAt(number);
    if (step === null) break;
    const match = query !== null && `${step.actor} ${stepText(step)}`.toLowerCase().includes(query);
    const cursor = number === timeline.cursor + 1 && state.shell.focus === 'timeline';
    const spans = laneRow(step, { cursor, current: number === present.position, match, future: number > present.position }, box.width, digits);
    rows.push(cursor ? restyle(fill(spans, box.width), 'cursor') : spans);
  }
  return { title: 'timeline', note: `${timeline.cursor + 1}/${client.length}`, rows };
}

function stackSpans(row: StackRow): Line {
  switch (row.kind) {
    case 'heading':
      return [span(row.text, 'label')];
    case 'call':
      return [span(`${row.step.op} `, 'name'), span(argsText(row.step), 'value'), span(`  step ${row.step.step}`, 'dim')];
    case 'breakpoint':
      return [span('● ', 'error'), span(escapeText(row.text))];
    case 'mark':
      return [span('◆ ', 'info'), span(escapeText(row.name)), span(`  step ${row.step}`, 'dim')];
  }
}

function memoryPane(state: Debugger, box: PaneBox): PaneContent {
  const { memory, written, step } = state.present;
  const { perRow, digits } = memoryGeometry(state);
  const rows = hexRows(memory, rowStart(memory, state.memoryTop, perRow), { height: box.height, perRow, digits, selection: state.selection, changed: written });
  const [write] = step?.writes ?? [];
  return { title: 'memory', note: write?.struct == null ? '' : escapeText(`${write.struct}${write.field === null ? '' : `.${write.field}`}`), rows };
}

function logPane(state: Debugger, box: PaneBox): PaneContent {
  const { index, present } = state;
  const count = index.linesUpTo(present.position);
  const rows = index.console.slice(state.logTop, Math.min(count, state.logTop + box.height)).map(({ step, kernel, text }): Line => {
    const now = step === present.position;
    return [span(now ? '▶' : ' ', 'focus'), span(`${kernel} `, 'address'), span(escapeText(text), now ? 'title' : 'plain')];
  });
  return { title: 'console', note: positionOf(Math.max(0, count - 1), count), rows: count === 0 ? [line(' nothing printed yet', 'dim')] : rows };
}
