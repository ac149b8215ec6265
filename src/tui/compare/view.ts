/** Two dumps side by side: what the handover was before beside what it is after, differences marked; the list of them; each side in full. */
import type { Comparison } from '../../handover/compare/compare.js';
import type { Difference } from '../../handover/compare/difference.js';
import type { FileFate } from '../../handover/compare/fates.js';
import type { PhysicalMemory } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import type { TreeNode } from '../../tree/tree.js';
import { GENERAL, MOVE, PANES, SEARCH, filterQuestion } from '../model/common-keys.js';
import { detailLines } from '../model/detail.js';
import { type Key, hints } from '../model/keys.js';
import { listRows } from '../model/list.js';
import { hasWords, shellWord } from '../model/match.js';
import type { Program } from '../model/program.js';
import { programOf } from '../model/program-of.js';
import { type Band, type PaneBox, type Size, alone, boxOf } from '../model/screen.js';
import { type Scroll, START, jumpTo, keepInView, moveBy, positionOf, rowsOf, scrollText } from '../model/scroll.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import type { SharedCommands } from '../model/shared-commands.js';
import { type Shell, openShell } from '../model/shell.js';
import { type Line, type Style, clip, fill, line, padTo, restyle, span } from '../model/text.js';
import {
  type Branch,
  type Place,
  closeAt,
  closedTree,
  comparePlaces,
  isOpen,
  nodeAt,
  openAt,
  placeOfPath,
  placeOfRow,
  reveal,
  rowOfPlace,
  rowsBetween,
} from '../model/tree-view.js';
import { hasChildren } from '../model/value.js';
import { type Pane, type View, asked, effect, filterOf, focused, tell } from '../model/view.js';
import { type Mark, type Pair, Pairs, sideText } from './pairs.js';

export type ComparePane = 'pairs' | 'before' | 'after' | 'differences' | 'files';

/** What `openComparison` is given. */
export interface CompareModel {
  /** as the user named them */
  readonly paths: { readonly before: string; readonly after: string };
  readonly comparison: Comparison;
  readonly memory: { readonly before: PhysicalMemory; readonly after: PhysicalMemory };
}

interface Compared {
  readonly model: CompareModel;
  readonly pairs: Pairs;
  readonly shell: Shell<ComparePane>;
  readonly tree: Branch;
  readonly place: Place;
  readonly scroll: Scroll;
  readonly differences: Scroll;
  readonly files: Scroll;
  readonly tops: { readonly before: number; readonly after: number };
  readonly bottom: 'differences' | 'files';
  readonly search: TreeSearch | null;
  readonly marks: ReadonlyMap<string, string>;
}

type Of = Pane<Compared, ComparePane>;

function bandsOf({ shell, bottom }: Pick<Compared, 'shell' | 'bottom'>): Band<ComparePane>[] {
  const { size, focus, zoom } = shell;
  if (zoom) return alone(size, focus);
  const body = size.rows - 2;
  const low = Math.max(3, Math.floor(body * (focus === bottom ? 0.4 : 0.22)));
  const middle = Math.max(3, Math.floor((body - low) * (focus === 'before' || focus === 'after' ? 0.6 : 0.35)));
  const left = Math.floor((size.columns - 1) / 2);
  return [
    { height: body - low - middle, columns: [{ width: size.columns, panes: [{ id: 'pairs', height: body - low - middle }] }] },
    {
      height: middle,
      columns: [
        { width: left, panes: [{ id: 'before', height: middle }] },
        { width: size.columns - left - 1, panes: [{ id: 'after', height: middle }] },
      ],
    },
    { height: low, columns: [{ width: size.columns, panes: [{ id: bottom, height: low, tabs: ['differences', 'files'] }] }] },
  ];
}

const boxIn = (state: Compared, id: ComparePane): PaneBox =>
  boxOf(bandsOf(state), id) ?? { width: state.shell.size.columns, height: state.shell.size.rows - 3 };

const selected = (state: Compared): TreeNode | null => nodeAt(state.tree, state.place);
const pairOf = (state: Compared): Pair => {
  const node = selected(state);
  return node === null ? { before: null, after: null } : state.pairs.of(node);
};

