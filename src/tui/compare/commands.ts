/** What the commands, searches, copies and marks of every view do with two dumps side by side. */
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { MOVE } from '../model/common-keys.js';
import type { Key } from '../model/keys.js';
import { shellWord } from '../../report/escape.js';
import { jumpTo } from '../model/scroll.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { comparePlaces } from '../model/tree-view.js';
import { type Found, type Marks, copiesOf, tell } from '../model/view.js';
import { sideText } from './pairs.js';
import { differences, files, told, toDifference } from './panes.js';
import { type Compared, boxIn, pairOf, placeOfSide, select, selected } from './state.js';

/** To the next difference, or the one before, around the end. */
function step(state: Compared, by: 1 | -1): Compared {
  const shown = differences.shown(state);
  // the first key goes to the first difference
  const first = state.place.length === 1 && state.differences.cursor === 0 && by === 1;
  const to = first ? 0 : (state.differences.cursor + by + shown.length) % shown.length;
  const difference = shown[to];
  if (difference === undefined) return tell(state, 'nothing differs');
  return toDifference({ ...state, differences: jumpTo(state.differences, to, shown.length, boxIn(state, 'differences').height) }, difference);
}

export const COMPARE_KEYS: readonly Key<Compared>[] = [
  { keys: [']'], group: MOVE, help: 'to the next difference', hint: 'difference', run: (state) => step(state, 1) },
  { keys: ['['], group: MOVE, help: 'to the difference before', run: (state) => step(state, -1) },
];

/** The list in focus, which is searched by its rows; null where the tree is searched. */
const listInFocus = ({ shell }: Compared) => (shell.focus === 'files' ? files : shell.focus === 'differences' ? differences : null);

export function startSearch(state: Compared, text: string): Compared {
  if (text === '') return { ...state, search: null };
  const search = new TreeSearch(text, state.tree);
  if (listInFocus(state) !== null) return find({ ...state, search }, 1);
  search.step(200_000);
  const first = search.found.findIndex((place) => comparePlaces(place, state.place) >= 0);
  const place = search.found[Math.max(0, first)];
  return place === undefined ? tell({ ...state, search }, `no ${escapeText(text)} in ${search.visited} pairs`) : select({ ...state, search }, place);
}

export function find(state: Compared, by: 1 | -1): Compared {
  if (state.search === null) return tell(state, 'no search: / starts one');
  const { query } = state.search;
  const none = (): Compared => tell(state, `no match for ${escapeText(query)}`);
  const list = listInFocus(state);
  if (list !== null) return list.find(state, query, by, boxIn(state, list.id).height) ?? none();
  state.search.step(200_000);
  const index = nextMatch(state.search.found, state.place, by === 1);
  const place = index === null ? undefined : state.search.found[index];
  return place === undefined ? none() : select(state, place);
}

export function found(state: Compared): Found | null {
  const { search, place } = state;
  if (search === null) return null;
  const list = listInFocus(state);
  if (list !== null) return { query: search.query, ...list.matches(state, search.query) };
  return { query: search.query, at: search.found.findIndex((one) => comparePlaces(one, place) === 0), count: search.found.length };
}

export const COMPARE_COPIES = copiesOf<Compared, 'value' | 'path' | 'command'>({
  kinds: ['value', 'path', 'command'],
  about: ['pairs', 'before', 'after'],
  text: (state, what) => {
    const { before, after } = pairOf(state);
    const { paths } = state.model;
    switch (what) {
      case 'value':
        return [before, after].map((node) => (node === null ? 'not there' : sideText(node))).join(' → ');
      case 'path':
        return (before ?? after)?.path ?? '';
      case 'command':
        return `luo-inspect diff ${shellWord(paths.before)} ${shellWord(paths.after)}`;
    }
  },
  keys: [
    { keys: ['y'], what: ['value'], help: 'copy both values; in a list the row (through the terminal, OSC 52)' },
    { keys: ['Y'], what: ['path'], help: 'copy the path' },
    { keys: ['c'], what: ['command'], help: 'copy a command line that shows this' },
  ],
});

export function toPath(state: Compared, path: string): Compared {
  const place = placeOfSide(state, path);
  return place === null ? tell(state, `no pair ${escapeText(path)}`) : select(state, place);
}

export const COMPARE_MARKS: Marks<Compared> = {
  group: MOVE,
  names: ({ marks }) => [...marks.keys()],
  set: (state, name) => {
    const path = selected(state)?.path;
    return path === undefined ? null : { state: { ...state, marks: new Map(state.marks).set(name, path) }, what: path };
  },
  goTo: (state, name) => {
    const path = state.marks.get(name);
    return path === undefined ? null : toPath(state, path);
  },
};

/** The differences as text. */
export const exported = (state: Compared): string =>
  told(state.model)
    .map(({ change, name, text }) => `${change} ${escapeText(name)}: ${escapeText(text)}\n`)
    .join('');

const sessionsOf = ({ model }: Compared) => [model.comparison.before, model.comparison.after].flatMap((handover) => handover?.luo?.sessions ?? []);

const WITHOUT_ADDRESSES = 'two dumps have two memories: q goes back, and each is asked by itself';

export const COMPARE_SHARED: SharedCommands<Compared> = {
  goto: WITHOUT_ADDRESSES,
  whatis: WITHOUT_ADDRESSES,
  path: { help: 'go to the pair with this path of either dump', run: toPath },
  session: {
    complete: (state) => [...new Set(sessionsOf(state).map(({ name }) => escapeText(name.text)))],
    run: (state, name) => {
      const session = sessionsOf(state).find((one) => escapeText(one.name.text) === name);
      return session === undefined ? tell(state, `no session ${escapeText(name)}`) : toPath(state, session.path);
    },
  },
  token: {
    run: (state, argument) => {
      const [name = '', token = ''] = argument.split(/\s+/);
      const file = sessionsOf(state)
        .filter((one) => escapeText(one.name.text) === name)
        .flatMap((one) => one.files)
        .find((one) => hex(one.token) === token);
      return file === undefined ? tell(state, `no file ${escapeText(argument)}`) : toPath(state, file.path);
    },
  },
  set: 'dumps are only read here',
};
