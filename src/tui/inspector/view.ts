/** The inspector: its panes, keys and commands put together. */
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex, hexBytes } from '../../tree/words.js';
import { commonCommands, filterQuestion, generalKeys, moveKeys, paneKeys, searchKeys, tabKeys } from '../model/common-keys.js';
import type { Command, Key } from '../model/keys.js';
import type { PageRow } from '../model/page.js';
import type { Program } from '../model/program.js';
import { jumpTo } from '../model/scroll.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import { type Line, line, span, wrap } from '../model/text.js';
import { closeAt, comparePlaces, nodeAt, openAt, placeOfRow, rowOfPlace } from '../model/tree-view.js';
import { bytesTouched, rawValueText } from '../model/value.js';
import { summaryOf } from '../model/finding.js';
import { type View, asked, effect, focused, programOf, showList, showText, tell } from '../model/view.js';
import { type PaneId, inspectorBands } from './layout.js';
import { INSPECTOR_PANES, findingsHere, goToFinding, logRows, open, shut, tableRows, zoomMap } from './panes.js';
import { SORT_KEYS } from './session-rows.js';
import {
  type Inspector,
  type InspectorModel,
  boxIn,
  cursorTo,
  followHex,
  hexCursor,
  hexSelection,
  jump,
  jumpToAddress,
  jumpToVisit,
  nodeBits,
  openState,
  placeOf,
  select,
  selectedNode,
  settle,
  travelJumps,
  visitOf,
} from './state.js';

const TREE = 'Tree';
const GO = 'Addresses and places';
const FINDINGS = 'Findings';
const SEARCH = 'Search, commands, copying';

const view = (): View<Inspector, PaneId> => INSPECTOR;

// What keys do.

function travel(state: Inspector, by: 1 | -1): Inspector {
  return travelJumps(state, by) ?? tell(state, by === -1 ? 'no jump to go back from' : 'no jump to go forward to');
}

/** Opens everything below the node, up to a bound; tables stay closed. */
function openAll(state: Inspector): Inspector {
  const most = 2_000;
  let tree = openAt(state.tree, state.place);
  const pending = [state.place];
  for (let place = pending.shift(); place !== undefined && tree.rows < most; place = pending.shift()) {
    const node = nodeAt(tree, place);
    if (node === null || /\[\d+\]$|table$/.test(node.type)) continue;
    tree = openAt(tree, place);
    for (let index = 0; index < node.children().length; index++) pending.push([...place, index]);
  }
  return tell(select({ ...state, tree }, state.place), tree.rows >= most ? `opened as far as ${most} rows` : 'opened everything below');
}

/** Closes the node and those beside it. */
function closeSiblings(state: Inspector): Inspector {
  let { tree } = state;
  const above = state.place.slice(0, -1);
  const count = above.length === 0 ? tree.children.length : (nodeAt(tree, above)?.children().length ?? 0);
  for (let index = 0; index < count; index++) tree = closeAt(tree, [...above, index]);
  return select({ ...state, tree }, state.place);
}

function sibling(state: Inspector, by: number): Inspector {
  const above = state.place.slice(0, -1);
  const count = above.length === 0 ? state.tree.children.length : (nodeAt(state.tree, above)?.children().length ?? 0);
  const index = (state.place.at(-1) ?? 0) + by;
  return index < 0 || index >= count ? state : select(state, [...above, index]);
}

function stepFinding(state: Inspector, by: number): Inspector {
  const { findings } = state.model;
  // notes are gone through where there is nothing else, or where they are shown
  const indexes = findings.flatMap(({ severity }, index) => (severity !== 'info' || state.notesOpen ? [index] : []));
  const among = indexes.length > 0 ? indexes : findings.map((_, index) => index);
  if (among.length === 0) return tell(state, 'no findings');
  const at = among.indexOf(state.findingAt ?? -1);
  const next = at === -1 ? (by === 1 ? 0 : among.length - 1) : (at + by + among.length) % among.length;
  const index = among[next] ?? 0;
  return tell(goToFinding(state, index), `finding ${next + 1}/${among.length}: ${findings[index]?.message ?? ''}`);
}

// Searching.

