/** What KHO and LUO keep in the running kernel: their objects, with what each says of itself. Pure. */
import { listRows } from '../../model/list.js';
import { hasWords } from '../../model/match.js';
import { keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import { type Line, line, span } from '../../model/text.js';
import { type Pane, filterOf, focused, tell } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import type { ObjectRow } from '../object-rows.js';
import { type Inspector, boxIn, jump, jumpToAddress, placeOf } from '../state.js';

type Of = Pane<Inspector, PaneId>;

export function shownObjects(state: Inspector): readonly ObjectRow[] {
  const filter = filterOf<PaneId>(state, 'objects');
  const { objects } = state.model;
  return filter === '' ? objects : objects.filter((row) => hasWords(`${row.name} ${row.text} ${row.object}`, filter));
}

export const objectsPane: Of = {
  id: 'objects',
  filters: true,
  content: (state, box) => {
    const rows = shownObjects(state);
    if (rows.length === 0)
      return {
        title: 'objects',
        note: '',
        rows: [line('  no object of the kernel was read: that takes its memory, its symbols and its BTF (--verbose says what is missing)', 'dim')],
      };
    const list = listRows(
      rows,
      keepInView(state.objects, rows.length, box.height),
      box,
      state.shell.focus === 'objects',
      (row): Line => [
        span(`${'  '.repeat(row.depth)}${row.name}`, row.depth < 2 ? 'label' : 'name'),
        span(row.text === '' ? '' : `  ${row.text}`, row.style),
        span(row.object === '' ? '' : `  ${row.object}`, 'dim'),
      ],
    );
    return { title: 'objects', note: positionOf(state.objects.cursor, rows.length), rows: list };
  },
  move: (state, motion, box, count) => ({
    ...state,
    objects: moveBy(state.objects, rowsOf(motion, box.height) * count, shownObjects(state).length, box.height),
  }),
  enter: (state) => {
    const row = shownObjects(state)[state.objects.cursor];
    const place = row?.path == null ? null : placeOf(state, row.path);
    if (place !== null) return focused<Inspector, PaneId>(jump(state, place), 'tree');
    return row?.address == null ? tell(state, 'this row is at no physical address and no node of the tree') : jumpToAddress(state, row.address);
  },
  click: (state, row) => ({
    ...state,
    objects: keepInView({ ...state.objects, cursor: state.objects.top + row }, shownObjects(state).length, boxIn(state, 'objects').height),
  }),
};
