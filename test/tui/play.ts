/**
 * The terminal UI played without a terminal: keys by name in, rows of the screen out. `press('j', 'enter')`, `type('/vm')`,
 * `pane('tree').rows`.
 */
import type { Effect, Program } from '../../src/tui/model/program.js';
import type { Size } from '../../src/tui/model/screen.js';
import { type Line, textOf, widthOf } from '../../src/tui/model/text.js';

export class Play<S> {
  readonly #program: Program<S>;
  state: S;
  readonly effects: Effect[] = [];

  constructor(program: Program<S>, size: Size = { columns: 80, rows: 24 }) {
    this.#program = program;
    this.state = program.initial(size);
    this.#work();
  }

  #work(): void {
    for (let next = this.#program.work(this.state); next !== null; next = this.#program.work(this.state)) this.state = next;
  }

  /** Keys by the names of the key table. Background work is done to its end after each. */
  press(...keys: readonly string[]): this {
    for (const key of keys) {
      const { state, effects } = this.#program.key(this.state, key);
      this.state = state;
      this.effects.push(...effects);
      this.#work();
    }
    return this;
  }

  /** Characters, one key each. */
  type(text: string): this {
    return this.press(...[...text].map((char) => (char === ' ' ? 'space' : char)));
  }

  resize(size: Size): this {
    this.state = this.#program.resize(this.state, size);
    return this;
  }

  get quit(): boolean {
    return this.effects.some((effect) => effect.kind === 'quit');
  }

  get header(): string {
    return textOf(this.#program.screen(this.state).header).trimEnd();
  }

  get footer(): string {
    const { above, footer } = this.#program.screen(this.state);
    return [...above, footer].map((line) => textOf(line).trimEnd()).join('');
  }

  /** All rows of the screen, panes side by side joined by `│`. */
  get rows(): string[] {
    const screen = this.#program.screen(this.state);
    const body = screen.bands.flatMap((band) =>
      Array.from({ length: band.height }, (_, row) =>
        band.columns
          .map(({ width, rows }) => {
            const text = textOf(rows[row] ?? []);
            return text + ' '.repeat(Math.max(0, width - widthOf(text)));
          })
          .join('│')
          .trimEnd(),
      ),
    );
    if (screen.above.length > 0) body.splice(-screen.above.length, screen.above.length, ...screen.above.map((line) => textOf(line).trimEnd()));
    return [this.header, ...body, textOf(screen.footer).trimEnd()];
  }

  /** The rows as one text. */
  get text(): string {
    return this.rows.join('\n');
  }

  /** Every line that is drawn, for checks of width and content. */
  get lines(): readonly Line[] {
    const screen = this.#program.screen(this.state);
    return [screen.header, ...screen.bands.flatMap((band) => band.columns.flatMap((column) => column.rows)), ...screen.above, screen.footer];
  }

  /** A pane by its title, without it; rows trimmed at the right, blank ones left out. */
  pane(title: string): { readonly title: string; readonly rows: readonly string[] } {
    for (const band of this.#program.screen(this.state).bands) {
      for (const { rows } of band.columns) {
        const texts = rows.map((row) => textOf(row).trimEnd());
        const start = texts.findIndex((text) => new RegExp(`^[━─] \\d ${title}\\b`).test(text));
        if (start === -1) continue;
        const rest = texts.slice(start + 1);
        const end = rest.findIndex((text) => /^[━─] \d /.test(text));
        return { title: texts[start] ?? '', rows: (end === -1 ? rest : rest.slice(0, end)).filter((text) => text.trim() !== '') };
      }
    }
    throw new Error(`no pane ${title} on this screen:\n${this.text}`);
  }

  /** The row under the cursor of a pane. */
  cursor(title: string): string {
    return (
      this.pane(title)
        .rows.find((row) => row.startsWith('›'))
        ?.slice(1)
        .trim() ?? ''
    );
  }
}
