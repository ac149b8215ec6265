/** What `explore` found as a list: the shortest run to each ending; Enter opens one in the debugger, q comes back to the list. */
import { GENERAL, MOVE, PANES, SEARCH } from '../model/common-keys.js';
import { listPane } from '../model/list.js';
import { shellWord } from '../../report/escape.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { alone } from '../model/screen.js';
import { type Scroll, START } from '../model/scroll.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Line, type Style, padTo, span } from '../model/text.js';
import { type View, effect, tell } from '../model/view.js';

export interface ExploreRow {
  /** how the run ends, in a word */
  readonly ending: string;
  /** what the agent is told, and where; escaped */
  readonly detail: string;
  /** the faults, in words; escaped */
  readonly faults: string;
  /** runs that end so */
  readonly runs: number;
  /** `sim --fault` arguments that make it happen */
  readonly given: readonly string[];
}

/** What `openExploration` is given. */
export interface ExploreModel {
  readonly path: string;
  readonly title: string;
  readonly rows: readonly ExploreRow[];
}

type ExplorePane = 'endings';

interface Exploring {
  readonly model: ExploreModel;
  readonly shell: Shell<ExplorePane>;
  readonly endings: Scroll;
  readonly query: string | null;
}

const STYLES: Readonly<Record<string, Style>> = { panic: 'error', 'cold-boot': 'error', unnoticed: 'dim', finished: 'good' };

const endings = listPane<Exploring, ExplorePane, ExploreRow>({
  id: 'endings',
  rows: ({ model }) => model.rows,
  words: ({ ending, detail, faults }) => `${ending} ${detail} ${faults}`,
  scroll: (state) => state.endings,
  scrolled: (state, scroll) => ({ ...state, endings: scroll }),
  line:
    (_state, box) =>
    ({ ending, detail, faults, runs }): Line => [
      span(padTo(ending, 12), STYLES[ending] ?? 'warning'),
      span(`${String(runs).padStart(4)}× `, 'dim'),
      span(padTo(detail, Math.max(20, Math.floor(box.width * 0.45)))),
      span('  by ', 'dim'),
      span(faults, 'name'),
    ],
  none: span('no run ends otherwise', 'good'),
  enter: (state, row) => effect(state, { kind: 'open', index: state.model.rows.indexOf(row) }),
});

function find(state: Exploring, by: 1 | -1): Exploring {
  const { query, shell } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  return endings.find(state, query, by, shell.size.rows - 3) ?? tell(state, `no run with ${query}`);
}

const NO_MEMORY = 'a list of runs has no memory: Enter opens one in the debugger, which has';

export const EXPLORE: View<Exploring, ExplorePane> = {
  name: 'Explored faults',
  intro: '`luo-inspect explore <scenario> --tui`: where single faults end; Enter opens such a run in the debugger.',
  panes: { endings },
  keys: [],
  groups: [MOVE, SEARCH, PANES, GENERAL],
  commands: [],
  shared: NO_MEMORY,
  words: { left: '', right: '', enter: 'open the run in the debugger; q there comes back', search: 'search endings and faults' },
  tabs: [],
  search: (state, text) => (text === '' ? { ...state, query: null } : find({ ...state, query: text }, 1)),
  find,
  endSearch: (state) => ({ ...state, query: null }),
  found: (state) => {
    const { query } = state;
    if (query === null) return null;
    return { query, ...endings.matches(state, query) };
  },
  copies: {
    kinds: ['command'],
    about: ['endings'],
    text: (state) =>
      ['luo-inspect sim', shellWord(state.model.path), ...(endings.current(state)?.given ?? []).map((text) => `--fault ${shellWord(text)}`), '--step'].join(
        ' ',
      ),
    keys: [{ keys: ['c', 'y'], what: ['command'], help: 'copy the command line that runs it' }],
  },
  exported: {
    help: 'write the endings as text to a new file',
    text: (state) =>
      endings
        .shown(state)
        .map(({ ending, detail, faults, runs }) => `${ending}: ${detail}; by ${faults}; ${runs} runs\n`)
        .join(''),
  },
  marks: 'a list needs no marks: / searches it',
  layout: ({ shell }) => alone(shell.size, 'endings'),
  title: ({ model }) => model.title,
  summary: ({ model }) => [span(`${model.rows.length} endings`)],
  settle: (state) => state,
  goTo: (state) => state,
  work: () => null,
};

export const exploreProgram = (model: ExploreModel): Program<Exploring> =>
  programOf(EXPLORE, (size) => ({ model, shell: openShell<ExplorePane>(size, 'endings'), endings: START, query: null }));
