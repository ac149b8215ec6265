/** What KHO and LUO keep in the running kernel: their objects, with what each says of itself. Pure. */
import { listPane } from '../../model/list.js';
import { span } from '../../model/text.js';
import { focused, tell } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import type { ObjectRow } from '../object-rows.js';
import { type Inspector, jump, jumpToAddress, placeOf } from '../state.js';

export const objectsPane = listPane<Inspector, PaneId, ObjectRow>({
  id: 'objects',
  rows: ({ model }) => model.objects,
  words: (row) => `${row.name} ${row.text} ${row.object}`,
  scroll: (state) => state.objects,
  scrolled: (state, scroll) => ({ ...state, objects: scroll }),
  line: () => (row) => [
    span(`${'  '.repeat(row.depth)}${row.name}`, row.depth < 2 ? 'label' : 'name'),
    span(row.text === '' ? '' : `  ${row.text}`, row.style),
    span(row.object === '' ? '' : `  ${row.object}`, 'dim'),
  ],
  none: span('no object of the kernel was read: that takes its memory, its symbols and its BTF (--verbose says what is missing)', 'dim'),
  enter: (state, row) => {
    const place = row.path === null ? null : placeOf(state, row.path);
    if (place !== null) return focused(jump(state, place), 'tree');
    return row.address === null ? tell(state, 'this row is at no physical address and no node of the tree') : jumpToAddress(state, row.address);
  },
});
