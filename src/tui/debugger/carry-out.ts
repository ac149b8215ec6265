/** Steps on a real kernel beside the engine's run: each is carried out once it is confirmed, and both answers are shown. */
import { asked } from '../model/view.js';
import { escapeText } from '../../report/escape.js';
import type { DebuggerPane } from './layout.js';
import type { Debugger } from './state.js';
import { runToAction, tell, travelled } from './travel.js';

export const CARRY_OUT = 'carry out on this machine: ';

/** Asks before the next step is carried out: it stands in the line, Enter carries it out, Escape leaves it. */
export function askToCarryOut(state: Debugger): Debugger {
  const { companion } = state;
  if (companion === null) return tell(state, 'no real kernel beside this run: `luo-inspect live <scenario> --step` opens one');
  const next = companion.next();
  return next === null ? tell(state, 'every step was carried out') : asked<Debugger, DebuggerPane>(state, CARRY_OUT, escapeText(next));
}

/** The answer to that question. Whatever else was written in the line is no step of the scenario. */
export function carryOut(state: Debugger, text: string): Debugger {
  const { companion } = state;
  const next = companion?.next() ?? null;
  if (companion === null || next === null || text !== escapeText(next)) return tell(state, 'not carried out: the step is to be confirmed as it stands');
  const { action, real, engine, differs } = companion.perform();
  const there = travelled(state, () => runToAction(state, action));
  return tell(there, `${next}: this kernel ${real}, the engine ${engine}${differs ? ': they differ' : ''}`);
}
