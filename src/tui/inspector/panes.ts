/** The panes of the inspector: what each shows, and what motions in it do. Pure. */
import { describeState } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { formatBytes, hex } from '../../tree/words.js';
import { hasWords } from '../model/common-keys.js';
import { detailLines } from '../model/detail.js';
import { type FindingView, findingRow } from '../model/finding.js';
import { bitLine, hexRows, moveRows, readings, rowStart } from '../model/hex.js';
import { listRows } from '../model/list.js';
import type { PaneBox } from '../model/screen.js';
import { jumpTo, keepInView, moveBy, positionOf, rowsOf, scrollText } from '../model/scroll.js';
import { type Line, type Style, clip, fill, line, lineWidth, padTo, restyle, span, wrap } from '../model/text.js';
import { treeRow } from '../model/tree-rows.js';
import { hasChildren } from '../model/value.js';
import { closeAt, comparePlaces, isOpen, openAt, placeOfRow, rowOfPlace } from '../model/tree-view.js';
import { type Pane, filterOf, focused, tell } from '../model/view.js';
import type { PaneId } from './layout.js';
import { MAP_KINDS, type MapCells, MemoryMap } from './memory-map.js';
import { type SessionRow, sessionRows, sorted } from './session-rows.js';
import {
  type Inspector,
  type InspectorModel,
  type LogRow,
  READINGS_WIDTH,
  boxIn,
  cursorTo,
  followHex,
  hexCursor,
  hexGrid,
  hexHeight,
  hexSelection,
  jump,
  jumpToAddress,
  onOverview,
  parentNode,
  placeOf,
  select,
  selectedNode,
  visibleRows,
} from './state.js';

type Of = Pane<Inspector, PaneId>;

// The tree.

export function open(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return select(state, [...state.place, 0]);
  const tree = openAt(state.tree, state.place);
  return tree === state.tree ? state : { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, boxIn(state, 'tree').height) };
}

export function shut(state: Inspector): Inspector {
  const tree = closeAt(state.tree, state.place);
  return { ...state, tree, treeScroll: keepInView(state.treeScroll, tree.rows, boxIn(state, 'tree').height) };
}

function close(state: Inspector): Inspector {
  if (isOpen(state.tree, state.place)) return shut(state);
  return state.place.length > 1 ? select(state, state.place.slice(0, -1)) : state;
}

/** Follows the selected pointer to the node decoded there, or to the bytes; opens what is no pointer. */
function follow(state: Inspector): Inspector {
  const node = selectedNode(state);
  if (node === null) return state;
  const place = node.target === null ? null : placeOf(state, node.target);
  if (place !== null) return jump(state, place);
  if (node.pointer !== null) {
    const there = jumpToAddress(state, node.pointer);
    return tell(there, `${hex(node.pointer)}: ${state.model.addresses().telescope(node.pointer)}`);
  }
  return isOpen(state.tree, state.place) ? shut(state) : open(state);
}

/** A filter leaves the rows of the open tree that have the text, and those above them. */
function filteredTree(state: Inspector, filter: string) {
  const rows = [];
  for (let row = 0; row < Math.min(state.tree.rows, 20_000); row++) {
    const place = placeOfRow(state.tree, row);
    if (place !== null) rows.push(place);
  }
  const wanted = new Set<string>();
  const text = (place: readonly number[]): string => {
    let at: Inspector['tree'] | undefined = state.tree;
    let node = null;
    for (const index of place) {
      node = at?.children[index] ?? null;
      at = at?.open.get(index);
    }
    return node === null ? '' : `${node.name} ${node.meaning} ${node.type}`;
  };
  for (const place of rows) if (hasWords(text(place), filter)) for (let depth = 1; depth <= place.length; depth++) wanted.add(place.slice(0, depth).join('.'));
  return rows.filter((place) => wanted.has(place.join('.')));
}

