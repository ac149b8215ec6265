import { describe, expect, it } from 'vitest';
import { contractById, contractsOf, releases } from '../../abi/registry.js';
import type { Contract } from '../../abi/contract.js';
import { diffAbi, type DiffOperand, operandOfContracts, operandOfSide } from '../../src/compat/diff.js';
import { releaseSide } from '../../src/compat/release-side.js';
import { diffJson, diffText } from '../../src/report/compat-text.js';

const release = (text: string): DiffOperand => operandOfSide(releaseSide(text));

function byId(id: string): Contract {
  const found = contractById(id);
  if (found === null) throw new Error(`no contract ${id}`);
  return found;
}
const contract = (id: string, only: string | null = null): DiffOperand => operandOfContracts(id, [byId(id)], only);

describe('diffAbi', () => {
  it('shows fields that are new and fields that moved', () => {
    const [layer] = diffAbi(contract('memfd-v1'), contract('memfd-v2')).layers;
    expect(layer).toMatchObject({ layer: 'memfd', a: 'memfd-v1', b: 'memfd-v2', change: 'changed' });
    const ser = layer?.structs.find((struct) => struct.name === 'memfd_luo_ser');
    expect(ser).toMatchObject({ change: 'changed', sizeA: 40, sizeB: 48 });
    expect(ser?.fields.map((field) => [field.name, field.change, field.a?.bitOffset, field.b?.bitOffset])).toEqual([
      ['pos', 'same', 0, 0],
      ['size', 'same', 64, 64],
      ['nr_folios', 'changed', 128, 192],
      ['seals', 'only-b', undefined, 128],
      ['flags', 'only-b', undefined, 160],
      ['folios', 'changed', 192, 256],
    ]);
    expect(layer?.structs.find((struct) => struct.name === 'memfd_luo_folio_ser')?.change).toBe('same');
  });

  it('finds no difference between a release and itself', () => {
    for (const one of releases) {
      const diff = diffAbi(release(one), release(one));
      expect(
        diff.layers.every((layer) => layer.change === 'same'),
        one,
      ).toBe(true);
      expect(diff.findings).toEqual([]);
    }
  });

  it('finds 7.2 and 7.3 the same, and four layers of 7.1 and 7.3 not', () => {
    expect(diffAbi(release('7.2'), release('7.3')).layers.every((layer) => layer.change === 'same')).toBe(true);
    const changed = diffAbi(release('7.1'), release('7.3')).layers.filter((layer) => layer.change !== 'same');
    expect(changed.map((layer) => [layer.layer, layer.change])).toEqual([
      ['kho', 'changed'],
      ['luo', 'changed'],
      ['luo-session', 'only-a'],
      ['luo-flb', 'only-a'],
    ]);
  });

  it('says where a layout changed and its string did not', () => {
    const diff = diffAbi(release('6.17.8'), release('6.18'));
    expect(diff.findings[0]).toMatchObject({ rule: 'compat/layout-changed', layer: 'kho', severity: 'error' });
    expect(diff.layers[0]).toMatchObject({ a: 'kho-v1 (kho-v1-512)', b: 'kho-v1 (kho-v1-page)', change: 'changed' });
    const [series] = diffAbi(contract('vfio-pci-v1-bdf'), contract('vfio-pci-v1')).findings;
    expect(series?.message).toMatch(/vfio-pci-v1, and the layout is not the same: .*4 bytes against 6/);
  });

  it('says where a string changed and its layout did not', () => {
    expect(diffAbi(contract('pci-v2'), contract('pci-v3')).findings).toMatchObject([{ rule: 'compat/string-changed', severity: 'info' }]);
  });

  it('shows one structure alone', () => {
    const diff = diffAbi(contract('luo-v5', 'luo_file_ser'), contract('luo-v1', 'luo_file_ser'));
    expect(diff.layers).toHaveLength(1);
    expect(diff.layers[0]?.structs.map((struct) => struct.name)).toEqual(['luo_file_ser']);
    expect(diff.layers[0]?.change).toBe('same');
  });

  it('compares all versions of a string', () => {
    const diff = diffAbi(operandOfContracts('kho-v1', contractsOf('kho-v1'), null), release('7.3'));
    expect(diff.layers.some((layer) => layer.b === 'kho-v4')).toBe(true);
  });
});

describe('diffText and diffJson', () => {
  it('fit what was found, and print no colours unless asked', () => {
    const diff = diffAbi(contract('memfd-v1'), contract('memfd-v2'));
    const lines = diffText(diff, { width: 100, color: false });
    expect(lines).toContain('memfd: memfd-v1 -> memfd-v2, differs');
    expect(lines.find((line) => line.includes('seals'))).toMatch(/^ {3}\+ seals +- +@16 u32$/);
    expect(lines.join('')).not.toMatch(/\u001b/);
    expect(diffText(diff, { width: 100, color: true }).join('')).toMatch(/\u001b\[32m/);
    const json = diffJson(diff);
    expect(json).toMatchObject({ schema: 'luo-inspect.abi-diff/1', a: 'memfd-v1', b: 'memfd-v2', same: false });
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  });

  it('escape what a file is called', () => {
    const diff = diffAbi({ ...release('7.3'), label: 'evil\u001b[2J' }, release('7.3'));
    expect(diffText(diff, { width: 80, color: false }).join('\n')).not.toMatch(/\u001b/);
  });
});
