/** What the lab chooses by itself, without a guest: scenarios that can be asked of a real machine, and single damages that change something. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { buildKernel } from '../../tools/lab/build.js';
import { type Damage, damages } from '../../tools/lab/case-damage.js';
import { fileLine, planLines, planned, planScenario } from '../../tools/lab/plan.js';
import { Random } from '../../tools/random.js';
import { batchOf, randomScenario } from '../../tools/lab/case-random.js';

it('many random scenarios share one file, which the engine carries out to its end', { timeout: 60_000 }, () => {
  const scenarios = Array.from({ length: 15 }, (_, number) => randomScenario(number, new Random(number)));
  const batch = batchOf(scenarios, '7.3');
  const scenario = parseScenario(batch.text, 'random.yaml');
  expect(scenario.steps).toHaveLength(batch.origin.length);
  const client = EngineClient.ofScenario(scenario);
  client.toEnd();
  expect(client.end?.ending).toBe('finished');
  // Right and wrong calls, on both sides of the jump.
  const answers = new Set(
    [...client.briefSteps()].filter(({ actor, op }) => actor === 'agent' && op !== 'check').map(({ op, result }) => `${op} ${result === 0}`),
  );
  for (const op of ['create-session', 'preserve', 'retrieve', 'retrieve-session', 'finish', 'write']) {
    expect(answers).toContain(`${op} true`);
    expect(answers).toContain(`${op} false`);
  }
});

it('a step whose descriptor was left out with the step that makes it is asked of one that is not open', () => {
  const [scenario] = [randomScenario(1, new Random(1))];
  const cut = { ...scenario, before: scenario.before.filter(({ do: verb }) => verb !== 'memfd') };
  expect(() => parseScenario(batchOf([cut], '7.3').text, 'random.yaml')).not.toThrow();
});

it('random damages change bytes of fields that are handed over, the same ones for a seed', { timeout: 60_000 }, async () => {
  const dump = await openDump('test/fixtures/diagnosis/frozen-73.elf.xz');
  try {
    const [handover] = decodeHandovers({ memory: dump.memory, runningRelease: '7.3.4' }).handovers;
    if (handover === undefined) throw new Error('the fixture holds a handover');
    const first = (seed: number): readonly Damage[] => {
      const all = damages(dump.memory, handover, new Random(seed));
      return Array.from({ length: 60 }, () => all.next().value);
    };
    const chosen = first(7);
    expect(first(7)).toEqual(chosen);
    expect(new Set(chosen.map(({ group }) => group)).size).toBeGreaterThan(20);
    for (const { address, bytes } of chosen) {
      const was = new Uint8Array(bytes.length);
      dump.memory.readInto(address, bytes.length, was);
      expect(bytes).not.toEqual(was);
    }
  } finally {
    dump.close();
  }
});

it('a kernel that was built is kept; without a tree or the tools for it that is said', () => {
  const folder = mkdtempSync(join(tmpdir(), 'luo-lab-'));
  try {
    writeFileSync(join(folder, 'bzImage-linux-source-7.3'), '');
    expect(buildKernel({ project: '.', source: null, folder })).toBe(join(folder, 'bzImage-linux-source-7.3'));
    expect(() => buildKernel({ project: '.', source: folder, folder })).toThrow(/^--build: (?:.* is no kernel tree|.* is not installed; apt-get install .*)$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('the plan of a guest is the same for the agent and for the engine', () => {
  const sessions = [{ name: 'vm', files: [planned('0x1', 8192, 6, 77, 3, 2), planned('0x2', 0, 0, 0, 1, 0)] }];
  expect(planLines(sessions)).toEqual(['session vm', 'memfd 0x1 8192 6 77 3 2', 'memfd 0x2 0 0 0 1 0', 'end']);
  const client = EngineClient.ofScenario(parseScenario(planScenario(sessions, { memory: '256MiB' }, '7.3'), 'plan.yaml'));
  client.toEnd();
  expect(client.end?.expectationsMet).toBe(true);
  // FNV-1a of nothing is its offset basis.
  expect(sessions[0]?.files.map(fileLine)[1]).toBe('F 0x2 0 0 0 0 cbf29ce484222325');
});
