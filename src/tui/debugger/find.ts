/** Searching the trace: for text, and for the step after which a state is so. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { jumpTo } from '../model/scroll.js';
import { type Debugger, timelineHeight } from './state.js';
import { stepText } from './step-lines.js';
import { tell, travelled } from './travel.js';

/** Steps of the trace that a search looks at. */
const SEARCH_STEPS = 200_000;

/** Searches the timeline; in the console, its lines. */
export function find(state: Debugger, by: 1 | -1): Debugger {
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
  return tell(state, `no step with ${query} in the ${Math.min(client.length, SEARCH_STEPS)} looked at`);
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
