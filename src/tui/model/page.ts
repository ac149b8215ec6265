/** A page over the panes: the help, a rule's long text, a list to choose from. It scrolls, can be searched, and its rows can lead somewhere. Pure. */
import { type Motion, type Scroll, START, jumpTo, moveBy, rowsOf } from './scroll.js';
import { type Line, clip, fill, restyle, span, textOf } from './text.js';

/** Where a row leads. */
export type Target = { readonly path: string } | { readonly address: number } | { readonly step: number } | { readonly finding: number };

export interface PageRow {
  readonly line: Line;
  readonly target: Target | null;
}

export interface Page {
  readonly title: string;
  /** rows for a width */
  readonly rows: (width: number) => readonly PageRow[];
  readonly scroll: Scroll;
  readonly query: string | null;
}

export const openPage = (title: string, rows: Page['rows']): Page => ({ title, rows, scroll: START, query: null });

/** A page of plain lines. */
export const textPage = (title: string, lines: (width: number) => readonly Line[]): Page =>
  openPage(title, (width) => lines(width).map((line) => ({ line, target: null })));

/** Moves the cursor of a page whose rows lead somewhere, and scrolls any other. */
export function movePage(page: Page, motion: Motion, width: number, height: number, count = 1): Page {
  const rows = page.rows(width);
  const by = rowsOf(motion, height) * count;
  if (rows.some(({ target }) => target !== null)) return { ...page, scroll: moveBy(page.scroll, by, rows.length, height) };
  // a text has no cursor: it scrolls as a whole
  const top = Math.max(0, Math.min(page.scroll.top + by, rows.length - height));
  return { ...page, scroll: { cursor: top, top } };
}

/** To the next row with the text that is searched for. Null where there is none. */
export function findInPage(page: Page, width: number, height: number, by: 1 | -1): Page | null {
  const { query } = page;
  if (query === null) return null;
  const wanted = query.toLowerCase();
  const rows = page.rows(width);
  for (let count = 1; count <= rows.length; count++) {
    const index = (page.scroll.cursor + by * count + rows.length * 2) % rows.length;
    if (
      textOf(rows[index]?.line ?? [])
        .toLowerCase()
        .includes(wanted)
    )
      return { ...page, scroll: jumpTo(page.scroll, index, rows.length, height) };
  }
  return null;
}

/** Its rows as they are drawn. */
export function pageLines(page: Page, width: number, height: number): Line[] {
  const rows = page.rows(width);
  const choosing = rows.some(({ target }) => target !== null);
  const query = page.query?.toLowerCase() ?? null;
  return rows.slice(page.scroll.top, page.scroll.top + height).map(({ line }, index): Line => {
    const selected = choosing && page.scroll.top + index === page.scroll.cursor;
    const match = query !== null && textOf(line).toLowerCase().includes(query);
    const spans = choosing ? [span(selected ? '›' : ' ', 'focus'), ...line] : line;
    if (selected) return restyle(fill(spans, width), 'cursor');
    return clip(match ? restyle(spans, 'match') : spans, width);
  });
}