/** A search in the pane in focus: bytes in the hex pane, lines in lists, else the tree. */
function startSearch(state: Inspector, text: string): Inspector {
  if (text === '') return { ...state, search: null, searchPending: false, bytesWanted: null };
  const { focus } = state.shell;
  if (focus === 'hex') return findBytes({ ...state, bytesWanted: wantedBytes(text) }, 1);
  if (focus === 'log' || focus === 'sessions') return inList({ ...state, search: null, shell: state.shell }, text, 1);
  const address = addressOf(text);
  const search = new TreeSearch(text, state.tree);
  // an address from a console: the thing that covers it, or the field that names it; n and N go through all that have the number
  if (address !== null) {
    const is = state.model.addresses().at(address);
    if (is.path !== null || is.pointers.length > 0) return whereIs({ ...state, search, searchPending: false }, address);
  }
  return advanceSearch({ ...state, search, searchPending: true });
}

/** An address as people type it: `0x33e7000`, or six digits of hex and more. */
function addressOf(text: string): number | null {
  const digits = /^(?:0x([0-9a-f]+)|([0-9a-f]{6,13}))$/i.exec(text.trim());
  return digits === null ? null : physicalAddress(BigInt(`0x${digits[1] ?? digits[2] ?? '0'}`));
}

/** Goes to what covers an address and says what it is, whose, and whether it is preserved. */
function whereIs(state: Inspector, address: number): Inspector {
  const index = state.model.addresses();
  const is = index.at(address);
  const pointer = is.pointers[0];
  const there = jumpToAddress(state, address);
  // bytes that nothing describes: the field that points to them is the next best place
  const place = is.path !== null ? placeOf(state, is.path) : pointer === undefined ? null : placeOf(state, pointer.path);
  const shown = place === null ? there : { ...jump(state, place), hexAt: address };
  const named =
    pointer === undefined
      ? 'no pointer to it'
      : `named by ${escapeText(pointer.path)}${is.pointers.length > 1 ? ` and ${is.pointers.length - 1 + is.morePointers} more` : ''}`;
  return tell(followHex(shown), `${hex(address)}: ${index.telescope(address)}; ${named}`);
}

/** Nodes looked at before a match is shown although more may come above it. */
const SETTLED = 50_000;

/** Stands on the first match from the cursor on, as soon as there is one. */
function advanceSearch(state: Inspector): Inspector {
  const { search } = state;
  if (search === null || !state.searchPending) return state;
  // what is open is looked at first, but the first match is the first of the rows: a small tree is searched whole before it is shown
  if (!search.done && search.visited < SETTLED) return state;
  if (search.found.length === 0) {
    if (!search.done) return state;
    const address = addressOf(search.query);
    return address === null ? { ...state, searchPending: false } : whereIs({ ...state, searchPending: false }, address);
  }
  const after = search.found.findIndex((place) => comparePlaces(place, state.place) >= 0);
  return jump({ ...state, searchPending: false }, search.found[Math.max(0, after)] ?? state.place);
}

/** A slice of the running search; null when nothing runs. */
function work(state: Inspector): Inspector | null {
  if (state.search === null || state.search.done) return null;
  state.search.step(5_000);
  return advanceSearch({ ...state, ticks: state.ticks + 1 });
}

function goToMatch(state: Inspector, by: 1 | -1): Inspector {
  const { focus } = state.shell;
  if (focus === 'hex' && state.bytesWanted !== null) return findBytes(state, by);
  const typed = state.shell.histories['/']?.at(-1);
  if ((focus === 'log' || focus === 'sessions') && typed !== undefined) return inList(state, typed, by);
  if (state.search === null) return tell(state, 'no search: / starts one');
  const index = nextMatch(state.search.found, state.place, by === 1);
  const place = index === null ? undefined : state.search.found[index];
  return place === undefined ? tell(state, `no match for ${state.search.query}`) : select({ ...state, searchPending: false }, place);
}

/** `"text"` or text, or bytes as `de ad be ef`. */
function wantedBytes(text: string): Uint8Array {
  const digits = /^(?:[0-9a-f]{2}(?:\s+|$)){1,64}$/i.test(text) || /^(?:[0-9a-f]{2}){2,64}$/i.test(text) ? text.replace(/\s+/g, '') : null;
  if (digits !== null) return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return new TextEncoder().encode(text.replace(/^"(.*)"$/, '$1'));
}