const tree: Of = {
  id: 'tree',
  filters: true,
  content: (state, box) => {
    const context = { width: box.width, focused: state.shell.focus === 'tree', marks: state.marks, matches: state.search?.matches ?? (() => false) };
    const filter = filterOf<PaneId>(state, 'tree');
    if (filter !== '') {
      const places = filteredTree(state, filter);
      const at = Math.max(
        0,
        places.findIndex((place) => comparePlaces(place, state.place) === 0),
      );
      const top = Math.max(0, Math.min(at - Math.floor(box.height / 2), places.length - box.height));
      const rows = places.slice(top, top + box.height).flatMap((place): Line[] => {
        const row = visibleAt(state, place);
        return row === null ? [] : [treeRow(row, comparePlaces(place, state.place) === 0, context)];
      });
      return { title: 'tree', note: positionOf(at, places.length), rows };
    }
    const rows = visibleRows(state).map((row) => treeRow(row, comparePlaces(row.place, state.place) === 0, context));
    return { title: 'tree', note: positionOf(state.treeScroll.cursor, state.tree.rows), rows };
  },
  move: (state, motion, box, count) => {
    const by = rowsOf(motion, box.height) * count;
    const filter = filterOf<PaneId>(state, 'tree');
    if (filter !== '') {
      const places = filteredTree(state, filter);
      const at = places.findIndex((place) => comparePlaces(place, state.place) === 0);
      const next = Math.max(0, Math.min(at === -1 ? 0 : at + by, places.length - 1));
      return select(state, places[next] ?? state.place);
    }
    const { cursor } = moveBy(state.treeScroll, by, state.tree.rows, box.height);
    return select(state, placeOfRow(state.tree, cursor) ?? state.place);
  },
  sideways: (state, by) => (by === 1 ? open(state) : close(state)),
  enter: follow,
  click: (state, row) => {
    const place = placeOfRow(state.tree, state.treeScroll.top + row);
    if (place === null) return state;
    return comparePlaces(place, state.place) === 0 ? follow(state) : select(state, place);
  },
};

function visibleAt(state: Inspector, place: readonly number[]) {
  const row = rowOfPlace(state.tree, place);
  const found = placeOfRow(state.tree, row);
  if (found === null) return null;
  let at: Inspector['tree'] | undefined = state.tree;
  let node = null;
  for (const index of place) {
    node = at?.children[index] ?? null;
    at = at?.open.get(index);
  }
  return node === null ? null : { node, place, depth: place.length - 1, open: at !== undefined };
}

// What is known of the selected node.

/** Findings about the selected node: the one gone to first, then the others at the same path. */
export function findingsHere(state: Inspector): readonly FindingView[] {
  const node = selectedNode(state);
  const current = state.findingAt === null ? undefined : state.model.findings[state.findingAt];
  const here = state.model.findings.filter((finding) => finding.path === node?.path);
  // the finding gone to may be about something below the deepest node that was decoded
  const about = current?.path != null && node !== null && (current.path === node.path || current.path.startsWith(`${node.path}/`));
  return current === undefined || !about ? here : [current, ...here.filter((finding) => finding !== current)];
}

/** The lines about the selected node, or about the dump. */
export function detailOf(state: Inspector, width: number): Line[] {
  const { model } = state;
  if (onOverview(state.place)) return overviewLines(model, width);
  const node = selectedNode(state);
  if (node === null) return [];
  return detailLines(node, parentNode(state), model.memory, findingsHere(state), width, (address) => model.addresses().telescope(address));
}

/** The answer first: the verdict, the worst finding and what follows from it, then what the dump is. */
function overviewLines(model: InspectorModel, width: number): Line[] {
  const { headline, findings } = model;
  const sign = headline.severity === 'good' ? '' : `${headline.severity === 'error' ? '!' : headline.severity === 'warning' ? '?' : 'i'} `;
  const out: Line[] = wrap(`${sign}${headline.text}`, width, 2).map((row) => line(row, headline.severity === 'info' ? 'title' : headline.severity));
  const worst = findings.find(({ severity }) => severity !== 'info');
  if (worst !== undefined && worst.message !== headline.text) {
    for (const row of wrap(`because: ${worst.message}`, width, 2)) out.push(line(row));
    if (worst.reaction !== null && worst.severity === 'error') for (const row of wrap(worst.reaction, width, 2)) out.push(line(`${row}`, 'dim'));
  }
  out.push(line(''));
  for (const text of model.overview) for (const row of wrap(text, width, 2)) out.push(line(row));
  return out;
}

