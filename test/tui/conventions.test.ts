import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { snapshotsModelOf } from '../../src/tui/inspector/from-snapshots.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { KEY_PAGES } from '../../src/tui/key-pages.js';
import { NOTHING_KEPT } from '../../src/tui/model/kept.js';
import type { Program } from '../../src/tui/model/program.js';
import { textOf } from '../../src/tui/model/text.js';
import { copySequence } from '../../src/tui/terminal/clipboard.js';
import type { TerminalStreams } from '../../src/tui/terminal/alternate-screen.js';
import { Loading, OpeningCancelled } from '../../src/tui/terminal/loading.js';
import { Store } from '../../src/tui/terminal/store.js';
import { readKept, writeKept } from '../../src/tui/terminal/state-file.js';
import { THEMES, THEME_NAMES, themeFor } from '../../src/tui/terminal/theme.js';
import { luoInspect } from '../cli/run.js';
import { fixtureModel } from './fixture.js';
import { Play } from './play.js';
import { scratch } from '../scratch.js';

const SCENARIO = `schema: luo-inspect.scenario/1
title: two sessions
steps:
  # the device is opened first
  - { do: open, as: luo }
  - { do: create-session, name: vm-0, as: s0 }
  - { do: memfd, size: 8KiB, as: ram }
  - { do: preserve, session: s0, fd: ram, token: 0x1 }
  - { do: preserve, session: s0, fd: ram, token: 0x1, expect: EEXIST }
`;

const inspector = (columns = 80, rows = 24) => new Play(inspectorProgram(fixtureModel()), { columns, rows });
const debug = (columns = 120, rows = 40) =>
  new Play(debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'two.yaml'), { logReads: true }), SCENARIO), { columns, rows });
const kvm = (columns = 120, rows = 40) => new Play(inspectorProgram(snapshotsModelOf(openSnapshotFiles('samples/kvm'))), { columns, rows });

interface Driven {
  press(...keys: readonly string[]): Driven;
  type(text: string): Driven;
  cursor(title: string): string;
  pane(title: string): { readonly title: string; readonly rows: readonly string[] };
  readonly footer: string;
  readonly header: string;
  readonly rows: readonly string[];
  readonly text: string;
  readonly quit: boolean;
}
const VIEWS: Readonly<Record<string, { readonly open: () => Driven; readonly list: string }>> = {
  inspector: { open: inspector, list: 'tree' },
  debugger: { open: debug, list: 'timeline' },
  kvm: { open: kvm, list: 'tree' },
};
const EACH = Object.entries(VIEWS);
const copies = (screen: { readonly effects: readonly { readonly kind: string }[] }) =>
  screen.effects.flatMap((effect) => (effect.kind === 'copy' && 'text' in effect ? [effect.text] : []));
const typed = (screen: Driven, text: string): Driven => screen.press(':').type(text).press('enter');

const folder = scratch();

