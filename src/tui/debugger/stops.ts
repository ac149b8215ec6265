/** Where the run is stopped, and what steps are called: breakpoints as in gdb, and marks. */
import { type Breakpoint, BREAKPOINT_KINDS, type EngineClient, breakpointText, parseBreakpoint, stopsAt } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { counted } from '../../tree/words.js';
import { nearest } from '../model/match.js';
import type { PageRow } from '../model/page.js';
import { line } from '../model/text.js';
import { type Marks, showList } from '../model/view.js';
import { STOPS } from './layout.js';
import { type Debugger, type StackRow, settle, stackRows, timelineRows } from './state.js';
import { repeated, tell, travelled } from './travel.js';

export const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;

/** Steps of a run that are looked at to see whether a breakpoint can hit. */
export const MOST_CHECKED = 200_000;

function hits(client: EngineClient, breakpoint: Breakpoint): number {
  let count = 0;
  for (let number = 1; number <= Math.min(client.length, MOST_CHECKED); number++) {
    const step = client.stepAt(number);
    if (step !== null && stopsAt(breakpoint, step)) count++;
  }
  return count;
}

/** Sets a breakpoint; one that no step of the whole run would hit is refused, with the name that may have been meant. */
export function addBreakpoint(state: Debugger, text: string, force: boolean): Debugger {
  const { client } = state;
  let breakpoint: Breakpoint;
  try {
    breakpoint = parseBreakpoint(text);
  } catch (error) {
    return tell(state, error instanceof Error ? escapeText(error.message) : 'not a breakpoint');
  }
  const count = hits(client, breakpoint);
  if (count === 0 && client.end !== null && !force) {
    const op = /op:(\S+)/.exec(breakpointText(breakpoint))?.[1];
    const near = op === undefined ? null : nearest(op, operations(client));
    return tell(
      state,
      `no step of this run stops at ${escapeText(text)}${near === null || near === op ? '' : `; did you mean op:${escapeText(near)}?`}  (:break! sets it all the same)`,
    );
  }
  client.addBreakpoint(breakpoint);
  const known = client.end === null ? '' : `: ${count} step${count === 1 ? '' : 's'} of this run`;
  return settle(tell(state, `breakpoint ${escapeText(breakpointText(breakpoint))}${known}`));
}

function operations(client: EngineClient): string[] {
  const names = new Set<string>();
  for (let number = 1; number <= Math.min(client.length, MOST_CHECKED); number++) {
    const op = client.stepAt(number)?.op;
    // a blank would end the name
    if (op !== undefined && op !== 'printk' && !op.includes(' ')) names.add(op);
  }
  return [...names].sort();
}

export function breakpointChoices({ client }: Debugger, typed: string): readonly string[] {
  const at = typed.lastIndexOf(' ') + 1;
  const before = typed.slice(0, at);
  const last = typed.slice(at);
  if (last.startsWith('op:')) return operations(client).map((op) => `${before}op:${op}`);
  if (last.startsWith('moment:')) return MOMENTS.map((moment) => `${before}moment:${moment}`);
  return BREAKPOINT_KINDS.map((kind) => `${before}${kind}:`);
}

/** On the operation of the step under the timeline's cursor. */
export function toggleBreakpoint(state: Debugger): Debugger {
  const { client } = state;
  const step = state.shell.focus === 'timeline' ? client.stepAt(timelineRows(state).under) : state.present.step;
  if (step === null) return tell(state, 'no step here');
  const present = client.breakpoints.find((breakpoint) => breakpoint.kind === 'op' && breakpoint.op === step.op);
  if (present !== undefined) {
    client.removeBreakpoint(present);
    return settle(tell(state, `no breakpoint on ${escapeText(step.op)} any more`));
  }
  client.addBreakpoint({ kind: 'op', op: step.op });
  return settle(tell(state, `breakpoint on ${escapeText(step.op)}`));
}

export function remove(state: Debugger, row: StackRow | undefined): Debugger {
  const { client } = state;
  if (row?.kind === 'breakpoint') client.removeBreakpoint(parseBreakpoint(row.text));
  else if (row?.kind === 'mark') client.unmark(row.name);
  else return tell(state, 'no breakpoint or mark under the cursor');
  return settle({ ...state });
}

