/**
 * The screen as data: what a view gives to be drawn, and how panes share a terminal of a given size. Pure; one small Ink
 * component draws it.
 */
import { type Line, type Span, fill, clip, line, span, widthOf, shorten } from './text.js';

/** In terminal cells. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Pane {
  readonly id: string;
  /** its title row included */
  readonly height: number;
}

export interface Column {
  /** without the separator at its left */
  readonly width: number;
  readonly panes: readonly Pane[];
}

/** Panes side by side, over the full width. */
export interface Band {
  readonly height: number;
  readonly columns: readonly Column[];
}

/** Rows ready to draw: as many as the terminal has, each as wide as it is at most. */
export interface Screen {
  readonly header: Line;
  readonly bands: readonly DrawnBand[];
  readonly footer: Line;
}

export interface DrawnBand {
  readonly height: number;
  readonly columns: readonly { readonly width: number; readonly rows: readonly Line[] }[];
}

/** What a pane shows: its rows, at most as many as asked for. */
export interface PaneContent {
  readonly title: string;
  /** at the right of the title: a position, a mode */
  readonly note: string;
  readonly rows: readonly Line[];
}

export interface PaneBox {
  /** without the title */
  readonly height: number;
  readonly width: number;
}

export const MINIMUM: Size = { columns: 40, rows: 10 };

/** Where a pane's rows go; null where it is not on the screen. */
export function boxOf(bands: readonly Band[], id: string): PaneBox | null {
  for (const band of bands) {
    for (const { width, panes } of band.columns) {
      const pane = panes.find((candidate) => candidate.id === id);
      if (pane !== undefined) return { width, height: Math.max(0, pane.height - 1) };
    }
  }
  return null;
}

/** One pane over everything between header and footer. */
export const alone = (size: Size, id: string): Band[] => [
  { height: size.rows - 2, columns: [{ width: size.columns, panes: [{ id, height: size.rows - 2 }] }] },
];

/** The title row of a pane. The focused one has a heavy rule, so that it is seen without colour. */
export function titleRow(content: { title: string; note: string }, number: number, focused: boolean, width: number): Line {
  const rule = focused ? '━' : '─';
  const style = focused ? 'focus' : 'dim';
  const title = shorten(`${number} ${content.title}`, Math.max(0, width - 4));
  const room = width - widthOf(title) - 7;
  const note = content.note === '' || room < 3 ? '' : ` ${shorten(content.note, room)} `;
  const rest = Math.max(0, width - widthOf(title) - widthOf(note) - 4);
  return [span(`${rule} `, style), span(title, focused ? 'focus' : 'title'), span(` ${rule.repeat(rest)}`, style), span(note, 'dim'), span(rule, style)];
}

/** Puts panes into their places. `order` numbers them. */
export function compose(bands: readonly Band[], order: readonly string[], focus: string, contentOf: (id: string, box: PaneBox) => PaneContent): DrawnBand[] {
  return bands.map((band) => ({
    height: band.height,
    columns: band.columns.map(({ width, panes }) => {
      const rows: Line[] = [];
      for (const { id, height } of panes) {
        const content = contentOf(id, { width, height: height - 1 });
        rows.push(titleRow(content, order.indexOf(id) + 1, id === focus, width));
        for (let index = 0; index < height - 1; index++) rows.push(clip(content.rows[index] ?? [], width));
      }
      return { width, rows };
    }),
  }));
}

/** What is shown where the terminal is too small for any pane. */
export function tooSmall(size: Size): Screen {
  const text = `${MINIMUM.columns}×${MINIMUM.rows} needed, this is ${size.columns}×${size.rows} (q quits)`;
  const rows = Array.from({ length: Math.max(0, size.rows - 2) }, (): Span[] => []);
  return { header: clip(line(text), size.columns), bands: [{ height: rows.length, columns: [{ width: size.columns, rows }] }], footer: [] };
}

export const isTooSmall = (size: Size): boolean => size.columns < MINIMUM.columns || size.rows < MINIMUM.rows;

/** A header or footer row over the full width. */
export const bar = (spans: Line, width: number): Line => fill(spans, width, 'bar');
