/** Sessions and files as a table. Pure. */
import { SEARCH } from '../../model/common-keys.js';
import { listPane } from '../../model/list.js';
import { type Style, padTo, span, widthOf } from '../../model/text.js';
import { focused } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { SORT_KEYS, type SessionRow, sessionRows, sorted } from '../session-rows.js';
import { type Inspector, type InspectorModel, type SortKey, jump, placeOf } from '../state.js';

interface Made {
  readonly all: readonly SessionRow[];
  /** columns of the longest name, token, phase and size, their titles included */
  readonly name: number;
  readonly token: number;
  readonly phase: number;
  readonly what: number;
  readonly someOwner: boolean;
  /** units, machines or programs are known: of a narrow pane, they are worth more than sizes */
  readonly someLabel: boolean;
  sorted: { readonly by: SortKey; readonly rows: readonly SessionRow[] };
}

const tables = new WeakMap<InspectorModel, Made>();

function madeOf(model: InspectorModel): Made {
  const known = tables.get(model);
  if (known !== undefined) return known;
  const all = sessionRows(model.handovers, model.findings, model.fates());
  const longest = (text: (row: SessionRow) => string, title: string): number => all.reduce((most, row) => Math.max(most, widthOf(text(row))), title.length);
  const made: Made = {
    all,
    name: longest(({ session }) => session, 'session'),
    token: longest(({ token }) => token, 'token'),
    phase: longest(({ phase }) => phase, 'phase'),
    what: longest(({ what }) => what, 'size'),
    someOwner: all.some(({ owner }) => owner !== ''),
    someLabel: all.some(({ labelled }) => labelled),
    sorted: { by: 'order', rows: all },
  };
  tables.set(model, made);
  return made;
}

/** All sessions and files, in the order in which they were serialised. */
export const allSessions = ({ model }: Inspector): readonly SessionRow[] => madeOf(model).all;

/** Sorted once for as long as nothing changes. */
function sortedRows({ model, sort }: Inspector): readonly SessionRow[] {
  const made = madeOf(model);
  if (made.sorted.by !== sort) made.sorted = { by: sort, rows: sorted(made.all, sort) };
  return made.sorted.rows;
}

interface TableColumn {
  readonly title: string;
  readonly width: number;
  readonly style: Style;
  readonly text: (row: SessionRow) => string;
}

/** What there is room for; what comes of it is last and has the rest. */
function columnsFor(width: number, { name, token: longest, phase: phases, what, someOwner, someLabel }: Made, sort: SortKey): TableColumn[] {
  // of a row that is shown in full nothing is cut off
  const most = width > 1_000 ? width : 24;
  const columns: (TableColumn & { readonly from: number })[] = [
    { title: 'session', width: Math.min(width < 100 ? 16 : most, name), style: 'name', text: ({ session }) => session, from: 0 },
    { title: 'token', width: longest, style: 'value', text: ({ token }) => token, from: 0 },
    { title: 'handler', width: 14, style: 'type', text: ({ handler }) => handler, from: 96 },
    { title: 'phase', width: Math.min(most, phases), style: 'label', text: ({ phase }) => phase, from: 0 },
    { title: 'size', width: Math.min(width < 120 ? 18 : most, what), style: 'plain', text: (row) => row.what, from: someLabel ? 110 : 0 },
    {
      title: 'owner',
      width: width < 110 ? 26 : 28,
      style: 'plain',
      text: ({ owner }) => owner,
      from: someLabel ? 0 : someOwner ? 110 : Number.POSITIVE_INFINITY,
    },
  ];
  const hidden = columns.find(({ title, from }) => title === sort && width < from);
  // what it is sorted by is seen, in the place of what is wide
  return columns.filter(({ title, from }) => title === sort || (width >= from && (hidden === undefined || (title !== 'size' && title !== 'owner'))));
}

const columnsIn = ({ model, sort }: Inspector, width: number): TableColumn[] => columnsFor(width, madeOf(model), sort);

/** By an owner only where some are known. */
const nextSort = ({ model, sort }: Inspector): SortKey => {
  const keys = SORT_KEYS.filter((key) => key !== 'owner' || madeOf(model).someOwner);
  return keys[(keys.indexOf(sort) + 1) % keys.length] ?? 'order';
};

export const sessionsPane = listPane<Inspector, PaneId, SessionRow>({
  id: 'sessions',
  rows: sortedRows,
  words: (row) => `${row.session} ${row.token} ${row.handler} ${row.phase} ${row.owner} ${row.what} ${row.outcome}`,
  scroll: (state) => state.sessions,
  scrolled: (state, scroll) => ({ ...state, sessions: scroll }),
  heading: (state, box) => {
    const titles = columnsIn(state, box.width).map(({ title, width }) => padTo(title, width));
    return [span(` ${titles.join('  ')}  what comes of it`, 'label')];
  },
  note: ({ sort }) => `by ${sort}`,
  line: (state, box) => {
    const columns = columnsIn(state, box.width);
    return (row) => [
      ...columns.map(({ width, style, text }) => span(`${padTo(text(row), width)}  `, style)),
      span(`${row.severity === null ? '' : row.severity === 'error' ? '! ' : '? '}${row.outcome}`, row.severity ?? 'good'),
    ];
  },
  none: ({ model }) => {
    // why there is none is what the decoder noted
    const why = model.findings.find(({ rule }) => /^(luo|moment|live)\//.test(rule));
    return span(why === undefined ? 'no sessions' : `no sessions: ${why.message}`, 'dim');
  },
  enter: (state, row) => {
    const place = placeOf(state, row.path);
    return place === null ? state : focused(jump(state, place), 'tree');
  },
  keys: [
    {
      keys: ['s'],
      group: SEARCH,
      help: 'sort by the next column',
      run: (state) => ({ ...state, sort: nextSort(state) }),
    },
  ],
});
