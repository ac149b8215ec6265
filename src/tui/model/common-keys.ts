/** The keys and commands that every view has, and the one table they make with those of the view and of its panes. */
import { type Command, type Key, type Table, helpLines } from './keys.js';
import { textPage } from './page.js';
import type { Motion } from './scroll.js';
import { SHARED, SHARED_NAMES } from './shared-commands.js';
import {
  type View,
  type Viewed,
  asked,
  closed,
  cycled,
  effect,
  entered,
  focused,
  moved,
  paneBox,
  panesOf,
  searchPage,
  tabbed,
  tell,
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
  const help = (state: S): S => withShell<S, P>(state, { ...state.shell, page: textPage('Keys', (width) => helpLines(table.keys, table.commands, width)) });
  const common = [...moveKeys(view), ...searchKeys(view), ...tabKeys(view), ...paneKeys(view), ...generalKeys(view, help)];
  // a view may have a key of everybody's for itself; over a page it is everybody's again
  const own = new Set(view.keys.flatMap(({ keys }) => keys));
  const others = common.filter(({ keys }) => !keys.some((key) => own.has(key)));
  const listed = [...others, ...view.keys, ...ofPanes].map((row, index) => ({ row, index, group: view.groups.indexOf(row.group) }));
  const table: Table<S> = {
    keys: listed.sort((a, b) => a.group - b.group || a.index - b.index).map(({ row }) => row),
    lookup: [...ofPanes, ...view.keys, ...common],
    commands: [...view.commands, ...panesOf(view).flatMap(({ commands = [] }) => commands), ...sharedCommands(view), ...commonCommands(view, help)],
  };
  return table;
}

function sharedCommands<S extends Viewed<P>, P extends string>(view: View<S, P>): Command<S>[] {
  return SHARED_NAMES.map((name): Command<S> => {
    const { args, help } = SHARED[name];
    const own = view.shared[name];
    if (typeof own === 'string') return { name, args, help: `not here: ${own}`, run: (state) => tell<S, P>(state, own) };
    return { name, args, help: own.help ?? help, run: own.run, ...(own.complete === undefined ? {} : { complete: own.complete }) };
  });
}

const MOTIONS: readonly (readonly [Motion, readonly string[], string])[] = [
  ['up', ['k', 'up'], 'one row up; 10k goes ten'],
  ['down', ['j', 'down'], 'one row down; 10j goes ten (two digits, or 05j)'],
  ['pageUp', ['pageup', 'ctrl-b'], 'one page up'],
  ['pageDown', ['pagedown', 'ctrl-f'], 'one page down'],
  ['halfUp', ['ctrl-u'], 'half a page up'],
  ['halfDown', ['ctrl-d'], 'half a page down'],
  ['first', ['g', 'home'], 'to the first row'],
  ['last', ['G', 'end'], 'to the last row'],
];

function moveKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  const { left, right } = view.words;
  const aside = (by: 1 | -1) => (state: S, count: number | null) => {
    const pane = view.panes[state.shell.focus];
    return pane.sideways?.(state, by, paneBox(view, state, state.shell.focus), count ?? 1) ?? state;
  };
  return [
    ...MOTIONS.map(
      ([motion, keys, help]): Key<S> => ({ keys, group: MOVE, help, overPages: true, run: (state, count) => moved(view, state, motion, count ?? 1) }),
    ),
    { keys: ['h', 'left'], group: MOVE, help: left, run: aside(-1) },
    { keys: ['l', 'right'], group: MOVE, help: right, run: aside(1) },
  ];
}

function paneKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  return [
    { keys: ['tab'], group: PANES, help: 'next pane', hint: 'pane', run: (state) => cycled(view, state, 1) },
    { keys: ['shift-tab'], group: PANES, help: 'previous pane', run: (state) => cycled(view, state, -1) },
    { keys: ['1', '…', '9'], group: PANES, help: 'pane by its number', run: (state) => state },
    {
      keys: ['z'],
      group: PANES,
      help: 'the pane alone on the screen, and back',
      hint: 'zoom',
      run: (state) => ({ ...state, shell: { ...state.shell, zoom: !state.shell.zoom } }),
    },
    { keys: ['+'], group: PANES, help: 'the pane alone on the screen', run: (state) => ({ ...state, shell: { ...state.shell, zoom: true } }) },
    { keys: ['_'], group: PANES, help: 'all panes again', run: (state) => ({ ...state, shell: { ...state.shell, zoom: false } }) },
    {
      keys: ['f'],
      group: PANES,
      help: 'filter: show only rows with this text; an empty text shows all',
      run: (state) =>
        view.panes[state.shell.focus].filters === true
          ? asked<S, P>(state, 'filter: ', state.shell.filters.get(state.shell.focus) ?? '')
          : tell<S, P>(state, 'this pane has no list to filter'),
    },
  ];
}

