/** `abi list` and `abi show` as scripts use them. */
import { describe, expect, it } from 'vitest';
import { luoInspect } from './run.js';

describe('abi list', () => {
  it('shows which release speaks what', () => {
    const run = luoInspect(['abi', 'list']);
    expect([run.status, run.stderr]).toEqual([0, '']);
    const row = (layer: string) =>
      run.stdout
        .split('\n')
        .find((line) => line.startsWith(`${layer} `))
        ?.split(/ {2,}/);
    expect(row('layer')).toEqual(['layer', '6.16*', '6.17', '6.17.9*', '6.18', '6.19', '7.0*', '7.1', '7.2', '7.3']);
    expect(row('kho')).toEqual(['kho', 'v1-512', 'v1-512', 'v1-page', 'v1-page', 'v1-page', 'v1-page', 'v3', 'v4', 'v4']);
    expect(row('memfd')).toEqual(['memfd', '-', '-', '-', '-', 'v1', 'v1', 'v2', 'v2', 'v2']);
    expect(run.stdout).toMatch(/^ {2}vfio-pci-v1-bdf +no release, superseded, 2026-01-29 \("vfio-pci-v1"\); vfio_pci_core_device_ser$/m);
  });

  it('--json names every contract with its releases and areas', () => {
    const run = luoInspect(['abi', 'list', '--json', '--page-size', '16K']);
    const list: unknown = JSON.parse(run.stdout);
    expect(list).toMatchObject({
      schema: 'luo-inspect.abi-list/1',
      releases: expect.arrayContaining([expect.objectContaining({ release: '7.0', evidence: 'inferred', speaks: expect.arrayContaining(['luo-flb-v1']) })]),
      contracts: expect.arrayContaining([
        expect.objectContaining({ id: 'luo-v1', compatible: 'luo-v1', releases: ['6.19', '7.0', '7.1'], format: 'fdt' }),
        expect.objectContaining({
          id: 'luo-v5',
          areas: expect.arrayContaining([expect.objectContaining({ name: 'sessions', capacity: 204, limit: 2040000 })]),
        }),
      ]),
    });
  });
});

describe('abi show', () => {
  const lines = (...args: string[]): string[] => luoInspect(['abi', 'show', ...args]).stdout.split('\n');

  it('shows a structure the way pahole does, nested ones opened', () => {
    const shown = lines('memfd_luo_ser@memfd-v1').join('\n');
    expect(shown).toMatch(/^ {2}0x18 +16 {2}struct kho_vmalloc folios +area of memfd_luo_folio_ser/m);
    expect(shown).toMatch(/^ {2}0x18 +8 {4}u64 first +first chunk.*-> kho_vmalloc_chunk$/m);
    expect(shown).toMatch(/^ {2}0x26 +2 {4}u16 order /m);
    expect(shown).toMatch(/^ {2}size 40, 4 fields, no holes$/m);
  });

  it('places bit-fields to the bit and marks holes', () => {
    expect(lines('memfd_luo_folio_ser').join('\n')).toMatch(/0x0:52 +12 bits +u64:12 flags/);
    expect(lines('luo_session').join('\n')).toMatch(/0x51 +7 +\(hole\)/);
  });

  it('shows both versions where none is asked for, the newest first', () => {
    const found = lines('memfd_luo_ser').filter((line) => line.startsWith('  in '));
    expect(found.filter((line) => !line.endsWith('no release'))).toEqual(['  in memfd-v2: 7.1 7.2 7.3', '  in memfd-v1: 6.19 7.0*']);
  });

  it('shows the nodes and properties of a contract that is an FDT', () => {
    expect(lines('luo-v1')).toEqual(
      expect.arrayContaining([
        '        luo-session-header: u64, 8 bytes; session area',
        '      luo-flb (may be missing): file-lifecycle-bound objects; missing in 6.19',
      ]),
    );
  });

  it('shows every form of a string that was reused', () => {
    expect(lines('kho-v1').filter((line) => line.startsWith('kho-v1-'))).toHaveLength(2);
  });

  it('lays arrays out for the pages asked for', () => {
    const json: unknown = JSON.parse(luoInspect(['abi', 'show', 'kho_vmalloc_chunk', '--json', '--page-size', '65536']).stdout);
    expect(json).toMatchObject({
      pageSize: 65536,
      structs: [{ name: 'kho_vmalloc_chunk', size: 65536, fields: [{ name: 'next' }, { name: 'phys', type: 'u64[8191]', offset: 8 }] }],
    });
  });

  it.each([
    ['memfd_luo_sre', /no structure "memfd_luo_sre" is known \(near: memfd_luo_ser\)/],
    ['memfd_luo_ser@memfd-v9', /no layout of struct memfd_luo_ser in "memfd-v9": it is in memfd-v2, .*memfd-v1/],
    ['evil\u001b[2J', /no structure "evil\\x1b\[2J" is known/],
  ])('says in one line that %j is not known', (wanted, message) => {
    const run = luoInspect(['abi', 'show', wanted]);
    expect(run.status).toBe(2);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
