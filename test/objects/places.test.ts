/** Handovers found through the running kernel's objects are those that a search of all memory finds; where the two could differ, all of it is searched. */
import { expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { overlayMemory, type Patch } from '../../src/memory/overlay.js';
import { reportJson } from '../../src/report/report-json.js';
import { ALL } from '../extent.js';

const FILES = ['objects-7.3-s2-partly', 'next-kernel-s1-frozen', ...(ALL ? ['objects-7.3-s1-preserved'] : [])];

/** The report as JSON, and apart from it what says how the handovers were found. */
async function reported(
  name: string,
  scan: boolean,
  patches: readonly Patch[] = [],
): Promise<{ readonly json: string; readonly notSearched: string | undefined; readonly foundBy: string[]; readonly roles: string[] }> {
  const path = `test/fixtures/objects/${name}.elf.xz`;
  const { opened, report } = await loadDump(path, { scan, log: false, verdict: ALL }, (dump) => ({ ...dump, memory: overlayMemory(dump.memory, patches) }));
  const json = JSON.stringify(reportJson(report), (key, value: unknown) => (key === 'notSearched' || key === 'foundBy' ? undefined : value));
  opened.close();
  const { handovers, source } = report;
  return { json, notSearched: source.notSearched, foundBy: handovers.map(({ candidate }) => candidate.foundBy), roles: handovers.map(({ role }) => role) };
}

it.each(FILES)('%s: the same report, and what was not searched', async (name) => {
  const [found, searched] = [await reported(name, false), await reported(name, true)];
  expect(found.json).toBe(searched.json);
  expect(found.notSearched).toContain('--scan searches all of it');
  expect(searched.notSearched).toBeUndefined();
  expect(found.foundBy.map((by) => (by === 'kernel-objects' ? 'scan' : by))).toEqual(searched.foundBy);
});

const u64s = (...values: readonly bigint[]): Uint8Array => new Uint8Array(new BigUint64Array(values).buffer);

it('an FDT that is damaged where kho_out names it: all memory is searched', async () => {
  const patches = [{ address: 0x126c000, bytes: new Uint8Array(4) }];
  await expect(reported('objects-7.3-s1-preserved', false, patches)).resolves.toMatchObject({
    notSearched: undefined,
    roles: ['outgoing'],
    foundBy: ['kernel-objects'],
  });
});

it('a kernel that was started with a handover and knows of none refused it: all memory is searched', async () => {
  // kho_in.fdt_phys
  const found = await reported('objects-7.3-s2-partly', false, [{ address: 0xd0eecc0, bytes: new Uint8Array(8) }]);
  expect(found.notSearched).toBeUndefined();
  expect(found.roles).toHaveLength(2);
});

it('after the jump the objects of the kernel before name as outgoing what the next was given: all memory is searched', async () => {
  // The jump fills the scratch array that the image names.
  const patches = [{ address: 0xd3f0000, bytes: u64s(0xd000000n, 0x400000n, 0x8000000n, 0x400000n, 0x4000000n, 0x400000n) }];
  const [found, searched] = [await reported('next-kernel-s1-frozen', false, patches), await reported('next-kernel-s1-frozen', true, patches)];
  expect(found).toEqual(searched);
  expect(found).toMatchObject({ notSearched: undefined, roles: ['incoming'] });
});

it('the scratch areas of a dump taken before the jump are known: a whole array waits for it in the image', async () => {
  const { opened, report } = await loadDump('test/fixtures/objects/next-kernel-s1-frozen.elf.xz', { log: false, verdict: false });
  opened.close();
  expect(report.handovers[0]).toMatchObject({
    role: 'outgoing',
    scratch: {
      state: 'own',
      areas: [
        { start: 0x9400000, size: 64 << 20 },
        { start: 0x9000000, size: 4 << 20 },
        { start: 0x8c00000, size: 4 << 20 },
      ],
    },
  });
});