describe('h j k l, arrows, Ctrl-d Ctrl-u, PgUp PgDn, Home End, g gg G, counts (vim, jless, lazygit)', () => {
  it.each(EACH)('in the list of the %s', (_, { open, list }) => {
    const at = (...keys: readonly string[]) =>
      open()
        .press(...keys)
        .cursor(list);
    const first = at('g');
    expect(at('g', 'j')).not.toBe(first);
    expect(at('g', 'j')).toBe(at('g', 'down'));
    expect(at('g', 'j', 'k')).toBe(first);
    expect(at('g', 'j', 'up')).toBe(first);
    expect(at('G', 'g', 'g')).toBe(first);
    expect(at('G')).toBe(at('end'));
    expect(at('G', 'home')).toBe(first);
    expect(at('g', '0', '3', 'j')).toBe(at('g', 'j', 'j', 'j'));
    for (const keys of [
      ['0', '4', 'G'],
      ['0', '4', 'g'],
      [':', '4', 'enter'],
    ])
      expect(at('G', ...keys)).toBe(at('g', 'j', 'j', 'j'));
    expect(at('g', 'ctrl-d', 'ctrl-u')).toBe(first);
    expect(at('g', 'ctrl-d')).not.toBe(first);
    expect(at('g', 'pagedown', 'pageup')).toBe(first);
    expect(at('g', 'ctrl-f')).toBe(at('g', 'pagedown'));
    expect(at('g', 'pagedown', 'ctrl-b')).toBe(first);
  });

  it('a digit goes to a pane, two that follow each other are a count; after a pause the next digit is a pane again', () => {
    const screen = inspector(120, 40).press('5', 'pause', '4');
    expect(screen.pane('findings').title).toContain('━ 4');
    expect(inspector().press('1', '0', 'j').cursor('tree')).toContain('far');
  });

  it('digits that follow each other at once are panes, too, unless the key after them takes a count', () => {
    const screen = inspector(120, 40).press('4', '6');
    expect(screen.pane('map').title).toContain('━ 6');
    expect(screen.footer).toContain('? help');
    expect(screen.press('z').pane('map').title).toContain('━ 6');
    expect(screen.text).not.toContain('1 tree');
    const counted = inspector().press('g', '1', '2', 'j');
    expect(counted.footer).toContain('12j typed at once is a count, in the tree pane');
    expect(counted.cursor('tree')).toBe(
      inspector()
        .press('g', ...Array.from({ length: 12 }, () => 'j'))
        .cursor('tree'),
    );
  });

  it('digits of which one goes to no pane are a count for sure: it is shown, waits for its key, and Esc forgets it', () => {
    const screen = inspector(120, 40).press('4', 'pause', '1', '0', 'pause', '2');
    expect(screen.footer).toContain('102 …');
    expect(screen.pane('findings').title).toContain('━ 4');
    expect(screen.press('esc').footer).toContain('? help');
    expect(screen.press('1', 'g', '0', 'pause', '3', 'pause', 'j').cursor('tree')).toBe(inspector(120, 40).press('g', 'j', 'j', 'j').cursor('tree'));
    expect(screen.footer).toContain('? help');
  });

  it('nothing is silent or out of reach: a key without a meaning here, a row that is cut off, a message longer than the footer', () => {
    const screen = inspector();
    expect(screen.press('X').footer).toContain('X does nothing here');
    expect(screen.press('s').footer).toContain('s is for sessions: sort');
    expect(screen.press('2', 'l').footer).toContain('no row is cut off there');
    const log = inspector(44, 24).press('7');
    expect(log.cursor('log')).toMatch(/…$/);
    expect(log.press('v').rows.join(' ').replace(/\s+/g, ' ')).toContain('found kexec handover data at 0x10f000');
    expect(log.press('q', 'l', 'l').pane('log').rows.join(' ')).toContain('0x10f000');
    expect(log.press('h', 'h').cursor('log')).toContain('KHO');
    const long = inspector(44, 24).press(']');
    expect(long.footer).toContain('seals 0x9 hold a bit that is not known');
    expect(long.rows).toHaveLength(24);
  });

  it('in the bytes: sideways by bytes, up and down by rows, to both ends of the selection', () => {
    const at = (...keys: readonly string[]) =>
      /0x[0-9a-f]+/.exec(
        inspector()
          .press(']', '3', 'esc', ...keys)
          .pane('physical memory').title,
      )?.[0];
    expect(at('l')).toBe('0x110051');
    expect(at('right', 'h')).toBe('0x110050');
    expect(at('0', '2', 'l')).toBe('0x110052');
    expect(at('j')).toBe('0x110058');
    expect(at('j', 'up')).toBe('0x110050');
    expect(at('G')).toBe('0x110053');
    expect(at('G', 'g')).toBe('0x110050');
    expect(at('pagedown', 'pageup')).toBe('0x110050');
  });

  it('in findings, log, sessions, map, calls, state and console: the last row and back', () => {
    for (const pane of ['4', '7']) {
      const screen = inspector(120, 40).press(pane);
      const title = pane === '4' ? 'findings' : 'log';
      const first = screen.cursor(title);
      expect(screen.press('j').cursor(title)).not.toBe(first);
      expect(screen.press('k').cursor(title)).toBe(first);
    }
    const screen = debug(200, 60).press('a', 'a', 'a', 'a', '5');
    const first = screen.cursor('state');
    expect(screen.press('G').cursor('state')).not.toBe(first);
    expect(screen.press('g').cursor('state')).toContain('kernel 0');
  });
});

