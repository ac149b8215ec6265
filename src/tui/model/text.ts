/**
 * What a row of the screen is made of: spans of text with a named style, measured in terminal columns. Pure; the views say
 * rows in it, the terminal part turns them into colours.
 */
import stringWidth from 'string-width';

/** What a piece of text is, not how it looks: the theme decides that. */
export type Style =
  | 'plain'
  | 'dim'
  | 'bar'
  | 'title'
  | 'focus'
  | 'cursor'
  | 'label'
  | 'name'
  | 'type'
  | 'address'
  | 'value'
  | 'error'
  | 'warning'
  | 'info'
  | 'good'
  | 'match'
  | 'selected'
  | 'neighbour'
  | 'changed'
  | 'zero'
  | 'ascii'
  | 'key';

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export const span = (text: string, style: Style = 'plain'): Span => ({ text, style });

/** A line of one span. */
export const line = (text: string, style: Style = 'plain'): Line => [span(text, style)];

export const textOf = (spans: Line): string => spans.map((part) => part.text).join('');

const NARROW = /^[\x20-\x7e│─━›‹▾▸◂∅→←↑↓▶●◆…·█×–“”]*$/;
const segmenter = new Intl.Segmenter();

/** ASCII, and the signs the views draw with: one column and one code unit each, so that nothing needs to be measured. */
export const isNarrow = (text: string): boolean => NARROW.test(text);

/** The characters of `text` as a terminal places them, with their columns: 0 for a mark that joins the one before. */
export function* segmentsOf(text: string): Iterable<{ readonly segment: string; readonly width: number }> {
  for (const { segment } of segmenter.segment(text)) yield { segment, width: Math.min(2, stringWidth(segment)) };
}

/** Terminal columns `text` takes. */
export const widthOf = (text: string): number => (isNarrow(text) ? text.length : stringWidth(text));

export const lineWidth = (spans: Line): number => spans.reduce((sum, part) => sum + widthOf(part.text), 0);

/** The start of `text` that fits `width` columns; never half a wide character. */
function cut(text: string, width: number): string {
  if (width <= 0) return '';
  if (isNarrow(text)) return text.slice(0, width);
  let out = '';
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const columns = stringWidth(segment);
    if (used + columns > width) break;
    out += segment;
    used += columns;
  }
  return out;
}

/** `text` in at most `width` columns, with `…` where something was cut off. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return width <= 0 ? '' : `${cut(text, width - 1)}…`;
}

/** `text` in exactly `width` columns, filled with blanks. */
export function padTo(text: string, width: number): string {
  const short = shorten(text, width);
  return short + ' '.repeat(Math.max(0, width - widthOf(short)));
}

/** `spans` in at most `width` columns, with `…` where something was cut off. */
export function clip(spans: Line, width: number): Line {
  if (lineWidth(spans) <= width) return spans;
  const out: Span[] = [];
  let left = width;
  for (const part of spans) {
    const columns = widthOf(part.text);
    // a span that fits exactly may still be followed by more, which needs the last column for the ellipsis
    if (columns < left) {
      out.push(part);
      left -= columns;
    } else {
      out.push({ text: `${cut(part.text, left - 1)}${left > 0 ? '…' : ''}`, style: part.style });
      break;
    }
  }
  return out;
}

/** `spans` without their first `columns`; `‹` where something was cut off. */
export function skip(spans: Line, columns: number): Line {
  if (columns <= 0) return spans;
  const out: Span[] = [span('‹', 'dim')];
  let left = columns + 1;
  for (const part of spans) {
    const width = widthOf(part.text);
    if (width <= left) {
      left -= width;
      continue;
    }
    out.push(left <= 0 ? part : { text: part.text.slice(cut(part.text, left).length), style: part.style });
    left = 0;
  }
  return out;
}

/** `spans` in exactly `width` columns: cut or filled with blanks of `style`. */
export function fill(spans: Line, width: number, style: Style = 'plain'): Line {
  const fitted = clip(spans, width);
  const rest = width - lineWidth(fitted);
  return rest > 0 ? [...fitted, span(' '.repeat(rest), style)] : fitted;
}

/** `left` at the left and `right` at the right of `width` columns; `right` goes first where there is no room for both. */
export function spread(left: Line, right: Line, width: number, style: Style = 'plain'): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth === 0 || rightWidth + 4 > width) return fill(left, width, style);
  return [...fill(left, width - rightWidth - 1, style), span(' ', style), ...right];
}

/** All of `spans` in one style, for a row that is selected as a whole. */
export const restyle = (spans: Line, style: Style): Line => [span(textOf(spans), style)];

/**
 * `text` in rows of at most `width` columns, broken at blanks where there are some. Leading blanks stay; rows after the first
 * are indented by them and by `indent`. No room, as on a terminal of a few columns, counts as one column.
 */
export function wrap(text: string, width: number, indent = 0): string[] {
  const half = Math.max(0, Math.floor(width / 2));
  const margin = Math.min(text.length - text.trimStart().length, half);
  const hanging = Math.min(margin + indent, half);
  const rows: string[] = [];
  let row = '';
  const room = (): number => Math.max(1, width - (rows.length === 0 ? margin : hanging));
  const flush = (): void => {
    rows.push(' '.repeat(rows.length === 0 ? margin : hanging) + row);
    row = '';
  };
  for (const word of text.trimStart().split(' ')) {
    let rest = row === '' ? word : ` ${word}`;
    if (widthOf(row) + widthOf(rest) > room() && row !== '') {
      flush();
      rest = word;
    }
    while (widthOf(rest) > room()) {
      const part = cut(rest, room());
      // a character wider than the whole row still has to go somewhere
      row = part === '' ? rest.slice(0, 1) : part;
      rest = rest.slice(row.length);
      flush();
    }
    row += rest;
  }
  if (row !== '' || rows.length === 0) flush();
  return rows;
}
