/** A screen as cells: which character stands in which column of which row, in which style. What the painter compares. */
import type { Screen, Size } from '../model/screen.js';
import { type Line, type Style, isNarrow, segmentsOf } from '../model/text.js';

/** One row: as many entries as the terminal has columns. The second column of a wide character holds ''. */
export interface CellRow {
  readonly chars: string[];
  readonly styles: Style[];
}

const blankRow = (columns: number): CellRow => ({ chars: new Array<string>(columns).fill(' '), styles: new Array<Style>(columns).fill('plain') });

/** Puts `spans` into `row` from column `from` on, up to `end`. */
function put(row: CellRow, spans: Line, from: number, end: number): void {
  let at = from;
  for (const { text, style } of spans) {
    // most of every frame
    if (isNarrow(text)) {
      const most = Math.min(text.length, end - at);
      for (let index = 0; index < most; index++) row.chars[at + index] = text.charAt(index);
      if (most > 0) row.styles.fill(style, at, at + most);
      if (most < text.length) return;
      at += most;
      continue;
    }
    for (const { segment, width } of segmentsOf(text)) {
      if (width === 0) {
        // a mark that joins the character before it
        if (at > from) row.chars[at - 1] += segment;
        continue;
      }
      if (at + width > end) return;
      row.chars[at] = segment;
      row.styles[at] = style;
      if (width === 2) {
        row.chars[at + 1] = '';
        row.styles[at + 1] = style;
      }
      at += width;
    }
  }
}

/** The cells of a screen: exactly `size.rows` rows. */
export function cellsOf(screen: Screen, size: Size): CellRow[] {
  const rows: CellRow[] = [];
  const next = (): CellRow => {
    const row = blankRow(size.columns);
    rows.push(row);
    return row;
  };
  put(next(), screen.header, 0, size.columns);
  for (const { height, columns } of screen.bands) {
    const first = rows.length;
    for (let index = 0; index < height; index++) next();
    let left = 0;
    for (const [index, column] of columns.entries()) {
      if (index > 0) {
        for (let row = 0; row < height; row++) put(rows[first + row] ?? blankRow(0), [{ text: '│', style: 'dim' }], left, left + 1);
        left++;
      }
      for (let row = 0; row < Math.min(height, column.rows.length); row++)
        put(rows[first + row] ?? blankRow(0), column.rows[row] ?? [], left, left + column.width);
      left += column.width;
    }
  }
  while (rows.length < size.rows - 1) next();
  for (const [index, spans] of screen.above.entries()) {
    const row = blankRow(size.columns);
    put(row, spans, 0, size.columns);
    rows[size.rows - 1 - screen.above.length + index] = row;
  }
  put(next(), screen.footer, 0, size.columns);
  return rows.slice(0, size.rows);
}
