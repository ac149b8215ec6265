/** The keys and commands that every view has, and the one table they make with those of the view and of its panes. */
import { escapeText } from '../../report/escape.js';
import { type Command, type Key, type Question, type Table, helpLines } from './keys.js';
import { textPage } from './page.js';
import { line, lineWidth, textOf, wrap } from './text.js';
import type { Motion } from './scroll.js';
import { SHARED, SHARED_NAMES } from './shared-commands.js';
import {
  type View,
  type Viewed,
  asked,
  closed,
  copied,
  cycled,
  effect,
  entered,
  focused,
  marked,
  moved,
  paneBox,
  panesOf,
  searchPage,
  showText,
  tabbed,
  tell,
  toRow,
  withShell,
} from './view.js';

/** Headings of the help. */
export const MOVE = 'Move';
export const SEARCH = 'Search, commands, copying';
export const PANES = 'Panes';
export const GENERAL = 'General';

/** The table of a view. */
export function tableOf<S extends Viewed<P>, P extends string>(view: View<S, P>): Table<S> {
  // a key that several panes list is one row
  const byRow = new Map<Key<S>, P[]>();
  for (const { id, keys = [] } of panesOf(view)) for (const key of keys) byRow.set(key, [...(byRow.get(key) ?? []), id]);
  const ofPanes = [...byRow].map(([key, panes]): Key<S> => ({ ...key, panes }));
  const help = (state: S): S => withShell(state, { page: textPage('Keys', (width) => helpLines(table.keys, table.commands, width)) });
  const common = [
    ...moveKeys(view),
    ...searchKeys(view),
    ...copyKeys(view),
    ...markKeys(view),
    ...tabKeys(view),
    ...paneKeys(view),
    ...generalKeys(view, help),
  ];
  // a view may have a key of everybody's for itself; over a page it is everybody's again
  const own = new Set(view.keys.flatMap(({ keys }) => keys));
  const others = common.filter(({ keys }) => !keys.some((key) => own.has(key)));
  const listed = [...others, ...view.keys, ...ofPanes].map((row, index) => ({ row, index, group: view.groups.indexOf(row.group) }));
  const table: Table<S> = {
    keys: listed.sort((a, b) => a.group - b.group || a.index - b.index).map(({ row }) => row),
    lookup: [...ofPanes, ...view.keys, ...common],
    commands: [...view.commands, ...panesOf(view).flatMap(({ commands = [] }) => commands), ...sharedCommands(view), ...commonCommands(view, help)],
    questions: { ...questionsOf(view), ...view.questions },
  };
  return table;
}

function sharedCommands<S extends Viewed<P>, P extends string>(view: View<S, P>): Command<S>[] {
  return SHARED_NAMES.map((name): Command<S> => {
    const { args, help } = SHARED[name];
    const own = typeof view.shared === 'string' ? view.shared : view.shared[name];
    if (typeof own === 'string') return { name, args, help: `not here: ${own}`, run: (state) => tell(state, own) };
    return { name, args, help: own.help ?? help, run: own.run, ...(own.complete === undefined ? {} : { complete: own.complete }) };
  });
}

const MOTIONS: readonly (readonly [Motion, readonly string[], string])[] = [
  ['up', ['k', 'up'], 'one row up; 10k goes ten'],
  ['down', ['j', 'down'], 'one row down; 10j goes ten, 05j five'],
  ['pageUp', ['pageup', 'ctrl-b'], 'one page up'],
  ['pageDown', ['pagedown', 'ctrl-f'], 'one page down'],
  ['halfUp', ['ctrl-u'], 'half a page up'],
  ['halfDown', ['ctrl-d'], 'half a page down'],
  ['first', ['g', 'home'], 'to the first row; 10g to the tenth'],
  ['last', ['G', 'end'], 'to the last row; 10G to the tenth, and so does :10'],
];

