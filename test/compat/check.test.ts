import { describe, expect, it } from 'vitest';
import { versionFacts } from '../../abi/behaviour/versions.js';
import { outcomeOf } from '../../abi/behaviour/facts.js';
import { layerInfos } from '../../abi/behaviour/layers.js';
import { contracts, releases, spokenBy } from '../../abi/registry.js';
import { checkCompat } from '../../src/compat/check.js';
import { releaseSide } from '../../src/compat/release-side.js';
import type { CompatResult, LayerVerdict } from '../../src/compat/verdict.js';

const check = (from: string, to: string): CompatResult => checkCompat(releaseSide(from), releaseSide(to));

function layer(result: CompatResult, name: string): LayerVerdict {
  const found = result.layers.find((row) => row.layer === name);
  if (found === undefined) throw new Error(`no layer ${name}`);
  return found;
}

const outcomes = (result: CompatResult): Readonly<Record<string, string>> => Object.fromEntries(result.layers.map((row) => [row.layer, row.outcome]));

describe('what was seen in guests (abi-relevant releases, old to new and back)', () => {
  it.each([
    ['7.1.13', '7.3.4', 'kho-v3', 'kho-v4'],
    ['7.3.4', '7.1.13', 'kho-v4', 'kho-v3'],
    ['6.19.11', '7.2.13', 'kho-v1', 'kho-v4'],
    ['7.2.13', '7.1.13', 'kho-v4', 'kho-v3'],
    ['7.3.4', '6.19.11', 'kho-v4', 'kho-v1'],
  ])('%s to %s: the root FDT is refused, the kernel boots cold, nothing below is reached', (from, to, written, spoken) => {
    const result = check(from, to);
    expect(result.verdict).toBe('incompatible');
    const [root, ...rest] = result.layers;
    expect(root).toMatchObject({ layer: 'kho', from: written, to: spoken, outcome: 'cold-boot', errno: null, evidence: 'lab' });
    expect(root?.text).toContain(`incompatible with '${spoken}'`);
    expect(rest.length).toBeGreaterThan(3);
    for (const row of rest) expect(row).toMatchObject({ outcome: 'ignored', text: 'not reached' });
  });

  it.each([
    ['7.2.13', '7.3.4'],
    ['7.3.4', '7.2.13'],
    ['7.3', '7.3'],
    ['7.1', '7.1.13'],
    ['6.18.15', '6.18.15'],
  ])('%s to %s: everything is taken over', (from, to) => {
    const result = check(from, to);
    expect(result.verdict).toBe('compatible');
    for (const row of result.layers) expect(row).toMatchObject({ outcome: 'taken-over', severity: 'info' });
    expect(result.remarks).toEqual([]);
  });

  it('6.18.15 to 6.19.11: reserve_mem and the KHO test are taken over, there is no LUO data', () => {
    const result = check('6.18.15', '6.19.11');
    expect(result.verdict).toBe('compatible');
    expect(outcomes(result)).toMatchObject({ kho: 'taken-over', memblock: 'taken-over', 'kho-test': 'taken-over', luo: 'ignored' });
    expect(layer(result, 'luo')).toMatchObject({ from: null, to: 'luo-v1', severity: 'info' });
  });

  it('6.17.8 to 6.18.15: the same string, and the new kernel dies', () => {
    const result = check('6.17.8', '6.18.15');
    expect(result.verdict).toBe('incompatible');
    expect(layer(result, 'kho')).toMatchObject({ from: 'kho-v1', to: 'kho-v1', outcome: 'panic' });
    expect(layer(result, 'memblock').text).toBe('not reached');
    expect(result.remarks[0]).toMatchObject({ rule: 'compat/layout-changed', severity: 'error', layer: 'kho' });
    expect(result.remarks[0]?.message).toMatch(/512 bytes against 4096/);
  });

  it('6.18.15 to 6.17.8: boots and revives reserve_mem, but most pages are not reserved', () => {
    const result = check('6.18.15', '6.17.8');
    expect(result.verdict).toBe('incompatible');
    expect(outcomes(result)).toMatchObject({ kho: 'corrupts', memblock: 'taken-over', 'kho-test': 'corrupts' });
  });
});

describe('point releases', () => {
  it('6.17 is two kernels', () => {
    expect(check('6.17.8', '6.17.9').verdict).toBe('incompatible');
    expect(check('6.17.0', '6.17.8').verdict).toBe('compatible');
    expect(check('6.16.3', '6.17').verdict).toBe('compatible');
    expect(check('6.17.9', '6.18').verdict).toBe('compatible');
    expect(check('6.17.13-1-amd64', 'v6.18.15').verdict).toBe('compatible');
  });

  it('a release nobody knows is refused with the known ones named', () => {
    expect(() => releaseSide('9.9')).toThrow(/9\.9: no release.*7\.3/);
    expect(() => releaseSide('5.4')).toThrow(/no release/);
  });
});