describe('l, Enter, Right open or follow; h, Left close or go up; Space toggles; Backspace, Ctrl-o back, Ctrl-i forward (jless, k9s, vim)', () => {
  it('in the tree', () => {
    const screen = inspector().press('j', 'j', 'j', 'j');
    for (const [open, close] of [
      ['l', 'h'],
      ['right', 'left'],
      ['enter', 'enter'],
      ['space', 'space'],
    ] as const) {
      expect(screen.press(open).cursor('tree')).toContain('▾ vm-0');
      expect(screen.press(close).cursor('tree')).toContain('▸ vm-0');
    }
    expect(screen.press('h').cursor('tree')).toContain('sessions');
  });

  it('over a pointer, and back and forward in the list of jumps', () => {
    const screen = inspector().press('/').type('data').press('enter', 'n');
    const pointer = screen.cursor('tree');
    expect(pointer).toContain('→');
    const there = screen.press('enter').cursor('tree');
    expect(there).toContain('memfd_luo_ser');
    for (const [back, forward] of [
      ['backspace', 'ctrl-i'],
      ['ctrl-o', 'ctrl-n'],
    ] as const) {
      expect(screen.press(back).cursor('tree')).toBe(pointer);
      expect(screen.press(forward).cursor('tree')).toBe(there);
    }
    expect(screen.press('ctrl-n').footer).toContain('no jump to go forward to');
  });

  it('between steps of a run, and in the state of kernels', () => {
    const screen = debug(200, 60).press('a', 'a');
    const step = screen.state.client.position;
    screen.press(':').type('run 3').press('enter', 'ctrl-o');
    expect(screen.state.client.position).toBe(step);
    screen.press('ctrl-i');
    expect(screen.state.client.position).toBe(3);
    screen.press('5', 'g', 'h');
    expect(screen.cursor('state')).toContain('▸ kernel 0');
    expect(screen.press('space').cursor('state')).toContain('▾ kernel 0');
  });

  it('expands all, closes siblings, goes to the next sibling (jless e c J K)', () => {
    const screen = inspector(120, 40).press('j', 'j', 'j', 'j', 'e');
    expect(screen.pane('tree').rows.join('\n')).toContain('nr_folios');
    screen.press('E');
    expect(screen.pane('tree').rows.join('\n')).not.toContain('nr_folios');
    expect(screen.press('J').cursor('tree')).toContain('web');
    expect(screen.press('(').cursor('tree')).toContain('vm-0');
  });
});

