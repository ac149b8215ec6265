/** What a scenario's machine had handed over when it was frozen, judged as a dump, beside what the same scenario then meets. */
import { expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import { judge } from '../../src/verdict/judge.js';

it.each([
  ['handover-7.3', 'taken-over', null],
  ['handover-7.1', 'taken-over', null],
  ['handover-6.19', 'taken-over', null],
  ['vfio-7.3', 'taken-over', null],
  ['71-to-73', 'cold-boot', null],
  ['6.19-to-7.0', 'panic', null],
  ['luo-compat', 'panic', null],
  ['count', 'open-fails', 'EIO'],
  ['file-compat', 'open-fails', 'EIO'],
  ['seals-unknown', 'retrieve-fails', 'EOPNOTSUPP'],
  ['forgotten-page', 'retrieve-fails', 'EIO'],
])('%s, frozen: %s', async (name, kind, errno) => {
  const scenario = await readScenario(`samples/scenarios/${name}.yaml`);
  const client = EngineClient.ofScenario(scenario);
  const image = client.imageAt('frozen');
  if (image === null) throw new Error('never frozen');
  const release = image.vmcoreinfo.get('OSRELEASE') ?? null;
  const decoded = decodeHandovers({ memory: image.memory, runningRelease: release });
  const facts = { path: name, memory: image.memory, arch: image.arch, release };
  const next = scenario.kernels[1]?.release ?? scenario.kernels[0]?.release;
  const { verdict } = judge({ facts, decoded, findings: diagnose(decoded), log: null, options: { next } });
  expect([verdict.kind, verdict.errno]).toEqual([kind, errno]);
  client.toEnd();
  if (kind === 'panic' || kind === 'cold-boot') expect(client.end?.ending).toBe(kind);
  else if (kind === 'taken-over') expect(client.end?.ending).toBe('finished');
});
