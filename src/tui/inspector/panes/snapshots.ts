/** The kvm_run snapshots of a file or folder, in the order in which they were taken. Pure. */
import { listPane } from '../../model/list.js';
import { span } from '../../model/text.js';
import { focused, tell } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type Inspector, type Series, toSnapshot } from '../state.js';

interface SnapshotRow {
  readonly index: number;
  readonly label: string;
}

const rowsOf = new WeakMap<Series['labels'], readonly SnapshotRow[]>();

/** Made once for all snapshots of a series. */
function rows({ model: { series } }: Inspector): readonly SnapshotRow[] {
  const labels = series?.labels ?? [];
  const known = rowsOf.get(labels);
  if (known !== undefined) return known;
  const made = labels.map((label, index) => ({ label, index }));
  rowsOf.set(labels, made);
  return made;
}

const list = listPane<Inspector, PaneId, SnapshotRow>({
  id: 'snapshots',
  rows,
  words: ({ label }) => label,
  scroll: (state) => state.snapshots,
  scrolled: (state, scroll) => ({ ...state, snapshots: scroll }),
  line: (state) => {
    const digits = String((state.model.series?.labels.length ?? 1) - 1).length;
    return ({ index, label }) => [span(`${index}`.padStart(digits), 'address'), span(`  ${label}`)];
  },
  none: span('no snapshots', 'dim'),
  always: true,
  enter: (state) => focused(state, 'tree'),
});

/** The snapshot under the cursor is the one that is shown. */
const follow = (state: Inspector): Inspector => {
  const row = list.current(state);
  return row === undefined ? state : { ...toSnapshot(state, row.index), snapshots: state.snapshots };
};

export const snapshotsPane: typeof list = {
  ...list,
  move: (state, motion, box, count) => follow(list.move(state, motion, box, count)),
  click: (state, row, box, column) => follow(list.click?.(state, row, box, column) ?? state),
  find: (state, text, by, height) => {
    const there = list.find(state, text, by, height);
    return there === null ? null : follow(there);
  },
};

/** To the snapshot `by` further on. */
export function nextSnapshot(state: Inspector, by: number): Inspector {
  const { series } = state.model;
  if (series === null) return tell(state, 'a dump is one moment: `luo-inspect kvm --tui` goes through several snapshots of kvm_run');
  const index = series.index + by;
  const { length } = series.labels;
  if (index < 0 || index >= length)
    return tell(state, length === 1 ? 'there is one snapshot' : index < 0 ? 'this is the first snapshot' : 'this is the last snapshot');
  return toSnapshot(state, index);
}
