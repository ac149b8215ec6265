/**
 * Puts frames on the terminal: only rows that changed are written, at their place. Ink's own writers move the cursor
 * relative to where it was, clear the whole terminal at full height (6.8.0) and cannot be told that the screen was lost; a
 * full-screen program needs none of that.
 */
const ESC = '\u001b';
const BEGIN_UPDATE = `${ESC}[?2026h`;
const END_UPDATE = `${ESC}[?2026l`;
const CLEAR = `${ESC}[H${ESC}[2J`;

export class Painter {
  readonly #write: (data: string) => void;
  #shown: readonly string[] | null = null;

  /** `write` sends to the terminal, in the alternate screen. */
  constructor(write: (data: string) => void) {
    this.#write = write;
  }

  /** Shows `frame`: rows separated by newlines, each complete in itself. */
  paint(frame: string): void {
    const rows = frame.split('\n');
    const shown = this.#shown;
    let out = shown === null ? CLEAR : '';
    for (let index = 0; index < Math.max(rows.length, shown?.length ?? 0); index++) {
      const row = rows[index] ?? '';
      // erased before it is written: erasing behind a full row would take its last character on some terminals
      if (row !== (shown?.[index] ?? '')) out += `${ESC}[${index + 1};1H${ESC}[2K${row}`;
    }
    this.#shown = rows;
    if (out !== '') this.#write(BEGIN_UPDATE + out + END_UPDATE);
  }

  /** What is on the terminal is not known any more: the next frame is drawn whole. */
  forget(): void {
    this.#shown = null;
  }
}
