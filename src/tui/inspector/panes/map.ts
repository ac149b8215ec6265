/** The machine's memory as a map: what each share of it is used for. Pure. */
import { describeState } from '../../../memory/memory.js';
import { escapeText } from '../../../report/escape.js';
import { formatBytes, hex } from '../../../tree/words.js';
import type { PaneBox } from '../../model/screen.js';
import { rowsOf } from '../../model/scroll.js';
import { type Line, clip, span } from '../../model/text.js';
import { type Pane, tell } from '../../model/view.js';
import { GO, type PaneId } from '../layout.js';
import { MAP_KINDS, type MapCells, MemoryMap } from '../memory-map.js';
import { type Inspector, type InspectorModel, boxIn, jumpToAddress, wholeMap } from '../state.js';

type Of = Pane<Inspector, PaneId>;

const maps = new WeakMap<InspectorModel, MemoryMap>();

/** Cells the map pane has room for, the legend and the line of the cursor left out. */
const mapCells = (state: Inspector, box: PaneBox): { readonly cells: MapCells; readonly columns: number } => {
  const columns = Math.max(1, box.width - state.digits - 2);
  const count = columns * Math.max(1, box.height - 2);
  const map = maps.get(state.model) ?? new MemoryMap(state.model);
  maps.set(state.model, map);
  return { cells: map.cells(state.map.from, state.map.to, count), columns };
};

const cursorAddress = (state: Inspector, box: PaneBox): number => {
  const { cells } = mapCells(state, box);
  return cells.from + Math.min(state.map.cursor, cells.kinds.length - 1) * cells.unit;
};

export const mapPane: Of = {
  id: 'map',
  content: (state, box) => {
    const { cells, columns } = mapCells(state, box);
    const cursor = Math.min(state.map.cursor, cells.kinds.length - 1);
    const at = cursorAddress(state, box);
    const kind = MAP_KINDS[cells.kinds[cursor] ?? 0];
    const { owner } = state.model.addresses().at(at);
    const about: Line = [
      span(`${hex(at)}–${hex(at + cells.unit - 1)}`, 'address'),
      span(`  ${kind?.words ?? ''}`),
      span(owner === null ? '' : `  ${cells.unit > state.model.memory.pageSize ? 'first of ' : 'of '}${escapeText(owner)}`, 'name'),
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
    const drawn = new Set(cells.kinds);
    const legend = MAP_KINDS.filter(({ sign }, index) => sign !== ' ' && drawn.has(index)).flatMap(({ sign, style, short }) => [
      span(` ${sign} `, style),
      span(`${short} `, 'dim'),
    ]);
    return { title: 'map', note: `${formatBytes(cells.unit)} a cell`, rows: [about, clip(legend, box.width), ...rows] };
  },
  move: (state, motion, box, count) => moved(state, box, rowsOf(motion, box.height - 2) * count * mapCells(state, box).columns),
  sideways: (state, by, box, count) => moved(state, box, by * count),
  click: (state, row, box, column) => moved(state, box, (row - 2) * mapCells(state, box).columns + column - state.digits - 2 - state.map.cursor),
  enter: (state) => {
    const address = cursorAddress(state, boxIn(state, 'map'));
    const is = state.model.addresses().at(address);
    return tell(jumpToAddress(state, address), `${hex(address)}: ${is.what}, ${describeState(is.state)}`);
  },
  keys: [
    { keys: ['>'], group: GO, help: 'a closer map', hint: 'closer', run: (state) => zoomMap(state, 1) },
    { keys: ['<'], group: GO, help: 'a wider map', hint: 'wider', run: (state) => zoomMap(state, -1) },
  ],
};

/** The cursor so many cells on, as far as there is memory. */
function moved(state: Inspector, box: PaneBox, by: number): Inspector {
  const { cells } = mapCells(state, box);
  const last = Math.min(cells.kinds.length, Math.ceil((state.map.to - cells.from) / cells.unit)) - 1;
  return { ...state, map: { ...state.map, cursor: Math.max(0, Math.min(state.map.cursor + by, last)) } };
}

/** Puts the map's cursor on an address; the whole of memory is shown where the part that is shown does not hold it. */
export function mapTo(state: Inspector, address: number): Inspector {
  const { from, to } = state.map;
  const shown: Inspector = address >= from && address < to ? state : { ...state, map: wholeMap(state.model.memory) };
  const { cells } = mapCells(shown, boxIn(shown, 'map'));
  return { ...shown, map: { ...shown.map, cursor: Math.max(0, Math.min(cells.kinds.length - 1, Math.floor((address - cells.from) / cells.unit))) } };
}

/** Zooms the map by a factor of 8 around its cursor (in), or out again. */
function zoomMap(state: Inspector, by: 1 | -1): Inspector {
  const box = boxIn(state, 'map');
  const { from: lowest, to: last } = wholeMap(state.model.memory);
  const { pageSize } = state.model.memory;
  const at = cursorAddress(state, box);
  const { columns } = mapCells(state, box);
  const least = columns * pageSize;
  const size = by === 1 ? (state.map.to - state.map.from) / 8 : (state.map.to - state.map.from) * 8;
  const span = Math.max(least, Math.min(size, last - lowest));
  const from = Math.max(lowest, Math.floor(Math.min(at - span / 2, last - span) / pageSize) * pageSize);
  const zoomed = { ...state, map: { from, to: Math.min(last, from + span), cursor: 0 } };
  const { cells } = mapCells(zoomed, box);
  return { ...zoomed, map: { ...zoomed.map, cursor: Math.max(0, Math.floor((at - from) / cells.unit)) } };
}