/** `[` and `]` between panes that share a place. */
function tabKeys<S extends Viewed<P>, P extends string>(view: View<S, P>): Key<S>[] {
  const panes = view.tabs;
  if (panes.length === 0) return [];
  const go = (by: number) => (state: S) => tabbed(view, state, by) ?? tell<S, P>(state, 'this pane has its place to itself');
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
    return page.query === null ? tell<S, P>(state, 'no search: / starts one') : searchPage<S, P>(state, page, by);
  };
  return [
    { keys: ['enter'], group: SEARCH, help: words.enter, hint: 'follow', overPages: true, run: (state) => entered(view, state) },
    { keys: ['/'], group: SEARCH, help: words.search, hint: 'search', overPages: true, run: (state) => asked<S, P>(state, '/') },
    { keys: ['n'], group: SEARCH, help: 'next match', overPages: true, run: next(1) },
    { keys: ['N'], group: SEARCH, help: 'match before', overPages: true, run: next(-1) },
    { keys: [':'], group: SEARCH, help: 'type a command (Tab completes)', run: (state) => asked<S, P>(state, ':') },
  ];
}

function generalKeys<S extends Viewed<P>, P extends string>(view: View<S, P>, help: (state: S) => S): Key<S>[] {
  return [
    {
      keys: ['?'],
      group: GENERAL,
      help: 'this help; / searches it',
      hint: 'help',
      overPages: true,
      run: (state) => (state.shell.page === null ? help(state) : { ...state, shell: { ...state.shell, page: null } }),
    },
    { keys: ['q'], group: GENERAL, help: 'close what is open on top; at the top, quit', hint: 'quit', overPages: true, run: (state) => closed(view, state) },
    {
      keys: ['esc'],
      group: GENERAL,
      help: 'end the search or filter, close the page; never quits',
      overPages: true,
      run: (state) => {
        if (state.shell.page !== null) return { ...state, shell: { ...state.shell, page: null } };
        const filters = new Map(state.shell.filters);
        filters.delete(state.shell.focus);
        return view.endSearch({ ...state, shell: { ...state.shell, filters } });
      },
    },
    {
      keys: ['M'],
      group: GENERAL,
      help: 'take the mouse (wheel, click), or leave it to the terminal',
      overPages: true,
      run: (state) => {
        const on = !state.shell.mouse;
        const toggled: S = { ...state, shell: { ...state.shell, mouse: on } };
        return effect<S, P>(tell<S, P>(toggled, on ? 'the mouse scrolls and clicks here; M gives it back' : 'the mouse is the terminal’s again'), {
          kind: 'mouse',
          on,
        });
      },
    },
    { keys: ['ctrl-c'], group: GENERAL, help: 'quit at once', overPages: true, run: (state) => effect<S, P>(state, { kind: 'quit' }) },
    {
      keys: ['ctrl-z'],
      group: GENERAL,
      help: 'suspend; `fg` in the shell brings it back',
      overPages: true,
      run: (state) => effect<S, P>(state, { kind: 'suspend' }),
    },
    { keys: ['ctrl-l'], group: GENERAL, help: 'draw the screen anew', overPages: true, run: (state) => effect<S, P>(state, { kind: 'redraw' }) },
  ];
}

/** The question behind `f`. */
export const filterQuestion = <S extends Viewed<P>, P extends string>(): { readonly run: (state: S, text: string) => S } => ({
  run: (state, text) => {
    const filters = new Map(state.shell.filters);
    if (text.trim() === '') filters.delete(state.shell.focus);
    else filters.set(state.shell.focus, text.trim());
    return { ...state, shell: { ...state.shell, filters } };
  },
});

const THEME_WORDS = ['dark', 'light', '16', 'mono', 'none'];

/** `:q`, `:help`, `:theme`, `:pane` */
function commonCommands<S extends Viewed<P>, P extends string>(view: View<S, P>, help: (state: S) => S): Command<S>[] {
  return [
    {
      name: 'theme',
      args: '<name>',
      help: `colours: ${THEME_WORDS.join(', ')}`,
      complete: () => THEME_WORDS,
      run: (state, name) =>
        THEME_WORDS.includes(name)
          ? effect<S, P>(tell<S, P>(state, `theme ${name}`), { kind: 'theme', name })
          : tell<S, P>(state, `:theme takes ${THEME_WORDS.join(', ')}`),
    },
    {
      name: 'pane',
      args: '<name>',
      help: 'go to a pane',
      complete: () => Object.keys(view.panes),
      run: (state, name) => {
        const pane = Object.values<{ readonly id: P }>(view.panes).find(({ id }) => id === name);
        return pane === undefined ? tell<S, P>(state, `no pane ${name}: ${Object.keys(view.panes).join(', ')}`) : focused<S, P>(state, pane.id);
      },
    },
    { name: 'help', args: '', help: 'the keys', run: help },
    { name: 'q', aliases: ['quit'], args: '', help: 'quit', run: (state) => closed(view, { ...state, shell: { ...state.shell, zoom: false, page: null } }) },
    { name: 'q!', aliases: ['quit!'], args: '', help: 'quit without a question', run: (state) => effect<S, P>(state, { kind: 'quit' }) },
  ];
}
