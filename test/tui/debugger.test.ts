/** The debugger played on runs of the engine: the scenarios that ship in samples/scenarios. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openStepping } from '../../src/cli/step.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario, readScenario } from '../../src/engine/scenario/parse.js';
import { parseEdit } from '../../src/tui/debugger/edit.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import type { Debugger } from '../../src/tui/debugger/state.js';
import { parseKept } from '../../src/tui/model/kept.js';
import { lineWidth, textOf, wrap } from '../../src/tui/model/text.js';
import { cellsOf } from '../../src/tui/terminal/cells.js';
import { Play } from './play.js';

const SHORT = `schema: luo-inspect.scenario/1
title: one session
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm-0, as: s0 }
  - { do: memfd, size: 8KiB, as: ram }
  - { do: preserve, session: s0, fd: ram, token: 0x1 }
  - { do: preserve, session: s0, fd: ram, token: 0x1, expect: EEXIST }
`;

const play = (client: EngineClient, columns = 80, rows = 24): Play<Debugger> => new Play(debuggerProgram(client), { columns, rows });
const short = (): EngineClient => EngineClient.ofScenario(parseScenario(SHORT, 'short.yaml'));
const sample = async (name: string): Promise<EngineClient> => EngineClient.ofScenario(await readScenario(`samples/scenarios/${name}.yaml`));

/** The step in the title. */
const at = (screen: Play<Debugger>): number => Number(/step (\d+)\//.exec(screen.header)?.[1] ?? Number.NaN);

it('the program of a dump grows on the screen while the next kernel finds what there is', async () => {
  const { client, opened } = await openStepping('samples/failed/pfn/s1-frozen.sparse.elf.xz', {});
  const program = debuggerProgram(client);
  const size = { columns: 120, rows: 34 };
  let state = program.initial(size);
  const shown = (): string =>
    cellsOf(program.screen(state), size)
      .map(({ chars }) => chars.join(''))
      .join('\n');
  expect(shown()).not.toContain('retrieve session 0 0x3');
  for (let next = program.work(state); next !== null; next = program.work(state)) {
    state = next;
    shown();
  }
  expect(shown()).toContain('retrieve session 0 0x3');
  opened.close();
});

it('the state pane comes to what a step changed, and the step says what it was', async () => {
  const screen = play(await sample('freeze-fails'))
    .press(':')
    .type('run 197')
    .press('enter', '5');
  expect(screen.pane('state').rows.join('\n')).toContain('frozen (was preserved)');
  expect(screen.press('4').pane('step').rows.join('\n')).toMatch(/\* kernel 0\/sessions\/outgoing\/web\/files\/0x3:\s+preserved → frozen/);
  // what is gone is a change, too
  screen.press(':').type('run 485').press('enter', 'z', 'G');
  expect(screen.pane('step').rows.join('\n')).toMatch(/web\/files\/0x3:\s+retrieved\s+→\s+nothing/);
});

describe('time', () => {
  it('goes forwards and back again over the same steps', () => {
    const screen = play(short());
    const seen = [at(screen)];
    for (let count = 0; count < 30; count++) seen.push(at(screen.press('s')));
    expect(seen).toEqual(Array.from({ length: 31 }, (_, index) => index + 1));
    for (let count = 0; count < 30; count++) screen.press(count % 2 === 0 ? 'S' : 'b');
    expect(at(screen)).toBe(1);
    expect(screen.press('S', 'S').footer).toContain('before the first step');
  });

  it('goes over a call and back over it, and out of it in both directions', () => {
    const client = short();
    const screen = play(client).press('a', 'a', 'a', 'a');
    const enter = at(screen);
    expect(client.current).toMatchObject({ op: 'PRESERVE_FD', phase: 'enter' });
    const exit = at(screen.press('n'));
    expect(client.current).toMatchObject({ op: 'PRESERVE_FD', phase: 'exit', result: 0 });
    expect(exit).toBeGreaterThan(enter + 1);
    expect(at(screen.press('N'))).toBe(enter);
    expect(at(screen.press('s', 's', 'o', 'o'))).toBe(exit);
    expect(at(screen.press('S', 'O'))).toBe(enter);
  });

  it('stops at breakpoints in both directions, which stand in the pane of the calls until they are removed', () => {
    const client = short();
    const screen = play(client, 200, 60).press(':').type('break op:memfd.preserve').press('enter', 'c');
    expect(client.current).toMatchObject({ op: 'memfd.preserve', phase: 'enter' });
    const first = at(screen);
    expect(screen.pane('calls').rows.join('\n')).toContain('● op:memfd.preserve');
    expect(screen.pane('calls').rows[0]).toContain('memfd.preserve');
    expect(screen.press('c').footer).not.toContain('before');
    expect(at(screen.press('C'))).toBe(first);
    expect(screen.press(':').type('break errno:nonsense').press('enter').footer).toContain('not a breakpoint');
    screen.press('B');
    expect(screen.footer).toContain('no breakpoint on memfd.preserve any more');
    expect(screen.pane('calls').rows.join('\n')).not.toContain('●');
  });

  it('names steps and goes back to them', () => {
    const screen = play(short()).press('a', 'a', 'm').type('made').press('enter', 'a', 'a');
    const there = screen.state.client.marks.get('made');
    screen.press("'").type('made').press('enter');
    expect(at(screen)).toBe(there);
    screen.press('3', 'G', 'x');
    expect(screen.state.client.marks.size).toBe(0);
  });

  it('goes to a step of the timeline, a step of the program, a moment', async () => {
    const screen = play(await sample('vfio-seed'), 200, 60)
      .press(':')
      .type('until frozen')
      .press('enter');
    expect(screen.header).toContain('frozen');
    screen.press('1', 'g', 'j', 'enter');
    expect(screen.state.client.current?.action).toBe(1);
    screen.press('2', 'j', 'j', 'enter');
    expect(screen.state.client.current?.step).toBe(screen.state.timeline.cursor + 1);
    expect(screen.press(':').type('until never').press('enter').footer).toContain(':until takes');
    screen.press(':').type('run 3').press('enter');
    expect(at(screen)).toBe(3);
  });
});

describe('what it shows', () => {
  it('the program with its outcomes, the current line, and what is still to come', () => {
    const screen = play(short(), 120, 30).press('a', 'a', 'a', 'a');
    expect(screen.pane('program').rows).toEqual([
      '  4   open ok rw as luo',
      '  5   create-session ok vm-0 as s0',
      expect.stringMatching(/^ {2}6 {3}memfd ok size=8192 flags=ALLOW_SEALING/),
      ' ▶7   preserve s0 ram 0x1',
      '  8   preserve s0 ram 0x1 expects EEXIST',
    ]);
  });

  it('a lane for each actor, letters where they are narrow, words where they are wide', () => {
    const client = short();
    const narrow = play(client);
    expect(narrow.pane('timeline').rows[0]).toMatch(/alhokdn {2}Agent Luo Handler khO Kernel/);
    expect(play(client, 300, 60).pane('timeline').rows[0]).toMatch(/agent +luo +handler +kho +kernel +device +next-kernel/);
    narrow.press('a', 'a', 'a', 'a');
    const row = narrow.pane('timeline').rows.find((text) => text.includes('▶'));
    expect(row).toMatch(/▶ *\d+ ·●····· ▸ PRESERVE_FD/);
  });

  it('what a step changed: field, address, bytes before and after, and marks them in memory', () => {
    const client = short();
    const screen = play(client, 200, 60);
    while (client.current?.op !== 'write memfd_luo_ser') if (client.step() === null) break;
    screen.press(':').type(`run ${client.position}`).press('enter');
    const [write] = client.current?.writes ?? [];
    expect(write?.struct).toBe('memfd_luo_ser');
    const [change] = client.changesAt();
    expect(change?.struct).toBe('memfd_luo_ser');
    expect(screen.pane('step').rows.join('\n')).toContain(`memfd_luo_ser.${change?.field} 0x${change?.address.toString(16)}`);
    expect(screen.pane('step').rows.join('\n')).toContain(`${change?.beforeText} → ${change?.afterText}`);
    expect(screen.pane('memory').rows.join('\n')).toContain(`${write?.address.toString(16).padStart(8, '0')} [`);
    screen.press('4', 'j', 'j', 'j', 'j', 'G', 'enter');
    expect(screen.pane('memory').title).toContain('━ 6');
  });

  it('the state of kernels, with a star and the old value where the step changed it; devices on their own', async () => {
    const screen = play(await sample('vfio-seed'), 200, 60);
    const { client } = screen.state;
    let changed: string | undefined;
    for (let count = 0; count < 60 && changed === undefined; count++)
      changed = screen
        .press('s')
        .pane('state')
        .rows.find((row) => row.startsWith(' *'));
    expect(changed).toContain('(was ');
    screen.press(':').type('until frozen').press('enter');
    expect(screen.pane('device').rows.join('\n')).toContain('▾ nic');
    expect(screen.pane('state').rows.join('\n')).not.toContain('nic');
    screen.press('5', 'g', 'h');
    expect(screen.pane('state').rows[0]).toContain('▸ kernel 0');
    expect(client.position).toBeGreaterThan(1);
  });

  it('the console up to this step and no further', () => {
    const client = short();
    const screen = play(client, 200, 60);
    expect(screen.pane('log').rows.join('\n')).toContain('nothing printed yet');
    for (let left = client.length; client.consoleAt().length === 0 && left > 0; left--) screen.press('s');
    expect(screen.pane('log').rows).toHaveLength(1);
    expect(screen.pane('log').rows[0]).toContain('▶');
    // a line of it leads to the step that printed it
    const printed = client.position;
    expect(screen.press('s', '8', 'enter').pane('log').rows[0]).toContain('▶');
    expect(client.position).toBe(printed);
  });

  it('what the marked bytes are: the field a step wrote, else where they are', () => {
    const screen = play(short(), 200, 60);
    expect(screen.pane('memory').title).toContain('firmware');
    expect(screen.press(':').type('goto 0x3000').press('enter').pane('memory').title).toContain('0x3000');
  });

  it('finds steps of the timeline', () => {
    const screen = play(short(), 120, 30).press('/').type('eexist').press('enter');
    expect(screen.cursor('timeline')).toContain('→ EEXIST');
    expect(screen.press('/').type('nonsense').press('enter').footer).toContain('no step with nonsense');
  });
});

describe('a run that goes wrong', () => {
  const WRONG = SHORT.replace('expect: EEXIST', 'expect: EPERM');

  it('opens where it does, and says what was expected', () => {
    const screen = play(EngineClient.ofScenario(parseScenario(WRONG, 'wrong.yaml')), 120, 30);
    expect(screen.header).toContain('1 expectation not met');
    const row = screen.pane('program').rows.at(-1);
    expect(row).toContain('→ EEXIST (EPERM expected)');
    expect(row).toContain('▶');
    expect(screen.press('g', 'enter', 'F').pane('program').rows.at(-1)).toContain('▶');
  });
});

describe('a run that was expected to meet an errno', () => {
  it('is taken there by F', () => {
    const client = short();
    const screen = play(client, 120, 30).press('F');
    expect(screen.footer).toContain('every expectation is met; this is the first call that was refused');
    expect(client.current?.errno).toBe('EEXIST');
  });
});

describe('edits', () => {
  it('are typed as bytes or as a number', () => {
    expect(parseEdit('0x1000 01 02ff')).toEqual({ address: 0x1000, bytes: Uint8Array.of(1, 2, 0xff) });
    expect(parseEdit('0x1000+4 = 0x20')).toEqual({ address: 0x1000, bytes: Uint8Array.of(0x20, 0, 0, 0) });
    expect(parseEdit('0x1000+2=-1')).toEqual({ address: 0x1000, bytes: Uint8Array.of(0xff, 0xff) });
    for (const text of ['', '0x1000', '0x1000 1', '0x1000+3 = 1', '0x1000+1 = 256', '0xffffffffffffffff 01', 'here 01']) expect(parseEdit(text)).toBeNull();
  });

  it('change what happens, are counted, and are taken back', async () => {
    const client = await sample('handover-7.3');
    const screen = play(client, 200, 60).press(':').type('until frozen').press('enter');
    const fine = client.end?.ending;
    const write = Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1))
      .flatMap((step) => (step === null || step.step > client.position ? [] : step.writes))
      .find((one) => one.struct === 'luo_ser');
    expect(write).toBeDefined();
    screen
      .press(':')
      .type(`edit 0x${write?.address.toString(16)} 58`)
      .press('enter');
    expect(screen.footer).toContain('1 byte stored');
    expect(screen.header).toContain('1 edit');
    screen.press('c');
    expect(client.end?.ending).not.toBe(fine);
    screen.press('u', 'c');
    expect(client.edits).toHaveLength(0);
    expect(client.end?.ending).toBe(fine);
  });
});

