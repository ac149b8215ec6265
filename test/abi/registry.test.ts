/** The registry against the table of strings by release, written down by hand from the kernels' sources. */
import { isProposed } from '../../abi/contract.js';
import { describe, expect, test } from 'vitest';
import type { Layer, Release } from '../../abi/contract.js';
import { contractById, contracts, contractsOf, findStruct, releaseOf, releases, spokenBy, structNames, supporting } from '../../abi/registry.js';
import { sizeOf } from '../../src/codec/layout-table.js';

const strings: readonly (readonly [Layer, Partial<Record<Release, string>>])[] = [
  [
    'kho',
    {
      '6.16': 'kho-v1',
      '6.17': 'kho-v1',
      '6.17.9': 'kho-v1',
      '6.18': 'kho-v1',
      '6.19': 'kho-v1',
      '7.0': 'kho-v1',
      '7.1': 'kho-v3',
      '7.2': 'kho-v4',
      '7.3': 'kho-v4',
    },
  ],
  ['luo', { '6.19': 'luo-v1', '7.0': 'luo-v1', '7.1': 'luo-v1', '7.2': 'luo-v5', '7.3': 'luo-v5' }],
  ['luo-session', { '6.19': 'luo-session-v2', '7.0': 'luo-session-v2', '7.1': 'luo-session-v2' }],
  ['luo-flb', { '7.0': 'luo-flb-v1', '7.1': 'luo-flb-v1' }],
  ['memfd', { '6.19': 'memfd-v1', '7.0': 'memfd-v1', '7.1': 'memfd-v2', '7.2': 'memfd-v2', '7.3': 'memfd-v2' }],
  ['memblock', Object.fromEntries(releases.map((release) => [release, 'memblock-v1']))],
  ['reserve-mem', Object.fromEntries(releases.map((release) => [release, 'reserve-mem-v1']))],
  ['kho-test', Object.fromEntries(releases.map((release) => [release, 'kho-test-v1']))],
];

describe.each(strings)('%s', (layer, expected) => {
  test.each(releases)('in %s', (release) => {
    expect(spokenBy(release, layer).map((contract) => contract.compatible)).toEqual(expected[release] === undefined ? [] : [expected[release]]);
  });
});

test.each([
  ['6.17', 'kho-v1-512'],
  ['6.17.9', 'kho-v1-page'],
  ['6.18', 'kho-v1-page'],
] as const)('%s speaks the form %s', (release, id) => {
  expect(spokenBy(release, 'kho').map((contract) => contract.id)).toEqual([id]);
});

test('strings that were reused name every layout they had', () => {
  const sizes = (compatible: string, struct: string) =>
    findStruct(struct, compatible)
      .map((found) => sizeOf(found.struct))
      .sort((a, b) => a - b);
  expect(contractsOf('kho-v1').map((contract) => contract.id)).toEqual(['kho-v1-page', 'kho-v1-512']);
  expect(sizes('vfio-pci-v1', 'vfio_pci_core_device_ser')).toEqual([4, 5, 6, 9]);
  expect(sizes('vfio-pci-v2', 'vfio_pci_core_device_ser')).toEqual([7]);
  expect(sizes('vfio-v1', 'vfio_pci_core_device_ser')).toEqual([8227, 8235]);
  expect(sizes('kho-v1', 'kho_mem_phys_bits')).toEqual([512, 4096]);
  expect(contractsOf('pci-v1').length).toBeGreaterThan(1);
});

test('a string that was not reused needs no mark to tell it by', () => {
  for (const contract of contracts) {
    if (contract.compatible === null || contract.discriminates !== undefined) continue;
    expect(contractsOf(contract.compatible)).toEqual([contract]);
  }
});

test.each([
  ['memfd_luo_ser', 'memfd-v1', 40],
  ['memfd_luo_ser', 'memfd-v2', 48],
  ['luo_ser', 'luo-v5', 32],
  ['luo_ser', 'luo-v2', 24],
  ['luo_session_ser', 'luo-session-v2', 80],
  ['luo_file_ser', 'luo-v1', 64],
  ['luo_flb_ser', 'luo-flb-v1', 64],
  ['kho_kexec_metadata', 'kexec-metadata-1', 73],
  ['iommu_flb_ser', 'iommu-liveupdate-v1', 24],
  ['iommu_domain_ser', 'iommu-liveupdate-v1', 40],
  ['iommu_device_ser', 'iommu-liveupdate-v1', 56],
  ['iommu_hw_ser', 'iommu-liveupdate-v1', 112],
  ['guest_memfd_luo_ser', 'guest_memfd_luo_v1', 48],
  ['hugetlb_ser', 'hugetlb-v1', 37],
  ['pci_ser', 'pci-version-1', 16],
  ['pci_ser', 'pci-version-2', 16],
  ['kvm_run', 'kvm-run-7.3', 2352],
] as const)('struct %s of %s has %i bytes', (name, compatible, size) => {
  expect(findStruct(name, compatible).map((found) => sizeOf(found.struct))).toEqual([size]);
});

test('ids are unique, and every contract says where it is from and what it holds', () => {
  const all = [...contracts, ...supporting];
  expect(new Set(all.map((contract) => contract.id)).size).toBe(all.length);
  for (const contract of all) {
    expect(contractById(contract.id)).toBe(contract);
    expect(contract.source).not.toBe('');
    expect(contract.fdt === undefined, contract.id).toBe(contract.format !== 'fdt');
    if (contract.format === 'struct') expect(contract.structs.length, contract.id).toBeGreaterThan(0);
    if (contract.status === 'released' || contract.status === 'test') expect(contract.releases.length, contract.id).toBeGreaterThan(0);
    else expect(contract.releases, contract.id).toEqual([]);
    if (isProposed(contract)) expect(contract.date, contract.id).toMatch(/^20\d\d(-\d\d){0,2}$/);
    expect(
      [...contract.releases].sort((a, b) => releases.indexOf(a) - releases.indexOf(b)),
      contract.id,
    ).toEqual(contract.releases);
  }
});

test('a compatible property of an FDT holds the string and its NUL', () => {
  for (const contract of contracts) {
    const type = contract.fdt?.properties.compatible?.type;
    if (type?.kind === 'cstring') expect(type.bytes, contract.id).toBe((contract.compatible ?? '').length + 1);
    else expect(contract.format, contract.id).not.toBe('fdt');
  }
});

test('what a pointer points to is known', () => {
  const names = new Set(structNames());
  for (const contract of [...contracts, ...supporting]) {
    for (const struct of contract.structs) {
      for (const [name, type] of Object.entries(struct.fields)) {
        if (type.kind === 'int' && type.pointsTo !== undefined) expect(names.has(type.pointsTo), `${struct.name}.${name} -> ${type.pointsTo}`).toBe(true);
      }
    }
  }
});

test.each([
  ['6.17', '6.17'],
  ['6.17.8', '6.17'],
  ['6.17.9', '6.17.9'],
  ['6.17.13-1-amd64', '6.17.9'],
  ['7.3.4', '7.3'],
  ['7.3.0-rc4+', '7.3'],
  ['7.1.13', '7.1'],
  ['6.16.0', '6.16'],
  ['6.15.2', null],
  ['7.30', null],
  ['17.3', null],
  ['7', null],
  ['', null],
])('release of "%s"', (version, release) => {
  expect(releaseOf(version)).toBe(release);
});