const detail: Of = {
  id: 'detail',
  content: (state, box) => {
    const lines = detailOf(state, box.width);
    const below = lines.length - state.detailTop - box.height;
    return {
      title: onOverview(state.place) ? 'overview' : 'detail',
      note: below > 0 ? `${below} more ↓` : '',
      rows: lines.slice(state.detailTop, state.detailTop + box.height),
    };
  },
  move: (state, motion, box, count) => ({
    ...state,
    detailTop: scrollText(state.detailTop, rowsOf(motion, box.height) * count, detailOf(state, box.width).length, box.height),
  }),
  enter: follow,
};

// Bytes.

const hexPane: Of = {
  id: 'hex',
  content: (state, box) => {
    const grid = hexGrid(state);
    const { memory } = state.model;
    const selection = hexSelection(state);
    const bits = selection === null ? null : bitLine(memory, selection);
    const height = hexHeight(state);
    const rows = hexRows(grid, rowStart(grid, state.hexTop), {
      height: height - (bits === null ? 0 : 1),
      digits: state.digits,
      selection,
      cursor: state.shell.focus === 'hex' || state.hexAt !== null ? hexCursor(state) : null,
      fields: siblings(state),
    });
    const shown = bits === null ? rows : [bits, ...rows];
    const node = selectedNode(state);
    const note = state.hexAt !== null ? `at ${hex(state.hexAt)}` : selection === null ? 'no bytes of its own' : node === null ? '' : escapeText(node.name);
    return { title: 'physical memory', note, rows: withReadings(state, shown, box, height) };
  },
  move: (state, motion, box, count) => {
    const grid = hexGrid(state);
    const at = hexCursor(state);
    if (motion === 'first' || motion === 'last') {
      const bits = hexSelection(state);
      if (bits === null) return state;
      return cursorTo(state, motion === 'first' ? bits.address : bits.address + Math.ceil((bits.firstBit + bits.bits) / 8) - 1);
    }
    const rows = rowsOf(motion, box.height) * count;
    // through squeezed rows and gaps as one row each, in the same column
    const from = rowStart({ ...grid, keep: null }, at);
    const to = moveRows({ ...grid, keep: null }, from, rows);
    const column = at % grid.perRow;
    return cursorTo(state, Math.max(to, to - (to % grid.perRow) + column));
  },
  sideways: (state, by, _box, count) => cursorTo(state, Math.max(0, hexCursor(state) + by * count)),
  enter: follow,
};

/** The fields beside the selected one, so that the eye finds where one ends. */
function siblings(state: Inspector): { start: number; end: number }[] {
  const node = selectedNode(state);
  const parent = node !== null && node.bits > 0 && node.layout?.field === null && hasChildren(node) ? node : parentNode(state);
  if (parent === null || parent.bits === 0 || parent.layout === null) return [];
  return parent
    .children()
    .flatMap(({ address, bits, layout }) =>
      address === null || bits === 0 || layout === null ? [] : [{ start: address, end: address + Math.ceil(bits / 8) }],
    );
}

/** Other readings of the bytes under the cursor: beside the rows where there is room, else in a row below. */
function withReadings(state: Inspector, rows: readonly Line[], box: PaneBox, height: number): Line[] {
  const values = readings(state.model.memory, hexCursor(state));
  if (values.length === 0) return [...rows];
  const own = state.digits + 2 + hexGrid(state).perRow * 4;
  if (box.width - own >= READINGS_WIDTH)
    return Array.from({ length: Math.max(rows.length, Math.min(values.length, box.height)) }, (_, index): Line => {
      const [name, value] = values[index] ?? ['', ''];
      return [...fill(rows[index] ?? [], own + 1), span(padTo(name, 5), 'label'), span(value, 'value')];
    });
  if (height === box.height) return [...rows];
  const picked = values.filter(([name]) => ['u16', 'u32', 'u64', 's32', 'pfn'].includes(name));
  return [
    ...rows,
    clip(
      picked.flatMap(([name, value]) => [span(`${name} `, 'label'), span(`${value.split(' ')[0] ?? ''}  `, 'value')]),
      box.width,
    ),
  ];
}