describe('breakpoints that are passed', () => {
  it('stop only after so many times, say how often they stopped, and go by their number', () => {
    const client = short();
    const screen = play(client, 160, 40).press(':').type('break actor:luo').press('enter', 'c');
    const second = at(screen.press('c'));
    screen.press('c');
    const fourth = at(screen.press('c'));
    expect(screen.pane('calls').rows.join('\n')).toContain('actor:luo  4×');
    screen.press(':').type('run 1').press('enter', ':').type('ignore 1 3').press('enter');
    expect(screen.footer).toContain('is passed 3 times');
    expect(screen.pane('calls').rows.join('\n')).toContain('passes 3 more');
    expect(at(screen.press('c'))).toBe(fourth);
    expect(at(screen.press('C', 'C'))).toBe(second);
    expect(screen.footer).toBe(' breakpoint actor:luo');
    screen.press(':').type('info').press('enter');
    expect(screen.text).toMatch(/1 {2}actor:luo: \d+ such steps in this run, 7×/);
    // over a page, too
    screen.press(':').type('delete 2').press('enter');
    expect(screen.footer).toContain('no breakpoint 2');
    screen.press(':').type('delete 1').press('enter');
    expect(client.breakpoints).toHaveLength(0);
    expect(screen.press(':').type('ignore 1').press('enter').footer).toContain(':ignore takes');
    screen.press(':').type('tbreak actor:luo').press('enter');
    expect(screen.pane('calls').rows.join('\n')).toContain('actor:luo  once');
    expect(screen.press('c').footer).toBe(' temporary breakpoint actor:luo');
    expect(screen.pane('calls').rows.join('\n')).not.toContain('actor:luo');
  });

  it('are gone to again with .', () => {
    const screen = play(short());
    screen.press('0', '3', 's');
    expect(at(screen)).toBe(4);
    expect(at(screen.press('.'))).toBe(7);
    expect(at(screen.press('S', '.'))).toBe(5);
  });
});

