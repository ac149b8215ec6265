/** Screens painted into a terminal emulator: what it then shows, and how much was written for it. */
import xterm from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { inspectorProgram } from '../../../src/tui/inspector/view.js';
import type { Size } from '../../../src/tui/model/screen.js';
import { Painter } from '../../../src/tui/terminal/painter.js';
import { cellsOf } from '../../../src/tui/terminal/cells.js';
import { THEMES } from '../../../src/tui/terminal/theme.js';
import { fixtureModel } from '../fixture.js';
import { Play } from '../play.js';

class Screen {
  readonly terminal: xterm.Terminal;
  readonly painter: Painter;
  written = '';
  constructor(size: Size) {
    this.terminal = new xterm.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true });
    this.painter = new Painter((data) => {
      this.written += data;
      this.terminal.write(data);
    }, THEMES.dark);
  }
  async rows(): Promise<string[]> {
    await new Promise<void>((resolve) => this.terminal.write('', resolve));
    const buffer = this.terminal.buffer.active;
    return Array.from(
      { length: this.terminal.rows },
      (_, row) =>
        buffer
          .getLine(buffer.viewportY + row)
          ?.translateToString(true)
          .trimEnd() ?? '',
    );
  }
}

function setUp(size: Size) {
  const program = inspectorProgram(fixtureModel());
  const play = new Play(program, size);
  const screen = new Screen(size);
  const show = (at: Size = size): void => screen.painter.paint(cellsOf(program.screen(play.state), at));
  return { play, screen, show };
}

describe('frames on a terminal', () => {
  it.each([
    { columns: 80, rows: 24 },
    { columns: 200, rows: 60 },
    { columns: 40, rows: 10 },
  ])('show what the view says at $columns×$rows, and scroll nothing away', async (size) => {
    const { play, screen, show } = setUp(size);
    show();
    for (const keys of [['j', 'j', 'j', 'j', 'l'], ['G'], [']'], ['?'], ['q'], ['z'], ['z', 'tab', 'tab', 'j'], ['/', 'w', 'e', 'b', 'enter']]) {
      play.press(...keys);
      show();
      expect(await screen.rows()).toEqual(play.rows);
      expect(screen.terminal.buffer.active.baseY).toBe(0);
    }
  });

  it('write only the cells that changed', () => {
    const { play, screen, show } = setUp({ columns: 160, rows: 50 });
    show();
    play.press('j', 'j', 'j', 'j');
    show();
    screen.written = '';
    show();
    expect(screen.written).toBe('');
    play.press('4');
    show();
    play.press('j');
    screen.written = '';
    show();
    expect(screen.written.length).toBeLessThan(900);
    expect(screen.written).not.toContain('\u001b[2J');
  });

  it('are whole again after the terminal changed its size', async () => {
    const { play, screen, show } = setUp({ columns: 120, rows: 40 });
    show();
    const smaller = { columns: 80, rows: 24 };
    screen.terminal.resize(smaller.columns, smaller.rows);
    play.resize(smaller);
    screen.painter.forget();
    show(smaller);
    expect(await screen.rows()).toEqual(play.rows);
  });

  it('take characters of two columns whole, and marks with the character before them', async () => {
    const screen = new Screen({ columns: 12, rows: 2 });
    const paint = (text: string): void =>
      screen.painter.paint(cellsOf({ header: [{ text, style: 'plain' }], bands: [], footer: [], above: [] }, { columns: 12, rows: 2 }));
    for (const text of ['a日本b', 'aé本b', 'ab本c', 'a日本b', 'e\u0301日x']) {
      paint(text);
      expect((await screen.rows())[0]).toBe(text);
    }
  });
});
