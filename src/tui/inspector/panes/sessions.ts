/** Sessions and files as a table. Pure. */
import { hasWords } from '../../model/match.js';
import { listRows } from '../../model/list.js';
import { keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import { type Line, type Style, line, padTo, span, widthOf } from '../../model/text.js';
import { type Pane, filterOf, focused } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type SessionRow, sessionRows, sorted } from '../session-rows.js';
import { type Inspector, type InspectorModel, type SortKey, jump, placeOf } from '../state.js';

import { SEARCH } from '../../model/common-keys.js';
import { SORT_KEYS } from '../session-rows.js';

type Of = Pane<Inspector, PaneId>;

interface Shown {
  readonly filter: string;
  readonly sort: SortKey;
  readonly rows: readonly SessionRow[];
}

interface Made {
  readonly all: readonly SessionRow[];
  /** columns of the longest name */
  readonly name: number;
  shown: Shown | null;
}

const tables = new WeakMap<InspectorModel, Made>();

function madeOf(model: InspectorModel): Made {
  const known = tables.get(model);
  if (known !== undefined) return known;
  const all = sessionRows(model.handovers, model.findings, model.fates);
  const made: Made = { all, name: all.reduce((most, { session }) => Math.max(most, widthOf(session)), 7), shown: null };
  tables.set(model, made);
  return made;
}

/** The rows of the table as they are shown: sorted and filtered once for as long as nothing changes. */
export function tableRows(state: Inspector): readonly SessionRow[] {
  const filter = filterOf<PaneId>(state, 'sessions');
  const made = madeOf(state.model);
  if (made.shown !== null && made.shown.filter === filter && made.shown.sort === state.sort) return made.shown.rows;
  const kept =
    filter === ''
      ? made.all
      : made.all.filter((row) => hasWords(`${row.session} ${row.token} ${row.handler} ${row.phase} ${row.owner} ${row.what} ${row.outcome}`, filter));
  const rows = sorted(kept, state.sort);
  made.shown = { filter, sort: state.sort, rows };
  return rows;
}

interface TableColumn {
  readonly title: string;
  readonly width: number;
  readonly style: Style;
  readonly text: (row: SessionRow) => string;
}

/** What there is room for; what comes of it stands last and has the rest. */
function columnsFor(width: number, name: number, someOwner: boolean): TableColumn[] {
  const columns: (TableColumn & { readonly from: number })[] = [
    { title: 'session', width: Math.min(width < 100 ? 16 : 24, name), style: 'name', text: ({ session }) => session, from: 0 },
    { title: 'token', width: 8, style: 'value', text: ({ token }) => token, from: 0 },
    { title: 'handler', width: 14, style: 'type', text: ({ handler }) => handler, from: 96 },
    { title: 'phase', width: 12, style: 'label', text: ({ phase }) => phase, from: 0 },
    { title: 'size', width: width < 120 ? 14 : 24, style: 'plain', text: ({ what }) => what, from: 0 },
    { title: 'owner', width: 28, style: 'plain', text: ({ owner }) => owner, from: someOwner ? 110 : Number.POSITIVE_INFINITY },
  ];
  return columns.filter(({ from }) => width >= from);
}

export const sessionsPane: Of = {
  id: 'sessions',
  filters: true,
  content: (state, box) => {
    const rows = tableRows(state);
    if (rows.length === 0) return { title: 'sessions', note: '', rows: [line('  no sessions', 'dim')] };
    const { name, all } = madeOf(state.model);
    const columns = columnsFor(
      box.width,
      name,
      all.some(({ owner }) => owner !== ''),
    );
    const heading: Line = [span(` ${columns.map(({ title, width }) => padTo(title, width)).join('  ')}  what comes of it`, 'label')];
    const list = listRows(
      rows,
      keepInView(state.sessions, rows.length, box.height - 1),
      { ...box, height: box.height - 1 },
      state.shell.focus === 'sessions',
      (row): Line => [
        ...columns.map(({ width, style, text }) => span(`${padTo(text(row), width)}  `, style)),
        span(`${row.severity === null ? '' : row.severity === 'error' ? '! ' : '? '}${row.outcome}`, row.severity ?? 'good'),
      ],
    );
    return { title: 'sessions', note: `by ${state.sort}  ${positionOf(state.sessions.cursor, rows.length)}`, rows: [heading, ...list] };
  },
  move: (state, motion, box, count) => ({
    ...state,
    sessions: moveBy(state.sessions, rowsOf(motion, box.height - 1) * count, tableRows(state).length, box.height - 1),
  }),
  enter: (state) => {
    const row = tableRows(state)[state.sessions.cursor];
    const place = row === undefined ? null : placeOf(state, row.path);
    return place === null ? state : focused<Inspector, PaneId>(jump(state, place), 'tree');
  },
  click: (state, row) => ({
    ...state,
    sessions: { ...state.sessions, cursor: Math.max(0, Math.min(tableRows(state).length - 1, state.sessions.top + row - 1)) },
  }),
  keys: [
    {
      keys: ['s'],
      group: SEARCH,
      help: 'sort by the next column',
      run: (state) => ({ ...state, sort: SORT_KEYS[(SORT_KEYS.indexOf(state.sort) + 1) % SORT_KEYS.length] ?? 'order' }),
    },
  ],
};
