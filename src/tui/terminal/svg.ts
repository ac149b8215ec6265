/** A screen as an SVG picture, made of the same cells that a terminal is given. For the README and the documentation. */
import type { Style } from '../model/text.js';
import type { CellRow } from './cells.js';
import { THEMES } from './theme.js';

/** Pixels of a cell. */
const WIDTH = 8.4;
const HEIGHT = 17;
const MARGIN = 10;
const GROUND = '#16181d';
const TEXT = '#d7dae0';

interface Look {
  readonly color: string;
  readonly ground: string;
  readonly attributes: string;
}

/** A colour of the 256: of the cube, or a grey. */
function colorOf(index: number): string {
  const cube = index - 16;
  const levels = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => (part === 0 ? 0 : 55 + 40 * part));
  const grey = 8 + 10 * (index - 232);
  return `#${(index >= 232 ? [grey, grey, grey] : levels).map((level) => level.toString(16).padStart(2, '0')).join('')}`;
}

/** What a terminal makes of the SGR parameters that the dark theme has for a style. */
function lookOf(style: Style): Look {
  let [color, ground, attributes] = [TEXT, GROUND, ''];
  for (const [code, , index] of (THEMES.dark[style] ?? '').matchAll(/([34])8;5;(\d+)|\d+/g)) {
    if (code === '1') attributes += ' font-weight="bold"';
    else if (code === '4') attributes += ' text-decoration="underline"';
    else if (code === '7') [color, ground] = [ground, color];
    else if (code === '30') color = GROUND;
    else if (code.startsWith('3')) color = colorOf(Number(index));
    else if (code.startsWith('4')) ground = colorOf(Number(index));
  }
  return { color, ground, attributes };
}

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
  const { color, ground, attributes } = lookOf(style);
  const x = (MARGIN + start * WIDTH).toFixed(1);
  const width = (cells * WIDTH).toFixed(1);
  const out = ground === GROUND ? [] : [`<rect x="${x}" y="${MARGIN + row * HEIGHT}" width="${width}" height="${HEIGHT}" fill="${ground}"/>`];
  if (text.trim() === '') return out;
  out.push(
    `<text x="${x}" y="${MARGIN + row * HEIGHT + 13}" fill="${color}"${attributes} textLength="${width}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`,
  );
  return out;
}