/** Memory looked through for bytes in one key, in bytes. */
const MOST_SEARCHED = 1 << 30;
const PIECE = 1 << 20;

/** From the cursor on to the next place in memory that holds the bytes searched for. */
function findBytes(state: Inspector, by: 1 | -1): Inspector {
  const wanted = state.bytesWanted;
  if (wanted === null || wanted.length === 0) return tell(state, 'no search: / starts one');
  const { memory } = state.model;
  const at = hexCursor(state);
  const ranges = by === 1 ? memory.readable : [...memory.readable].reverse();
  const buffer = Buffer.alloc(PIECE + wanted.length);
  let looked = 0;
  let here = false;
  // forwards from the cursor to the end, then from the start; backwards likewise
  for (const round of [0, 1]) {
    for (const range of ranges) {
      const start = round === 0 ? (by === 1 ? Math.max(range.start, at + 1) : range.start) : range.start;
      const end = round === 0 ? (by === 1 ? range.end : Math.min(range.end, at)) : range.end;
      for (let offset = 0; start + offset < end; offset += PIECE) {
        const from = by === 1 ? start + offset : Math.max(start, end - offset - PIECE);
        const length = Math.min(PIECE, by === 1 ? end - from : end - offset - from) + wanted.length - 1;
        const got = memory.readInto(from, Math.min(length, range.end - from), buffer);
        const piece = buffer.subarray(0, got);
        const found = by === 1 ? piece.indexOf(wanted) : piece.lastIndexOf(wanted);
        if (found !== -1 && (from + found !== at || state.hexAt === null)) return cursorTo(state, from + found);
        here ||= found !== -1;
        looked += PIECE;
        if (looked > MOST_SEARCHED) return tell(state, 'not found in the first GiB looked at');
      }
    }
  }
  return tell(state, here ? 'there is no other place with these bytes' : 'these bytes are nowhere in this dump');
}

/** In the log or the table: to the next row with the text. */
function inList(state: Inspector, text: string, by: 1 | -1): Inspector {
  const isLog = state.shell.focus === 'log';
  const texts = isLog ? logRows(state).map((row) => row.text) : tableRows(state).map((row) => `${row.session} ${row.token} ${row.handler} ${row.outcome}`);
  const scroll = isLog ? state.log : state.sessions;
  const wanted = text.toLowerCase();
  for (let step = 1; step <= texts.length; step++) {
    const index = (scroll.cursor + by * step + texts.length * 2) % texts.length;
    if (!(texts[index] ?? '').toLowerCase().includes(wanted)) continue;
    const to = jumpTo(scroll, index, texts.length, boxIn(state, isLog ? 'log' : 'sessions').height);
    return isLog ? { ...state, log: to } : { ...state, sessions: to };
  }
  return tell(state, `no ${text} here`);
}

/** `/text  3/17`, how far it is, and what the keys do. */
function searchLine(state: Inspector): Line | null {
  const { search } = state;
  if (search === null) return null;
  const at = search.found.findIndex((place) => comparePlaces(place, state.place) === 0);
  const count = search.found.length === 0 ? `no match in ${search.visited} nodes` : `${at === -1 ? '–' : at + 1}/${search.found.length}`;
  const progress = search.done ? '' : ', still searching';
  const reasons = [search.stopped ?? '', search.skipped === 0 ? '' : `${search.skipped} large tables left out`].filter(Boolean).join(', ');
  const stopped = reasons === '' ? '' : ` (${reasons})`;
  return [
    span(` /${search.query}`, 'match'),
    span(`  ${count}${progress}${stopped}  `),
    span('n', 'key'),
    span(' next  ', 'dim'),
    span('N', 'key'),
    span(' previous  ', 'dim'),
    span('Esc', 'key'),
    span(' end', 'dim'),
  ];
}

// Copying.

const COPIES = ['value', 'address', 'bytes', 'path', 'json', 'command'] as const;
type Copy = (typeof COPIES)[number];

