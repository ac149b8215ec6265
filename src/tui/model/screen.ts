/** The screen as data: what a view gives to be drawn, and how panes share a terminal of a given size. Pure. */
import { type Line, type Span, fill, clip, line, span, widthOf, shorten } from './text.js';

/** In terminal cells. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** A place for a pane. */
interface Place<P extends string = string> {
  readonly id: P;
  /** its title row included */
  readonly height: number;
  /** panes that share this place, this one among them; their names are in its title */
  readonly tabs?: readonly P[];
}

interface Column<P extends string = string> {
  /** without the separator at its left */
  readonly width: number;
  readonly panes: readonly Place<P>[];
}

/** Panes side by side, over the full width. */
export interface Band<P extends string = string> {
  readonly height: number;
  readonly columns: readonly Column<P>[];
}

/** Rows ready to draw: as many as the terminal has, each as wide as it is at most. */
export interface Screen {
  readonly header: Line;
  readonly bands: readonly DrawnBand[];
  readonly footer: Line;
  /** what a long message needs beside the footer: over the last rows of the panes */
  readonly above: readonly Line[];
}

interface DrawnBand {
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

const MINIMUM: Size = { columns: 40, rows: 10 };

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
export const alone = <P extends string>(size: Size, id: P): Band<P>[] => [
  { height: size.rows - 2, columns: [{ width: size.columns, panes: [{ id, height: size.rows - 2 }] }] },
];

/** The title row of a pane, with the panes that share its place. The focused one has a heavy rule, so that it is seen without colour. */
function titleRow(content: { title: string; note: string }, number: number, focused: boolean, width: number, others: readonly string[]): Line {
  const rule = focused ? '━' : '─';
  const style = focused ? 'focus' : 'dim';
  const title = shorten(`${number} ${content.title}`, Math.max(0, width - 4));
  const room = width - widthOf(title) - 7;
  const note = content.note === '' || room < 3 ? '' : ` ${shorten(content.note, room)} `;
  const left = room - widthOf(note);
  // names a column closer to each other before one is cut off
  const names = widthOf(others.join('  ')) <= left ? others.join('  ') : shorten(others.join(' '), left);
  const tabs = names === '' || left < 6 ? '' : `${rule} ${names} `;
  const rest = Math.max(0, width - widthOf(title) - widthOf(note) - widthOf(tabs) - 4);
  return [
    span(`${rule} `, style),
    span(title, focused ? 'focus' : 'title'),
    span(' ', style),
    span(tabs, 'dim'),
    span(rule.repeat(rest), style),
    span(note, 'dim'),
    span(rule, style),
  ];
}

/** Puts panes into their places. `order` numbers them. */
export function compose<P extends string>(
  bands: readonly Band<P>[],
  order: readonly P[],
  focus: P,
  contentOf: (id: P, box: PaneBox) => PaneContent,
): DrawnBand[] {
  return bands.map((band) => ({
    height: band.height,
    columns: band.columns.map(({ width, panes }) => {
      const rows: Line[] = [];
      for (const { id, height, tabs = [] } of panes) {
        const content = contentOf(id, { width, height: height - 1 });
        const others = tabs.flatMap((tab) => (tab === id ? [] : [`${order.indexOf(tab) + 1} ${tab}`]));
        rows.push(titleRow(content, order.indexOf(id) + 1, id === focus, width, others));
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
  return { header: clip(line(text), size.columns), bands: [{ height: rows.length, columns: [{ width: size.columns, rows }] }], footer: [], above: [] };
}

export const isTooSmall = (size: Size): boolean => size.columns < MINIMUM.columns || size.rows < MINIMUM.rows;

/** A header or footer row over the full width. */
export const bar = (spans: Line, width: number): Line => fill(spans, width, 'bar');
