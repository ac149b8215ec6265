/** Sessions and files as a table. Pure. */
import { hasWords } from '../../model/match.js';
import { listRows } from '../../model/list.js';
import { keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import { type Line, type Style, line, padTo, span } from '../../model/text.js';
import { type Pane, filterOf, focused } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type SessionRow, sessionRows, sorted } from '../session-rows.js';
import { type Inspector, type InspectorModel, jump, placeOf } from '../state.js';

import { SEARCH } from '../../model/common-keys.js';
import { SORT_KEYS } from '../session-rows.js';

type Of = Pane<Inspector, PaneId>;

/** The rows of the table as they are shown. */
export function tableRows(state: Inspector): readonly SessionRow[] {
  const filter = filterOf<PaneId>(state, 'sessions');
  const rows = tableOf(state.model);
  return sorted(
    filter === '' ? rows : rows.filter((row) => hasWords(`${row.session} ${row.token} ${row.handler} ${row.what} ${row.outcome}`, filter)),
    state.sort,
  );
}

const tables = new WeakMap<InspectorModel, readonly SessionRow[]>();

function tableOf(model: InspectorModel): readonly SessionRow[] {
  const known = tables.get(model) ?? sessionRows(model.handovers, model.findings, model.fates);
  tables.set(model, known);
  return known;
}

export const sessionsPane: Of = {
  id: 'sessions',
  filters: true,
  content: (state, box) => {
    const rows = tableRows(state);
    if (rows.length === 0) return { title: 'sessions', note: '', rows: [line('  no sessions', 'dim')] };
    const name = Math.min(24, Math.max(7, ...rows.map(({ session }) => session.length)));
    const heading: Line = [span(` ${padTo('session', name)}  ${padTo('token', 8)}  ${padTo('handler', 14)}  ${padTo('size', 24)}  what comes of it`, 'label')];
    const list = listRows(
      rows,
      keepInView(state.sessions, rows.length, box.height - 1),
      { ...box, height: box.height - 1 },
      state.shell.focus === 'sessions',
      (row): Line => {
        const style: Style = row.severity ?? 'good';
        return [
          span(padTo(row.session, name), 'name'),
          span(`  ${padTo(row.token, 8)}  `, 'value'),
          span(padTo(row.handler, 14), 'type'),
          span(`  ${padTo(row.what, 24)}  `),
          span(`${row.severity === null ? '  ' : row.severity === 'error' ? '! ' : '? '}${row.outcome}`, style),
        ];
      },
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
