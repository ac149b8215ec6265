import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { memfdLuoSerV1 } from '../../abi/memfd/v1.js';
import type { Contract, Release } from '../../abi/contract.js';
import { contracts, releases, spokenBy } from '../../abi/registry.js';
import type { Struct } from '../../abi/layout.js';
import { fromBytes, openKernelFile } from '../../src/compat/btf/kernel-file.js';
import { checkCompat } from '../../src/compat/check.js';
import { diffAbi, operandOfSide } from '../../src/compat/diff.js';
import { kernelSide } from '../../src/compat/kernel-side.js';
import { releaseSide } from '../../src/compat/release-side.js';
import type { Side } from '../../src/compat/side.js';
import type { CompatResult } from '../../src/compat/verdict.js';
import { kernelImage } from './image.js';
import { type Bend, structBtf } from './struct-btf.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/btf/${name}`, import.meta.url));
const sideOf = async (bytes: Uint8Array, name = 'vmlinux'): Promise<Side> => kernelSide(await fromBytes(name, bytes));

const stringsOf = (release: Release): readonly string[] => spokenBy(release).flatMap((contract) => (contract.compatible === null ? [] : [contract.compatible]));
const structsOf = (list: readonly Contract[]): readonly Struct[] => list.flatMap((contract) => contract.structs).filter((struct) => struct.btfName !== null);
const banner = (version: string): string => `Linux version ${version} (builder@host) (gcc 15) #1 SMP`;

/** A point release of it, as a kernel's banner says it. */
const pointRelease = (release: Release): string => (release === '6.17.9' ? '6.17.13' : `${release}.4`);

/** A kernel image as a release makes it, with strings replaced and structures bent. */
const kernelOf = (
  release: Release,
  change: { readonly strings?: Readonly<Record<string, string>>; readonly bends?: Readonly<Record<string, Bend>>; readonly banner?: string | null } = {},
): Uint8Array =>
  kernelImage({
    strings: [
      ...(change.banner === null ? [] : [banner(change.banner ?? pointRelease(release))]),
      ...stringsOf(release).map((text) => change.strings?.[text] ?? text),
    ],
    btf: structBtf(structsOf(spokenBy(release)), change.bends),
  });

const outcome = (result: CompatResult, layer: string) => result.layers.find((row) => row.layer === layer);

const real = new Map<string, Side>();
beforeAll(async () => {
  for (const release of ['7.3.4', '7.1.13', '6.18.15']) real.set(release, kernelSide(await openKernelFile(fixture(`${release}.BTF.xz`))));
}, 60_000);

function realSide(release: string): Side {
  const side = real.get(release);
  if (side === undefined) throw new Error(`no BTF of ${release}`);
  return side;
}

describe('BTF alone', () => {
  it.each([
    ['7.3.4', ['7.2', '7.3'], ['kho-v4', 'memblock-v1', 'luo-v5', 'memfd-v2']],
    ['7.1.13', ['7.1'], ['kho-v3', 'memblock-v1', 'luo-v1', 'luo-session-v2', 'luo-flb-v1', 'memfd-v2']],
    ['6.18.15', ['6.18', '6.19', '7.0'], ['kho-v1', 'memblock-v1']],
  ])('of %s is told by its structures', (release, expected, speaks) => {
    const side = realSide(release);
    expect(side.releases).toEqual(expected);
    expect(side.parts.map((part) => part.compatible)).toEqual(expect.arrayContaining(speaks));
    expect(side.pageSize).toBe(4096);
    expect(side.evidence.join(' ')).toMatch(/it holds no compatible strings/);
  });

  it('predicts what the releases do', () => {
    const [old, next] = [realSide('7.1.13'), realSide('7.3.4')];
    expect(outcome(checkCompat(old, next), 'kho')).toMatchObject({ outcome: 'cold-boot', from: 'kho-v3', to: 'kho-v4' });
    expect(checkCompat(next, releaseSide('7.2')).verdict).toBe('compatible');
    const chunks = realSide('6.18.15');
    expect(outcome(checkCompat(releaseSide('6.17.8'), chunks), 'kho')).toMatchObject({ outcome: 'panic' });
    expect(outcome(checkCompat(chunks, releaseSide('6.17.8')), 'kho')).toMatchObject({ outcome: 'corrupts' });
  });

  it.each(releases.map((release) => [release]))('made from the contracts of %s is told to be of it', async (release) => {
    // luo-v1 describes the FLB page too; its first release had none.
    const structs = structsOf(spokenBy(release)).filter(
      (struct) => spokenBy(release, 'luo-flb').length > 0 || spokenBy(release, 'luo-session').length === 0 || !struct.name.startsWith('luo_flb'),
    );
    const side = await sideOf(structBtf(structs), 'made.btf');
    expect(side.releases).toContain(release);
    expect(checkCompat(side, releaseSide(release)).verdict).toBe('compatible');
  });

  it('with a structure of no release is unknown, and says which', async () => {
    const bytes = structBtf(structsOf(spokenBy('7.3')), { luo_ser: { field: 'sessions_pa', by: 8 } });
    const result = checkCompat(releaseSide('7.3'), await sideOf(bytes, 'made.btf'));
    expect(result.verdict).toBe('unknown');
    expect(outcome(result, 'luo')).toMatchObject({ outcome: 'unknown' });
    expect(outcome(result, 'luo')?.text).toMatch(/^unknown, because no release has such structures: .*luo_ser/);
    expect(outcome(result, 'kho')?.text).not.toMatch(/undefined/);
    const { layers } = diffAbi(operandOfSide(releaseSide('7.3')), operandOfSide(await sideOf(bytes, 'made.btf')));
    const moved = layers.find(({ layer }) => layer === 'luo')?.structs.flatMap(({ fields }) => fields.filter(({ change }) => change !== 'same'));
    expect(moved?.map(({ name, a, b }) => [name, a?.bitOffset, b?.bitOffset])).toEqual([
      ['sessions_pa', 128, 192],
      ['flbs_pa', 192, 256],
    ]);
  });

  it('of a kernel without KHO boots cold', async () => {
    const bytes = structBtf([memfdLuoSerV1]);
    expect(outcome(checkCompat(releaseSide('7.3'), await sideOf(bytes, 'made.btf')), 'kho')).toMatchObject({ outcome: 'cold-boot', to: null });
  });

  it('tells pages of another size', async () => {
    const side = await sideOf(structBtf(structsOf(spokenBy('7.3')), {}, 65536), 'made.btf');
    expect(side).toMatchObject({ pageSize: 65536 });
    const result = checkCompat(await sideOf(structBtf(structsOf(spokenBy('7.3')))), side);
    expect(outcome(result, 'kho')).toMatchObject({ outcome: 'corrupts' });
    expect(outcome(result, 'kho')?.text).toMatch(/pages of 4096 bytes with pages of 65536/);
  });
});

