/**
 * Golden screens: each view at three sizes, in the dark and the light theme: text, then how it looks (golden-screen.ts says how to read
 * them). `npx vitest run test/tui/golden.test.ts -u` renews them; read the difference.
 */
import { describe, expect, it } from 'vitest';
import { comparisonOf } from '../../src/cli/comparison.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { compareProgram } from '../../src/tui/compare/view.js';
import { decodedAtStep } from '../../src/tui/debugger/inspect.js';
import { debuggerProgram } from '../../src/tui/debugger/view.js';
import { exploreProgram } from '../../src/tui/explore/view.js';
import { snapshotsModelOf } from '../../src/tui/inspector/from-snapshots.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import type { Program } from '../../src/tui/model/program.js';
import { OBJECTS, fixtureModel } from './fixture.js';
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

/** One session of two memfds, as it was handed over and as the next kernel found it: there, the second file's token is another. */
const handed = (token: string): string => `schema: luo-inspect.scenario/1
title: two files
steps:
  - { do: open, as: luo }
  - { do: create-session, name: vm-0, as: s0 }
  - { do: memfd, as: ram, size: 4096, fill: [ { page: 0, pages: 1, seed: 3 } ] }
  - { do: preserve, session: s0, fd: ram, token: 0x1 }
  - { do: memfd, as: rom, size: 4096 }
  - { do: preserve, session: s0, fd: rom, token: ${token} }
  - { do: kexec }
  - { do: open, as: luo }
`;

function compared() {
  const [before, after] = (
    [
      ['0x2', 'frozen'],
      ['0x3', 'early'],
    ] as const
  ).map(([token, moment]) => {
    const client = EngineClient.ofScenario(parseScenario(handed(token), 'two.yaml'));
    client.runToMoment(moment);
    const at = decodedAtStep(client);
    if (at === null) throw new Error(`the memory at ${moment} holds no handover`);
    return { path: `dumps/${moment}.elf`, decoded: at.decoded };
  });
  if (before === undefined || after === undefined) throw new Error('two dumps are compared');
  return comparisonOf(before, after);
}

const ENDINGS = {
  path: 'one.yaml',
  title: 'one session: 40 runs',
  rows: [
    {
      ending: 'panic',
      detail: 'the next kernel panics at line 7',
      faults: 'kernel #1 (liveupdate=off)',
      runs: 2,
      given: ['{ at: kernel, liveupdate: false }'],
    },
    { ending: 'refused', detail: 'preserve: ENOMEM at line 5', faults: 'alloc #3 (ENOMEM)', runs: 12, given: ['alloc#3:ENOMEM'] },
    { ending: 'unnoticed', detail: '', faults: 'memfd.unfreeze #1 (EIO)', runs: 26, given: ['memfd.unfreeze#1:EIO'] },
  ],
};

async function golden<S>(name: string, program: () => Program<S>, keys: readonly string[]): Promise<void> {
  for (const [columns, rows] of SIZES) {
    const made = program();
    const screen = new Play(made, { columns, rows }).press(...keys);
    expect(screen.rows).toHaveLength(rows);
    await expect(await goldenText(made, screen.state, { columns, rows })).toMatchFileSnapshot(`golden/${name}-${columns}x${rows}.txt`);
  }
}

const debug = () => debuggerProgram(EngineClient.ofScenario(parseScenario(SCENARIO, 'one.yaml'), { logReads: true }), SCENARIO);

const named = (keys: readonly string[]): string[] => keys.map((key) => (key === ' ' ? 'space' : key));

describe('golden screens', () => {
  it.each([
    ['inspector', []],
    ['finding', [']']],
    ['bytes', [']', '3', 'z']],
    ['sessions', ['5']],
    ['map', ['6']],
    ['log', ['7', 'j']],
    ['objects', ['8', 'j', 'j', 'j']],
    ['whatis', [']', 'w']],
    ['contracts', [':', ...'contracts 7.1', 'enter']],
    ['help', ['?']],
  ])('the inspector: %s', (name, keys) => golden(name, () => inspectorProgram({ ...fixtureModel(), objects: OBJECTS }), named(keys)));

  it.each([
    ['debugger', ['F']],
    ['state', ['a', 'a', '5']],
    ['memory', ['a', 'a', '6', 'z']],
    ['about-step', ['a', 'a', 'K']],
    ['what-if', [':', ...'run 40', 'enter', ':', ...'edit 0x1000 01', 'enter', 'D']],
  ])('the debugger: %s', (name, keys) => golden(name, debug, named(keys)));

  it('kvm_run in the inspector, one snapshot and many', async () => {
    await golden('kvm', () => inspectorProgram(snapshotsModelOf(openSnapshotFiles('samples/kvm/44-fault-private-read.kvm_run', {}))), []);
    await golden('kvm-many', () => inspectorProgram(snapshotsModelOf(openSnapshotFiles('samples/kvm', {}))), ['9', 'j', 'j']);
  });

  it('two dumps side by side', () => {
    const model = compared();
    return golden('diff', () => compareProgram(model), [']']);
  });

  it('the list of endings', () => golden('explore', () => exploreProgram(ENDINGS), ['j']));
});
