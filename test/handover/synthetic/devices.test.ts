/** What the mails on VFIO and PCI put behind one and the same string, version by version, and FLBs nobody knows. */
import { describe, expect, it } from 'vitest';
import { Image, little } from './image.js';
import { blockChain, handOver, luoStruct } from './luo.js';
import { type Found, findingsAt, read } from './read.js';

/** bus 0x3b, device 0x1e, function 1 */
const BDF = 0x3bf1;

async function file(compatible: string, bytes: Uint8Array): Promise<Found> {
  const image = new Image();
  const order = bytes.length > 8192 ? 2 : 0;
  const page = image.alloc(order);
  image.put(page, bytes);
  handOver(image, [luoStruct(image, [{ name: 's', files: [{ token: 1n, compatible, data: page }] }])]);
  return (await read(image)).at('handovers', 0, 'luo', 'sessions', 0, 'files', 0, 'decoded');
}

const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

describe('vfio_pci_core_device_ser', () => {
  it.each([
    ['4 bytes, bdf first', 'vfio-pci-v1', little(2, BDF, 0), { domain: 0, bdf: '0x3bf1', address: '0000:3b:1e.1' }],
    ['4 bytes in domain 2', 'vfio-pci-v1', little(2, BDF, 2), { domain: 2, bdf: '0x3bf1', address: '0002:3b:1e.1' }],
    ['5 bytes, with reset_works', 'vfio-pci-v1', join(little(2, BDF, 0), Uint8Array.of(1)), { domain: 0, bdf: '0x3bf1', reset_works: true }],
    [
      '9 bytes, with an iommufd',
      'vfio-pci-v1',
      join(little(2, BDF, 0), Uint8Array.of(1), little(4, 7)),
      { domain: 0, bdf: '0x3bf1', iommufd_ser: { token: '0x7' } },
    ],
    ['6 bytes, domain first', 'vfio-pci-v1', join(little(4, 0), little(2, BDF)), { domain: 0, bdf: '0x3bf1', address: '0000:3b:1e.1' }],
    ['6 bytes, bdf 0:0.1', 'vfio-pci-v1', join(little(4, 0), little(2, 1)), { domain: 0, bdf: '0x1', address: '0000:00:00.1' }],
    ['6 bytes in domain 0x10000', 'vfio-pci-v1', join(little(4, 0x10000), little(2, BDF)), { domain: 0x10000, bdf: '0x3bf1', address: '10000:3b:1e.1' }],
    ['7 bytes', 'vfio-pci-v2', join(little(4, 1), little(2, BDF), Uint8Array.of(1)), { domain: 1, bdf: '0x3bf1', reset_works: true, address: '0001:3b:1e.1' }],
  ] as const)('%s', async (_, compatible, bytes, expected) => {
    expect((await file(compatible, bytes)).json).toMatchObject({ struct: 'vfio_pci_core_device_ser', ...expected });
  });

  it.each([
    ['8227 bytes of the RFC', 0, false],
    ['8235 bytes, with the saved state', 0x1234000, true],
  ] as const)('vfio-v1: %s', async (_, saved, hasSaved) => {
    const bytes = new Uint8Array(16384);
    bytes.set(little(2, BDF), 0);
    bytes.set(little(4, 256), 2);
    bytes.set([0xaa], 6 + 4096);
    bytes.set(little(4, 0xfebc0000), 6 + 8192);
    bytes.set([1], 6 + 8192 + 28);
    bytes.set(little(8, saved), 6 + 8192 + 29);
    const decoded = await file('vfio-v1', bytes);
    expect(decoded.json).toMatchObject({ bdf: '0x3bf1', cfg_size: 256, reset_works: true });
    expect(decoded.at('vconfig').text.slice(0, 4)).toBe('aa00');
    expect(decoded.at('rbar', 0).json).toBe('0xfebc0000');
    expect(decoded.at('pci_saved_state_phys').json).toBe(hasSaved ? '0x1234000' : undefined);
  });
});