// Findings.

type FindingRow = { readonly kind: 'finding'; readonly index: number; readonly finding: FindingView } | { readonly kind: 'notes'; readonly count: number };

/** Errors and warnings; notes in one row until they are asked for. */
export function findingRows(state: Inspector): FindingRow[] {
  const filter = filterOf<PaneId>(state, 'findings');
  const all = state.model.findings.map((finding, index): FindingRow & { kind: 'finding' } => ({ kind: 'finding', index, finding }));
  if (filter !== '') return all.filter(({ finding }) => hasWords(`${finding.severity} ${finding.rule} ${finding.message} ${finding.path ?? ''}`, filter));
  if (state.notesOpen) return all;
  const notes = all.filter(({ finding }) => finding.severity === 'info').length;
  return [...all.filter(({ finding }) => finding.severity !== 'info'), ...(notes === 0 ? [] : [{ kind: 'notes', count: notes } as const])];
}

const findings: Of = {
  id: 'findings',
  filters: true,
  content: (state, box) => {
    const rows = findingRows(state);
    if (rows.length === 0) return { title: 'findings', note: '', rows: [line('  nothing to report', 'good')] };
    const inFocus = state.shell.focus === 'findings';
    const { cursor, top } = keepInView(state.findings, rows.length, box.height);
    const at = rows[cursor];
    const whole = inFocus && at?.kind === 'finding' ? wholeFinding(at.finding, box.width) : [];
    // the selected finding is shown whole: the list gives way
    const start = Math.max(top, Math.min(cursor, cursor + 1 + whole.length - box.height));
    const shown = rows.slice(start, start + box.height).flatMap((row, index): Line[] => {
      const selected = inFocus && start + index === cursor;
      const current = row.kind === 'finding' && row.index === state.findingAt;
      const spans: Line = [
        span(selected || current ? '›' : ' ', 'focus'),
        ...(row.kind === 'finding'
          ? findingRow(row.finding)
          : [span(`i ${row.count} note${row.count === 1 ? '' : 's'}`, 'info'), span('  Enter shows them', 'dim')]),
      ];
      if (selected) return [restyle(fill(spans, box.width), 'cursor'), ...whole];
      return [current ? restyle(fill(spans, box.width), 'selected') : spans];
    });
    return { title: 'findings', note: positionOf(cursor, rows.length), rows: shown };
  },
  move: (state, motion, box, count) => ({
    ...state,
    findings: moveBy(state.findings, rowsOf(motion, box.height) * count, findingRows(state).length, box.height),
  }),
  enter: (state) => {
    const row = findingRows(state)[state.findings.cursor];
    if (row === undefined) return state;
    return row.kind === 'notes' ? { ...state, notesOpen: true } : goToFinding(state, row.index);
  },
  click: (state, row) => ({ ...state, findings: { ...state.findings, cursor: Math.min(findingRows(state).length - 1, state.findings.top + row) } }),
};

/** What does not fit a finding's one row. */
function wholeFinding(finding: FindingView, width: number): Line[] {
  if (lineWidth(findingRow(finding)) < width) return [];
  const rows = wrap(`    ${finding.message}`, width).map((row) => line(row));
  return finding.reaction === null ? rows : [...rows, ...wrap(`    → ${finding.reaction}`, width, 2).map((row) => line(row))];
}