describe('edits are kept', () => {
  const COUNT = 'samples/scenarios/count.yaml';

  it('from one run to the next, with marks and breakpoints', async () => {
    const client = await sample('freeze-fails');
    const program = debuggerProgram(client);
    const screen = new Play(program, { columns: 120, rows: 40 });
    screen.press(':').type('run 40').press('enter', 'm').type('here').press('enter', ':').type('break errno:any').press('enter');
    screen.press(':').type('edit 0x111058+8 = 7').press('enter');
    const kept = program.kept?.(screen.state);
    expect(kept?.edits).toEqual(['40 0x111058 0700000000000000']);
    const later = debuggerProgram(await sample('freeze-fails'));
    const again = new Play(later, { columns: 120, rows: 40 });
    again.state = later.restored?.(again.state, parseKept(JSON.stringify(kept))) ?? again.state;
    again.press('ctrl-l');
    expect(again.header).toContain('1 edit');
    expect(again.state.client.edits).toEqual(client.edits);
    expect(again.state.client.marks.get('here')).toBe(40);
    expect(again.press('D').text).toContain('before');
    expect(again.press('q', 'q').footer).toContain('made again when this file is next opened');
  });

  it('in a scenario, as flips at the very step, whatever the moment; and the file that is written runs as the edited one did', async () => {
    const source = readFileSync(COUNT, 'utf8');
    const client = EngineClient.ofScenario(await readScenario(COUNT));
    const screen = new Play(debuggerProgram(client, source), { columns: 120, rows: 40 });
    // before the files are preserved, at no moment that has a name
    screen.press(':').type('run 30').press('enter', ':').type('edit 0x2000 01 02').press('enter', ':').type('run 60').press('enter');
    screen.press(':').type('edit 0x3000+4 = 9').press('enter', ':').type('save own.yaml').press('enter');
    const saved = screen.effects.find((effect) => effect.kind === 'save');
    const scenario = parseScenario(saved?.kind === 'save' ? saved.text : '', 'own.yaml');
    expect(scenario.faults.flatMap((fault) => (fault.kind === 'flip' && fault.step !== null ? [fault.step] : []))).toEqual([30, 60]);
    const again = EngineClient.ofScenario(scenario);
    again.toEnd();
    client.toEnd();
    const told = (run: EngineClient) =>
      Array.from({ length: run.length }, (_, index) => run.stepAt(index + 1)).map((step) =>
        step?.op === 'flip' || step?.op === 'edit memory' ? 'changed' : step?.op,
      );
    expect(told(again)).toEqual(told(client));
    expect(again.stepAt(31)?.op).toBe('flip');
  });
});

