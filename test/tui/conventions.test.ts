/** What users of good terminal programs expect, by the keys they would press. */
import { describe, expect, it } from 'vitest';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { fixtureModel } from './fixture.js';
import { Play } from './play.js';

const play = (columns = 80, rows = 24) => new Play(inspectorProgram(fixtureModel()), { columns, rows });

describe('conventions', () => {
  it('a count before a motion; one digit is a pane', () => {
    expect(play().press('0', '3', 'j').cursor('tree')).toContain('sessions');
    const screen = play().press('1', '0', 'j');
    expect(screen.cursor('tree')).toContain('far');
    expect(screen.press('2').pane('detail').title).toContain('━ 2');
  });

  it('expands all, closes siblings, goes to the next sibling', () => {
    const screen = play(120, 40).press('j', 'j', 'j', 'j', 'e');
    expect(screen.pane('tree').rows.join('\n')).toContain('nr_folios');
    screen.press('E');
    expect(screen.pane('tree').rows.join('\n')).not.toContain('nr_folios');
    expect(screen.press(')').cursor('tree')).toContain('web');
    expect(screen.press('(').cursor('tree')).toContain('vm-0');
  });

  it('goes back and forward in the list of jumps', () => {
    const screen = play().press(']', ']');
    expect(screen.cursor('tree')).toContain('web');
    expect(screen.press('ctrl-o').cursor('tree')).toContain('seals');
    expect(screen.press('ctrl-n').cursor('tree')).toContain('web');
    expect(screen.press('ctrl-n').footer).toContain('no jump to go forward to');
  });

  it('filters a list with f, shows that it does, and Esc shows all again', () => {
    const screen = play(120, 40).press('4', 'f').type('luo/session-page').press('enter');
    expect(screen.pane('findings').title).toContain('filter luo/session-page');
    expect(screen.pane('findings').rows.join('\n')).not.toContain('memfd/seals');
    expect(screen.press('esc').pane('findings').rows.join('\n')).toContain('memfd/seals');
  });

  it('completes commands and their arguments with Tab, moves in the prompt, and names the nearest command', () => {
    const screen = play().press(':').type('pat').press('tab');
    expect(screen.footer).toContain(':path █');
    screen.type('inc').press('tab');
    expect(screen.footer).toContain(':path incoming');
    screen.press('ctrl-u').type('otoo 1').press('ctrl-a').type('g').press('right', 'right', 'ctrl-e', 'enter');
    expect(screen.footer).toContain('did you mean :goto?');
  });

  it('searches the help, and the footer is the help’s own', () => {
    const screen = play().press('?', '/').type('bookmark').press('enter');
    expect(screen.footer).toContain('no bookmark on this page');
    screen.press('/').type('who points').press('enter');
    expect(screen.rows.join('\n')).toContain('who points here');
    expect(screen.press('j').footer).toContain('close');
  });

  it('names places and goes back to them', () => {
    const screen = play().press(']', 'm').type('bad').press('enter', 'g', "'").type('ba').press('tab', 'enter');
    expect(screen.cursor('tree')).toContain('seals');
  });

  it('goes sideways between panes that share a place, which is seen in their title', () => {
    const screen = play(120, 40).press('4');
    expect(screen.rows.join('\n')).toMatch(/4 findings ━ 5 sessions {2}6 map {2}7 log/);
    expect(screen.press(']').pane('sessions').title).toContain('━ 5');
    expect(screen.press('[').pane('findings').title).toContain('━ 4');
    expect(screen.press('7').pane('log').rows.join('\n')).toContain('KHO: found kexec handover data');
  });

  it('copies a value, the bytes of a structure, a path, a command line', () => {
    const texts = (screen: ReturnType<typeof play>) => screen.effects.flatMap((effect) => (effect.kind === 'copy' ? [effect.text] : []));
    expect(texts(play().press(']', 'y', 'Y', 'c'))).toEqual([
      '0x9',
      'incoming/luo/sessions/vm-0/files/0x1/memfd_luo_ser/seals',
      'luo-inspect whatis fixture.elf 0x110050',
    ]);
    const [bytes = ''] = texts(play().press('j', 'j', 'j', 'j', 'y'));
    expect(bytes).toMatch(/^766d2d30(00)+/);
  });

  it('takes the mouse only when asked, then scrolls and clicks', () => {
    const screen = play();
    expect(screen.press('mouse:left:5:6').cursor('tree')).toBe('overview');
    screen.press('M');
    expect(screen.effects).toContainEqual({ kind: 'mouse', on: true });
    expect(screen.press('mouse:left:5:6').cursor('tree')).toContain('sessions');
    expect(screen.press('mouse:wheeldown:5:6').cursor('tree')).toContain('bulk');
  });

  it('searches bytes and text in memory from the bytes pane, both ways', () => {
    const screen = play().press('3', '/').type('766d2d30').press('enter');
    expect(screen.pane('physical memory').title).toContain('0x10f000');
    expect(screen.press('/').type('"vm-0"').press('enter').footer).not.toContain('nowhere');
    expect(screen.press('/').type('dead').press('enter').footer).toContain('nowhere in this dump');
  });

  it('changes its colours, and says which there are', () => {
    expect(play().press(':').type('theme light').press('enter').effects).toContainEqual({ kind: 'theme', name: 'light' });
    expect(play().press(':').type('theme pink').press('enter').footer).toContain('dark, light, 16, mono, none');
  });

  it('explains a finding with K', () => {
    expect(play().press(']', 'K').rows.join('\n')).toContain('Seals that the kernel does not know.');
  });
});
