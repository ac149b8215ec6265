/** A real kernel beside the engine's run: every step is asked for before it is carried out, and both answers are shown. The kernel here answers from a list. */
import { expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import type { Companion } from '../../src/tui/open.js';
import type { Debugger } from '../../src/tui/debugger/state.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { Play } from './play.js';

const SCENARIO = `schema: luo-inspect.scenario/1
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm-0, as: s }
  - { do: create-session, name: vm-0, expect: EEXIST }
`;
const STEPS = ['open mode=rw', 'create-session name=vm-0', 'create-session name=vm-0'];

function opened(answers: readonly string[]): { readonly play: Play<Debugger>; readonly carriedOut: () => number } {
  const engine = ['0', '0', 'EEXIST'];
  let done = 0;
  const companion: Companion = {
    next: () => STEPS[done] ?? null,
    perform: () => {
      const action = done++;
      const [real = '', other = ''] = [answers[action], engine[action]];
      return { action, real, engine: other, differs: real !== other };
    },
  };
  const client = EngineClient.ofScenario(parseScenario(SCENARIO, 'live.yaml'), { logReads: true });
  return { play: new Play<Debugger>(debuggerProgram(client, SCENARIO, companion), { columns: 120, rows: 40 }), carriedOut: () => done };
}

it('L asks, Enter carries the step out, and the debugger goes there', () => {
  const { play, carriedOut } = opened(['0', 'EBUSY', 'EEXIST']);
  play.press('L');
  expect(play.footer).toContain('carry out on this machine: open mode=rw');
  expect(carriedOut()).toBe(0);
  play.press('enter');
  expect(carriedOut()).toBe(1);
  play.press('L', 'enter');
  expect(play.text + play.footer).toContain('this kernel EBUSY, the engine 0: they differ');
  play.press('L', 'enter');
  expect(play.text + play.footer).toContain('this kernel EEXIST, the engine EEXIST');
  play.press('L');
  expect(play.text + play.footer).toContain('every step was carried out');
  expect(carriedOut()).toBe(3);
});

it('what is left with Escape, or changed, is not carried out', () => {
  const { play, carriedOut } = opened(['0', '0', 'EEXIST']);
  play.press('L', 'esc');
  play.press('L').type('x').press('enter');
  expect(carriedOut()).toBe(0);
  expect(play.text + play.footer).toContain('not carried out');
});

it('without a kernel beside it, L says what opens one', () => {
  const play = new Play(debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'live.yaml')), SCENARIO), { columns: 120, rows: 40 });
  play.press('L');
  expect(play.text + play.footer).toContain('luo-inspect live <scenario> --step');
});
