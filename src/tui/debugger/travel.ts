/** Moving the engine's client through time, with all panes following. */
import type { Step } from '../../engine/client.js';
import type { CommonAction } from '../model/keys.js';
import { say } from '../model/shell.js';
import type { DebuggerAction } from './keys.js';
import { type Debugger, arrive } from './state.js';

export const tell = (state: Debugger, toast: string): Debugger => ({ ...state, shell: say(state.shell, toast) });

/** Where an action takes the client; null for actions that do not move it. */
export function travel(state: Debugger, action: DebuggerAction | CommonAction): (() => Step | null) | null {
  const { client } = state;
  switch (action) {
    case 'step':
      return () => client.step();
    case 'stepBack':
      return () => client.back();
    case 'over':
      return () => client.next();
    case 'overBack':
      return () => client.backOver();
    case 'out':
      return () => client.out();
    case 'outBack':
      return () => client.backOut();
    case 'continue':
      return () => client.continue();
    case 'continueBack':
      return () => client.backToBreakpoint();
    case 'nextAction':
      return () => client.toAction(1);
    case 'previousAction':
      return () => client.toAction(-1);
    case 'undoEdits':
      return () => client.undoEdits();
    default:
      return null;
  }
}

/** To the first expectation that was not met; where all are met, to the errno with which the agent was first refused. */
export function goToFailure(state: Debugger): Debugger {
  const { client, index } = state;
  const failure = client.failure();
  if (failure !== null) return travelled(state, () => client.runTo(failure.step), false);
  index.extend(client);
  for (const { first, last, done } of index.actions.values()) {
    if (done?.errno == null) continue;
    for (let number = first; number <= last; number++) {
      if (client.stepAt(number)?.errno == null) continue;
      return tell(
        travelled(state, () => client.runTo(number), false),
        'every expectation is met; this is the first errno that an agent was given',
      );
    }
  }
  return tell(state, 'nothing went wrong: every expectation is met, and no call of the agent was refused');
}

/** Moves the client and lets all panes follow; says where the run ended. */
export function travelled(state: Debugger, go: () => Step | null, again: boolean): Debugger {
  const { client } = state;
  const before = client.position;
  go();
  if (again) state.index.clear();
  const arrived = arrive(state);
  if (client.position !== before || again) return arrived;
  return tell(arrived, before === 0 ? 'this is before the first step' : (client.end?.reason ?? 'this is the last step of the run'));
}

/** Runs on until that step of the program is carried out, or to the end. */
export function runToAction(state: Debugger, action: number): Step | null {
  const { client } = state;
  let arrived = client.toAction(1);
  while (arrived !== null && (arrived.action ?? -1) < action && client.position < client.length + 1) {
    const before = client.position;
    arrived = client.toAction(1);
    if (client.position === before) break;
  }
  return arrived;
}