function select(state: Compared, place: Place): Compared {
  const tree = reveal(state.tree, place);
  return {
    ...state,
    tree,
    place,
    scroll: jumpTo(state.scroll, rowOfPlace(tree, place), tree.rows, boxIn(state, 'pairs').height),
    tops: { before: 0, after: 0 },
  };
}

const withTree = (state: Compared, tree: Branch): Compared => select({ ...state, tree }, state.place);

const FIRST: ReadonlySet<string> = new Set(['luo', 'sessions']);

/** Opens what differs, as far as the pane has room. */
function openDiffering(pairs: Pairs, height: number): Branch {
  const into = (before: Branch, place: Place): Branch => {
    let tree = before;
    // what a reader asks about first: LUO and its sessions, before the map and the scratch array
    const children = [...(nodeAt(tree, place)?.children().entries() ?? [])].sort(([, a], [, b]) => Number(FIRST.has(b.name)) - Number(FIRST.has(a.name)));
    for (const [index, child] of children) {
      const mark = pairs.markOf(child);
      if (mark !== 'below' && !(mark === 'changed' && hasChildren(child))) continue;
      const opened = openAt(tree, [...place, index]);
      if (opened.rows <= height) tree = into(opened, [...place, index]);
    }
    return tree;
  };
  return into(openAt(closedTree([pairs.root]), [0]), [0]);
}

const SIGNS: Readonly<Record<Mark, readonly [string, Style]>> = {
  same: [' ', 'plain'],
  changed: ['~', 'changed'],
  lost: ['-', 'error'],
  new: ['+', 'good'],
  below: ['·', 'changed'],
};

/** Name, before, after; what differs has its sign. */
function pairRow(state: Compared, node: TreeNode, depth: number, open: boolean, cursor: boolean, width: number): Line {
  const mark = state.pairs.markOf(node);
  const { before, after } = state.pairs.of(node);
  const [sign, style] = SIGNS[mark === 'below' && open ? 'same' : mark];
  const name = Math.max(18, Math.floor(width * 0.34));
  const half = Math.floor((width - name - 5) / 2);
  const twig = open ? '▾ ' : hasChildren(node) ? '▸ ' : '  ';
  const differs = mark === 'changed' || mark === 'lost' || mark === 'new';
  const spans: Line = [
    span(cursor ? '›' : ' ', 'focus'),
    span(sign, style),
    span(
      padTo(`${' '.repeat(Math.min(depth, 12))}${twig}${escapeText(node.name)}`, name),
      state.search?.matches(node) === true ? 'match' : differs ? style : 'name',
    ),
    span('│', 'dim'),
    span(padTo(before === null ? 'not there' : sideText(before), half), before === null ? 'dim' : differs ? style : 'value'),
    span('│', 'dim'),
    span(after === null ? 'not there' : sideText(after), after === null ? 'dim' : differs ? style : 'value'),
  ];
  return cursor ? restyle(fill(spans, width), state.shell.focus === 'pairs' ? 'cursor' : 'selected') : clip(spans, width);
}

function opened(state: Compared): Compared {
  if (isOpen(state.tree, state.place)) return select(state, [...state.place, 0]);
  return withTree(state, openAt(state.tree, state.place));
}

function shut(state: Compared): Compared {
  if (isOpen(state.tree, state.place)) return withTree(state, closeAt(state.tree, state.place));
  return state.place.length > 1 ? select(state, state.place.slice(0, -1)) : state;
}

const toggled = (state: Compared): Compared =>
  withTree(state, isOpen(state.tree, state.place) ? closeAt(state.tree, state.place) : openAt(state.tree, state.place));

const pairs: Of = {
  id: 'pairs',
  content: (state, box) => ({
    title: 'both sides',
    note: positionOf(state.scroll.cursor, state.tree.rows),
    rows: rowsBetween(state.tree, state.scroll.top, box.height).map((row) =>
      pairRow(state, row.node, row.depth, row.open, comparePlaces(row.place, state.place) === 0, box.width),
    ),
  }),
  move: (state, motion, box, count) => {
    const { cursor } = moveBy(state.scroll, rowsOf(motion, box.height) * count, state.tree.rows, box.height);
    return select(state, placeOfRow(state.tree, cursor) ?? state.place);
  },
  sideways: (state, by) => (by === 1 ? opened(state) : shut(state)),
  enter: toggled,
  click: (state, row) => select(state, placeOfRow(state.tree, state.scroll.top + row) ?? state.place),
  keys: [{ keys: ['space'], group: MOVE, help: 'open or close the pair', run: toggled }],
};