function textOfCopy(state: Inspector, what: Copy): string {
  const node = selectedNode(state);
  if (node === null) return '';
  switch (what) {
    case 'value':
      return rawValueText(node);
    case 'address':
      return node.address === null ? '' : hex(node.address);
    case 'bytes': {
      const bits = nodeBits(state);
      if (bits === null || node.bits === 0) return '';
      const bytes = new Uint8Array(Math.min(bytesTouched(bits), 65_536));
      return hexBytes(bytes.subarray(0, state.model.memory.readInto(bits.address, bytes.length, bytes)));
    }
    case 'path':
      return node.path;
    case 'json': {
      const { path, name, type, meaning, address, bits } = node;
      const value = typeof node.value === 'bigint' ? hex(node.value) : node.value;
      return JSON.stringify({ path, name, type, value, meaning, address: address === null ? null : hex(address), bits, state: node.state });
    }
    case 'command': {
      const address = state.hexAt ?? node.address;
      const quoted = /^[\w@%+=:,./-]+$/.test(state.model.path) ? state.model.path : `'${state.model.path.replaceAll("'", "'\\''")}'`;
      if (address === null) return `luo-inspect report ${quoted}`;
      if (node.layout !== null && node.layout.field === null) return `luo-inspect decode ${quoted} --as ${node.layout.struct.name} --at ${hex(address)}`;
      return `luo-inspect whatis ${quoted} ${hex(address)}`;
    }
  }
}

function copy(state: Inspector, what: Copy): Inspector {
  const text = textOfCopy(state, what);
  if (text === '') return tell(state, `this node has no ${what}`);
  return effect<Inspector, PaneId>(tell(state, `copied ${text}`), { kind: 'copy', text });
}

/** `y`: the value; of a structure, which has none, its bytes; of a group its path. */
function copyBest(state: Inspector): Inspector {
  const best = (['value', 'bytes', 'path'] as const).find((what) => textOfCopy(state, what) !== '');
  return best === undefined ? tell(state, 'nothing to copy here') : copy(state, best);
}

// Pages.

/** Who points to the selected node (or the byte under the hex cursor). */
function whoPointsHere(state: Inspector): Inspector {
  const node = selectedNode(state);
  const address = state.shell.focus === 'hex' || state.hexAt !== null ? hexCursor(state) : (node?.pointer ?? node?.address ?? null);
  if (address === null) return tell(state, 'this node has no address');
  const { pointers, morePointers } = state.model.addresses().at(address);
  if (pointers.length === 0) return tell(state, `nothing that is decoded points to the page of ${hex(address)}`);
  const rows = pointers.map(
    ({ path, at, to }): PageRow => ({
      line: [span(hex(to), 'address'), span(`  ${escapeText(path)}`), span(at === null ? '' : `  at ${hex(at)}`, 'dim')],
      target: { path },
    }),
  );
  const more = morePointers === 0 ? '' : ` and ${morePointers} more`;
  return showList<Inspector, PaneId>(
    state,
    `${rows.length} field${rows.length === 1 ? ' points' : 's point'} to the page of ${hex(address)}${more}`,
    () => rows,
  );
}

/** Everything that is known of an address, on a page. */
function whatIsPage(state: Inspector, address: number): Inspector {
  const is = state.model.addresses().at(address);
  const rows: PageRow[] = [];
  const add = (label: string, text: string, target: PageRow['target'] = null): void => {
    rows.push({ line: [span(label.padEnd(12), 'label'), span(escapeText(text))], target });
  };
  add('address', hex(address), { address });
  add('what', is.what, is.path === null ? null : { path: is.path });
  add('page', state.model.addresses().telescope(address));
  if (is.path !== null) add('path', is.path, { path: is.path });
  if (is.owner !== null) add('owner', is.owner, { path: is.owner });
  if (is.block !== null) add('block', `order ${is.block.order} at ${hex(is.block.start)}, in the map of ${is.block.handover}`);
  for (const pointer of is.pointers) add('named by', pointer.path, { path: pointer.path });
  if (is.unchecked !== null) add('unchecked', is.unchecked);
  return showList<Inspector, PaneId>(state, `what is ${hex(address)}`, () => rows);
}

