/** Searching: names and values in the tree, bytes and text in memory, lines in lists; an address goes to what covers it. */
import { physicalAddress } from '../../memory/memory.js';
import { escapeText } from '../../report/escape.js';
import { hex } from '../../tree/words.js';
import { TreeSearch, nextMatch } from '../model/search.js';
import { comparePlaces } from '../model/tree-view.js';
import { type Found, tell } from '../model/view.js';
import { logPane } from './panes/log.js';
import { mapTo } from './panes/map.js';
import { objectsPane } from './panes/objects.js';
import { readSessions, sessionsPane } from './panes/sessions.js';
import { snapshotsPane } from './panes/snapshots.js';
import { type Inspector, boxIn, cursorTo, hexCursor, jump, jumpToAddress, placeOf, select } from './state.js';

/** A search in the pane in focus: bytes in the hex pane, lines in lists, else the tree. */
export function startSearch(state: Inspector, text: string): Inspector {
  if (text === '') return { ...state, search: null, searchPending: false, bytesWanted: null };
  const { focus } = state.shell;
  if (focus === 'hex') return findBytes({ ...state, bytesWanted: wantedBytes(text) }, 1);
  const list = listInFocus(state);
  if (list !== null) return inList({ ...state, search: null }, list, text, 1);
  const address = addressOf(text);
  if (focus === 'map' && address !== null) return whereIs(mapTo({ ...state, search: null, searchPending: false }, address), address);
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
  return tell(shown, `${hex(address)}: ${index.telescope(address)}; ${named}`);
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

/** A slice of the running search, or of the table of sessions; null when nothing runs. */
export function work(state: Inspector): Inspector | null {
  if (state.search === null || state.search.done) return readSessions(state);
  state.search.step(5_000);
  return advanceSearch({ ...state, ticks: state.ticks + 1 });
}

/** n and N: to the next match of what was searched for last, in the pane in focus. */
export function goToMatch(state: Inspector, by: 1 | -1): Inspector {
  const { focus } = state.shell;
  if (focus === 'hex' && state.bytesWanted !== null) return findBytes(state, by);
  const typed = state.shell.histories['/']?.at(-1);
  const list = listInFocus(state);
  if (list !== null && typed !== undefined) return inList(state, list, typed, by);
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

/** The pane in focus, where it is a list that is searched by its rows. */
const listInFocus = ({ shell }: Inspector) => [logPane, sessionsPane, objectsPane, snapshotsPane].find(({ id }) => id === shell.focus) ?? null;

/** In a list: to the next row with all the words, and which of how many it is. */
function inList(state: Inspector, list: NonNullable<ReturnType<typeof listInFocus>>, text: string, by: 1 | -1): Inspector {
  const there = list.find(state, text, by, boxIn(state, list.id).height);
  if (there === null) return tell(state, `no ${escapeText(text)} here`);
  const { at, count } = list.matches(there, text);
  return tell(there, `/${escapeText(text)}  ${at + 1}/${count}  n next  N previous`);
}

/** The running search of the tree, and how far it is. */
export function found(state: Inspector): Found | null {
  const { search } = state;
  if (search === null) return null;
  const reasons = [search.stopped ?? '', search.skipped === 0 ? '' : `${search.skipped} large tables left out`].filter(Boolean).join(', ');
  const looked = search.found.length === 0 ? ` in ${search.visited} nodes` : '';
  return {
    query: search.query,
    at: search.found.findIndex((place) => comparePlaces(place, state.place) === 0),
    count: search.found.length,
    note: `${looked}${search.done ? '' : ', still searching'}${reasons === '' ? '' : ` (${reasons})`}`,
  };
}