describe('pci_ser', () => {
  async function flb(name: string, make: (image: Image) => number | bigint): Promise<Found> {
    const image = new Image();
    const data = make(image);
    handOver(image, [luoStruct(image, [{ name: 's', files: [] }], { flbs: [{ name, data, count: 1 }] })]);
    return (await read(image)).at('handovers', 0, 'luo', 'flbs', 0, 'decoded');
  }
  const put =
    (...parts: readonly Uint8Array[]) =>
    (image: Image): number => {
      const page = image.alloc();
      image.put(page, join(...parts));
      return page;
    };
  const narrow = (domain: number, bdf: number): Uint8Array => little(2, domain, bdf);
  const wide = (domain: number, bdf: number, last = 0): Uint8Array => join(little(4, domain), little(2, bdf, last));
  const one = { domain: 0, bdf: '0x8', address: '0000:00:01.0' };
  const two = { domain: 2, bdf: '0x3bf1', address: '0002:3b:1e.1' };

  it.each([
    ['one count of 8 bytes, entries of 4', 'pci-v1', put(little(8, 2), narrow(0, 8), narrow(2, BDF)), null],
    ['one count, one entry', 'pci-v1', put(little(8, 1), narrow(2, BDF)), null, 1],
    ['two counts of 8 bytes, entries of 4', 'pci-v1', put(little(8, 16, 2), narrow(0, 8), narrow(2, BDF)), null],
    ['two counts of 8 bytes, both the same', 'pci-v1', put(little(8, 2, 2), narrow(0, 8), narrow(2, BDF)), null],
    ['two counts of 8 bytes, entries of 8', 'pci-v1', put(little(8, 16, 2), wide(0, 8), wide(2, BDF)), null],
    ['two counts of 4 bytes, entries of 8', 'pci-v1', put(little(4, 16, 2), wide(0, 8), wide(2, BDF)), null],
    ['two counts of 8 bytes, a refcount', 'pci-v2', put(little(8, 16, 2), wide(0, 8, 3), wide(2, BDF, 1)), [3, 1]],
    ['two counts of 4 bytes, a refcount, sparse', 'pci-v2', put(little(4, 16, 2), wide(9, 9, 0), wide(0, 8, 3), wide(7, 7, 0), wide(2, BDF, 1)), [3, 1]],
    ['pci-v3', 'pci-v3', put(little(4, 4, 2), wide(0, 8, 3), wide(2, BDF, 1)), [3, 1]],
  ] as const)('%s (%s)', async (_, name, make, counts, only?: number) => {
    const decoded = await flb(name, make);
    const refcount = (index: number): object => ({ refcount: counts === null ? null : counts[index] });
    const both = [
      { ...one, ...refcount(0) },
      { ...two, ...refcount(1) },
    ];
    expect(decoded.json).toEqual({ struct: 'pci_ser', devices: only === 1 ? [{ ...two, refcount: null }] : both });
  });

  it('one with a refcount in pci-v1 (v7 of the series)', async () => {
    const decoded = await flb('pci-v1', put(little(4, 8, 2), wide(0, 8, 2), wide(5, 5, 0), wide(2, BDF, 1)));
    expect(decoded.at('devices').list.map((device) => device.at('address').json)).toEqual(['0000:00:01.0', '0002:3b:1e.1']);
  });

  it.each([0, 1, 510, 511, 1100])('version 1: a chain of %i devices, 510 a page', async (count) => {
    const decoded = await flb('pci', (image) => {
      const first = blockChain(
        image,
        Array.from({ length: count }, (_, bdf) => bdf),
        8,
        (at, bdf) => image.put(at, wide(1, bdf, 1)),
      );
      return put(little(4, 1, count), little(8, first))(image);
    });
    expect(decoded.at('devices').list.map((device) => device.at('bdf').json)).toEqual(Array.from({ length: count }, (_, bdf) => `0x${bdf.toString(16)}`));
  });

  it.each([
    ['counts of 2^32 - 1', put(little(4, 0xffffffff, 0xffffffff))],
    ['counts of 2^64 - 1', put(little(8, 2n ** 64n - 1n, 2n ** 64n - 1n))],
    ['nothing', put(new Uint8Array(16))],
  ] as const)('%s do not hang', async (_, make) => {
    for (const name of ['pci-v1', 'pci-v2', 'pci-v3', 'pci']) expect((await flb(name, make)).at('devices').list).toEqual([]);
  });
});

it('test FLBs hold a number, not an address; unknown ones are not decoded: both say so', async () => {
  const image = new Image();
  const flbs = [
    { name: 'liveupdate-test-flb-v1', data: 0xfeedf00dcafebee1n, count: 2 },
    { name: 'iommu-something', data: 0x1000, count: 2 },
  ];
  handOver(image, [luoStruct(image, [], { flbs })]);
  const report = await read(image);
  expect(report.at('handovers', 0, 'luo', 'flbs').json).toEqual([
    { name: 'liveupdate-test-flb-v1', data: '0xfeedf00dcafebee1', count: 2, decoded: null },
    { name: 'iommu-something', data: '0x1000', count: 2, decoded: null },
  ]);
  expect(findingsAt(report, 'incoming/luo/flbs/iommu-something').length).toBeGreaterThan(0);
});
