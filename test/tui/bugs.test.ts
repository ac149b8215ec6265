/** Bugs that users met in the terminal, each with the keys that showed it. (B1 and B14 are in model/hex.test.ts, B2 to B4 and B19 to B22 in test/cli/bugs.test.ts.) */
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { argText } from '../../src/tui/debugger/step-lines.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { copied } from '../../src/tui/terminal/clipboard.js';
import { THEMES, themeFor } from '../../src/tui/terminal/theme.js';
import { fixtureModel } from './fixture.js';
import { Play } from './play.js';
import { inspect, stepDump, stepScenario } from './samples.js';

describe('the debugger', () => {
  it('B5: after the jump the handover that was taken up is incoming, and only that', async () => {
    const screen = await stepDump('failed/pfn', 120, 40);
    screen.press(':').type('run 114').press('enter', 'i');
    const overview = screen.pane('overview').rows.join('\n');
    expect(overview).toContain('incoming: kho-v4 at 0x2ec9000');
    expect(overview).not.toMatch(/outgoing.*at 0x2ec9000/);
  });

  it('B6: after an edit and its undoing the run is carried to its end again, and nothing says that it ended before', async () => {
    const screen = await stepScenario('freeze-fails', 120, 40);
    const { client } = screen.state;
    const { length } = client;
    screen.press(':').type('run 253').press('enter', ':').type('edit 0x111058+8 = 7').press('enter', 'u');
    expect(screen.header).not.toContain('running on');
    expect(client.length).toBe(length);
    screen.press('1', 'G', 'enter');
    expect(screen.footer).not.toContain('last step');
  });

  it('B7: a call that gives NULL is marked as failed, and says so in place of order=null', async () => {
    const screen = await stepDump('failed/pfn', 120, 40);
    screen.press('F');
    const row = screen.lines.find((line) => line.some(({ text }) => text.includes('kho_restore_folio → NULL')));
    expect(row?.some(({ style }) => style === 'error' || style === 'cursor')).toBe(true);
    expect(screen.text).not.toContain('null');
  });

  it('B8: the header of a dump that panics, or cannot be opened, is no green "finished"', async () => {
    for (const [name, words] of [
      ['failed/luo-compat', /! .*panic/],
      ['failed/count', /! .*open fails/],
    ] as const) {
      const screen = await stepDump(name, 120, 40);
      expect(screen.header).toMatch(words);
      expect(screen.header).not.toContain('finished');
    }
  });

  it('B9: breakpoints that no step of the run would hit are refused, with the name that may be meant', async () => {
    const screen = await stepScenario('freeze-fails', 120, 40);
    const set = (text: string): string => screen.press(':').type(`break ${text}`).press('enter').footer;
    for (const text of ['op:memfd.*', 'op:nonsense', 'op:memfd.freeze token:0x77']) {
      expect(set(text)).toContain('no step of this run stops at');
      expect(screen.state.client.breakpoints).toHaveLength(0);
    }
    expect(set('op:memfd.freez')).toContain('did you mean op:memfd.freeze?');
    // a combination holds at one step, as gdb's "if" does
    expect(set('op:memfd.freeze if token==0x2')).toMatch(/breakpoint op:memfd\.freeze token:0x2: \d+ steps?/);
    screen.press(':').type('run 1').press('enter', 'c');
    expect(screen.state.client.current).toMatchObject({ op: 'memfd.freeze', args: { token: 2n } });
  });

  it('B16: addresses are in hex wherever they stand', () => {
    expect(argText('gpa', 268435456)).toBe('0x10000000');
    expect(argText('port', 1016)).toBe('0x3f8');
  });

  it('B18: one is one', () => {
    const client = EngineClient.ofScenario(parseScenario('schema: luo-inspect.scenario/1\ntitle: one\nsteps:\n  - { do: open, as: luo }\n', 'one.yaml'));
    const screen = new Play(debuggerProgram(client), { columns: 120, rows: 40 });
    screen.press(':').type('edit 0x1000 01').press('enter');
    expect(screen.footer).toContain('1 byte stored');
    expect(screen.header).toContain('1 edit ');
  });
});

