/** The keys of the inspector that are not those of a pane or of every view, and its named places. */
import { FINDINGS, GO } from './layout.js';
import { more, whatIsPage, whoPointsHere } from './pages.js';
import { nextSnapshot } from './panes/snapshots.js';
import type { Key } from '../model/keys.js';
import { type Marks, tell } from '../model/view.js';
import { type Inspector, hexCursor, jumpToVisit, selectedNode, travelJumps, visitOf } from './state.js';

function travel(state: Inspector, by: 1 | -1): Inspector {
  return travelJumps(state, by) ?? tell(state, by === -1 ? 'no jump to go back from' : 'no jump to go forward to');
}

export const INSPECTOR_KEYS: readonly Key<Inspector>[] = [
  { keys: ['backspace', 'ctrl-o'], group: GO, help: 'back to where the last jump came from', hint: 'back', run: (state) => travel(state, -1) },
  { keys: ['ctrl-i', 'ctrl-n'], group: GO, help: 'forward again (Ctrl-I where the terminal tells it from Tab)', run: (state) => travel(state, 1) },
  { keys: ['}'], group: GO, counts: true, help: 'kvm_run: the next snapshot', run: (state, count) => nextSnapshot(state, count ?? 1) },
  { keys: ['{'], group: GO, counts: true, help: 'kvm_run: the snapshot before', run: (state, count) => nextSnapshot(state, -(count ?? 1)) },
  { keys: ['r'], group: GO, help: 'who points here', run: whoPointsHere },
  {
    keys: ['w'],
    group: GO,
    help: 'what is at this address: owner, page state, preserved, scratch',
    run: (state) => whatIsPage(state, state.hexAt ?? selectedNode(state)?.pointer ?? hexCursor(state)),
  },
  {
    keys: ['i'],
    group: FINDINGS,
    help: 'show notes one by one, or fold them and what else is many',
    run: (state) => ({ ...state, notesOpen: !state.notesOpen, unfolded: new Set<string>() }),
  },
  { keys: ['K'], group: FINDINGS, help: 'more: what the rule of the finding means; else what the structure is', run: more },
];

export const INSPECTOR_MARKS: Marks<Inspector> = {
  group: GO,
  names: ({ bookmarks }) => [...bookmarks.keys()],
  set: (state, name) => ({ state: { ...state, bookmarks: new Map(state.bookmarks).set(name, visitOf(state)) }, what: selectedNode(state)?.path ?? '' }),
  goTo: (state, name) => {
    const there = state.bookmarks.get(name);
    return there === undefined ? null : jumpToVisit(state, there);
  },
};
