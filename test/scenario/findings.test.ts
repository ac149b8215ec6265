/** What a shipped scenario's machine hands over, diagnosed at every moment: nothing without a fault, and first of all the damage with one. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import type { Finding } from '../../src/diagnosis/finding.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { ALL, some } from '../extent.js';

const names = readdirSync('samples/scenarios').filter((name) => name.endsWith('.yaml'));
const scenarios = await Promise.all(names.map(async (name) => ({ name, scenario: await readScenario(`samples/scenarios/${name}`) })));

function findingsAt(client: EngineClient, step: number): readonly Finding[] {
  const { memory, vmcoreinfo } = client.imageAtStep(step);
  return diagnose(decodeHandovers({ memory, runningRelease: vmcoreinfo.get('OSRELEASE') ?? null }));
}

describe('the memory of a scenario', () => {
  const sound = scenarios.filter(({ scenario }) => scenario.faults.length === 0);
  it.each(some(sound, 3))(`$name has no error and no warning ${ALL ? 'at any moment' : 'when frozen and at its end'}`, { timeout: 60_000 }, ({ scenario }) => {
    const client = EngineClient.ofScenario(scenario);
    client.toEnd();
    expect(client.length).toBeGreaterThan(10);
    const passed = client.moments.filter(({ moment }) => ALL || moment === 'frozen');
    for (const { moment, step, kernel } of [...passed, { moment: 'end', step: client.length, kernel: -1 }]) {
      const bad = findingsAt(client, step).filter(({ severity }) => severity !== 'info');
      expect(bad, `${moment} of kernel ${kernel}`).toEqual([]);
    }
  });

  const damaged = scenarios.filter(({ scenario }) => scenario.faults.some(({ kind }) => kind === 'flip'));
  it.each(damaged)('$name: the first finding is the damage', ({ scenario }) => {
    const client = EngineClient.ofScenario(scenario);
    client.toEnd();
    const steps = Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1));
    const address = steps.find((step) => step?.op === 'flip')?.args.address;
    const moments = client.moments.filter(({ moment }) => moment === 'frozen' || moment === 'early');
    expect(moments).toHaveLength(2);
    for (const { step } of moments) {
      const [first] = findingsAt(client, step);
      expect(first?.severity).toBe('error');
      expect(first?.at).toBe(address);
    }
  });
});