const side = (which: 'before' | 'after'): Of => {
  const lines = (state: Compared, width: number): Line[] => {
    const node = pairOf(state)[which];
    return node === null ? [line('  not there', 'dim')] : detailLines(node, null, state.model.memory[which], [], width);
  };
  return {
    id: which,
    content: (state, box) => ({
      title: which,
      note: escapeText(state.model.paths[which].split('/').at(-1) ?? ''),
      rows: lines(state, box.width).slice(state.tops[which]),
    }),
    move: (state, motion, box, count) => ({
      ...state,
      tops: { ...state.tops, [which]: scrollText(state.tops[which], rowsOf(motion, box.height) * count, lines(state, box.width).length, box.height) },
    }),
  };
};

const CHANGES: Readonly<Record<Difference['change'], Style>> = { lost: 'error', changed: 'warning', unknown: 'dim', new: 'good' };

const shownDifferences = (state: Compared): readonly Difference[] => {
  const filter = filterOf<ComparePane>(state, 'differences');
  const all = state.model.comparison.differences;
  return filter === '' ? all : all.filter(({ change, what, name, text }) => hasWords(`${change} ${what} ${name} ${text}`, filter));
};

/** The place of a path of either dump: below its handover the trees are the same. */
function placeOfSide(state: Compared, path: string): Place | null {
  const slash = path.indexOf('/');
  return placeOfPath([state.pairs.root], slash === -1 ? 'handover' : `handover${path.slice(slash)}`);
}

function toDifference(state: Compared): Compared {
  const difference = shownDifferences(state)[state.differences.cursor];
  const path = difference?.before ?? difference?.after ?? null;
  const place = path === null ? null : placeOfSide(state, path);
  if (difference === undefined) return tell(state, 'nothing differs');
  const said = `${difference.change} ${escapeText(difference.name)}: ${escapeText(difference.text)}`;
  return tell(place === null ? state : select(state, place), said);
}

function step(state: Compared, by: 1 | -1): Compared {
  const count = shownDifferences(state).length;
  if (count === 0) return tell(state, 'nothing differs');
  // the first key goes to the first difference
  const moved = state.place.length === 1 && state.differences.cursor === 0 && by === 1 ? 0 : (state.differences.cursor + by + count) % count;
  return toDifference({ ...state, differences: jumpTo(state.differences, moved, count, boxIn(state, 'differences').height) });
}

const STEPS: readonly Key<Compared>[] = [
  { keys: [']'], group: MOVE, help: 'to the next difference', hint: 'difference', run: (state) => step(state, 1) },
  { keys: ['['], group: MOVE, help: 'to the difference before', run: (state) => step(state, -1) },
];

const differences: Of = {
  id: 'differences',
  filters: true,
  content: (state, box) => {
    const rows = shownDifferences(state);
    if (rows.length === 0) return { title: 'differences', note: '', rows: [line('  nothing differs', 'good')] };
    return {
      title: 'differences',
      note: positionOf(state.differences.cursor, rows.length),
      rows: listRows(
        rows,
        keepInView(state.differences, rows.length, box.height),
        box,
        state.shell.focus === 'differences',
        ({ change, name, text }): Line => [span(change.padEnd(8), CHANGES[change]), span(escapeText(name), 'name'), span(`: ${escapeText(text)}`)],
        true,
      ),
    };
  },
  move: (state, motion, box, count) => ({
    ...state,
    differences: moveBy(state.differences, rowsOf(motion, box.height) * count, shownDifferences(state).length, box.height),
  }),
  enter: toDifference,
};

const FATES: Readonly<Record<FileFate['fate'], Style>> = {
  'came-back': 'good',
  kept: 'good',
  waiting: 'plain',
  failed: 'error',
  lost: 'error',
  gone: 'warning',
  unknown: 'dim',
};

const shownFiles = (state: Compared): readonly FileFate[] => {
  const filter = filterOf<ComparePane>(state, 'files');
  const all = state.model.comparison.fates;
  return filter === '' ? all : all.filter(({ session, token, fate, text }) => hasWords(`${session} ${hex(token)} ${fate} ${text}`, filter));
};

