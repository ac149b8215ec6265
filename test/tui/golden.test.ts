/**
 * Golden screens: each view at three sizes, in the dark and the light theme: text, then how it looks (golden-screen.ts says how to read
 * them). `npx vitest run test/tui/golden.test.ts -u` renews them; read the difference.
 */
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { kvmModelOf } from '../../src/tui/kvm/from-files.js';
import { kvmProgram } from '../../src/tui/kvm/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { fixtureModel } from './fixture.js';
import { goldenText } from './golden-screen.js';
import { Play } from './play.js';

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

const SCENARIO = `schema: luo-inspect.scenario/1
title: one session
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm-0, as: s0 }
  - { do: create-session, name: vm-0, expect: EEXIST }
`;

async function golden<S>(name: string, program: () => Program<S>, keys: readonly string[]): Promise<void> {
  for (const [columns, rows] of SIZES) {
    const made = program();
    const screen = new Play(made, { columns, rows }).press(...keys);
    expect(screen.rows).toHaveLength(rows);
    await expect(await goldenText(made, screen.state, { columns, rows })).toMatchFileSnapshot(`golden/${name}-${columns}x${rows}.txt`);
  }
}

const debug = () => debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'one.yaml'), { logReads: true }), SCENARIO);

describe('golden screens', () => {
  it.each([
    ['inspector', []],
    ['finding', [']']],
    ['bytes', [']', '3', 'z']],
    ['sessions', ['5']],
    ['map', ['6']],
    ['log', ['7', 'j']],
    ['help', ['?']],
  ])('the inspector: %s', (name, keys) => golden(name, () => inspectorProgram(fixtureModel()), keys));

  it.each([
    ['debugger', ['F']],
    ['state', ['a', 'a', '5']],
    ['memory', ['a', 'a', '6', 'z']],
    ['what-if', [':', ...'run 40', 'enter', ':', ...'edit 0x1000 01', 'enter', 'D']],
  ])('the debugger: %s', (name, keys) =>
    golden(
      name,
      debug,
      keys.map((key) => (key === ' ' ? 'space' : key)),
    ),
  );

  it('the kvm_run view, of one snapshot and of many', async () => {
    await golden('kvm', () => kvmProgram(kvmModelOf(openSnapshotFiles('samples/kvm/44-fault-private-read.kvm_run', {}))), []);
    await golden('kvm-many', () => kvmProgram(kvmModelOf(openSnapshotFiles('samples/kvm', {}))), ['4', 'j', 'j']);
  });
});
