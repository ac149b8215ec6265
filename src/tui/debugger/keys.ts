/** The keys of the debugger that are not those of a pane or of every view. Small letters go forwards, capitals backwards. */
import type { EngineClient } from '../../engine/client.js';
import type { Key } from '../model/keys.js';
import { asked } from '../model/view.js';
import { more } from './about.js';
import { find } from './find.js';
import { inspectMemory } from './inspect.js';
import { LOOK, STOPS, TIME } from './layout.js';
import type { Debugger } from './state.js';
import { onward, toggleBreakpoint } from './stops.js';
import { askToCarryOut, changed, repeated, tell, toCause, travelJumps } from './travel.js';
import { compare, editStart } from './what-if.js';

type Act = (state: Debugger, count: number | null) => Debugger;

/** A way through time; `.` goes it again. */
const way =
  (act: Act): Act =>
  (state, count) => ({ ...act(state, count), again: (later) => act(later, count) });

const go = (act: (client: EngineClient) => ReturnType<EngineClient['step']>): Act => way((state, count) => repeated(state, count, act));

export const DEBUGGER_KEYS: readonly Key<Debugger>[] = [
  { keys: ['s'], group: TIME, counts: true, help: 'one step; 10s ten', hint: 'step', run: go((client) => client.step()) },
  { keys: ['S', 'b'], group: TIME, counts: true, help: 'one step back', run: go((client) => client.back()) },
  // while a search is shown, n and N are its own
  {
    keys: ['n'],
    group: TIME,
    counts: true,
    help: 'next: over the call that is entered here; while a search is shown, its next match',
    hint: 'next',
    run: (state, count) => (state.query === null ? go((client) => client.next())(state, count) : find(state, 1)),
  },
  {
    keys: ['N'],
    group: TIME,
    counts: true,
    help: 'back over the call that was left here; while a search is shown, the match before',
    run: (state, count) => (state.query === null ? go((client) => client.backOver())(state, count) : find(state, -1)),
  },
  { keys: ['o'], group: TIME, counts: true, help: 'out of the call', hint: 'out', run: go((client) => client.out()) },
  { keys: ['O'], group: TIME, counts: true, help: 'back to where the call was entered', run: go((client) => client.backOut()) },
  {
    keys: ['c'],
    group: TIME,
    counts: true,
    help: 'on to the next breakpoint, or to the end',
    hint: 'continue',
    run: way((state, count) => onward(state, count, (client) => client.continue())),
  },
  {
    keys: ['C'],
    group: TIME,
    counts: true,
    help: 'back to the breakpoint before, or to the start',
    hint: 'back',
    run: way((state, count) => onward(state, count, (client) => client.backToBreakpoint())),
  },
  { keys: ['a'], group: TIME, counts: true, help: "the agent's next step of the program", run: go((client) => client.toAction(1)) },
  { keys: ['A'], group: TIME, counts: true, help: "the agent's step before", run: go((client) => client.toAction(-1)) },
  { keys: ['.'], group: TIME, help: 'the last of these again, with its count', run: (state) => state.again?.(state) ?? tell(state, 'nothing to repeat yet') },
  {
    keys: ['L'],
    group: TIME,
    help: 'live: the next step of the scenario on this machine’s kernel, once it is confirmed (`luo-inspect live --step`)',
    run: askToCarryOut,
  },
  {
    keys: ['F'],
    group: TIME,
    help: 'the cause: to what went wrong first inside the failing call; again: to the last write of the bytes it had read',
    hint: 'cause',
    run: toCause,
  },
  { keys: ['backspace', 'ctrl-o'], group: TIME, help: 'back to where the last jump came from', run: (state) => travelJumps(state, -1) },
  { keys: ['ctrl-i', 'ctrl-n'], group: TIME, help: 'forward again (Ctrl-I where the terminal tells it from Tab)', run: (state) => travelJumps(state, 1) },
  { keys: ['B'], group: STOPS, help: 'a breakpoint on the operation of the step, or none any more', run: toggleBreakpoint },
  {
    keys: ['e'],
    group: STOPS,
    help: 'store other bytes into memory here and see what happens; after F F, what would mend it',
    hint: 'edit',
    run: (state) => asked(state, 'edit ', editStart(state)),
  },
  {
    keys: ['u'],
    group: STOPS,
    help: 'take all edits back',
    run: (state) => (state.client.edits.length === 0 ? tell(state, 'no edits to take back') : changed(state, () => state.client.undoEdits())),
  },
  { keys: ['D'], group: STOPS, help: 'the run before and after an edit, side by side from where they part', run: compare },
  { keys: ['>'], group: LOOK, help: 'next match', run: (state) => find(state, 1) },
  { keys: ['<'], group: LOOK, help: 'match before', run: (state) => find(state, -1) },
  {
    keys: ['i'],
    group: LOOK,
    help: 'open the memory of this step in the inspector',
    hint: 'inspect',
    run: (state) => {
      const inspector = inspectMemory(state.client, state.shell.size);
      return inspector === null ? tell(state, 'the memory of this step holds no handover') : { ...state, inspector };
    },
  },
  { keys: ['K'], group: LOOK, help: 'more: what the kernel does here, and what can refuse', run: more },
];
