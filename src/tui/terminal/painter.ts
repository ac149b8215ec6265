/**
 * Puts screens on the terminal: only runs of cells that changed are written, at their place. Ink would compose every cell of the
 * screen anew for each frame, and writes whole rows; a full-screen program that already has its rows needs neither.
 */
import type { Style } from '../model/text.js';
import type { CellRow } from './cells.js';
import type { Theme } from './theme.js';

const ESC = '\u001b';
const BEGIN_UPDATE = `${ESC}[?2026h`;
const END_UPDATE = `${ESC}[?2026l`;
const CLEAR = `${ESC}[0m${ESC}[H${ESC}[2J`;
/** Unchanged cells that cost less to write again than to jump over. */
const BRIDGE = 6;

export class Painter {
  readonly #write: (data: string) => void;
  /** characters for a terminal without UTF-8 */
  readonly #glyph: (char: string) => string;
  #theme: Theme;
  #shown: readonly CellRow[] | null = null;

  /** `write` sends to the terminal, in the alternate screen. */
  constructor(write: (data: string) => void, theme: Theme, glyph: (char: string) => string = (char) => char) {
    this.#write = write;
    this.#theme = theme;
    this.#glyph = glyph;
  }

  /** From the next frame on, which is drawn whole. */
  set theme(theme: Theme) {
    this.#theme = theme;
    this.forget();
  }

  /** Shows `rows`, one for each row of the terminal. */
  paint(rows: readonly CellRow[]): void {
    const shown = this.#shown?.length === rows.length ? this.#shown : null;
    let out = shown === null ? CLEAR : '';
    let style: Style | null = null;
    for (const [index, row] of rows.entries()) {
      const old = shown?.[index] ?? null;
      if (row === old) continue;
      for (const [start, end] of changedRuns(row, old)) {
        out += `${ESC}[${index + 1};${start + 1}H`;
        for (let at = start; at < end; at++) {
          const wanted = row.styles[at] ?? 'plain';
          const before = style === null ? null : this.#theme[style];
          const look = this.#theme[wanted];
          if (before !== look) out += `${ESC}[${look === undefined ? '0' : before == null ? look : `0;${look}`}m`;
          style = wanted;
          out += this.#glyph(row.chars[at] ?? ' ');
        }
      }
    }
    this.#shown = rows;
    if (out === '') return;
    // the next frame starts from plain text, whatever else writes to the terminal in between
    const reset = style !== null && this.#theme[style] !== undefined ? `${ESC}[0m` : '';
    this.#write(BEGIN_UPDATE + out + reset + END_UPDATE);
  }

  /** What is on the terminal is not known any more: the next frame is drawn whole. */
  forget(): void {
    this.#shown = null;
  }
}

/** Columns [start, end) to be written: a wide character is written whole, short gaps are written over. */
function changedRuns(row: CellRow, old: CellRow | null): [number, number][] {
  const { chars, styles } = row;
  const runs: [number, number][] = [];
  const same = (at: number): boolean =>
    old === null ? chars[at] === ' ' && styles[at] === 'plain' : chars[at] === old.chars[at] && styles[at] === old.styles[at];
  let last: [number, number] | null = null;
  for (let at = 0; at < chars.length; at++) {
    if (same(at)) continue;
    let start = at;
    while (start > 0 && chars[start] === '') start--;
    let end = at + 1;
    while (end < chars.length && chars[end] === '') end++;
    if (last !== null && start - last[1] <= BRIDGE) last[1] = Math.max(last[1], end);
    else {
      last = [start, end];
      runs.push(last);
    }
  }
  return runs;
}
