/** A real kernel beside the engine's run (`luo-inspect live --step`): each step is carried out once it is confirmed, and both answers are shown. */
import { asked } from '../model/view.js';
import { escapeText } from '../../report/escape.js';
import type { DebuggerPane } from './layout.js';
import type { Debugger } from './state.js';
import { runToAction, tell, travelled } from './travel.js';

/** What a step came to on both sides. */
interface CarriedOut {
  /** 0-based place in the program */
  readonly action: number;
  /** the real kernel's answer: 0, an errno's name, or why it was not asked */
  readonly real: string;
  /** the engine's */
  readonly engine: string;
  readonly differs: boolean;
}

/** The real kernel, as the debugger drives it. */
export interface Companion {
  /** the step to be carried out next, in words; null at the end of the program */
  next(): string | null;
  /** Carries it out. A kexec that works does not come back. */
  perform(): CarriedOut;
}

export const CARRY_OUT = 'carry out on this machine: ';

/** Asks before the next step is carried out: the line shows it, Enter carries it out, Escape leaves it. */
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
  if (companion === null || next === null || text !== escapeText(next)) return tell(state, 'not carried out: the step has to be confirmed as it is written');
  const { action, real, engine, differs } = companion.perform();
  const there = travelled(state, () => runToAction(state, action));
  return tell(there, `${next}: this kernel ${real}, the engine ${engine}${differs ? ': they differ' : ''}`);
}