describe('/ then n and N with i/n, Esc clears; f filters a list (lazygit, less)', () => {
  it('in the tree: match i of n, around the end, ended by Esc', () => {
    const screen = inspector().press('/').type('folios').press('enter');
    expect(screen.footer).toContain('/folios  1/3');
    expect(screen.press('n').footer).toContain('2/3');
    expect(screen.press('N', 'N').footer).toContain('3/3');
    expect(screen.press('esc').footer).toContain('? help');
  });

  it('in the timeline, where n and N belong to the search while it is shown, with i/n', () => {
    const screen = debug().press('/').type('preserve').press('enter');
    expect(screen.footer).toMatch(/\/preserve {2}\d+\/\d+/);
    const first = screen.cursor('timeline');
    const second = screen.press('n').cursor('timeline');
    expect(second).not.toBe(first);
    expect(screen.press('N').cursor('timeline')).toBe(first);
    expect(screen.press('esc').footer).toContain('step');
  });

  it('among fields and among snapshots, with i/n', () => {
    const screen = kvm().press('/').type('apic').press('enter');
    expect(screen.cursor('tree')).toContain('apic_base');
    expect(screen.footer).toMatch(/\/apic {2}1\/\d+/);
    screen.press('9', '/').type('memory_fault').press('enter');
    expect(screen.cursor('snapshots')).toContain('MEMORY_FAULT');
    expect(screen.footer).toMatch(/\/memory_fault {2}1\/\d+/);
  });

  it('in the help and other pages', () => {
    for (const [, { open }] of EACH) {
      const screen = open().press('?', '/').type('no such words').press('enter');
      expect(screen.footer).toContain('no no such words on this page');
      screen.press('/').type('name this').press('enter');
      expect(screen.text).toContain('name this');
      expect(screen.press('n').footer).toContain('close');
    }
  });

  it('in the log, by any of several words; in the bytes as text or digits, both ways', () => {
    const log = inspector(120, 40).press('7', '/').type('sessions').press('enter');
    expect(log.cursor('log')).toContain('something about sessions');
    const screen = inspector().press('3', '/').type('766d2d30').press('enter');
    expect(screen.pane('physical memory').title).toContain('0x10f000');
    expect(screen.press('/').type('"vm-0"').press('enter').footer).not.toContain('nowhere');
    expect(screen.press('/').type('dead').press('enter').footer).toContain('nowhere in this dump');
    expect(inspector().press('/').type('vm-0 0x9').press('enter').cursor('tree')).toContain('seals 0x9');
  });

  it('goes to the line of the log that a finding quotes, and to a node, whatever a filter hides', () => {
    const model = fixtureModel();
    const [first] = model.findings;
    if (first === undefined) throw new Error('no finding');
    const quoting = { ...first, at: null, path: null, message: 'the kernel says so in console line 12' };
    const log = (filter: string) =>
      new Play(inspectorProgram({ ...model, findings: [quoting] }), { columns: 120, rows: 40 }).press('7', 'f').type(filter).press('enter', '4', 'enter');
    const line = log('').cursor('log');
    expect(line).toMatch(/^12 /);
    const hidden = log('no such line');
    expect(hidden.cursor('log')).toBe(line);
    expect(hidden.footer).toContain('the filter no such line hid line 12');
    expect(hidden.pane('log').title).not.toContain('filter');
    const kept = log(line.split(/\s+/).slice(-2).join(' '));
    expect(kept.cursor('log')).toBe(line);
    expect(kept.pane('log').title).toContain('filter');
    const tree = inspector(120, 40).press('f').type('web').press('enter', ']');
    expect(tree.cursor('tree')).toContain('seals');
    const clicked = tree.press('M', 'mouse:left:5:4').cursor('tree');
    expect(clicked).toBe(tree.pane('tree').rows[1]?.slice(1).trim());
  });

  it('filters a list with f, says so in its title, and Esc shows all again', () => {
    const screen = inspector(120, 40).press('4', 'f').type('luo/session-page').press('enter');
    expect(screen.pane('findings').title).toContain('filter luo/session-page');
    expect(screen.pane('findings').rows.join('\n')).not.toContain('memfd/seals');
    expect(screen.press('esc').pane('findings').rows.join('\n')).toContain('memfd/seals');
    const steps = debug().press('2', 'f').type('preserve luo').press('enter');
    expect(steps.pane('timeline').title).toMatch(/filter preserve luo {2}[1-9]\d* of \d+/);
    // each of the words is in each of the rows
    for (const row of steps.pane('timeline').rows.slice(1)) expect(row).toMatch(/preserve/i);
    // the cursor is on one of them, also after a search whose text other steps have, and Enter goes where it stands
    expect(steps.press('g').cursor('timeline')).toMatch(/preserve/i);
    steps.press('/').type('0x1').press('enter');
    for (let matches = Number(/1\/(\d+)/.exec(steps.footer)?.[1]); matches > 0; matches--) {
      expect(steps.cursor('timeline')).toMatch(/preserve/i);
      expect(steps.footer).not.toContain('–/');
      steps.press('n');
    }
    expect(steps.footer).toMatch(/1\/[1-9]/);
    expect(
      steps
        .press('esc', 'esc', 'enter')
        .pane('timeline')
        .rows.find((row) => row.includes('▶')),
    ).toMatch(/preserve/i);
    const snapshots = kvm().press('9', 'f').type('mmio').press('enter');
    expect(snapshots.pane('snapshots').rows.every((row) => row.includes('MMIO'))).toBe(true);
  });
});

describe(': command line with Tab completion and history; nearest name for a typo (k9s, vim)', () => {
  it.each(EACH)('of the %s', (_, { open }) => {
    const screen = open().press(':').type('expo').press('tab');
    expect(screen.footer).toContain(':export █');
    screen.press('ctrl-u').type('theme l').press('tab');
    expect(screen.footer).toContain(':theme light');
    screen.press('enter', ':', 'up');
    expect(screen.footer).toContain(':theme light');
    screen.press('ctrl-u').type('elp').press('home').type('h').press('right', 'end', 'enter');
    expect(screen.footer).toContain('close');
    expect(typed(screen.press('q'), 'expotr x').footer).toContain('did you mean :export?');
    expect(typed(screen, 'q').quit).toBe(true);
  });

  it.each(EACH)('knows the same commands in the %s: goto, whatis, path, session, token, set, find, mark, copy, export', (_, { open }) => {
    for (const name of ['goto', 'whatis', 'path', 'session', 'token', 'set', 'find', 'mark', 'copy', 'export'])
      expect(typed(open(), `${name} nonsense`).footer).not.toContain('no command');
  });

  it('completes paths, sessions and breakpoints', () => {
    const screen = inspector().press(':').type('path inc').press('tab');
    expect(screen.footer).toContain(':path incoming');
    const steps = debug().press(':').type('break op:memfd.pres').press('tab');
    expect(steps.footer).toContain('op:memfd.preserve');
  });

  it('an empty command line does the last command again, as in gdb', () => {
    const screen = debug();
    typed(screen, 'run 5');
    screen.press('s', ':', 'enter');
    expect(screen.state.client.position).toBe(5);
  });

  it('exports text, and JSON by the name of the file', () => {
    for (const [, { open }] of EACH) {
      const screen = open();
      typed(screen, 'export view.txt');
      typed(screen, 'export view.json');
      const saved = 'effects' in screen && Array.isArray(screen.effects) ? screen.effects.filter((effect) => effect.kind === 'save') : [];
      expect(saved.map(({ path }) => path)).toEqual(['view.txt', 'view.json']);
      for (const line of String(saved[1]?.text).startsWith('{"step"') ? String(saved[1]?.text).trim().split('\n') : [String(saved[1]?.text)])
        expect(() => JSON.parse(line)).not.toThrow();
    }
  });
});

