import { describe, expect, it } from 'vitest';
import { inspectorProgram } from '../../../src/tui/inspector/view.js';
import { widthOf } from '../../../src/tui/model/text.js';
import { isPlainTerminal, toPlain } from '../../../src/tui/terminal/glyphs.js';
import { fixtureModel } from '../fixture.js';
import { Play } from '../play.js';

describe('a terminal without UTF-8', () => {
  it('is told by the locale, and only where it is set', () => {
    expect(isPlainTerminal({})).toBe(false);
    expect(isPlainTerminal({ LANG: 'de_DE.UTF-8' })).toBe(false);
    expect(isPlainTerminal({ LANG: 'C.utf8' })).toBe(false);
    expect(isPlainTerminal({ LANG: 'C' })).toBe(true);
    expect(isPlainTerminal({ LANG: 'de_DE.UTF-8', LC_ALL: 'POSIX' })).toBe(true);
    expect(isPlainTerminal({ LC_ALL: '', LANG: 'en_US.ISO-8859-1' })).toBe(true);
  });

  it('is given ASCII of the same width', () => {
    const play = new Play(inspectorProgram(fixtureModel())).press(']', '/').type('x');
    for (const row of [...play.rows, '会话 😀 é ö']) {
      const plain = toPlain(row);
      expect(plain).toMatch(/^[\x20-\x7e]*$/);
      expect(plain.length).toBe(widthOf(row));
    }
    expect(play.rows.map(toPlain).join('\n')).not.toContain('??');
  });
});
