/** Golden screens: each view at three sizes, as text. `npx vitest run test/tui/golden.test.ts -u` renews them; read the difference. */
import { describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { kvmModelOf } from '../../src/tui/kvm/from-files.js';
import { kvmProgram } from '../../src/tui/kvm/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { fixtureModel } from './fixture.js';
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

async function golden<S>(name: string, program: Program<S>, keys: readonly string[]): Promise<void> {
  for (const [columns, rows] of SIZES) {
    const screen = new Play(program, { columns, rows }).press(...keys);
    expect(screen.rows).toHaveLength(rows);
    await expect(`${screen.rows.join('\n')}\n`).toMatchFileSnapshot(`golden/${name}-${columns}x${rows}.txt`);
  }
}

describe('golden screens', () => {
  it('the inspector: the first screen, and a finding', async () => {
    await golden('inspector', inspectorProgram(fixtureModel()), []);
    await golden('finding', inspectorProgram(fixtureModel()), [']']);
  });

  it('the debugger at a call that is refused', async () => {
    await golden('debugger', debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'one.yaml'), { logReads: true })), ['F']);
  });

  it('the kvm_run view', async () => {
    await golden('kvm', kvmProgram(kvmModelOf(openSnapshotFiles('samples/kvm/44-fault-private-read.kvm_run', {}))), []);
  });
});