describe('? opens help made from the key table; q leaves a layer, Ctrl-C always quits, Esc never (lazygit, k9s)', () => {
  it.each(EACH)('in the %s', (_, { open }) => {
    const screen = open().press('?');
    expect(screen.text).toContain('one row up');
    expect(screen.press('q').quit).toBe(false);
    expect(screen.press('esc', 'esc').quit).toBe(false);
    expect(screen.press('z', 'q').quit).toBe(false);
    expect(screen.press('q').quit).toBe(true);
    for (const layer of [['?'], [':', 'x'], ['/', 'x'], ['z']]) expect(open().press(...layer, 'ctrl-c').quit).toBe(true);
  });

  it('says every key of the table, in each view', () => {
    for (const { keys } of KEY_PAGES) expect(keys.every(({ help, group }) => help !== '' && group !== '')).toBe(true);
  });

  it('asks before q where something would be lost', () => {
    const screen = debug();
    typed(screen, 'edit 0x1000 01');
    expect(screen.press('q').quit).toBe(false);
    expect(screen.footer).toContain('leave all the same?');
    expect(screen.press('x').quit).toBe(false);
    expect(screen.press('q', 'y').quit).toBe(true);
  });
});

describe('Tab and Shift-Tab through panes, 1 to 9, [ ] between those that share a place, + _ z (lazygit, btop)', () => {
  it.each(EACH)('in the %s', (_, { open }) => {
    const titles = (screen: Driven) => screen.text.match(/[─━] \d /g)?.length;
    const focus = (screen: Driven) => /━ (\d)/.exec(screen.text)?.[1];
    const screen = open();
    const start = focus(screen);
    expect(focus(screen.press('tab'))).not.toBe(start);
    expect(focus(screen.press('shift-tab'))).toBe(start);
    expect(focus(screen.press('3'))).toBe('3');
    expect(titles(screen.press('+'))).toBe(1);
    expect(titles(screen.press('+'))).toBe(1);
    expect(titles(screen.press('_'))).toBeGreaterThan(1);
    expect(titles(screen.press('z', 'z'))).toBeGreaterThan(1);
  });

  it('shows in a title which panes share the place', () => {
    const screen = inspector(120, 40).press('4');
    expect(screen.text).toMatch(/4 findings ━ 5 sessions {2}6 map {2}7 log/);
    expect(screen.press(']').pane('sessions').title).toContain('━ 5');
    expect(screen.press('[').pane('findings').title).toContain('━ 4');
    const steps = debug(80, 24).press('4');
    expect(steps.text).toMatch(/4 step 1 ━ 5 state {1,2}6 memory/);
    expect(steps.press(']').pane('state').title).toContain('━ 5');
  });
});

