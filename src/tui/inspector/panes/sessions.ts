/** Sessions and files as a table. Pure. */
import { SEARCH } from '../../model/common-keys.js';
import { listPane } from '../../model/list.js';
import { type Style, padTo, span, widthOf } from '../../model/text.js';
import { focused } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { SORT_KEYS, type SessionRow, sessionRows, sorted } from '../session-rows.js';
import { type Inspector, type InspectorModel, type SortKey, jump, placeOf } from '../state.js';

/** The table, as far as it was made. */
interface Made {
  rows: readonly SessionRow[];
  /** columns of the longest name, token, phase and size so far, their titles included */
  name: number;
  token: number;
  phase: number;
  what: number;
  someOwner: boolean;
  /** units, machines or programs are known: of a narrow pane, they are worth more than sizes */
  someLabel: boolean;
  sorted: { readonly by: SortKey; readonly of: readonly SessionRow[]; readonly rows: readonly SessionRow[] };
  /** what is still to be read; null where all of it was */
  rest: Iterator<SessionRow | null> | null;
}

const tables = new WeakMap<InspectorModel, Made>();
/** Sessions and files looked at before the first frame, and between two. */
const AT_ONCE = 4_000;
const A_SLICE = 500;

/** First what becomes of each, then the rows: null for one that is none. */
function* reading({ handovers, findings, fates: told }: InspectorModel): Iterator<SessionRow | null> {
  const fates = new Map<string, string>();
  for (const [path, text] of told()) {
    fates.set(path, text);
    yield null;
  }
  yield* sessionRows(handovers, findings, fates);
}

function madeOf(model: InspectorModel): Made {
  const known = tables.get(model);
  if (known !== undefined) return known;
  const made: Made = {
    rows: [],
    name: 'session'.length,
    token: 'token'.length,
    phase: 'phase'.length,
    what: 'size'.length,
    someOwner: false,
    someLabel: false,
    sorted: { by: 'order', of: [], rows: [] },
    rest: reading(model),
  };
  tables.set(model, made);
  readOn(made, AT_ONCE);
  return made;
}

function readOn(made: Made, most: number): void {
  const more: SessionRow[] = [];
  for (let count = 0; made.rest !== null && count < most; count++) {
    const { value: row, done } = made.rest.next();
    if (done === true) made.rest = null;
    else if (row !== null) {
      more.push(row);
      made.name = Math.max(made.name, widthOf(row.session));
      made.token = Math.max(made.token, widthOf(row.token));
      made.phase = Math.max(made.phase, widthOf(row.phase));
      made.what = Math.max(made.what, widthOf(row.what));
      made.someOwner ||= row.owner !== '';
      made.someLabel ||= row.labelled;
    }
  }
  if (more.length > 0) made.rows = [...made.rows, ...more];
}

/** Reads on where the table was asked for and very many are listed; null when it is whole. */
export function readSessions(state: Inspector): Inspector | null {
  const made = tables.get(state.model);
  if (made === undefined || made.rest === null) return null;
  readOn(made, A_SLICE);
  return { ...state, ticks: state.ticks + 1 };
}

/** All sessions and files, in the order in which they were serialised. */
export function allSessions({ model }: Inspector): readonly SessionRow[] {
  const made = madeOf(model);
  readOn(made, Number.POSITIVE_INFINITY);
  return made.rows;
}

/** Sorted once for as long as nothing changes. */
function sortedRows({ model, sort }: Inspector): readonly SessionRow[] {
  const made = madeOf(model);
  if (made.sorted.by !== sort || made.sorted.of !== made.rows) made.sorted = { by: sort, of: made.rows, rows: sorted(made.rows, sort) };
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
  note: ({ model, sort }) => `by ${sort}${madeOf(model).rest === null ? '' : ', reading on'}`,
  line: (state, box) => {
    const columns = columnsIn(state, box.width);
    return (row) => [
      ...columns.map(({ width, style, text }) => span(`${padTo(text(row), width)}  `, style)),
      span(`${row.severity === null ? '' : row.severity === 'error' ? '! ' : '? '}${row.outcome}`, row.severity ?? 'good'),
    ];
  },
  none: ({ model }) => {
    if (madeOf(model).rest !== null) return span('reading what comes of the sessions …', 'dim');
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
