/** Places: back and forward in the list of jumps, and named ones. */
import { escapeText } from '../../report/escape.js';
import { asked, tell } from '../model/view.js';
import type { PaneId } from './layout.js';
import { type Inspector, jumpToVisit, selectedNode, travelJumps, visitOf } from './state.js';

export function setMark(state: Inspector, name: string): Inspector {
  const wanted = name.trim();
  if (wanted === '') return state;
  return tell(
    { ...state, bookmarks: new Map(state.bookmarks).set(wanted, visitOf(state)) },
    `${escapeText(wanted)} is ${escapeText(selectedNode(state)?.path ?? '')}`,
  );
}

export function goToMark(state: Inspector, name: string): Inspector {
  const there = state.bookmarks.get(name.trim());
  return there === undefined ? tell(state, `no mark ${escapeText(name.trim())}`) : jumpToVisit(state, there);
}

export function bookmarksPage(state: Inspector): Inspector {
  if (state.bookmarks.size === 0) return tell(state, 'no bookmarks: m sets one');
  return asked<Inspector, PaneId>(state, 'go to mark: ');
}

export function travel(state: Inspector, by: 1 | -1): Inspector {
  return travelJumps(state, by) ?? tell(state, by === -1 ? 'no jump to go back from' : 'no jump to go forward to');
}
