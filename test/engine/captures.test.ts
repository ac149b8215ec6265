/** The engine's frozen and early memory against the real captures of the same operations: decoded by the same decoder, they say the same. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { EngineClient, type MachineImage } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { type DecodedDump, decodeHandovers } from '../../src/handover/decode.js';
import type { LuoFile } from '../../src/handover/luo.js';
import type { Payload } from '../../src/handover/payload.js';

const sample = (path: string): string => fileURLToPath(new URL(`../../samples/${path}`, import.meta.url));

/** Everything a handover says but where it stands. */
function essence(decoded: DecodedDump): unknown {
  const [handover] = decoded.handovers;
  return {
    compatible: handover?.compatible,
    subtrees: handover?.subtrees.map(({ name, format }) => ({ name, format })).filter(({ name }) => name !== 'kho_test'),
    luo: {
      compatible: handover?.luo?.compatible,
      number: handover?.luo?.liveupdateNumber,
      sessionCompatible: handover?.luo?.sessionCompatible,
      flbCompatible: handover?.luo?.flbCompatible,
      sessions: handover?.luo?.sessions?.map((session) => ({ name: session.name.text, count: session.count, files: session.files.map(file) })),
      flbs: handover?.luo?.flbs?.map((flb) => ({ name: flb.name.text, count: flb.count, data: flb.decoded === null ? flb.data : payload(flb.decoded) })),
    },
    memblock: handover?.memblock?.map(({ name, size }) => ({ name, size })),
    metadata: { release: handover?.kexecMetadata?.previousRelease, count: handover?.kexecMetadata?.kexecCount },
  };
}

const file = ({ token, compatible, decoded }: LuoFile): unknown => ({
  token,
  compatible: compatible.text,
  decoded: decoded === null ? null : payload(decoded),
});

function payload(decoded: Payload): unknown {
  if (decoded.kind === 'pci') return { struct: decoded.struct, devices: decoded.devices.map(({ domain, bdf, refcount }) => ({ domain, bdf, refcount })) };
  if (decoded.kind === 'struct') return { struct: decoded.struct, values: decoded.reading.values };
  const pages = [...decoded.folios()].map(({ index, flags }) => ({ index, flags }));
  const { pos, size, seals, flags, folioCount } = decoded;
  return { pos, size, seals, flags, folioCount, pages };
}

const decodeImage = (image: MachineImage | null): DecodedDump => {
  if (image === null) throw new Error('the moment was never passed');
  return decodeHandovers({ memory: image.memory, runningRelease: image.vmcoreinfo.get('OSRELEASE') ?? null });
};

const cases = [
  { capture: 'handover-7.3', moments: ['preserved', 'frozen', 'early'] },
  { capture: 'handover-7.1', moments: ['frozen', 'early'] },
  { capture: 'vfio-7.3', moments: ['preserved', 'frozen', 'early'] },
] as const;
const DUMPS = { preserved: 's1-preserved', frozen: 's1-frozen', early: 's2-at-kho_memory_init' } as const;

describe.each(cases)('the scenario of $capture', ({ capture, moments }) => {
  it.each(moments)('hands over what the real kernel did, addresses apart: %s', async (moment) => {
    const real = await openDump(sample(`${capture}/${DUMPS[moment]}.sparse.elf.xz`));
    const client = EngineClient.ofScenario(await readScenario(sample(`scenarios/${capture}.yaml`)));
    const simulated = decodeImage(client.imageAt(moment));
    expect(essence(simulated)).toEqual(essence(decodeHandovers({ memory: real.memory })));
    real.close();
  });

  it('preserves every structure that is handed over: nothing refers to a page that the map does not hold', async () => {
    const client = EngineClient.ofScenario(await readScenario(sample(`scenarios/${capture}.yaml`)));
    const [handover] = decodeImage(client.imageAt('early')).handovers;
    expect(handover?.role).toBe('incoming');
    expect(handover?.references.length).toBeGreaterThan(10);
    for (const reference of handover?.references ?? []) expect(handover?.map?.blockOf(reference.address), `0x${reference.address.toString(16)}`).not.toBeNull();
    expect(handover?.observations).toEqual([]);
  });
});

describe.each([
  { capture: 'failed/freeze-fails', scenario: 'freeze-fails' },
  { capture: 'vfio-7.3', scenario: 'vfio-7.3' },
])('the reboot that $scenario refuses', ({ capture, scenario }) => {
  it('leaves the memory as the real kernel left it: no session is handed over, no FLB is counted', async () => {
    const real = await openDump(sample(`${capture}/s1-freeze-failed.sparse.elf.xz`));
    const client = EngineClient.ofScenario(await readScenario(sample(`scenarios/${scenario}.yaml`)));
    client.toEnd();
    const refused = Array.from({ length: client.length }, (_, index) => client.stepAt(index + 1)).find(
      (step) => step?.op === 'kexec' && step.errno === 'EINVAL',
    );
    const image = client.imageAtStep(refused?.step ?? 0);
    expect(essence(decodeImage(image))).toEqual(essence(decodeHandovers({ memory: real.memory })));
    real.close();
  });
});
