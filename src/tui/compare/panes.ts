/** The panes of two dumps side by side: pairs, both sides of the selected one, differences, files. Pure. */
import { notesOf } from '../../handover/compare/compare.js';
import type { Difference } from '../../handover/compare/difference.js';
import type { FileFate } from '../../handover/compare/fates.js';
import { escapeText } from '../../report/escape.js';
import type { TreeNode } from '../../tree/tree.js';
import { hex } from '../../tree/words.js';
import { MOVE } from '../model/common-keys.js';
import { detailLines } from '../model/detail.js';
import { listPane } from '../model/list.js';
import { moveBy, positionOf, rowsOf, scrollText } from '../model/scroll.js';
import { type Line, type Style, clip, fill, line, padTo, restyle, span } from '../model/text.js';
import { closeAt, comparePlaces, isOpen, openAt, placeOfRow, rowsBetween } from '../model/tree-view.js';
import { hasChildren } from '../model/value.js';
import { type Pane, focused, tell } from '../model/view.js';
import type { ComparePane } from './layout.js';
import { type Mark, sideText } from './pairs.js';
import { type Compared, type CompareModel, pairOf, placeOfSide, select, withTree } from './state.js';

type Of = Pane<Compared, ComparePane>;

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

export const CHANGES: Readonly<Record<Difference['change'], Style>> = { lost: 'error', changed: 'warning', unknown: 'warning', new: 'good' };

/** Notes first: what makes less of the differences. */
export const told = ({ comparison }: CompareModel): readonly Difference[] => [
  ...notesOf(comparison).map((text) => ({ change: 'unknown', what: 'handover', name: 'note', text, before: null, after: null }) as const),
  ...comparison.differences,
];

export const differences = listPane<Compared, ComparePane, Difference>({
  id: 'differences',
  rows: ({ model }) => told(model),
  words: ({ change, what, name, text }) => `${change} ${what} ${name} ${text}`,
  scroll: (state) => state.differences,
  scrolled: (state, scroll) => ({ ...state, differences: scroll }),
  line:
    () =>
    ({ change, name, text }) => [span(change.padEnd(8), CHANGES[change]), span(escapeText(name), 'name'), span(`: ${escapeText(text)}`)],
  none: span('nothing differs', 'good'),
  always: true,
  enter: toDifference,
});

/** To the pair that a difference is about. */
export function toDifference(state: Compared, difference: Difference): Compared {
  const path = difference.before ?? difference.after;
  const place = path === null ? null : placeOfSide(state, path);
  return tell(place === null ? state : select(state, place), `${difference.change} ${escapeText(difference.name)}: ${escapeText(difference.text)}`);
}

const FATES: Readonly<Record<FileFate['fate'], Style>> = {
  'came-back': 'good',
  kept: 'good',
  waiting: 'plain',
  failed: 'error',
  lost: 'error',
  gone: 'warning',
  unknown: 'dim',
};

export const files = listPane<Compared, ComparePane, FileFate>({
  id: 'files',
  rows: ({ model }) => model.comparison.fates,
  words: ({ session, token, fate, text }) => `${session} ${hex(token)} ${fate} ${text}`,
  scroll: (state) => state.files,
  scrolled: (state, scroll) => ({ ...state, files: scroll }),
  line:
    () =>
    ({ session, token, fate, text }) => [
      span(`${escapeText(session)} ${hex(token)}  `, 'name'),
      span(fate, FATES[fate]),
      span(text === '' ? '' : `  ${escapeText(text)}`),
    ],
  none: span('no files', 'dim'),
  enter: (state, { beforePath }) => {
    const place = placeOfSide(state, beforePath);
    return place === null ? state : focused(select(state, place), 'pairs');
  },
});

export const COMPARE_PANES: Readonly<Record<ComparePane, Of>> = { pairs, before: side('before'), after: side('after'), differences, files };
