/** A screen as cells: the character and the style of each column of each row. What the painter compares. */
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

/** What is put into a row, and where. */
interface Piece {
  readonly spans: Line;
  readonly from: number;
  readonly end: number;
}

const RULE: Line = [{ text: '│', style: 'dim' }];

/** The pieces of each row, `size.rows` of them. */
function piecesOf(screen: Screen, size: Size): Piece[][] {
  const rows: Piece[][] = [[{ spans: screen.header, from: 0, end: size.columns }]];
  for (const { height, columns } of screen.bands) {
    const first = rows.length;
    for (let index = 0; index < height; index++) rows.push([]);
    let left = 0;
    for (const [index, column] of columns.entries()) {
      if (index > 0) {
        for (let row = 0; row < height; row++) rows[first + row]?.push({ spans: RULE, from: left, end: left + 1 });
        left++;
      }
      for (let row = 0; row < Math.min(height, column.rows.length); row++)
        rows[first + row]?.push({ spans: column.rows[row] ?? [], from: left, end: left + column.width });
      left += column.width;
    }
  }
  while (rows.length < size.rows - 1) rows.push([]);
  for (const [index, spans] of screen.above.entries()) rows[size.rows - 1 - screen.above.length + index] = [{ spans, from: 0, end: size.columns }];
  rows.push([{ spans: screen.footer, from: 0, end: size.columns }]);
  return rows.slice(0, size.rows);
}

const sameSpans = (a: Line, b: Line): boolean =>
  a === b || (a.length === b.length && a.every(({ text, style }, index) => text === b[index]?.text && style === b[index]?.style));

function samePieces(a: readonly Piece[], b: readonly Piece[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ spans, from, end }, index) => {
    const other = b[index];
    return other !== undefined && from === other.from && end === other.end && sameSpans(spans, other.spans);
  });
}

/** Makes the cells of one screen after the other: exactly `size.rows` rows. A row in which nothing changed is the row of before itself. */
export function cellsMaker(): (screen: Screen, size: Size) => readonly CellRow[] {
  let columns = 0;
  let before: readonly Piece[][] = [];
  let made: readonly CellRow[] = [];
  return (screen, size) => {
    const pieces = piecesOf(screen, size);
    const rows = pieces.map((own, index) => {
      const old = made[index];
      if (old !== undefined && columns === size.columns && samePieces(own, before[index] ?? [])) return old;
      const row = blankRow(size.columns);
      for (const { spans, from, end } of own) put(row, spans, from, end);
      return row;
    });
    columns = size.columns;
    before = pieces;
    made = rows;
    return rows;
  };
}

/** The cells of one screen. */
export const cellsOf = (screen: Screen, size: Size): readonly CellRow[] => cellsMaker()(screen, size);