function toFile(state: Compared): Compared {
  const file = shownFiles(state)[state.files.cursor];
  const place = file === undefined ? null : placeOfSide(state, file.beforePath);
  return place === null ? state : focused<Compared, ComparePane>(select(state, place), 'pairs');
}

const files: Of = {
  id: 'files',
  filters: true,
  content: (state, box) => {
    const rows = shownFiles(state);
    return {
      title: 'files',
      note: positionOf(state.files.cursor, rows.length),
      rows:
        rows.length === 0
          ? [line('  no files', 'dim')]
          : listRows(
              rows,
              keepInView(state.files, rows.length, box.height),
              box,
              state.shell.focus === 'files',
              ({ session, token, fate, text }): Line => [
                span(`${escapeText(session)} ${hex(token)}  `, 'name'),
                span(fate, FATES[fate]),
                span(text === '' ? '' : `  ${escapeText(text)}`),
              ],
            ),
    };
  },
  move: (state, motion, box, count) => ({ ...state, files: moveBy(state.files, rowsOf(motion, box.height) * count, shownFiles(state).length, box.height) }),
  enter: toFile,
};

// Searching, marks, copying.

function startSearch(state: Compared, text: string): Compared {
  if (text === '') return { ...state, search: null };
  const search = new TreeSearch(text, state.tree);
  search.step(200_000);
  const first = search.found.findIndex((place) => comparePlaces(place, state.place) >= 0);
  const place = search.found[Math.max(0, first)];
  return place === undefined ? tell({ ...state, search }, `no ${escapeText(text)} in ${search.visited} pairs`) : select({ ...state, search }, place);
}

function find(state: Compared, by: 1 | -1): Compared {
  if (state.search === null) return tell(state, 'no search: / starts one');
  const index = nextMatch(state.search.found, state.place, by === 1);
  const place = index === null ? undefined : state.search.found[index];
  return place === undefined ? tell(state, `no match for ${escapeText(state.search.query)}`) : select(state, place);
}

const COPIES = ['value', 'path', 'command'] as const;

function copy(state: Compared, what: (typeof COPIES)[number]): Compared {
  const { before, after } = pairOf(state);
  const { paths } = state.model;
  const sides = [before, after].map((node) => (node === null ? 'not there' : sideText(node)));
  const text =
    what === 'command'
      ? `luo-inspect diff ${shellWord(paths.before)} ${shellWord(paths.after)}`
      : what === 'path'
        ? ((before ?? after)?.path ?? '')
        : sides.join(' → ');
  return effect<Compared, ComparePane>(tell<Compared, ComparePane>(state, `copied ${escapeText(text)}`), { kind: 'copy', text });
}

function toPath(state: Compared, path: string): Compared {
  const place = placeOfSide(state, path);
  return place === null ? tell(state, `no pair ${escapeText(path)}`) : select(state, place);
}

function setMark(state: Compared, name: string): Compared {
  const wanted = name.trim();
  const path = selected(state)?.path;
  if (wanted === '' || path === undefined) return state;
  return tell({ ...state, marks: new Map(state.marks).set(wanted, path) }, `${escapeText(wanted)} is ${escapeText(path)}`);
}

function goToMark(state: Compared, name: string): Compared {
  const path = state.marks.get(name.trim());
  return path === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : toPath(state, path);
}

const sessionsOf = ({ model }: Compared) => [model.comparison.before, model.comparison.after].flatMap((handover) => handover?.luo?.sessions ?? []);

const WITHOUT_ADDRESSES = 'two dumps have two memories: q goes back, and each is asked by itself';

const COMPARE_SHARED: SharedCommands<Compared> = {
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
  find: { run: startSearch },
  mark: { run: setMark },
  copy: {
    help: `copy ${COPIES.join(', ')}`,
    complete: () => COPIES,
    run: (state, argument) => {
      const what = COPIES.find((one) => one === argument);
      return what === undefined ? tell(state, `:copy takes ${COPIES.join(', ')}`) : copy(state, what);
    },
  },
  export: {
    help: 'write the differences as text to a new file',
    run: (state, path) => {
      if (path === '') return tell(state, ':export takes the name of a file');
      const rows = state.model.comparison.differences.map(({ change, name, text }) => `${change} ${escapeText(name)}: ${escapeText(text)}`);
      return effect<Compared, ComparePane>(state, { kind: 'save', path, text: `${rows.join('\n')}\n` });
    },
  },
};