describe('a kernel image', () => {
  it.each(releases.map((release) => [release]))('made as %s speaks it', async (release) => {
    const side = await sideOf(kernelOf(release));
    expect(side.releases).toEqual([release]);
    const result = checkCompat(releaseSide(release), side);
    expect(result.verdict).toBe('compatible');
  });

  it('is told by its strings where it has no banner', async () => {
    expect((await sideOf(kernelOf('7.3', { banner: null }))).releases).toEqual(['7.2', '7.3']);
    expect((await sideOf(kernelOf('7.1', { banner: null }))).releases).toEqual(['7.1']);
  });

  it('of a later release is judged by the newest known', async () => {
    const side = await sideOf(kernelOf('7.3', { banner: '8.2.1' }));
    expect(side.releases).toEqual(['7.3']);
    expect(side.evidence.join(' ')).toMatch(/8\.2\.1, which is judged by what 7\.3 does/);
  });

  it('whose handler has another version makes open fail', async () => {
    const side = await sideOf(kernelOf('7.3', { strings: { 'memfd-v2': 'memfd-v3' } }));
    const result = checkCompat(releaseSide('7.3'), side);
    expect(outcome(result, 'memfd')).toMatchObject({ from: 'memfd-v2', to: 'memfd-v3', outcome: 'open-fails', errno: 'EIO', severity: 'error' });
    expect(result.verdict).toBe('incompatible');
    // Its structures are those of memfd-v2: the string changed, the layout did not.
    expect(result.remarks).toMatchObject([{ rule: 'compat/string-changed', layer: 'memfd', severity: 'info' }]);
  });

  it('whose handler has another version and another layout is not said to have changed its string alone', async () => {
    const side = await sideOf(kernelOf('7.3', { strings: { 'memfd-v2': 'memfd-v3' }, bends: { memfd_luo_ser: { field: 'nr_folios', by: 8 } } }));
    expect(checkCompat(releaseSide('7.3'), side).remarks).toEqual([]);
  });

  it('whose LUO has another version panics', async () => {
    const result = checkCompat(releaseSide('7.3'), await sideOf(kernelOf('7.3', { strings: { 'luo-v5': 'luo-v6' } })));
    expect(outcome(result, 'luo')).toMatchObject({ from: 'luo-v5', to: 'luo-v6', outcome: 'panic' });
    expect(outcome(result, 'memfd')).toMatchObject({ outcome: 'ignored', text: 'not reached' });
  });

  it('without LUO loses the sessions', async () => {
    const strings = stringsOf('7.3').filter((text) => !text.startsWith('luo') && !text.startsWith('memfd'));
    const kho = spokenBy('7.3').filter((contract) => contract.layer === 'kho' || contract.layer === 'kexec-metadata');
    const side = await sideOf(kernelImage({ strings: [banner('7.3.4'), ...strings], btf: structBtf(structsOf(kho)) }));
    const result = checkCompat(releaseSide('7.3'), side);
    expect(outcome(result, 'luo')).toMatchObject({ outcome: 'ignored', to: null, severity: 'error' });
    expect(outcome(result, 'kexec-metadata')).toMatchObject({ outcome: 'taken-over' });
  });

  it('with a layout that changed under its string corrupts, and is found out', async () => {
    const side = await sideOf(kernelOf('7.3', { bends: { memfd_luo_ser: { field: 'nr_folios', by: 8 } } }));
    const result = checkCompat(releaseSide('7.3'), side);
    expect(outcome(result, 'memfd')).toMatchObject({ from: 'memfd-v2', to: 'memfd-v2', outcome: 'corrupts', severity: 'error' });
    expect(result.remarks).toMatchObject([{ rule: 'compat/layout-changed', layer: 'memfd', severity: 'error' }]);
    expect(result.verdict).toBe('incompatible');
    const twin = await sideOf(kernelOf('7.3', { bends: { memfd_luo_ser: { field: 'nr_folios', by: 8 } } }));
    expect(checkCompat(side, twin).verdict).toBe('compatible');
  });

  it('with the string of another version is refused for its string, whatever its layout', async () => {
    const unknown = await sideOf(kernelOf('7.3', { strings: { 'memfd-v2': 'memfd-v1' } }));
    expect(outcome(checkCompat(releaseSide('7.3'), unknown), 'memfd')).toMatchObject({ outcome: 'open-fails', from: 'memfd-v2', to: 'memfd-v1' });
    const renamed = await sideOf(kernelOf('7.3', { strings: { 'luo-v5': 'luo-v4' } }));
    expect(outcome(checkCompat(releaseSide('7.3'), renamed), 'luo')).toMatchObject({ outcome: 'panic', from: 'luo-v5', to: 'luo-v4' });
  });

  it('tells a string that one release wrote in two forms by its structures', async () => {
    const small = await sideOf(kernelOf('6.17'));
    const page = await sideOf(kernelOf('6.18'));
    expect(outcome(checkCompat(small, page), 'kho')).toMatchObject({ outcome: 'panic' });
    expect(outcome(checkCompat(page, small), 'kho')).toMatchObject({ outcome: 'corrupts' });
  });

  it('without banner and BTF cannot tell the two forms of kho-v1', async () => {
    const side = await sideOf(kernelImage({ strings: ['kho-v1', 'memblock-v1', 'reserve-mem-v1'] }));
    const result = checkCompat(releaseSide('6.18'), side);
    expect(outcome(result, 'kho')).toMatchObject({ outcome: 'unknown' });
    expect(outcome(result, 'kho')?.text).toMatch(/^unknown, because .*kho-v1-page and kho-v1-512|kho-v1-512 and kho-v1-page/);
    expect(result.verdict).toBe('unknown');
  });

  it('with the series of the mailing list speaks its handlers', async () => {
    const series = contracts.filter((contract) => contract.id === 'vfio-pci-v1' || contract.id === 'pci-v2');
    const strings = [banner('7.3.4'), ...stringsOf('7.3'), 'vfio-pci-v1', 'pci-v2'];
    const btf = structBtf([...structsOf(spokenBy('7.3')), ...series.flatMap((contract) => contract.structs)]);
    const patched = await sideOf(kernelImage({ strings, btf }));
    expect(checkCompat(patched, patched).verdict).toBe('compatible');
    const result = checkCompat(patched, releaseSide('7.3'));
    expect(outcome(result, 'vfio-pci')).toMatchObject({ outcome: 'open-fails', errno: 'EIO' });
    expect(outcome(result, 'pci')).toMatchObject({ outcome: 'ignored' });
    expect(outcome(result, 'memfd')).toMatchObject({ outcome: 'ignored', text: 'not reached' });
  });

  it('compressed like a vmlinuz is read as the vmlinux in it', async () => {
    for (const kind of ['gz', 'xz', 'zst', 'lz4']) {
      const side = kernelSide(await openKernelFile(fixture(`tiny-vmlinuz.${kind}`)));
      expect(side.releases).toEqual(['7.3']);
      expect(checkCompat(side, releaseSide('7.3')).verdict).toBe('compatible');
      expect(outcome(checkCompat(side, releaseSide('7.1')), 'kho')).toMatchObject({ outcome: 'cold-boot' });
    }
  });
});

it('a kernel that calls scratch bootmem is known by its types, and what comes of two names is said', async () => {
  const structs = structsOf(spokenBy('7.3')).map((struct) => (struct.name === 'kho_scratch' ? { ...struct, name: 'kho_bootmem' } : struct));
  const side = await sideOf(kernelImage({ strings: [banner('7.4.0'), ...stringsOf('7.3')], btf: structBtf(structs) }));
  expect(side.scratchNames).toBe('queued');
  expect(checkCompat(releaseSide('7.3'), side).notes.join(' ')).toMatch(/arm64: .*boots cold.*kho_scratch= is ignored/s);
  expect(realSide('7.3.4').scratchNames).toBe('released');
});