const sideways = (own: string): string => (own === '' ? 'scroll the pane sideways' : `${own}; other panes scroll sideways`);
/** Columns that h and l scroll a pane by. */
const SHIFT = 8;
const MOST_SHIFTED = 4_000;

/** Scrolls the pane in focus sideways, as long as its rows are cut off there. */
function shifted<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S, by: number): S {
  const { shifts, focus } = state.shell;
  const now = shifts.get(focus) ?? 0;
  const { width, height } = paneBox(view, state, focus);
  const { rows } = view.panes[focus].content(state, { width: width + now, height });
  if (by > 0 && !rows.some((row) => lineWidth(row) > width + now || textOf(row).endsWith('…'))) return tell(state, 'no row is cut off there');
  const columns = Math.max(0, Math.min(MOST_SHIFTED, now + by * SHIFT));
  return withShell(state, { shifts: new Map(shifts).set(focus, columns) });
}

/** The row under the cursor of the pane in focus, however long it is; null for a pane without one. */
function wholeRow<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): string | null {
  const { focus } = state.shell;
  const { height } = paneBox(view, state, focus);
  const row = view.panes[focus]
    .content(state, { width: MOST_SHIFTED, height })
    .rows.map(textOf)
    .find((text) => text.startsWith('›'));
  return row === undefined ? null : row.slice(1).trim().replace(/ {3,}/g, '  ');
}

function showRow<S extends Viewed<P>, P extends string>(view: View<S, P>, state: S): S {
  const row = wholeRow(view, state);
  if (row === null) return tell(state, 'this pane has no row under a cursor');
  return showText(state, 'the row in full', (width) => wrap(row, width, 2).map((part) => line(part)));
}

function moveKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  const { left, right } = view.words;
  const aside = (by: 1 | -1) => (state: S, count: number | null) => {
    const pane = view.panes[state.shell.focus];
    return pane.sideways?.(state, by, paneBox(view, state, state.shell.focus), count ?? 1) ?? shifted(view, state, by * (count ?? 1));
  };
  return [
    ...MOTIONS.map(
      ([motion, keys, help]): Key<S> => ({
        keys,
        group: MOVE,
        help,
        overPages: true,
        counts: true,
        run: (state, count) =>
          count !== null && (motion === 'first' || motion === 'last') ? toRow(view, state, count) : moved(view, state, motion, count ?? 1),
      }),
    ),
    { keys: ['h', 'left'], group: MOVE, help: sideways(left), counts: true, run: aside(-1) },
    { keys: ['l', 'right'], group: MOVE, help: sideways(right), counts: true, run: aside(1) },
  ];
}

function paneKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  return [
    { keys: ['tab'], group: PANES, help: 'next pane', hint: 'pane', run: (state) => cycled(view, state, 1) },
    { keys: ['shift-tab'], group: PANES, help: 'previous pane', run: (state) => cycled(view, state, -1) },
    { keys: ['1', '…', '9'], group: PANES, help: 'pane by its number; several typed at once before a key that moves are a count', run: (state) => state },
    {
      keys: ['z'],
      group: PANES,
      help: 'the pane alone on the screen, and back',
      hint: 'zoom',
      run: (state) => withShell(state, { zoom: !state.shell.zoom }),
    },
    { keys: ['+'], group: PANES, help: 'the pane alone on the screen', run: (state) => withShell(state, { zoom: true }) },
    { keys: ['_'], group: PANES, help: 'all panes again', run: (state) => withShell(state, { zoom: false }) },
    { keys: ['v'], group: PANES, help: 'the row under the cursor in full, where it is cut off', run: (state) => showRow(view, state) },
    {
      keys: ['f'],
      group: PANES,
      help: 'filter: show only rows with this text; an empty text shows all',
      run: (state) =>
        view.panes[state.shell.focus].filters === true
          ? asked(state, FILTER, state.shell.filters.get(state.shell.focus) ?? '')
          : tell(state, 'this pane has no list to filter'),
    },
  ];
}