/** What the rule of the finding here means, or what the structure is. */
function more(state: Inspector): Inspector {
  const { model } = state;
  const finding = (state.findingAt === null ? undefined : model.findings[state.findingAt]) ?? findingsHere(state)[0];
  const inList = state.shell.focus === 'findings' ? model.findings[state.findings.cursor] : undefined;
  const rule = (inList ?? finding)?.rule;
  const text = rule === undefined ? null : model.ruleText(rule);
  if (rule !== undefined && text !== null)
    return showText<Inspector, PaneId>(state, rule, (width) => text.flatMap((row) => wrap(row, width, 13).map((part) => line(part))));
  const struct = selectedNode(state)?.layout?.struct;
  if (struct === undefined) return tell(state, 'nothing more is known here; on a finding, K explains its rule');
  return showText<Inspector, PaneId>(state, `struct ${struct.name}`, (width) => [
    ...wrap(struct.meaning, width).map((row) => line(row)),
    line(''),
    line(`source: ${struct.source}`, 'dim'),
    line(''),
    ...Object.entries(struct.fields).flatMap(([name, field]) => wrap(`${name}: ${field.meaning}`, width, 4).map((row) => line(row))),
  ]);
}

function bookmarksPage(state: Inspector): Inspector {
  if (state.bookmarks.size === 0) return tell(state, 'no bookmarks: m sets one');
  return asked<Inspector, PaneId>(state, 'go to mark: ');
}

// The rows.

const KEYS: readonly Key<Inspector>[] = [
  ...moveKeys<Inspector, PaneId>(view, {
    left: 'tree: close the node, or go to its parent; bytes and map: one to the left',
    right: 'tree: open the node, or go to its first child; bytes and map: one to the right',
  }),
  { keys: ['space'], group: TREE, help: 'open or close the node', panes: ['tree'], run: (state) => (isShut(state) ? open(state) : shut(state)) },
  { keys: ['e'], group: TREE, help: 'open everything below the node', panes: ['tree'], run: openAll },
  { keys: ['E'], group: TREE, help: 'close the node and those beside it', panes: ['tree'], run: closeSiblings },
  { keys: [')', 'J'], group: TREE, help: 'to the node after this one on the same level', panes: ['tree'], run: (state, count) => sibling(state, count ?? 1) },
  { keys: ['('], group: TREE, help: 'to the node before this one on the same level', panes: ['tree'], run: (state, count) => sibling(state, -(count ?? 1)) },
  ...searchKeys<Inspector, PaneId>(
    view,
    SEARCH,
    {
      enter: 'follow a pointer, else open the node; in a list, go to what the row is about',
      search: 'search names, values, pointers, meanings and addresses; in the bytes: text or bytes (de ad be ef); in log and sessions: their rows',
    },
    goToMatch,
  ),
  { keys: ['backspace', 'ctrl-o'], group: GO, help: 'back to where the last jump came from', hint: 'back', run: (state) => travel(state, -1) },
  { keys: ['ctrl-i', 'ctrl-n'], group: GO, help: 'forward again (Ctrl-I where the terminal tells it from Tab)', run: (state) => travel(state, 1) },
  { keys: ['r'], group: GO, help: 'who points here', run: whoPointsHere },
  {
    keys: ['w'],
    group: GO,
    help: 'what is at this address: owner, page state, preserved, scratch',
    run: (state) => whatIsPage(state, state.hexAt ?? selectedNode(state)?.pointer ?? hexCursor(state)),
  },
  { keys: ['m'], group: GO, help: 'name this place', run: (state) => asked<Inspector, PaneId>(state, 'mark: ') },
  { keys: ["'"], group: GO, help: 'go to a named place (Tab completes)', run: bookmarksPage },
  { keys: ['>'], group: GO, help: 'a closer map', panes: ['map'], run: (state) => zoomMap(state, 1) },
  { keys: ['<'], group: GO, help: 'a wider map', panes: ['map'], run: (state) => zoomMap(state, -1) },
  ...tabKeys<Inspector, PaneId>(view, ['findings', 'sessions', 'map', 'log']),
  { keys: [']'], group: FINDINGS, help: 'go to the next finding', hint: 'finding', panes: ['tree', 'detail', 'hex'], run: (state) => stepFinding(state, 1) },
  { keys: ['['], group: FINDINGS, help: 'go to the finding before', panes: ['tree', 'detail', 'hex'], run: (state) => stepFinding(state, -1) },
  { keys: ['i'], group: FINDINGS, help: 'show notes one by one, or fold them', run: (state) => ({ ...state, notesOpen: !state.notesOpen }) },
  { keys: ['K'], group: FINDINGS, help: 'more: what the rule of the finding means; else what the structure is', run: more },
  {
    keys: ['s'],
    group: FINDINGS,
    help: 'sort by the next column',
    panes: ['sessions'],
    run: (state) => ({ ...state, sort: SORT_KEYS[(SORT_KEYS.indexOf(state.sort) + 1) % SORT_KEYS.length] ?? 'order' }),
  },
  { keys: ['y'], group: SEARCH, help: 'copy the value, or the bytes of a structure (through the terminal, OSC 52)', run: copyBest },
  { keys: ['Y'], group: SEARCH, help: 'copy the path', run: (state) => copy(state, 'path') },
  { keys: ['c'], group: SEARCH, help: 'copy a command line that shows this', run: (state) => copy(state, 'command') },
  ...paneKeys<Inspector, PaneId>(view),
  ...generalKeys<Inspector, PaneId>(view, (state) => ({ ...state, search: null, searchPending: false, bytesWanted: null })),
];