export const COMPARE: View<Compared, ComparePane> = {
  name: 'Two dumps',
  intro: '`luo-inspect diff <before> <after> --tui`, or `:diff <file>` in the inspector: what was handed over beside what came of it.',
  panes: { pairs, before: side('before'), after: side('after'), differences, files },
  keys: [
    ...STEPS,
    { keys: ['y'], group: SEARCH, help: 'copy both values (through the terminal, OSC 52)', run: (state) => copy(state, 'value') },
    { keys: ['Y'], group: SEARCH, help: 'copy the path', run: (state) => copy(state, 'path') },
    { keys: ['c'], group: SEARCH, help: 'copy a command line that shows this', run: (state) => copy(state, 'command') },
    { keys: ['m'], group: SEARCH, help: 'name this place', run: (state) => asked<Compared, ComparePane>(state, 'mark: ') },
    { keys: ["'"], group: SEARCH, help: 'go to a named place (Tab completes)', run: (state) => asked<Compared, ComparePane>(state, 'go to mark: ') },
  ],
  groups: [MOVE, SEARCH, PANES, GENERAL],
  commands: [],
  shared: COMPARE_SHARED,
  words: {
    left: 'close the pair, or go to the one above',
    right: 'open the pair, or go to the first below it',
    enter: 'open or close the pair; on a difference or file, go to it',
    search: 'search names and values of both sides',
  },
  tabs: [],
  find,
  endSearch: (state) => ({ ...state, search: null }),
  questions: {
    '/': { run: startSearch },
    'filter: ': filterQuestion<Compared, ComparePane>(),
    'mark: ': { run: setMark },
    'go to mark: ': { run: goToMark, complete: (state, text) => [...state.marks.keys()].filter((name) => name.startsWith(text)) },
  },
  layout: bandsOf,
  title: ({ model: { paths } }) => `${escapeText(paths.before.split('/').slice(-2).join('/'))}  →  ${escapeText(paths.after.split('/').slice(-2).join('/'))}`,
  summary: ({ model: { comparison } }) => {
    const count = (wanted: Difference['change']): number => comparison.differences.filter(({ change }) => change === wanted).length;
    const parts = (['lost', 'changed', 'new', 'unknown'] as const).flatMap((change) =>
      count(change) === 0 ? [] : [span(`${count(change)} ${change}  `, CHANGES[change])],
    );
    return parts.length === 0 ? [span('nothing differs', 'good')] : parts;
  },
  status: ({ search, place }) => {
    if (search === null) return null;
    const at = search.found.findIndex((one) => comparePlaces(one, place) === 0);
    const text = search.found.length === 0 ? 'no match' : `${at === -1 ? '–' : at + 1}/${search.found.length}`;
    return [
      span(` /${search.query}`, 'match'),
      span(`  ${text}  `),
      ...hints([
        ['n', 'next'],
        ['N', 'previous'],
        ['Esc', 'end'],
      ]),
    ];
  },
  settle: (state) => {
    const { focus } = state.shell;
    const bottom = focus === 'differences' || focus === 'files' ? focus : state.bottom;
    const next = { ...state, bottom };
    return { ...next, scroll: keepInView(next.scroll, next.tree.rows, boxIn(next, 'pairs').height) };
  },
  goTo: (state, target) => ('path' in target ? toPath(state, target.path) : state),
  work: () => null,
  kept: (state) => ({ marks: Object.fromEntries(state.marks) }),
  restored: (state, { marks }) => ({ ...state, marks: new Map(Object.entries(marks)) }),
};

function openCompared(model: CompareModel, size: Size): Compared {
  const { comparison } = model;
  const made = new Pairs(comparison.before.node, comparison.after?.node ?? null);
  const state: Compared = {
    model,
    pairs: made,
    shell: openShell<ComparePane>(size, 'pairs'),
    tree: closedTree([made.root]),
    place: [0],
    scroll: START,
    differences: START,
    files: START,
    tops: { before: 0, after: 0 },
    bottom: 'differences',
    search: null,
    marks: new Map(),
  };
  return { ...state, tree: openDiffering(made, boxIn(state, 'pairs').height) };
}

export const compareProgram = (model: CompareModel): Program<Compared> => programOf(COMPARE, (size) => openCompared(model, size));