/** `[` and `]` between panes that share a place. */
function tabKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  const panes = view.tabs;
  if (panes.length === 0) return [];
  const go = (by: number) => (state: S) => tabbed(view, state, by) ?? tell(state, 'this pane has its place to itself');
  return [
    { keys: [']'], group: PANES, help: 'next of the panes that share this place', panes, run: go(1) },
    { keys: ['['], group: PANES, help: 'the one before', panes, run: go(-1) },
  ];
}

/** Enter, search and its matches. */
function searchKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  const { words } = view;
  const next = (by: 1 | -1) => (state: S) => {
    const { page } = state.shell;
    if (page === null) return view.find(state, by);
    return page.query === null ? tell(state, 'no search: / starts one') : searchPage(state, page, by);
  };
  return [
    { keys: ['enter'], group: SEARCH, help: words.enter, hint: 'follow', overPages: true, run: (state) => entered(view, state) },
    { keys: ['/'], group: SEARCH, help: words.search, hint: 'search', overPages: true, run: (state) => asked(state, '/') },
    { keys: ['n'], group: SEARCH, help: 'next match', overPages: true, run: next(1) },
    { keys: ['N'], group: SEARCH, help: 'match before', overPages: true, run: next(-1) },
    {
      keys: [':'],
      group: SEARCH,
      help: 'type a command (Tab completes)',
      overPages: true,
      run: (state) => asked<S>(withShell(state, { page: null }), ':'),
    },
  ];
}

const copyKeys = <S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] =>
  view.copies.keys.map(
    ({ keys, what, help }, index): Key<S> => ({
      keys,
      group: SEARCH,
      help,
      run: (state) => copied(view, state, what, index > 0 || view.copies.about.includes(state.shell.focus) ? null : wholeRow(view, state)),
    }),
  );

const MARK = 'mark: ';
const GO_TO_MARK = 'go to mark: ';

function markKeys<S extends Viewed<P>, P extends string>({ marks }: View<S, P>): Key<S>[] {
  if (typeof marks === 'string') return [];
  const { group, names } = marks;
  return [
    { keys: ['m'], group, help: 'name this place', run: (state) => asked(state, MARK) },
    {
      keys: ["'"],
      group,
      help: 'go to a named place (Tab completes)',
      run: (state) => (names(state).length === 0 ? tell(state, 'no marks: m sets one') : asked(state, GO_TO_MARK)),
    },
  ];
}

/** What every view asks for by a prompt. */
function questionsOf<S extends Viewed<P>, P extends string>({ search, marks }: View<S, P>): Readonly<Record<string, Question<S>>> {
  const common = { '/': { run: search }, [FILTER]: { run: filtered<S, P> } };
  if (typeof marks === 'string') return common;
  return {
    ...common,
    [MARK]: { run: (state, text) => marked(marks, state, text) },
    [GO_TO_MARK]: {
      run: (state, text) => marks.goTo(state, text.trim()) ?? tell(state, `no mark ${escapeText(text.trim())}`),
      complete: (state, text) => marks.names(state).filter((name) => name.startsWith(text)),
    },
  };
}

