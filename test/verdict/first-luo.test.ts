/**
 * The verdict on handovers of LUO's first two releases, 6.19 and 7.0: a count that admits more entries than were written, which they
 * do not check, and a moment before anything was frozen.
 */
import { describe, expect, it } from 'vitest';
import { loadDump } from '../../src/cli/load-dump.js';
import { openDump } from '../../src/container/open.js';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { EngineClient } from '../../src/engine/client.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { decodeHandovers } from '../../src/handover/decode.js';
import type { Luo } from '../../src/handover/luo.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import { type Judgement, judge } from '../../src/verdict/judge.js';

async function memoryOf(release: string): Promise<PhysicalMemory> {
  if (release === '6.19') return (await openDump('test/fixtures/diagnosis/frozen-619.elf.xz')).memory;
  const image = EngineClient.ofScenario(await readScenario('samples/scenarios/7.0-to-7.1.yaml')).imageAt('frozen');
  if (image === null) throw new Error('no kexec');
  return image.memory;
}

type At = (luo: Luo) => { readonly address: number | null; readonly value: bigint };

/** The release takes over its own handover, with one count larger by `by`. */
async function withCount(release: string, at: At, by: bigint): Promise<Judgement> {
  const whole = await memoryOf(release);
  const luo = decodeHandovers({ memory: whole, runningRelease: release }).handovers[0]?.luo ?? null;
  const { address, value } = luo === null ? { address: null, value: 0n } : at(luo);
  if (address === null) throw new Error('no count');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value + by, true);
  const memory = overlayMemory(whole, [{ address, bytes }]);
  const decoded = decodeHandovers({ memory, runningRelease: release });
  return judge({ facts: { path: release, memory, arch: 'x86_64', release }, decoded, findings: diagnose(decoded), log: null, options: { next: release } });
}

const ofSessions: At = ({ entries }) => {
  const piece = entries?.pieces[0];
  return { address: piece?.countNode.address ?? null, value: BigInt(piece?.count ?? 0) };
};
const ofFiles: At = ({ sessions }) => ({
  address: sessions?.[0]?.reading.field('file_set_ser.count').address ?? null,
  value: sessions?.[0]?.count ?? 0n,
});

describe.each([
  ['6.19', 12],
  ['7.0', 1],
] as const)('%s', (release, files) => {
  it.each([1, 2])('a session that counts %i files too many opens: those it has come back, the others give ENOENT', async (by) => {
    const { verdict, findings } = await withCount(release, ofFiles, BigInt(by));
    expect(verdict).toMatchObject({ kind: 'retrieve-fails', errno: 'ENOENT', files: { total: files + by, comeBack: files, fail: by } });
    expect(verdict.text).toMatch(new RegExp(`${by} of the files that session "vm-0" counts are not there`));
    expect(findings[0]).toMatchObject({ rule: 'session/empty-entry', because: null, severity: 'error', reaction: { kind: 'retrieve-fails', errno: 'ENOENT' } });
    const rest = findings.filter(({ severity }) => severity !== 'info').slice(1);
    expect(rest.filter(({ because }) => because !== findings[0]?.id)).toEqual([]);
  });

  it('a session without a name is made for each entry of zeros, and every file comes back', async () => {
    const { verdict, findings } = await withCount(release, ofSessions, 1n);
    expect(verdict).toMatchObject({ kind: 'taken-over', files: { total: files, comeBack: files, fail: 0 } });
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    expect(findings.map(({ rule }) => rule)).toContain('session/empty-entry');
  });
});

it('a count beyond all bounds is told digit by digit', async () => {
  const { verdict } = await withCount(
    '6.19',
    ({ sessions }) => ({ address: sessions?.[2]?.reading.field('file_set_ser.count').address ?? null, value: 0n }),
    -1n,
  );
  expect(verdict.text).toContain('18446744073709551615 of the files that session "empty-session" counts');
});

it('before an image is loaded nothing was frozen: what becomes of open sessions is not told by this memory, and no kernel warned', async () => {
  const { opened, report } = await loadDump('test/fixtures/diagnosis/preserved-619.sparse.elf.xz', { log: false });
  opened.close();
  expect(report.verdict).toMatchObject({ kind: 'unknown', files: { total: null, comeBack: null, fail: null } });
  expect(report.verdict.text).toBe('6.19.11 would boot and take over the memory; no session was serialised when this dump was taken');
  expect(report.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
});
