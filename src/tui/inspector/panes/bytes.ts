/** The bytes of the selected node and those around it, with a cursor that the tree follows. Pure. */
import { escapeText } from '../../../report/escape.js';
import { hex } from '../../../tree/words.js';
import { bitLine, hexRows, moveRows, readings, rowStart } from '../../model/hex.js';
import type { PaneBox } from '../../model/screen.js';
import { rowsOf } from '../../model/scroll.js';
import { type Line, clip, fill, padTo, span } from '../../model/text.js';
import { hasChildren } from '../../model/value.js';
import type { Pane } from '../../model/view.js';
import type { PaneId } from '../layout.js';
import { type Inspector, READINGS_WIDTH, cursorTo, hexCursor, hexGrid, hexHeight, hexSelection, parentNode, selectedNode } from '../state.js';
import { follow } from './tree.js';

import { FINDING_KEYS } from './findings.js';

type Of = Pane<Inspector, PaneId>;

export const bytesPane: Of = {
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
      ...(state.model.series === null ? {} : { words: () => 'past the end of the snapshot' }),
    });
    const shown = bits === null ? rows : [bits, ...rows];
    const node = selectedNode(state);
    const note = state.hexAt !== null ? `at ${hex(state.hexAt)}` : selection === null ? 'no bytes of its own' : node === null ? '' : escapeText(node.name);
    return { title: state.model.series === null ? 'physical memory' : 'bytes of kvm_run', note, rows: withReadings(state, shown, box, height) };
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
  keys: FINDING_KEYS,
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
