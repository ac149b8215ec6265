/** What `explore` found as a list: the shortest run to each ending; Enter opens one in the debugger, q comes back to the list. */
import { GENERAL, MOVE, PANES, SEARCH, filterQuestion } from '../model/common-keys.js';
import { listRows } from '../model/list.js';
import { hasWords, shellWord } from '../model/match.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { alone } from '../model/screen.js';
import { type Scroll, START, jumpTo, keepInView, moveBy, positionOf, rowsOf } from '../model/scroll.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Line, type Style, line, padTo, span } from '../model/text.js';
import { type View, effect, filterOf, tell } from '../model/view.js';

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

const shown = (state: Exploring): readonly ExploreRow[] => {
  const filter = filterOf<ExplorePane>(state, 'endings');
  return filter === '' ? state.model.rows : state.model.rows.filter(({ ending, detail, faults }) => hasWords(`${ending} ${detail} ${faults}`, filter));
};

const heightOf = ({ shell }: Exploring): number => shell.size.rows - 3;

function find(state: Exploring, by: 1 | -1): Exploring {
  const { query } = state;
  if (query === null) return tell(state, 'no search: / starts one');
  const rows = shown(state);
  const found = rows.flatMap(({ ending, detail, faults }, index) => (hasWords(`${ending} ${detail} ${faults}`, query) ? [index] : []));
  const { cursor } = state.endings;
  const next = by === 1 ? (found.find((index) => index > cursor) ?? found[0]) : (found.findLast((index) => index < cursor) ?? found.at(-1));
  if (next === undefined) return tell(state, `no run with ${query}`);
  return tell({ ...state, endings: jumpTo(state.endings, next, rows.length, heightOf(state)) }, `/${query}  ${found.indexOf(next) + 1}/${found.length}`);
}

const commandOf = ({ model, endings }: Exploring, rows: readonly ExploreRow[]): string =>
  ['luo-inspect sim', shellWord(model.path), ...(rows[endings.cursor]?.given ?? []).map((text) => `--fault ${shellWord(text)}`), '--step'].join(' ');

const copyCommand = (state: Exploring): Exploring => {
  const text = commandOf(state, shown(state));
  return effect<Exploring, ExplorePane>(tell<Exploring, ExplorePane>(state, `copied ${text}`), { kind: 'copy', text });
};

const NO_MEMORY = 'a list of runs has no memory: Enter opens one in the debugger, which has';

const EXPLORE_SHARED: SharedCommands<Exploring> = {
  goto: NO_MEMORY,
  whatis: NO_MEMORY,
  path: NO_MEMORY,
  session: NO_MEMORY,
  token: NO_MEMORY,
  set: NO_MEMORY,
  find: { run: (state, text) => find({ ...state, query: text || null }, 1) },
  mark: 'a list needs no marks: / searches it',
  copy: { help: 'copy the command line that runs it', run: copyCommand },
  export: {
    run: (state, path) => {
      if (path === '') return tell(state, ':export takes the name of a file');
      const text = shown(state).map(({ ending, detail, faults, runs }) => `${ending}: ${detail}; by ${faults}; ${runs} runs`);
      return effect<Exploring, ExplorePane>(state, { kind: 'save', path, text: `${text.join('\n')}\n` });
    },
  },
};

export const EXPLORE: View<Exploring, ExplorePane> = {
  name: 'Explored faults',
  intro: '`luo-inspect explore <scenario> --tui`: where single faults end; Enter opens such a run in the debugger.',
  panes: {
    endings: {
      id: 'endings',
      filters: true,
      content: (state, box) => {
        const rows = shown(state);
        const row = ({ ending, detail, faults, runs }: ExploreRow): Line => [
          span(padTo(ending, 12), STYLES[ending] ?? 'warning'),
          span(`${String(runs).padStart(4)}× `, 'dim'),
          span(padTo(detail, Math.max(20, Math.floor(box.width * 0.45)))),
          span('  by ', 'dim'),
          span(faults, 'name'),
        ];
        return {
          title: 'endings',
          note: positionOf(state.endings.cursor, rows.length),
          rows: rows.length === 0 ? [line('  no run ends otherwise', 'good')] : listRows(rows, state.endings, box, true, row),
        };
      },
      move: (state, motion, box, count) => ({
        ...state,
        endings: moveBy(state.endings, rowsOf(motion, box.height) * count, shown(state).length, box.height),
      }),
      enter: (state) => {
        const row = shown(state)[state.endings.cursor];
        return row === undefined ? state : effect<Exploring, ExplorePane>(state, { kind: 'open', index: state.model.rows.indexOf(row) });
      },
      click: (state, row) => ({ ...state, endings: { ...state.endings, cursor: Math.min(shown(state).length - 1, state.endings.top + row) } }),
    },
  },
  keys: [{ keys: ['c', 'y'], group: SEARCH, help: 'copy the command line that runs it', run: copyCommand }],
  groups: [MOVE, SEARCH, PANES, GENERAL],
  commands: [],
  shared: EXPLORE_SHARED,
  words: { left: 'nothing', right: 'nothing', enter: 'open the run in the debugger; q there comes back', search: 'search endings and faults' },
  tabs: [],
  find,
  endSearch: (state) => ({ ...state, query: null }),
  questions: { '/': { run: (state, text) => find({ ...state, query: text || null }, 1) }, 'filter: ': filterQuestion<Exploring, ExplorePane>() },
  layout: ({ shell }) => alone(shell.size, 'endings'),
  title: ({ model }) => model.title,
  summary: ({ model }) => [span(`${model.rows.length} endings`)],
  status: () => null,
  settle: (state) => ({ ...state, endings: keepInView(state.endings, shown(state).length, heightOf(state)) }),
  goTo: (state) => state,
  work: () => null,
};

export const exploreProgram = (model: ExploreModel): Program<Exploring> =>
  programOf(EXPLORE, (size) => ({ model, shell: openShell<ExplorePane>(size, 'endings'), endings: START, query: null }));