describe('y the value, Y the path or address, c a command line, with a toast, by OSC 52 (jless, gemini-cli)', () => {
  it('in each view', () => {
    expect(copies(inspector().press(']', 'y', 'Y', 'c'))).toEqual([
      '0x9',
      'incoming/luo/sessions/vm-0/files/0x1/memfd_luo_ser/seals',
      'luo-inspect whatis fixture.elf 0x110050',
    ]);
    expect(copies(inspector().press('j', 'j', 'j', 'j', 'y'))[0]).toMatch(/^766d2d30(00)+/);
    expect(inspector().press(']', 'y').footer).toContain('copied 0x9');
    expect(copies(kvm().press('j', 'y', 'Y', 'c'))).toEqual([expect.any(String), expect.any(String), 'luo-inspect kvm samples/kvm']);
    // in a list it is the row, whole
    expect(copies(inspector(80, 24).press('4', 'y'))[0]).toMatch(/^! error {2}.*memfd\/seals.* → /);
    expect(copies(inspector().press('7', 'G', 'y'))[0]).toMatch(/^12 .*something about sessions$/);
    expect(copies(debug().press('1', 'y'))[0]).toContain('open');
    const steps = debug().press('y');
    expect(copies(steps)[0]).toMatch(/^1 kernel power on/);
    for (const [what, text] of [
      ['json', /^\{"step":1,/],
      ['command', /^luo-inspect sim two\.yaml --until 1$/],
    ] as const) {
      typed(steps, `copy ${what}`);
      expect(copies(steps).at(-1)).toMatch(text);
    }
  });

  it('wraps the sequence for tmux and screen, and stays below what terminals take', () => {
    expect(copySequence('x', { TMUX: '1' })).toContain('\u001bPtmux;');
    expect(copySequence('x', { STY: '1' })).toMatch(/^\u001bP/);
    expect(copySequence('x'.repeat(100_000), {})).toBeNull();
  });
});

describe('text that is pasted is no keys (bracketed paste)', () => {
  it.each(EACH)('in the %s', (_, { open }) => {
    const screen = open().press('paste:q:q!');
    expect(screen.quit).toBe(false);
    expect(screen.footer).toContain('pasted text goes into a line');
    expect(screen.press('/', 'x', 'left', 'paste:e\u0301 会').footer).toContain('/e\u0301 会x');
    expect(screen.press('paste:'.padEnd(5_000, 'y')).footer.length).toBeLessThan(600);
  });
});

describe('the mouse is optional: the wheel scrolls, a click focuses, M gives it back (lazygit, gemini)', () => {
  it.each(EACH)('in the %s', (_, { open, list }) => {
    const screen = open();
    const first = screen.press('g').cursor(list);
    expect(screen.press('mouse:wheeldown:60:6').cursor(list)).toBe(first);
    screen.press('M');
    const effects = 'effects' in screen ? screen.effects : [];
    expect(effects).toContainEqual({ kind: 'mouse', on: true });
    const column = Math.max(...screen.rows.map((row) => row.search(new RegExp(`━ \\d ${list}`)))) + 3;
    expect(screen.press(`mouse:wheeldown:${column}:6`).cursor(list)).not.toBe(first);
    expect(screen.press('g', `mouse:left:${column}:7`).cursor(list)).not.toBe(first);
    // the name of a pane that shares a place brings it up
    const row = screen.rows.findIndex((text) => /[━─] \d \w+.* [━─] \d \w+ /.test(text.replace(/.*│/, '')));
    const [, name = ''] = /.* [━─] \d (\w+) /.exec(screen.rows[row] ?? '') ?? [];
    screen.press(`mouse:left:${(screen.rows[row] ?? '').lastIndexOf(name) + 1}:${row + 1}`);
    expect(screen.rows.join('\n')).toMatch(new RegExp(`━ \\d ${name} ━`));
    screen.press('M');
    expect(effects).toContainEqual({ kind: 'mouse', on: false });
  });
});

it('a click below a finding that is shown whole chooses the row that is there', () => {
  const screen = inspector(80, 40).press('4', 'g', 'M');
  const row = screen.rows.findIndex((text) => text.includes('luo/session-page'));
  expect(screen.press(`mouse:left:5:${row + 1}`).cursor('findings')).toContain('luo/session-page');
});

describe('themes for dark, light and 16 colours; never by colour alone (lazygit, k9s, btop)', () => {
  it('changes at once, and says which there are', () => {
    for (const [, { open }] of EACH) {
      const screen = open();
      for (const name of THEME_NAMES) typed(screen, `theme ${name}`);
      const effects = 'effects' in screen && Array.isArray(screen.effects) ? screen.effects : [];
      expect(effects.map(({ name }) => name)).toEqual(THEME_NAMES);
      expect(typed(screen, 'theme pink').footer).toContain('dark, light, 16, mono, none');
    }
  });

  it('marks with signs and words what it marks with colours', () => {
    const screen = inspector(120, 40).press(']');
    expect(screen.text).toMatch(/! error {3}memfd\/seals/);
    expect(screen.text).toMatch(/\? warning/);
    expect(screen.text).toContain('[09 00 00 00]');
    expect(screen.cursor('tree')).toContain('seals');
  });

  it('has no colour with NO_COLOR, and only the 16 a terminal has where it says nothing of more', () => {
    expect(themeFor({ TERM: 'xterm-256color', COLORFGBG: '15;0' }, false)).toBe('none');
    expect(Object.values(THEMES.none).join('')).toBe('');
    for (const look of Object.values(THEMES['16'])) expect(look).not.toContain('38;5');
  });
});

describe('state survives in XDG folders: place, marks, histories, theme (delve, lazygit)', () => {
  function keeps<S>(name: string, program: Program<S>): void {
    const env = { XDG_STATE_HOME: folder };
    const size = { columns: 120, rows: 40 };
    const store = new Store(program, size);
    for (const key of ['j', 'm', 'h', 'e', 'r', 'e', 'enter', ':', 'm', 'a', 'r', 'k', 'space', 't', 'w', 'o', 'enter']) store.key(key);
    writeKept(name, { ...(store.kept ?? NOTHING_KEPT), theme: 'light' }, env);
    store.close();
    const kept = readKept(name, env);
    expect(kept.theme).toBe('light');
    expect(Object.keys(kept.marks)).toEqual(expect.arrayContaining(['here', 'two']));
    expect(kept.histories[':']).toEqual(['mark two']);
    const later = new Store(program, size, kept);
    expect(later.kept?.marks).toMatchObject({ here: kept.marks.here, two: kept.marks.two });
    // the place left last is offered, the answer stays first
    expect(textOf(program.screen(later.snapshot.state).footer)).toContain("'last goes back to");
    later.close();
  }

  it('of the inspector', () => keeps('inspector', inspectorProgram(fixtureModel())));
  it('of the debugger', () => keeps('debugger', debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'two.yaml')))));
  it('of kvm_run snapshots', () => keeps('kvm', inspectorProgram(snapshotsModelOf(openSnapshotFiles('samples/kvm')))));

  it('keeps breakpoints and edits of the debugger: they are there again the next time', () => {
    const program = () => debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'two.yaml')));
    const screen = debug();
    for (const command of ['run 20', 'break op:memfd.preserve', 'edit 0x3000 01']) typed(screen, command);
    const kept = program().kept?.(screen.state) ?? NOTHING_KEPT;
    expect(kept).toMatchObject({ breakpoints: ['op:memfd.preserve'], edits: ['20 0x3000 01'] });
    const later = new Store(program(), { columns: 120, rows: 40 }, kept).snapshot.state.client;
    expect(later.breakpoints).toHaveLength(1);
    expect(later.edits).toMatchObject([{ step: 20, address: 0x3000 }]);
  });

  it('goes back to a named place, with completion', () => {
    const screen = inspector().press(']', 'm').type('bad').press('enter', 'g', "'").type('ba').press('tab', 'enter');
    expect(screen.cursor('tree')).toContain('seals');
    const snapshots = kvm().press('}', 'j', 'j', 'j', 'm').type('io').press('enter', 'g', '{', "'").type('io').press('enter');
    expect(snapshots.header).toContain('KVM_EXIT_IO');
    expect(snapshots.cursor('tree')).toContain('direction');
  });
});