describe('the inspector', () => {
  it('B8: the verdict is in the header and on the first screen, in words', async () => {
    const screen = await inspect('failed/pfn');
    expect(screen.header).toMatch(/! retrieve-fails EIO/);
    expect(screen.pane('overview').rows[0]).toMatch(/^! /);
  });

  it('B10: ] shows the finding it went to, and the list marks it', async () => {
    const screen = (await inspect('failed/pfn', 120, 40)).press('i');
    for (const count of [1, 2]) {
      screen.press(']');
      expect(screen.footer).toContain(`finding ${count}/`);
      const message = screen.footer.replace(/^ finding \d+\/\d+: /, '').slice(0, 30);
      if (screen.state.model.findings[count - 1]?.path != null) expect(screen.pane('detail').rows.join(' ').replace(/\s+/g, ' ')).toContain(message);
      expect(screen.pane('findings').rows.find((row) => row.startsWith('›'))).toContain(message.slice(0, 20));
    }
  });

  it('B11: the bytes follow a group that has an address of its own', async () => {
    const screen = await inspect('handover-7.3', 120, 40);
    screen.press(':').type('path outgoing/luo/sessions/vm-0').press('enter', ':').type('path outgoing/kho').press('enter');
    expect(screen.pane('detail').rows.join('\n')).toContain('0x2ec9000');
    expect(screen.pane('physical memory').rows.join('\n')).toContain('02ec9000');
  });

  it('very many sessions are read between keys, and the table says so', () => {
    const fates = Array.from({ length: 10_000 }, (_, index) => [`${index}`, 'comes back'] as const);
    const screen = new Play(inspectorProgram({ ...fixtureModel(), fates: () => fates }), { columns: 80, rows: 24 }).press('5');
    expect(screen.pane('sessions').rows.join(' ')).toContain('reading what comes of the sessions');
    expect(screen.press('j').pane('sessions').rows.join(' ')).toContain('no sessions');
  });

  it('B12: h and l go sideways in the bytes, and do nothing where there is no sideways', () => {
    const screen = new Play(inspectorProgram(fixtureModel()), { columns: 80, rows: 24 });
    screen.press(']', '3');
    const addresses = () => screen.pane('physical memory').rows.flatMap((row) => /^[0-9a-f]{8}/.exec(row) ?? []);
    const before = addresses();
    screen.press('l', 'l', 'l');
    expect(addresses()).toEqual(before);
    expect(screen.pane('physical memory').title).toContain('at 0x110053');
    screen.press('2');
    const detail = screen.pane('detail').rows;
    expect(screen.press('l', 'h', 'l').pane('detail').rows).toEqual(detail);
  });

  it('B13: the first match is the first from the cursor on, and n goes on from there', async () => {
    const screen = await inspect('handover-7.3', 120, 40);
    screen.press('/').type('folios').press('enter');
    expect(screen.footer).toMatch(/\/folios {2}1\/\d+/);
    expect(screen.press('n').footer).toMatch(/\/folios {2}2\/\d+/);
  });
});

describe('copying', () => {
  it('B17: more than the terminal’s clipboard takes is not said to be copied', () => {
    const long = 'x'.repeat(80_000);
    expect(copied(long, {})).toEqual({ sequence: null, said: expect.stringContaining('80000 characters are too much') });
    expect(copied('0x9', {})).toEqual({ sequence: '\u001b]52;c;MHg5\u0007', said: null });
    // what came of it takes the place of "copied …"
    const program = inspectorProgram(fixtureModel());
    const screen = new Play(program).press(']', 'y');
    expect(screen.footer).toContain('copied 0x9');
    screen.state = program.told?.(screen.state, copied(long, {}).said ?? '') ?? screen.state;
    expect(screen.footer).toContain('nothing was copied');
  });
});

describe('colours', () => {
  it('B15: no text is plain yellow, which cannot be read on white', () => {
    for (const theme of [THEMES['16'], THEMES.light]) for (const look of Object.values(theme)) expect(look).not.toMatch(/(^|;)(33|93)(;|$)/);
    expect(themeFor({ COLORFGBG: '0;15', TERM: 'xterm-256color' }, true)).toBe('light');
    expect(themeFor({ COLORFGBG: '15;0', TERM: 'xterm-256color' }, true)).toBe('dark');
    expect(themeFor({ TERM: 'xterm-256color' }, true)).toBe('16');
    expect(themeFor({ LUO_INSPECT_THEME: 'light' }, true)).toBe('light');
    expect(themeFor({ LUO_INSPECT_THEME: 'light' }, false)).toBe('none');
  });
});
