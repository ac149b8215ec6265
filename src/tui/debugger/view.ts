/** The debugger: its panes, keys and commands put together, and the inspector that opens on the memory of a step. */
import { type EngineClient, breakpointText, parseBreakpoint } from '../../engine/client.js';
import { escapeText } from '../../report/escape.js';
import { INSPECTOR } from '../inspector/view.js';
import { GENERAL, MOVE, PANES, SEARCH } from '../model/common-keys.js';
import { glyphOf } from '../model/finding.js';
import type { Program, Step as ProgramStep } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { type Line, span } from '../model/text.js';
import { type View, lastOffered, tell } from '../model/view.js';
import { DEBUGGER_COMMANDS, DEBUGGER_SHARED, exported } from './commands.js';
import type { Companion } from './companion.js';
import { DEBUGGER_COPIES } from './copy.js';
import { find, found } from './find.js';
import { DEBUGGER_KEYS } from './keys.js';
import { debuggerBands, type DebuggerPane, LOOK, SHARED, STOPS, TIME } from './layout.js';
import { DEBUGGER_PANES } from './panes.js';
import { type Debugger, arrive, openDebuggerState, seek, settle } from './state.js';
import { DEBUGGER_MARKS } from './stops.js';
import { CARRY_OUT, carryOut, travelled } from './travel.js';
import { edit, keptEdits, withEdits } from './what-if.js';

/** Where the run is, and what it has come to if it was run to its end. */
function summary({ client, present, headline, seeking }: Debugger): Line {
  const moment = client.moments.findLast((passed) => passed.step <= present.position);
  const spans: Line = [
    span(`step ${present.position}/${client.length}`, 'title'),
    span(`  kernel ${present.step?.kernel ?? 0}${moment === undefined ? '' : `, ${moment.moment}`}`),
    ...(client.edits.length === 0 ? [] : [span(`  ${client.edits.length} edit${client.edits.length === 1 ? '' : 's'}`, 'changed')]),
  ];
  if (headline === null) return seeking === null ? spans : [...spans, span('  running on …', 'dim')];
  const sign = headline.severity === 'good' ? '' : `${glyphOf(headline.severity)} `;
  return [...spans, span(`  ${sign}${headline.word}`, headline.severity)];
}

export const DEBUGGER: View<Debugger, DebuggerPane> = {
  name: 'Debugger',
  intro: '`luo-inspect sim <scenario> --step` and `luo-inspect step <dump>`: a run of the engine, forwards and backwards.',
  panes: DEBUGGER_PANES,
  keys: DEBUGGER_KEYS,
  groups: [TIME, STOPS, MOVE, LOOK, SEARCH, PANES, GENERAL],
  commands: DEBUGGER_COMMANDS,
  shared: DEBUGGER_SHARED,
  words: {
    left: 'state, devices: close the node; memory: one byte to the left',
    right: 'state, devices: open the node; memory: one byte to the right',
    enter: 'go to what the row is about: a step, a call, a mark, the bytes written',
    search: 'search the timeline: operation, argument, errno, console line',
  },
  tabs: SHARED,
  search: (state, text) => (text === '' ? { ...state, query: null } : find({ ...state, query: text }, 1)),
  find,
  endSearch: (state) => ({ ...state, query: null }),
  found,
  copies: DEBUGGER_COPIES,
  exported: { help: 'write the trace to a new file: as JSON lines where its name ends in .json, else as text', text: exported },
  marks: DEBUGGER_MARKS,
  questions: {
    'edit ': { run: edit },
    [CARRY_OUT]: { run: carryOut },
  },
  layout: debuggerBands,
  // of a dump the end of its path says which it is
  title: ({ client: { fromDump, scenario } }) =>
    escapeText(fromDump ? `next kernel on ${scenario.file.split('/').slice(-2).join('/')}` : scenario.title || scenario.file),
  summary,
  settle,
  goTo: (state, target) => {
    if ('step' in target) return travelled(state, () => state.client.runTo(target.step), true);
    return 'address' in target ? settle({ ...state, selection: { address: target.address, firstBit: 0, bits: 8 } }) : state;
  },
  unsaved: ({ client }) =>
    client.edits.length === 0
      ? null
      : `${client.edits.length} edit${client.edits.length === 1 ? '' : 's'} to memory (made again when this file is next opened; :save makes a scenario of it)`,
  work: seek,
  kept: (state) => ({
    marks: Object.fromEntries([...state.client.marks, ['last', state.client.position] as const].map(([name, step]) => [name, String(step)])),
    breakpoints: state.client.breakpoints.map(breakpointText),
    edits: keptEdits(state),
  }),
  restored: (state, { marks, breakpoints, edits }) => {
    for (const [name, step] of Object.entries(marks)) if (/^\d{1,9}$/.test(step)) state.client.mark(name, Number(step));
    for (const text of breakpoints) {
      try {
        state.client.addBreakpoint(parseBreakpoint(text));
      } catch {
        // written by another release
      }
    }
    return settle(withEdits(lastOffered({ ...state }, marks.last === undefined ? undefined : `step ${marks.last}`), edits));
  },
};

/** The debugger; while the memory of a step is open in the inspector, keys and screen are the inspector's. */
export function debuggerProgram(client: EngineClient, source: string | null = null, companion: Companion | null = null): Program<Debugger> {
  const own = programOf(DEBUGGER, (size) => openDebuggerState(client, size, source, companion));
  return {
    ...own,
    key: (state, key) => (state.inspector === null ? own.key(state, key) : inInspector(state, state.inspector, key)),
    resize: (state, size) => {
      const sized = own.resize(state, size);
      return sized.inspector === null ? sized : { ...sized, inspector: inspectorOwn.resize(sized.inspector, size) };
    },
    screen: (state) => (state.inspector === null ? own.screen(state) : inspectorOwn.screen(state.inspector)),
    work: (state) => {
      const inspector = state.inspector === null ? null : INSPECTOR.work(state.inspector);
      return inspector === null ? own.work(state) : { ...state, inspector };
    },
  };
}

const inspectorOwn = programOf(INSPECTOR, () => {
  throw new Error('the inspector is opened on the memory of a step');
});

/** Keys go to the inspector while it is open; its end is the way back, but for Ctrl-C. */
function inInspector(state: Debugger, inspector: NonNullable<Debugger['inspector']>, key: string): ProgramStep<Debugger> {
  const { state: next, effects } = inspectorOwn.key(inspector, key);
  if (effects.some(({ kind }) => kind === 'diff'))
    return {
      state: { ...state, inspector: tell(next, 'a step’s memory is in no file: `luo-inspect sim --until <step> --dump <file>` writes one') },
      effects: [],
    };
  const closing = key !== 'ctrl-c' && effects.some(({ kind }) => kind === 'quit');
  return closing ? { state: arrive({ ...state, inspector: null }), effects: [] } : { state: { ...state, inspector: next }, effects };
}