const isShut = (state: Inspector): boolean => {
  let at: Inspector['tree'] | undefined = state.tree;
  for (const index of state.place) at = at?.open.get(index);
  return at === undefined;
};

const pathsBelow = (state: Inspector, typed: string): readonly string[] => {
  const parts = typed.split('/').slice(0, -1);
  const place = parts.length === 0 ? null : placeOf(state, parts.join('/'));
  const node = place === null ? null : nodeOf(state, place);
  if (parts.length > 0 && node?.path !== parts.join('/')) return [];
  return (node?.children() ?? state.tree.children).slice(0, 1_000).map(({ path }) => path);
};

/** The node at a place, opened or not. */
const nodeOf = (state: Inspector, place: readonly number[]) => {
  let nodes = state.tree.children;
  let node = null;
  for (const index of place) {
    node = nodes[index] ?? null;
    nodes = node?.children() ?? [];
  }
  return node;
};

const sessionNamed = (state: Inspector, name: string) =>
  tableRows({ ...state, shell: { ...state.shell, filters: new Map() }, sort: 'order' }).find((row) => row.session === name);

const toPath = (state: Inspector, path: string, what: string): Inspector => {
  const place = placeOf(state, path);
  return place === null ? tell(state, `no ${what}`) : jump(state, place);
};

const withAddress = (state: Inspector, argument: string, run: (address: number) => Inspector): Inspector => {
  const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(argument) ? BigInt(argument) : null;
  if (number === null) return tell(state, `takes an address, 0x…${argument === '' ? '' : `, not ${escapeText(argument)}`}`);
  const address = physicalAddress(number);
  return address === null ? tell(state, `${argument} is no physical address`) : run(address);
};

const COMMANDS: readonly Command<Inspector>[] = [
  {
    name: 'goto',
    args: '0x<address>',
    help: 'go to a physical address: its bytes, and the node decoded there',
    run: (state, argument) => withAddress(state, argument, (address) => focused<Inspector, PaneId>(jumpToAddress(state, address), 'hex')),
  },
  {
    name: 'whatis',
    args: '0x<address>',
    help: 'what is at an address: owner, page state, who points there',
    run: (state, argument) => withAddress(state, argument, (address) => whatIsPage(state, address)),
  },
  {
    name: 'path',
    args: '<path>',
    help: 'select the node with this path',
    complete: pathsBelow,
    run: (state, path) => toPath(state, path, `node ${escapeText(path)}`),
  },
  {
    name: 'session',
    args: '<name>',
    help: 'go to a session',
    complete: (state) => [...new Set(tableRows(state).map((row) => row.session))],
    run: (state, name) => {
      const row = sessionNamed(state, name);
      return row === undefined
        ? tell(state, `no session ${escapeText(name)}`)
        : toPath(state, row.path.replace(/\/files\/.*$/, ''), `session ${escapeText(name)}`);
    },
  },
  {
    name: 'token',
    args: '<session> 0x<token>',
    help: 'go to a file',
    complete: (state) => tableRows(state).flatMap((row) => (row.token === '' ? [] : [`${row.session} ${row.token}`])),
    run: (state, argument) => {
      const row = tableRows(state).find(({ session, token }) => token !== '' && (`${session} ${token}` === argument || token === argument));
      return row === undefined ? tell(state, `no file ${escapeText(argument)}`) : toPath(state, row.path, `file ${escapeText(argument)}`);
    },
  },
  { name: 'find', args: '<text>', help: 'search, as / does', run: startSearch },
  {
    name: 'mark',
    args: '<name>',
    help: "name this place; ' goes back to it",
    run: setMark,
  },
  {
    name: 'copy',
    args: '<what>',
    help: `copy ${COPIES.join(', ')} of the node`,
    complete: () => COPIES,
    run: (state, argument) => {
      const what = COPIES.find((one) => one === argument);
      return what === undefined ? tell(state, `:copy takes ${COPIES.join(', ')}`) : copy(state, what);
    },
  },
  {
    name: 'export',
    args: '<file>',
    help: 'write the screen’s view of the selected node as text to a new file',
    run: (state, path) =>
      path === '' ? tell(state, ':export takes the name of a file') : effect<Inspector, PaneId>(state, { kind: 'save', path, text: exported(state) }),
  },
  ...commonCommands<Inspector, PaneId>(view),
];