describe('what was concluded, and says so', () => {
  it('6.19 to 7.0: the FLB node is missing, the next kernel panics', () => {
    const result = check('6.19', '7.0');
    expect(layer(result, 'luo-flb')).toMatchObject({ from: null, to: 'luo-flb-v1', outcome: 'panic', evidence: 'unverified' });
    expect(layer(result, 'memfd')).toMatchObject({ outcome: 'ignored', text: 'not reached' });
    expect(result.verdict).toBe('incompatible');
  });

  it('7.0 to 6.19: the FLB node is not looked at', () => {
    const result = check('7.0', '6.19');
    expect(outcomes(result)).toMatchObject({ luo: 'taken-over', 'luo-session': 'taken-over', 'luo-flb': 'ignored', memfd: 'taken-over' });
    expect(result.verdict).toBe('compatible');
  });

  it('6.19 to 6.18: a kernel without LUO loses the sessions', () => {
    const result = check('6.19', '6.18');
    expect(layer(result, 'luo')).toMatchObject({ outcome: 'ignored', severity: 'error', to: null });
    expect(layer(result, 'memfd').text).toBe('not reached');
    expect(result.verdict).toBe('incompatible');
  });
});

describe('every pair of releases', () => {
  const pairs = releases.flatMap((from) => releases.map((to) => [from, to] as const));

  it.each(pairs)('%s to %s: one row a layer, and the verdict follows from the rows', (from, to) => {
    const result = check(from, to);
    const spoken = new Set([...spokenBy(from), ...spokenBy(to)].map((contract) => contract.layer));
    const expected = layerInfos.filter((info) => spoken.has(info.layer) && info.layer !== 'liveupdate-test-flb').map((info) => info.layer);
    expect(result.layers.map((row) => row.layer)).toEqual(expected);
    expect(result.verdict).toBe(result.layers.some((row) => row.severity === 'error') ? 'incompatible' : 'compatible');
    const stop = result.layers.findIndex((row) => row.outcome === 'cold-boot' || row.outcome === 'panic');
    for (const row of stop === -1 ? [] : result.layers.slice(stop + 1)) expect(row.text).toBe('not reached');
    for (const row of result.layers) expect(row.text).not.toMatch(/[{}]/);
  });

  it('a release takes over from itself', () => {
    for (const release of releases) expect(check(release, release).verdict, release).toBe('compatible');
  });

  it('strings decide first: different root strings never go together', () => {
    const rootOf = (release: (typeof releases)[number]): string | null => spokenBy(release, 'kho')[0]?.compatible ?? null;
    for (const [from, to] of pairs) if (rootOf(from) !== rootOf(to)) expect(layer(check(from, to), 'kho').outcome).toBe('cold-boot');
  });
});

describe('the tables', () => {
  it('know LUO exactly where a release speaks it', () => {
    for (const release of releases) expect(outcomeOf('version/luo', release) !== null, release).toBe(spokenBy(release, 'luo').length > 0);
  });

  it('name maps that exist', () => {
    const ids = new Set(contracts.map((contract) => contract.id));
    for (const name of Object.keys(versionFacts)) if (name.startsWith('map/')) expect(ids.has(name.slice(4)), name).toBe(true);
  });
});

describe('a release that is expected, not released', () => {
  it('is like 7.3 with what is queued, and says so', () => {
    const result = check('7.3', '7.4');
    expect(result.verdict).toBe('compatible');
    expect(result.notes.join(' ')).toMatch(/7\.4 is not released: .*October 2026/);
    expect(result.notes.join(' ')).toMatch(/arm64: .*linux,kho-bootmem.*boots cold/);
    expect(releaseSide('7.4').parts.find(({ layer: name }) => name === 'pci')).toMatchObject({ compatible: 'pci', by: expect.stringContaining('queued') });
    expect(releaseSide('7.4').parts.filter(({ layer: name }) => name === 'kho')).toHaveLength(1);
  });

  it('back again the releases do not know its FLB', () => {
    const result = check('7.4', '7.3');
    expect(layer(result, 'pci').outcome).not.toBe('taken-over');
    expect(result.notes.join(' ')).toMatch(/kho_scratch= is ignored/);
    expect(check('7.2', '7.3').notes.join(' ')).not.toMatch(/kho_scratch/);
  });
});