/** Selects what a finding is about: its node, its bytes, its console line. */
export function goToFinding(before: Inspector, index: number): Inspector {
  const finding = before.model.findings[index];
  if (finding === undefined) return before;
  const row = findingRows(before).findIndex((one) => one.kind === 'finding' && one.index === index);
  const state = {
    ...before,
    findingAt: index,
    findings: row === -1 ? before.findings : jumpTo(before.findings, row, findingRows(before).length, boxIn(before, 'findings').height),
  };
  const place = finding.path === null ? null : placeOf(state, finding.path);
  const there = place === null ? state : jump(state, place);
  const node = selectedNode(there);
  // the finding may be about a field deeper than what was decoded, or about bytes without a node
  if (finding.at !== null && (place === null || (node !== null && node.path !== finding.path)))
    return followHex({ ...(place === null ? jumpToAddress(state, finding.at) : there), hexAt: finding.at });
  if (place !== null) return there;
  const told = logLineOf(state, finding);
  if (told !== null) return focused<Inspector, PaneId>({ ...state, log: jumpTo(state.log, told, state.model.log.length, boxIn(state, 'log').height) }, 'log');
  return tell(state, 'this finding is about no single place');
}

/** The line of the log that a finding quotes by its number; null where it quotes none. */
export function logLineOf(state: Inspector, finding: FindingView): number | null {
  const number = /console line (\d+)/.exec(finding.message)?.[1];
  if (number === undefined) return null;
  const index = state.model.log.findIndex((row) => row.number === Number(number));
  return index === -1 ? null : index;
}

// Sessions and files.

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

const sessions: Of = {
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
};

// The map.

const maps = new WeakMap<InspectorModel, MemoryMap>();

/** Cells the map pane has room for, the legend and the line of the cursor left out. */
const mapCells = (state: Inspector, box: PaneBox): { readonly cells: MapCells; readonly columns: number } => {
  const columns = Math.max(1, box.width - state.digits - 2);
  const count = columns * Math.max(1, box.height - 2);
  const map = maps.get(state.model) ?? new MemoryMap(state.model.memory, state.model.handovers);
  maps.set(state.model, map);
  return { cells: map.cells(state.map.from, state.map.to, count), columns };
};

const cursorAddress = (state: Inspector, box: PaneBox): number => {
  const { cells } = mapCells(state, box);
  return cells.from + Math.min(state.map.cursor, cells.kinds.length - 1) * cells.unit;
};

const map: Of = {
  id: 'map',
  content: (state, box) => {
    const { cells, columns } = mapCells(state, box);
    const cursor = Math.min(state.map.cursor, cells.kinds.length - 1);
    const at = cursorAddress(state, box);
    const kind = MAP_KINDS[cells.kinds[cursor] ?? 0];
    const about: Line = [
      span(`${hex(at)}–${hex(at + cells.unit - 1)}`, 'address'),
      span(`  ${kind?.words ?? ''}`),
      span(cells.left === 0 ? '' : `  (${cells.left} preserved blocks not drawn)`, 'warning'),
    ];
    const rows: Line[] = [];
    for (let first = 0; first < cells.kinds.length && cells.from + first * cells.unit < state.map.to; first += columns) {
      const row = [span((cells.from + first * cells.unit).toString(16).padStart(state.digits, '0'), 'address'), span('  ')];
      for (let cell = first; cell < Math.min(first + columns, cells.kinds.length); cell++) {
        if (cells.from + cell * cells.unit >= state.map.to) break;
        const one = MAP_KINDS[cells.kinds[cell] ?? 0];
        row.push(span(cell === cursor && one?.sign === ' ' ? '_' : (one?.sign ?? ' '), cell === cursor ? 'cursor' : (one?.style ?? 'plain')));
      }
      rows.push(row);
    }
    const legend = MAP_KINDS.filter(({ sign }) => sign !== ' ').flatMap(({ sign, style, words }) => [
      span(` ${sign} `, style),
      span(`${words.split(':')[0]} `, 'dim'),
    ]);
    return { title: 'map', note: `${formatBytes(cells.unit)} a cell  > < zoom`, rows: [about, clip(legend, box.width), ...rows] };
  },
  move: (state, motion, box, count) => {
    const { cells, columns } = mapCells(state, box);
    const last = Math.min(cells.kinds.length - 1, Math.ceil((state.map.to - cells.from) / cells.unit) - 1);
    const by = rowsOf(motion, box.height - 2) * count;
    const cursor = by === Number.NEGATIVE_INFINITY ? 0 : by === Number.POSITIVE_INFINITY ? last : state.map.cursor + by * columns;
    return { ...state, map: { ...state.map, cursor: Math.max(0, Math.min(cursor, last)) } };
  },
  sideways: (state, by, _box, count) => ({ ...state, map: { ...state.map, cursor: Math.max(0, state.map.cursor + by * count) } }),
  enter: (state) => {
    const address = cursorAddress(state, boxIn(state, 'map'));
    const is = state.model.addresses().at(address);
    return tell(jumpToAddress(state, address), `${hex(address)}: ${is.what}, ${describeState(is.state)}`);
  },
};

