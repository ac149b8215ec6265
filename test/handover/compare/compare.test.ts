/** What a handover kept, lost or changed: real captures beside each other, and one with bytes changed. */
import { describe, expect, it } from 'vitest';
import { Budget, withBudget } from '../../../src/codec/budget.js';
import { openDump } from '../../../src/container/open.js';
import { type Comparison, compareDumps } from '../../../src/handover/compare/compare.js';
import { type DecodedDump, decodeHandovers } from '../../../src/handover/decode.js';
import { type Patch, overlayMemory } from '../../../src/memory/overlay.js';
import { diffJson, diffText } from '../../../src/report/diff-text.js';

async function decode(path: string, patches: readonly Patch[] = []): Promise<DecodedDump> {
  const opened = await openDump(`samples/${path}.sparse.elf.xz`);
  return decodeHandovers({ memory: overlayMemory(opened.memory, patches), runningRelease: opened.vmcoreinfo?.get('OSRELEASE') ?? null });
}

const compare = async (before: string, after: string, patches: readonly Patch[] = []): Promise<Comparison> => {
  const found = compareDumps(await decode(before), await decode(after, patches));
  if (found === null) throw new Error('nothing to compare');
  return found;
};

const lines = (comparison: Comparison): string[] => comparison.differences.map(({ change, name }) => `${change} ${name}`);

describe('the same handover before and after the jump', () => {
  it('is kept whole where both dumps have the pages', async () => {
    const found = await compare('vfio-7.3/s1-frozen', 'vfio-7.3/s2-at-kho_memory_init');
    expect(found.differences).toEqual([]);
    expect(found.kept).toMatchObject({ sessions: 2, files: 4, contents: 3, flbs: 4, regions: 1 });
    expect([...diffText(found, { before: 'a', after: 'b' }, false)].join('\n')).toContain('nothing differs');
    const partly = { ...found, notSearched: { before: null, after: 'memory was not searched' } };
    expect([...diffText(partly, { before: 'a', after: 'b' }, false)]).toContain('note: after: memory was not searched');
    expect(diffJson(partly, { before: 'a', after: 'b' })).toMatchObject({ after: { path: 'b', notSearched: 'memory was not searched' } });
  });

  it.each(['handover-7.3', 'handover-7.1'])('%s: what sparse dumps leave out is not called the same', async (capture) => {
    const found = await compare(`${capture}/s1-frozen`, `${capture}/s2-at-kho_memory_init`);
    expect(found.differences.map(({ change, what }) => `${change} ${what}`)).toEqual(Array.from({ length: 4 }, () => 'unknown contents'));
    expect(found.kept.contents).toBe(8);
  });

  it('handover-6.18: regions and pages alone', async () => {
    const found = await compare('handover-6.18/s1-frozen', 'handover-6.18/s2-at-kho_memory_init');
    expect(found.differences).toEqual([]);
    expect(found.kept).toMatchObject({ regions: 1, pages: 2566 });
  });
});

it('what a limit left unread in the later dump is unknown, and is told', async () => {
  const [before, after] = ['handover-7.3/s1-frozen', 'handover-7.3/s2-at-kho_memory_init'];
  const cut = await withBudget(new Budget({ entries: 3 }), () => decode(after));
  const found = compareDumps(await decode(before), cut);
  if (found === null) throw new Error('nothing to compare');
  expect(new Set(found.differences.map(({ change }) => change))).toEqual(new Set(['unknown']));
  expect(found.kept.sessions).toBe(0);
  expect(found.notRead.join()).toContain('--limit entries=');
  expect([...diffText({ ...found, differences: [] }, { before, after }, false)].join('\n')).toMatch(
    /note: not all of it was looked at.*nothing that was read differs/s,
  );
});

it('a refused handover lost everything, sessions first', async () => {
  const found = await compare('failed/71-to-73/s1-frozen', 'failed/71-to-73/s2-boot');
  expect(lines(found).slice(0, 4)).toEqual(['lost kho-v3', 'lost session "web"', 'lost session "db"', 'lost session "idle"']);
  expect(found.differences.every(({ change }) => change === 'lost')).toBe(true);
});

it('sessions that can no longer be read are unknown, not lost', async () => {
  const found = await compare('handover-7.3/s1-frozen', 'handover-7.3/s2-boot');
  expect(new Set(found.differences.map(({ change }) => change))).toEqual(new Set(['unknown']));
});

it('changed fields, folios and contents are told apart', async () => {
  const whole = await decode('failed/count/s1-frozen');
  const file = whole.handovers[0]?.luo?.sessions?.[0]?.files[0]?.decoded;
  if (file?.kind !== 'memfd' || file.reading.address === null) throw new Error('no memfd');
  const page = [...file.folios()][0]?.pfn ?? 0;
  const found = await compare('failed/count/s1-frozen', 'failed/count/s2-at-kho_memory_init', [
    { address: file.reading.field('pos').address ?? 0, bytes: Uint8Array.of(7) },
    { address: page * 4096 + 100, bytes: Uint8Array.of(0xee) },
  ]);
  expect(lines(found)).toEqual(['changed session "web" file 0x1', 'changed session "web" file 0x1', 'unknown session "web" file 0x2']);
  expect(found.differences.slice(0, 2).map(({ text }) => text)).toEqual(['its position was 0, and is 7', '1 pages differ, the first at offset 100']);
  expect(diffJson(found, { before: 'a', after: 'b' })).toMatchObject({
    schema: 'luo-inspect.diff/1',
    differences: [
      { change: 'changed', what: 'file' },
      { change: 'changed', what: 'contents' },
      { change: 'unknown', what: 'contents' },
    ],
  });
});

it('a session, a file and an FLB that are gone, and new ones, by name', async () => {
  const found = await compare('handover-7.3/s1-frozen', 'failed/count/s2-at-kho_memory_init');
  expect(lines(found)).toEqual(expect.arrayContaining(['lost session "vm-0"', 'lost session "vm-0" file 0xdeadbeefcafef00d', 'new session "web"']));
});

describe('two dumps that do not belong together', () => {
  it('one handover in both, in order: no doubt', async () => {
    expect((await compare('handover-7.3/s1-frozen', 'handover-7.3/s2-at-kho_memory_init')).doubts).toEqual([]);
  });

  it('of another machine, or twice of the kernel that received it: said so', async () => {
    expect((await compare('handover-7.1/s1-frozen', 'handover-7.3/s2-at-kho_memory_init')).doubts.join('\n')).toMatch(
      /of different kexecs, or of different machines/,
    );
    expect((await compare('handover-7.3/s2-at-kho_memory_init', 'handover-7.3/s2-at-kho_memory_init')).doubts.join('\n')).toMatch(
      /both dumps are of the kernel/,
    );
  });
});