/** On to the next breakpoint that is not to be passed; a temporary one is gone once it was hit. */
export function onward(before: Debugger, count: number | null, go: (client: EngineClient) => unknown): Debugger {
  const ignores = new Map(before.ignores);
  const stopped = new Map(before.stopped);
  let stops: readonly string[] = [];
  const moved = repeated(before, count, (client) => {
    for (let at = client.position; ; at = client.position) {
      stops = [];
      go(client);
      const step = client.current;
      if (step === null || client.position === at) return step;
      const hit = client.breakpoints.filter((one) => stopsAt(one, step)).map(breakpointText);
      stops = hit.filter((text) => (ignores.get(text) ?? 0) === 0);
      for (const text of hit) {
        const left = ignores.get(text) ?? 0;
        if (left > 0) ignores.set(text, left - 1);
        else stopped.set(text, (stopped.get(text) ?? 0) + 1);
      }
      if (stops.length > 0 || hit.length === 0) return step;
    }
  });
  const there: Debugger = { ...moved, ignores, stopped };
  const once = there.temporary.filter((text) => stops.includes(text));
  for (const text of once) there.client.removeBreakpoint(parseBreakpoint(text));
  const left = settle({ ...there, temporary: there.temporary.filter((text) => !once.includes(text)) });
  return stops.length === 0 ? left : tell(left, `${once.length > 0 ? 'temporary ' : ''}breakpoint ${stops.map(escapeText).join(' and ')}`);
}

const numbered = ({ client }: Debugger, text: string): Breakpoint | null => (/^\d{1,4}$/.test(text) ? (client.breakpoints[Number(text) - 1] ?? null) : null);

/** `:ignore <breakpoint> <times>`: passes it so often. */
export function ignore(state: Debugger, argument: string): Debugger {
  const [number = '', times = ''] = argument.split(/\s+/);
  const breakpoint = numbered(state, number);
  if (breakpoint === null || !/^\d{1,9}$/.test(times))
    return tell(state, ':ignore takes the number of a breakpoint (:info lists them) and how often to pass it');
  const text = breakpointText(breakpoint);
  const ignores = new Map(state.ignores).set(text, Number(times));
  return settle(tell({ ...state, ignores }, `${escapeText(text)} is passed ${times} time${times === '1' ? '' : 's'} before it stops again`));
}

export function deleteBreakpoint(state: Debugger, argument: string): Debugger {
  const { client } = state;
  const all = argument.trim() === '';
  const wanted = all ? client.breakpoints : [numbered(state, argument.trim())];
  let gone = 0;
  for (const one of wanted) {
    if (one === null) return tell(state, `no breakpoint ${escapeText(argument)}: :info lists them`);
    client.removeBreakpoint(one);
    gone++;
  }
  return settle(tell({ ...state }, gone === 0 ? 'no breakpoints' : `${gone} breakpoint${gone === 1 ? '' : 's'} removed`));
}

export function listBreakpoints(state: Debugger): Debugger {
  const { client } = state;
  const listed = stackRows(state).filter((row) => row.kind === 'breakpoint');
  const rows = listed.map(({ text, note }, index): PageRow => {
    const such = hits(client, parseBreakpoint(text));
    return { line: line(`${index + 1}  ${escapeText(text)}: ${counted(such, 'such step')} in this run${note === '' ? '' : `, ${note}`}`), target: null };
  });
  return rows.length === 0 ? tell(state, 'no breakpoints') : showList(state, 'breakpoints', () => rows);
}

export const DEBUGGER_MARKS: Marks<Debugger> = {
  group: STOPS,
  names: ({ client }) => [...client.marks.keys()],
  set: (state, name) => {
    state.client.mark(name);
    return { state: settle({ ...state }), what: `step ${state.present.position}` };
  },
  goTo: (state, name) => {
    const step = state.client.marks.get(name);
    return step === undefined ? null : travelled(state, () => state.client.runTo(step), true);
  },
};
