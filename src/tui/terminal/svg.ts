/** A screen as an SVG picture, made of the same cells that a terminal is given. For the README and the documentation. */
import type { Style } from '../model/text.js';
import type { CellRow } from './cells.js';

/** Pixels of a cell. */
const WIDTH = 8.4;
const HEIGHT = 17;
const MARGIN = 10;
const GROUND = '#16181d';
const TEXT = '#d7dae0';

interface Look {
  readonly color?: string;
  readonly bold?: boolean;
  readonly inverse?: boolean;
  readonly ground?: string;
}

/** The dark theme in colours of its own. */
const LOOKS: Readonly<Record<Style, Look>> = {
  plain: {},
  dim: { color: '#808691' },
  bar: { inverse: true },
  title: { bold: true },
  focus: { color: '#5fd7ff', bold: true },
  cursor: { inverse: true, bold: true },
  label: { bold: true },
  name: {},
  type: { color: '#d787d7' },
  address: { color: '#5fd7d7' },
  value: { color: '#87d787' },
  error: { color: '#ff5f5f', bold: true },
  warning: { color: '#ffd75f', bold: true },
  info: { color: '#5fd7d7' },
  good: { color: '#87d787' },
  match: { color: '#16181d', ground: '#ffd75f' },
  selected: { inverse: true },
  neighbour: { color: '#aab2c0' },
  changed: { color: '#ffd75f', bold: true },
  zero: { color: '#5a606b' },
  ascii: { color: '#87d787' },
  key: { bold: true },
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** @param title read out in place of the picture */
export function svgOf(rows: readonly CellRow[], title: string): string {
  const columns = Math.max(0, ...rows.map(({ chars }) => chars.length));
  const width = Math.ceil(columns * WIDTH + 2 * MARGIN);
  const height = rows.length * HEIGHT + 2 * MARGIN;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" rx="6" fill="${GROUND}"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" xml:space="preserve">`,
  ];
  for (const [index, row] of rows.entries()) out.push(...runsOf(row).flatMap((run) => runSvg(run, index)));
  return `${[...out, '</g>', '</svg>'].join('\n')}\n`;
}

interface Run {
  readonly start: number;
  readonly cells: number;
  readonly text: string;
  readonly style: Style;
}

function runsOf({ chars, styles }: CellRow): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < chars.length; ) {
    const style = styles[at] ?? 'plain';
    let end = at;
    while (end < chars.length && styles[end] === style) end++;
    runs.push({ start: at, cells: end - at, text: chars.slice(at, end).join(''), style });
    at = end;
  }
  return runs;
}

function runSvg({ start, cells, text, style }: Run, row: number): string[] {
  const look = LOOKS[style];
  const x = (MARGIN + start * WIDTH).toFixed(1);
  const width = (cells * WIDTH).toFixed(1);
  const ground = look.inverse === true ? TEXT : look.ground;
  const out = ground === undefined ? [] : [`<rect x="${x}" y="${MARGIN + row * HEIGHT}" width="${width}" height="${HEIGHT}" fill="${ground}"/>`];
  if (text.trim() === '') return out;
  const color = look.inverse === true ? GROUND : (look.color ?? TEXT);
  const bold = look.bold === true ? ' font-weight="bold"' : '';
  out.push(
    `<text x="${x}" y="${MARGIN + row * HEIGHT + 13}" fill="${color}"${bold} textLength="${width}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`,
  );
  return out;
}