/** Zooms the map by a factor of 8 around its cursor (in), or out again. */
export function zoomMap(state: Inspector, by: 1 | -1): Inspector {
  const box = boxIn(state, 'map');
  const last = state.model.memory.readable.at(-1)?.end ?? state.model.memory.pageSize;
  const { pageSize } = state.model.memory;
  const at = cursorAddress(state, box);
  const { columns } = mapCells(state, box);
  const least = columns * pageSize;
  const size = by === 1 ? (state.map.to - state.map.from) / 8 : (state.map.to - state.map.from) * 8;
  const span = Math.max(least, Math.min(size, last));
  const from = Math.max(0, Math.floor(Math.min(at - span / 2, last - span) / pageSize) * pageSize);
  const zoomed = { ...state, map: { from, to: Math.min(last, from + span), cursor: 0 } };
  const { cells } = mapCells(zoomed, box);
  return { ...zoomed, map: { ...zoomed.map, cursor: Math.max(0, Math.floor((at - from) / cells.unit)) } };
}

// The console log.

export function logRows(state: Inspector): readonly LogRow[] {
  const filter = filterOf<PaneId>(state, 'log');
  return filter === '' ? state.model.log : state.model.log.filter(({ text }) => hasWords(text, filter));
}

const OURS = /kho|kexec|luo|live ?update|memfd|vfio|Unable to handle|Kernel panic|WARNING:|BUG:/i;

const log: Of = {
  id: 'log',
  filters: true,
  content: (state, box) => {
    const rows = logRows(state);
    if (rows.length === 0) return { title: 'log', note: '', rows: [line('  no console log: a console.log beside the dump, or --log <file>', 'dim')] };
    const told = new Set(state.model.findings.flatMap((finding) => logLineOf(state, finding) ?? []).map((index) => state.model.log[index]?.number));
    const list = listRows(rows, keepInView(state.log, rows.length, box.height), box, state.shell.focus === 'log', (row): Line => {
      const style: Style = told.has(row.number) ? 'warning' : OURS.test(row.text) ? 'plain' : 'dim';
      return [span(`${String(row.number).padStart(5)} `, 'address'), span(told.has(row.number) ? '! ' : '  ', 'warning'), span(row.text, style)];
    });
    return { title: 'log', note: positionOf(state.log.cursor, rows.length), rows: list };
  },
  move: (state, motion, box, count) => ({ ...state, log: moveBy(state.log, rowsOf(motion, box.height) * count, logRows(state).length, box.height) }),
  enter: (state) => {
    const row = logRows(state)[state.log.cursor];
    if (row === undefined) return state;
    const index = state.model.findings.findIndex((finding) => /console line (\d+)/.exec(finding.message)?.[1] === String(row.number));
    if (index !== -1) {
      const finding = state.model.findings[index];
      const row = { ...state, findingAt: index };
      const place = finding?.path == null ? null : placeOf(state, finding.path);
      return tell(place === null ? row : jump(row, place), finding?.message ?? '');
    }
    const address = /\b0x([0-9a-f]{4,13})\b/i.exec(row.text)?.[1];
    return address === undefined ? tell(state, 'no finding and no address in this line') : jumpToAddress(state, Number.parseInt(address, 16));
  },
};

export const INSPECTOR_PANES: Readonly<Record<PaneId, Of>> = { tree, detail, hex: hexPane, findings, sessions, map, log };