/** The selected node and everything open below it, as text. */
function exported(state: Inspector): string {
  const node = selectedNode(state);
  const rows: string[] = [];
  const most = 20_000;
  const first = rowOfPlace(state.tree, state.place);
  for (let row = first; row < Math.min(state.tree.rows, first + most); row++) {
    const place = placeOfRow(state.tree, row);
    if (place === null || (row > first && place.length <= state.place.length)) break;
    const at = nodeAt(state.tree, place);
    if (at !== null)
      rows.push(`${'  '.repeat(place.length - state.place.length)}${escapeText(at.name)} ${escapeText(rawValueText(at))} ${escapeText(at.meaning)}`.trimEnd());
  }
  const hexPart = hexSelection(state);
  return `${[node?.path ?? '', ...rows, ...(hexPart === null ? [] : ['', `at ${hex(hexPart.address)}: ${textOfCopy(state, 'bytes')}`])].join('\n')}\n`;
}

function setMark(state: Inspector, name: string): Inspector {
  const wanted = name.trim();
  if (wanted === '') return state;
  return tell(
    { ...state, bookmarks: new Map(state.bookmarks).set(wanted, visitOf(state)) },
    `${escapeText(wanted)} is ${escapeText(selectedNode(state)?.path ?? '')}`,
  );
}

function goToMark(state: Inspector, name: string): Inspector {
  const there = state.bookmarks.get(name.trim());
  return there === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : jumpToVisit(state, there);
}

export const INSPECTOR: View<Inspector, PaneId> = {
  name: 'Inspector',
  intro: '`luo-inspect <dump>`: the verdict, the decoded handover, its bytes, the findings, sessions and files, a map of memory, the console log.',
  panes: INSPECTOR_PANES,
  keys: KEYS,
  commands: COMMANDS,
  questions: {
    '/': { run: startSearch },
    'filter: ': filterQuestion<Inspector, PaneId>(),
    'mark: ': { run: setMark },
    'go to mark: ': { run: goToMark, complete: (state, text) => [...state.bookmarks.keys()].filter((name) => name.startsWith(text)) },
  },
  layout: inspectorBands,
  title: (state) => state.model.title,
  summary: (state) => summaryOf(state.model.findings, state.model.headline),
  status: searchLine,
  settle,
  goTo: (state, target) => {
    if ('path' in target) return toPath(state, target.path, `node ${escapeText(target.path)}`);
    if ('address' in target) return jumpToAddress(state, target.address);
    return 'finding' in target ? goToFinding(state, target.finding) : state;
  },
  work,
  kept: (state) => ({
    breakpoints: [],
    marks: Object.fromEntries(
      [...state.bookmarks, ['last', visitOf(state)] as const].map(([name, { place, hexAt }]) => [
        name,
        `${nodeOf(state, place)?.path ?? ''}${hexAt === null ? '' : ` ${hex(hexAt)}`}`,
      ]),
    ),
  }),
  restored: (state, { marks }) => ({
    ...state,
    bookmarks: new Map(
      Object.entries(marks).flatMap(([name, text]) => {
        const [path = '', at = ''] = text.split(' ');
        const place = placeOf(state, path);
        return place === null ? [] : [[name, { place, hexAt: /^0x[0-9a-f]+$/.test(at) ? Number(at) : null }] as const];
      }),
    ),
  }),
};

export const inspectorProgram = (model: InspectorModel): Program<Inspector> => programOf(INSPECTOR, (size) => openState(model, size));