describe('what a step changed is highlighted (gdb-dashboard, pwndbg)', () => {
  it('in the state, in the bytes, in the step pane', () => {
    const screen = debug(200, 60);
    const step = (until: () => boolean): void => {
      for (let left = screen.state.client.length; !until() && left > 0; left--) screen.press('s');
      expect(until()).toBe(true);
    };
    step(() => screen.state.client.current?.op === 'write memfd_luo_ser');
    expect(screen.pane('memory').rows.join('\n')).toMatch(/\*[0-9a-f]{2}/);
    expect(screen.pane('step').rows.join('\n')).toMatch(/\* memfd_luo_ser\.\w+ 0x/);
    const changed = screen.lines.flat().filter(({ style }) => style === 'changed');
    expect(changed.length).toBeGreaterThan(2);
    step(() => screen.pane('state').rows.some((row) => row.includes('(was')));
    const values = screen.lines.flatMap((line) => line.filter((_, index) => /^ \(was /.test(line[index + 1]?.text ?? '')));
    expect(new Set(values.map(({ style }) => style))).toEqual(new Set(['changed']));
    expect(
      screen
        .press('5', '*')
        .pane('state')
        .rows.every((row) => /^.\*/.test(row)),
    ).toBe(true);
  });
});

describe('bytes as hexyl and xxd show them: classes by colour, columns, repeats squeezed', () => {
  it('16 a row from 100 columns on, zeros and text told apart, equal rows in one', () => {
    const screen = inspector(120, 40).press(':').type('goto 0x10f000').press('enter');
    const rows = screen.pane('physical memory').rows;
    expect(rows.find((row) => row.startsWith('0010f000'))).toMatch(/^0010f000 ?(.[0-9a-f]{2}){16}.vm-0\.+/);
    expect(rows.join('\n')).toMatch(/\* {2}the same up to 0x[0-9a-f]+ \(\d+ rows\)/);
    const styles = new Set(screen.lines.flat().map(({ style }) => style));
    for (const style of ['zero', 'ascii', 'address', 'cursor'] as const) expect(styles).toContain(style);
    const zeros = new Set(screen.lines.flatMap((line) => line.flatMap(({ text, style }) => (text === '00' ? [style] : []))));
    expect(zeros).toContain('zero');
    expect(zeros).not.toContain('plain');
    // fields beside the selected one are told apart
    expect(
      inspector(120, 40)
        .press(']')
        .lines.flat()
        .map(({ style }) => style),
    ).toContain('neighbour');
  });

  it('other readings of the bytes under the cursor', () => {
    expect(inspector(200, 60).press(']', '3').text).toMatch(/u32 +0x9 9/);
  });
});

describe('NO_COLOR, FORCE_COLOR, TERM=dumb (no-color.org, clig.dev)', () => {
  const styled = (env: NodeJS.ProcessEnv): boolean => luoInspect(['diagnose', 'failed/seals/s1-frozen'], { env }).stdout.includes('\u001b[');
  it('decide over text that is no screen', { timeout: 60_000 }, () => {
    expect(styled({ NO_COLOR: '', FORCE_COLOR: '' })).toBe(false);
    expect(styled({ NO_COLOR: '', FORCE_COLOR: '1' })).toBe(true);
    expect(styled({ NO_COLOR: '', FORCE_COLOR: '0' })).toBe(false);
    expect(styled({ NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
  });
});

describe('where there is no terminal the same program prints a report; --json; exit codes; completion (clig.dev, diff, fq)', () => {
  it('prints the report, as JSON with a schema where asked', () => {
    const text = luoInspect(['handover-7.3/s1-frozen']);
    expect(text).toMatchObject({ status: 0, stderr: '' });
    expect(text.stdout).toContain('vm-0');
    expect(text.stdout).not.toContain('\u001b[?1049h');
    expect(JSON.parse(luoInspect(['report', 'handover-7.3/s1-frozen', '--json']).stdout)).toMatchObject({ schema: 'luo-inspect.report/1' });
  });

  it('exits 0 where all is well, 1 where something fails, 2 where it cannot be read', () => {
    expect(luoInspect(['diagnose', 'handover-7.3/s1-frozen']).status).toBe(0);
    expect(luoInspect(['diagnose', 'failed/pfn/s1-frozen']).status).toBe(1);
    expect(luoInspect(['diagnose', 'package.json']).status).toBe(2);
  });

  it('completes in three shells', () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      expect(luoInspect(['completion', shell])).toMatchObject({ status: 0, stdout: expect.stringContaining('whatis') });
  });
});

describe('the first screen at once, progress, and Esc or Ctrl-C gives the opening up (visidata)', () => {
  /** A terminal that remembers what was written. */
  function fakeTerminal() {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined, ref: () => undefined, unref: () => undefined });
    let written = '';
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
    stdout.on('data', (data) => {
      written += String(data);
    });
    const streams: unknown = { stdin, stdout };
    if (!isStreams(streams)) throw new Error('no terminal');
    return { streams, stdin, text: () => written };
  }
  const isStreams = (value: unknown): value is TerminalStreams => typeof value === 'object' && value !== null && 'stdin' in value;

  it.each([
    ['Esc', '\u001b'],
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])('by %s', async (_, key) => {
    const { streams, stdin, text } = fakeTerminal();
    const loading = new Loading('large.elf', false, streams);
    expect(text()).toContain('large.elf');
    await loading.stage('searching');
    expect(text()).toContain('searching …');
    await loading.stage('checking');
    expect(text()).toMatch(/searching \d+\.\d s/);
    stdin.write('jj');
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 7_500);
    loading.check();
    expect(text()).toContain('checking … 7 s');
    clock.mockRestore();
    await loading.stage('drawing');
    stdin.write(key);
    await expect(loading.cancelled).rejects.toThrow(OpeningCancelled);
    await expect(loading.stage('more')).rejects.toThrow(OpeningCancelled);
    expect(String(loading.finish())).toBe('jj');
    // the memory of a dump is read on, and the screen is the view's
    const shown = text();
    loading.check('more');
    expect(text()).toBe(shown);
    loading.leave();
    expect(text()).toContain('\u001b[?1049l');
  });
});
