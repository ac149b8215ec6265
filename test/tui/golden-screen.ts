/**
 * A screen as a text that can be compared and read: its characters, then for each theme how every run of cells looks on a terminal.
 * Cells come from a terminal emulator that was sent what the painter writes, so that view, painter and theme are all in it.
 */
import xterm from '@xterm/headless';
import type { Program } from '../../src/tui/model/program.js';
import type { Size } from '../../src/tui/model/screen.js';
import { cellsOf } from '../../src/tui/terminal/cells.js';
import { Painter } from '../../src/tui/terminal/painter.js';
import { THEMES, type ThemeName } from '../../src/tui/terminal/theme.js';

const GOLDEN_THEMES: readonly ThemeName[] = ['dark', 'light'];

interface Drawn {
  readonly text: readonly string[];
  /** a row's runs: how many cells, how they look */
  readonly looks: readonly (readonly { readonly cells: number; readonly look: string }[])[];
}

function lookOf(cell: xterm.IBufferCell): string {
  const parts = [
    cell.isBold() !== 0 ? 'bold' : '',
    cell.isDim() !== 0 ? 'dim' : '',
    cell.isUnderline() !== 0 ? 'underline' : '',
    cell.isInverse() !== 0 ? 'inverse' : '',
    cell.isFgDefault() ? '' : `fg${cell.getFgColor()}`,
    cell.isBgDefault() ? '' : `bg${cell.getBgColor()}`,
  ];
  return parts.filter((part) => part !== '').join(' ') || 'plain';
}

async function drawn<S>(program: Program<S>, state: S, size: Size, theme: ThemeName): Promise<Drawn> {
  const terminal = new xterm.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true });
  new Painter((data) => terminal.write(data), THEMES[theme]).paint(cellsOf(program.screen(state), size));
  await new Promise<void>((resolve) => terminal.write('', resolve));
  const buffer = terminal.buffer.active;
  const text: string[] = [];
  const looks: { cells: number; look: string }[][] = [];
  for (let row = 0; row < size.rows; row++) {
    const line = buffer.getLine(row);
    text.push(line?.translateToString(true).trimEnd() ?? '');
    const runs: { cells: number; look: string }[] = [];
    for (let column = 0; column < size.columns; column++) {
      const cell = line?.getCell(column);
      const look = cell === undefined ? 'plain' : lookOf(cell);
      const last = runs.at(-1);
      if (last?.look === look) last.cells++;
      else runs.push({ cells: 1, look });
    }
    if (runs.at(-1)?.look === 'plain') runs.pop();
    looks.push(runs);
  }
  return { text, looks };
}

/** Looks as letters, the legend first: `a=bold`, then a line a row that is not all plain: `3 a12 .4 b2`. */
function looksText(theme: ThemeName, looks: Drawn['looks']): string[] {
  const letters = new Map<string, string>([['plain', '.']]);
  const letterOf = (look: string): string => {
    const known = letters.get(look);
    if (known !== undefined) return known;
    const letter = String.fromCharCode('a'.charCodeAt(0) + letters.size - 1);
    letters.set(look, letter);
    return letter;
  };
  const rows = looks.flatMap((runs, row) => (runs.length === 0 ? [] : [`${row + 1} ${runs.map(({ cells, look }) => `${letterOf(look)}${cells}`).join(' ')}`]));
  return [
    `── ${theme}: ${[...letters]
      .slice(1)
      .map(([look, letter]) => `${letter}=${look}`)
      .join('  ')}`,
    ...rows,
  ];
}

/** The whole file. */
export async function goldenText<S>(program: Program<S>, state: S, size: Size): Promise<string> {
  const out: string[] = [];
  let before: readonly string[] = [];
  for (const theme of GOLDEN_THEMES) {
    const { text, looks } = await drawn(program, state, size, theme);
    if (out.length === 0) out.push(...text);
    const [legend = '', ...rows] = looksText(theme, looks);
    const same = rows.join() === before.join();
    out.push(legend, ...(same ? ['the same runs'] : rows));
    before = rows;
  }
  return `${out.join('\n')}\n`;
}
