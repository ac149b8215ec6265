/** `explore --tui`: the list of endings, and a run opened from it; `sim --fault`: the fault written as a person would. */
import { describe, expect, it } from 'vitest';
import { faultArgument, faultOf, withFaults } from '../../src/cli/fault-option.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { exploreProgram } from '../../src/tui/explore/view.js';
import { lineWidth } from '../../src/tui/model/text.js';
import { luoInspect } from '../cli/run.js';
import { Play } from './play.js';

const rows = [
  {
    ending: 'panic',
    detail: 'the next kernel panics at line 7',
    faults: 'kernel #1 (liveupdate=off)',
    runs: 2,
    given: ['{ at: "kernel", nth: 1, liveupdate: false }'],
  },
  { ending: 'refused', detail: 'preserve: ENOMEM at line 5', faults: 'alloc #3 (ENOMEM)', runs: 12, given: ['alloc#3:ENOMEM'] },
];
const play = (columns = 100, height = 20) => new Play(exploreProgram({ path: 'my scenario.yaml', title: 'a title: 40 runs', rows }), { columns, rows: height });

describe('the list of endings', () => {
  it('opens the run under the cursor, filters, searches, and copies the command line', () => {
    const screen = play().press('j', 'enter');
    expect(screen.effects).toEqual([{ kind: 'open', index: 1 }]);
    expect(screen.press('c').effects.at(-1)).toEqual({ kind: 'copy', text: "luo-inspect sim 'my scenario.yaml' --fault 'alloc#3:ENOMEM' --step" });
    expect(screen.press('/').type('liveupdate').press('enter').cursor('endings')).toContain('panic');
    screen.press('f').type('alloc').press('enter', 'enter');
    expect(screen.effects.at(-1)).toEqual({ kind: 'open', index: 1 });
    expect(screen.press('esc', 'q').quit).toBe(true);
    for (const line of play(40, 10).lines) expect(lineWidth(line)).toBeLessThanOrEqual(40);
  });
});

describe('a fault on the command line', () => {
  it('is a point with its number and errno, or a fault as a scenario has it; and is written back so', () => {
    for (const text of [
      'alloc#3:ENOMEM',
      'memfd.freeze#4:EINVAL',
      'kho.forget#2',
      '{ at: flip, struct: luo_ser, field: sessions, bit: 3 }',
      '{ at: flip, step: 7, address: 0x1000, data: { hex: "00ff" } }',
      '{ at: kernel, liveupdate: false }',
    ]) {
      const { position: _, ...fault } = faultOf(text);
      const { position: __, ...again } = faultOf(faultArgument(faultOf(text)));
      expect(again).toEqual(fault);
    }
    expect(faultOf('alloc')).toMatchObject({ at: 'alloc', nth: 1, errno: 'ENOMEM' });
    for (const text of ['', 'nonsense#1', 'alloc#x', '{ at: alloc, never: 1 }']) expect(() => faultOf(text)).toThrow();
  });

  it('strikes', () => {
    const source = 'schema: luo-inspect.scenario/1\ntitle: t\nsteps:\n  - { do: open, as: luo }\n  - { do: create-session, name: a, as: s }\n';
    const plain = EngineClient.ofScenario(parseScenario(source, 't.yaml'));
    const struck = EngineClient.ofScenario(withFaults(parseScenario(source, 't.yaml'), ['alloc#1:ENOMEM']));
    for (const client of [plain, struck]) client.toEnd();
    expect(plain.end?.expectationsMet).toBe(true);
    expect([...struck.briefSteps()].some(({ op }) => op === 'printk') || struck.end?.expectationsMet === false).toBe(true);
  });

  it('is refused in one line where it is none, and explore --tui needs a terminal', () => {
    expect(luoInspect(['sim', 'count', '--fault', 'nonsense'])).toMatchObject({ status: 2, stderr: expect.stringMatching(/^luo-inspect: --fault[^\n]*\n$/) });
    expect(luoInspect(['explore', 'count', '--tui'])).toMatchObject({ status: 2, stderr: expect.stringMatching(/needs a terminal/) });
  });
});
