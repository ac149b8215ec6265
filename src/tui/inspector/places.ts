/** Places: back and forward in the list of jumps, and named ones. */
import { type Marks, tell } from '../model/view.js';
import { GO } from './groups.js';
import { type Inspector, jumpToVisit, selectedNode, travelJumps, visitOf } from './state.js';

export const INSPECTOR_MARKS: Marks<Inspector> = {
  group: GO,
  names: ({ bookmarks }) => [...bookmarks.keys()],
  set: (state, name) => ({ state: { ...state, bookmarks: new Map(state.bookmarks).set(name, visitOf(state)) }, what: selectedNode(state)?.path ?? '' }),
  goTo: (state, name) => {
    const there = state.bookmarks.get(name);
    return there === undefined ? null : jumpToVisit(state, there);
  },
};

export function travel(state: Inspector, by: 1 | -1): Inspector {
  return travelJumps(state, by) ?? tell(state, by === -1 ? 'no jump to go back from' : 'no jump to go forward to');
}
