/** The rows of a list with a cursor, and a pane that is such a list: shown, filtered, searched and moved through in one way. Pure. */
import { lastOf } from './last-of.js';
import { hasWords } from './match.js';
import type { Key } from './keys.js';
import type { PaneBox } from './screen.js';
import { type Scroll, jumpTo, keepInView, moveBy, positionOf, rowsOf } from './scroll.js';
import { type Line, type Span, clip, fill, line, restyle, span, wrap } from './text.js';
import { type Pane, type Viewed, filterOf } from './view.js';

/** @param always is the cursor seen while another pane has the focus? */
function listRows<T>(rows: readonly T[], scroll: Scroll, box: PaneBox, focused: boolean, spansOf: (row: T, index: number) => Line, always = false): Line[] {
  return rows.slice(scroll.top, scroll.top + box.height).map((row, offset): Line => {
    const index = scroll.top + offset;
    const selected = index === scroll.cursor && (focused || always);
    const spans: Line = [span(selected ? '›' : ' ', 'focus'), ...spansOf(row, index)];
    return selected ? restyle(fill(spans, box.width), focused ? 'cursor' : 'selected') : clip(spans, box.width);
  });
}

/** What a pane lists. */
interface ListOf<S, P extends string, R> {
  readonly id: P;
  /** its id unless given */
  readonly title?: (state: S) => string;
  readonly rows: (state: S) => readonly R[];
  /** what a filter and a search look at */
  readonly words: (row: R) => string;
  readonly scroll: (state: S) => Scroll;
  readonly scrolled: (state: S, scroll: Scroll) => S;
  /** how a row looks; what all rows need is found out once */
  readonly line: (state: S, box: PaneBox) => (row: R) => Line;
  /** what its columns are, above the rows */
  readonly heading?: (state: S, box: PaneBox) => Line;
  /** before the position, at the right of the title */
  readonly note?: (state: S) => string;
  /** shown where there is no row at all */
  readonly none: Span | ((state: S) => Span);
  /** is the cursor seen while another pane has the focus? */
  readonly always?: boolean;
  readonly enter?: (state: S, row: R) => S;
  readonly sideways?: Pane<S, P>['sideways'];
  readonly keys?: readonly Key<S>[];
}

export interface ListPane<S, P extends string, R> extends Pane<S, P> {
  /** the rows that the filter leaves */
  readonly shown: (state: S) => readonly R[];
  /** the row under the cursor */
  readonly current: (state: S) => R | undefined;
  /** To the next row (or the one before) with all the words, around the end; null where none has them. */
  readonly find: (state: S, text: string, by: 1 | -1, height: number) => S | null;
  /** Which of the rows with all the words is under the cursor (-1: none), and how many there are. */
  readonly matches: (state: S, text: string) => { readonly at: number; readonly count: number };
}

/** A pane that is a list: what `list` does not say of its own, each list does alike. */
export function listPane<S extends Viewed<P>, P extends string, R>(list: ListOf<S, P, R>): ListPane<S, P, R> {
  const { id, none, always = false, enter, sideways, keys, heading } = list;
  const filtered = lastOf((rows: readonly R[], filter: string) => (filter === '' ? rows : rows.filter((row) => hasWords(list.words(row), filter))));
  const shown = (state: S): readonly R[] => filtered(list.rows(state), filterOf<P>(state, id));
  const top = heading === undefined ? 0 : 1;
  const withWords = (state: S, text: string): readonly number[] => shown(state).flatMap((row, index) => (hasWords(list.words(row), text) ? [index] : []));
  const current = (state: S): R | undefined => {
    const rows = shown(state);
    return rows[Math.min(list.scroll(state).cursor, rows.length - 1)];
  };
  const content: Pane<S, P>['content'] = (state, box) => {
    const rows = shown(state);
    const title = list.title?.(state) ?? id;
    if (rows.length === 0) {
      const { text, style } = typeof none === 'function' ? none(state) : none;
      return { title, note: '', rows: wrap(`  ${text}`, box.width).map((row) => line(row, style)) };
    }
    const below = { ...box, height: box.height - top };
    const scroll = keepInView(list.scroll(state), rows.length, below.height);
    const shownRows = listRows(rows, scroll, below, state.shell.focus === id, list.line(state, box), always);
    return {
      title,
      note: `${list.note === undefined ? '' : `${list.note(state)}  `}${positionOf(scroll.cursor, rows.length)}`,
      rows: heading === undefined ? shownRows : [heading(state, box), ...shownRows],
    };
  };
  return {
    id,
    filters: true,
    shown,
    current,
    content,
    move: (state, motion, box, count) =>
      list.scrolled(state, moveBy(list.scroll(state), rowsOf(motion, box.height - top) * count, shown(state).length, box.height - top)),
    click: (state, row, box) => {
      const count = shown(state).length;
      const scroll = keepInView(list.scroll(state), count, box.height - top);
      return row < top ? state : list.scrolled(state, keepInView({ ...scroll, cursor: scroll.top + row - top }, count, box.height - top));
    },
    find: (state, text, by, height) => {
      const found = withWords(state, text);
      const { cursor } = list.scroll(state);
      const next = by === 1 ? (found.find((index) => index > cursor) ?? found[0]) : (found.findLast((index) => index < cursor) ?? found.at(-1));
      return next === undefined ? null : list.scrolled(state, jumpTo(list.scroll(state), next, shown(state).length, height));
    },
    matches: (state, text) => {
      const found = withWords(state, text);
      return { at: found.indexOf(list.scroll(state).cursor), count: found.length };
    },
    ...(enter === undefined
      ? {}
      : {
          enter: (state: S): S => {
            const row = current(state);
            return row === undefined ? state : enter(state, row);
          },
        }),
    ...(sideways === undefined ? {} : { sideways }),
    ...(keys === undefined ? {} : { keys }),
  };
}