describe('the memory of a step', () => {
  it('opens in the inspector, and q comes back to the debugger', async () => {
    const screen = play(await sample('vfio-seed'), 120, 40).press('i');
    expect(screen.footer).toContain('holds no handover');
    screen.press(':').type('until frozen').press('enter', 'i');
    expect(screen.header).toContain('memory at step');
    expect(screen.pane('overview').rows.join('\n')).toMatch(/luo-v5: 1 session, 2 files/);
    screen.press('/').type('vfio_pci_core_device_ser').press('enter');
    expect(screen.cursor('tree')).toContain('vfio_pci_core_device_ser');
    screen.resize({ columns: 80, rows: 24 });
    screen.press('q');
    expect(screen.pane('timeline').title).toContain('timeline');
    expect(screen.quit).toBe(false);
    expect(screen.press('i', 'ctrl-c').quit).toBe(true);
  });
});

describe('any size', () => {
  // the fuzzer's terminal, seed 2272: a pane narrower than its margins
  it('has a column for text where there is no room', () => {
    expect(wrap('  ab c', -3, 2)).toEqual(['a', 'b', 'c']);
  });
  it.each([
    [40, 10],
    [80, 24],
    [139, 40],
    [140, 36],
    [200, 60],
  ])('fills %i×%i and no more, with every pane in focus', async (columns, rows) => {
    const screen = play(await sample('freeze-fails'), columns, rows).press('a', 'a', 'a', 'a', 's', 's', 's');
    for (const pane of ['1', '2', '3', '4', '5', '6', '7', '8']) {
      screen.press(pane);
      expect(screen.text).toContain(`━ ${pane} `);
      screen.press('j', 'G', 'g', 'pagedown', 's');
      expect(screen.rows).toHaveLength(rows);
      for (const line of screen.lines) {
        expect(lineWidth(line)).toBeLessThanOrEqual(columns);
        expect(textOf(line)).not.toMatch(/\p{Cc}/u);
      }
    }
  });
});