function generalKeys<S extends Viewed<P>, P extends string>(view: View<S, P>, help: (state: S) => S): Key<S>[] {
  return [
    {
      keys: ['?'],
      group: GENERAL,
      help: 'this help; / searches it',
      hint: 'help',
      overPages: true,
      run: (state) => (state.shell.page === null ? help(state) : withShell(state, { page: null })),
    },
    { keys: ['q'], group: GENERAL, help: 'close what is open on top; at the top, quit', hint: 'quit', overPages: true, run: (state) => closed(view, state) },
    {
      keys: ['esc'],
      group: GENERAL,
      help: 'end the search or filter, close the page; never quits',
      overPages: true,
      run: (state) => {
        if (state.shell.page !== null) return withShell(state, { page: null });
        const filters = new Map(state.shell.filters);
        filters.delete(state.shell.focus);
        return view.endSearch(withShell(state, { filters }));
      },
    },
    {
      keys: ['M'],
      group: GENERAL,
      help: 'take the mouse (wheel, click), or leave it to the terminal',
      overPages: true,
      run: (state) => {
        const on = !state.shell.mouse;
        const toggled: S = withShell(state, { mouse: on });
        return effect(tell(toggled, on ? 'the mouse scrolls and clicks here; M gives it back' : 'the mouse is the terminal’s again'), {
          kind: 'mouse',
          on,
        });
      },
    },
    { keys: ['ctrl-c'], group: GENERAL, help: 'quit at once', overPages: true, run: (state) => effect(state, { kind: 'quit' }) },
    {
      keys: ['ctrl-z'],
      group: GENERAL,
      help: 'suspend; `fg` in the shell brings it back',
      overPages: true,
      run: (state) => effect(state, { kind: 'suspend' }),
    },
    { keys: ['ctrl-l'], group: GENERAL, help: 'draw the screen anew', overPages: true, run: (state) => effect(state, { kind: 'redraw' }) },
  ];
}

const FILTER = 'filter: ';

function filtered<S extends Viewed<P>, P extends string>(state: S, text: string): S {
  const filters = new Map(state.shell.filters);
  if (text.trim() === '') filters.delete(state.shell.focus);
  else filters.set(state.shell.focus, text.trim());
  return withShell(state, { filters });
}

const THEME_WORDS = ['dark', 'light', '16', 'mono', 'none'];

/** What every view does in the same way. */
function commonCommands<S extends Viewed<P>, P extends string>(view: View<S, P>, help: (state: S) => S): Command<S>[] {
  const { copies, exported, marks } = view;
  return [
    { name: 'find', args: '<text>', help: 'search, as / does', run: view.search },
    {
      name: 'mark',
      args: '<name>',
      help: typeof marks === 'string' ? `not here: ${marks}` : "name this place; ' goes back to it",
      run: (state, name) => (typeof marks === 'string' ? tell(state, marks) : marked(marks, state, name)),
    },
    {
      name: 'copy',
      args: '<what>',
      help: `copy ${copies.kinds.join(', ')}`,
      complete: () => copies.kinds,
      run: (state, typed) => {
        const what = typed === '' && copies.kinds.length === 1 ? copies.kinds : copies.kinds.filter((kind) => kind === typed);
        return what.length === 0 ? tell(state, `:copy takes ${copies.kinds.join(', ')}`) : copied(view, state, what);
      },
    },
    {
      name: 'export',
      args: '<file>',
      help: exported.help,
      run: (state, path) =>
        path === ''
          ? tell(state, ':export takes the name of a file')
          : effect(state, { kind: 'save', path, text: exported.text(state, path.endsWith('.json')) }),
    },
    {
      name: 'theme',
      args: '<name>',
      help: `colours: ${THEME_WORDS.join(', ')}`,
      complete: () => THEME_WORDS,
      run: (state, name) =>
        THEME_WORDS.includes(name) ? effect(tell(state, `theme ${name}`), { kind: 'theme', name }) : tell(state, `:theme takes ${THEME_WORDS.join(', ')}`),
    },
    {
      name: 'pane',
      args: '<name>',
      help: 'go to a pane',
      complete: () => Object.keys(view.panes),
      run: (state, name) => {
        const pane = Object.values<{ readonly id: P }>(view.panes).find(({ id }) => id === name);
        return pane === undefined || view.absent?.(state, pane.id) === true
          ? tell(state, `no pane ${name}: ${Object.keys(view.panes).join(', ')}`)
          : focused(state, pane.id);
      },
    },
    { name: 'help', args: '', help: 'the keys', run: help },
    { name: 'q', aliases: ['quit'], args: '', help: 'quit', run: (state) => closed(view, withShell(state, { zoom: false, page: null })) },
    { name: 'q!', aliases: ['quit!'], args: '', help: 'quit without a question', run: (state) => effect(state, { kind: 'quit' }) },
  ];
}
