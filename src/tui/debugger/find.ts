/** Searching the trace: for text, and for the step after which a state is so. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { jumpTo } from '../model/scroll.js';
import { type Found, filterOf } from '../model/view.js';
import type { DebuggerPane } from './layout.js';
import { type Debugger, timelineHeight } from './state.js';
import { SEARCH_STEPS } from './trace-index.js';
import { tell, travelled } from './travel.js';

/** To the next step with the text that is searched for, around the end. */
export function find(state: Debugger, by: 1 | -1): Debugger {
  const { client, query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const steps = matches(state, query);
  const here = state.timeline.cursor + 1;
  const next = by === 1 ? (steps.find((number) => number > here) ?? steps[0]) : (steps.findLast((number) => number < here) ?? steps.at(-1));
  if (next === undefined) return tell(state, `no step with ${query} in the ${Math.min(client.length, SEARCH_STEPS)} looked at`);
  return { ...state, timeline: jumpTo(state.timeline, next - 1, client.length, timelineHeight(state)) };
}

/** The steps with the text, of those that a filter leaves. */
const matches = (state: Debugger, query: string): readonly number[] =>
  state.index.matches(state.client, `${filterOf<DebuggerPane>(state, 'timeline')} ${query}`.trim());

export function found(state: Debugger): Found | null {
  const { query } = state;
  if (query === null) return null;
  const steps = matches(state, query);
  return { query, at: steps.indexOf(state.timeline.cursor + 1), count: steps.length, hints: [['Enter', 'go there']] };
}

/** The next step after this one whose state has `path` (or an end of it) at `value`. */
export function when(state: Debugger, argument: string): Debugger {
  const typed = /^(\S+)\s*=\s*(.+)$/.exec(argument);
  if (typed === null) return tell(state, ':when takes <path of the state> = <value>, such as :when web/files/0x2 = frozen');
  const [, path = '', value = ''] = typed;
  const { client } = state;
  const start = client.position;
  const holds = (number: number): boolean => {
    for (const [key, at] of client.stateAt(number)) {
      const name = decodeURI(key);
      if (name !== path && !name.endsWith(`/${path}`) && !name.includes(`/${path}/`)) continue;
      if ((typeof at === 'bigint' ? hex(at) : String(at)) === value.trim()) return true;
    }
    return false;
  };
  for (let number = start + 1; number <= client.length; number++)
    if (holds(number) && !holds(number - 1)) return travelled(state, () => client.runTo(number), true);
  return tell(state, `after step ${start} no state ${escapeText(path)} becomes ${escapeText(value)}`);
}
