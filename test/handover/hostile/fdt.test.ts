/** The root FDT damaged field by field: what can still be read is shown, what cannot is null with a finding, and nothing throws. */
import { describe, expect, it } from 'vitest';
import { Image, cText, elfCore, fdtBytes, little, radixTree, setupData } from '../synthetic/image.js';
import { handOver, luoStruct, metadata } from '../synthetic/luo.js';
import { findingsAt, read, reportOf } from '../synthetic/read.js';

const errors = (report: Awaited<ReturnType<typeof read>>, prefix = ''): number =>
  findingsAt(report, prefix).filter((finding) => finding.at('severity').json === 'error').length;

async function damaged(change: (image: Image, fdt: number) => void) {
  const image = new Image();
  const fdt = handOver(image, [luoStruct(image, [{ name: 'vm', files: [] }], { flbs: [] }), metadata(image, '7.3.4', 1)]);
  change(image, fdt);
  return read(image);
}

/** Offset of the first property token of that name's index in the structure block. */
const header = { magic: 0, totalsize: 4, structure: 8, strings: 12, reservations: 16, version: 20, last: 24, stringsSize: 32, structureSize: 36 };

describe('header fields', () => {
  const values = [0, 1, 0x7fffffff, 0xffffffff, 0x1000, 0x39];
  for (const [field, at] of Object.entries(header)) {
    it.each(values)(`${field} of %i`, async (value) => {
      const report = await damaged((image, fdt) => image.view.setUint32(fdt + at, value));
      expect(report.at('handovers').list.length).toBe(1);
      expect(report.at('findings').list.length).toBeGreaterThan(0);
    });
  }

  it('a healthy one has no errors', async () => {
    const report = await damaged(() => undefined);
    expect(errors(report)).toBe(0);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
  });

  it('a wrong magic ends the handover', async () => {
    const report = await damaged((image, fdt) => image.view.setUint32(fdt, 0xd00dfeee));
    expect(errors(report, 'incoming/kho')).toBeGreaterThan(0);
    expect(report.at('findings', 0, 'reaction', 'kind').json).toBe('cold-boot');
  });
});

describe('structure', () => {
  // Behind the header: begin node, "", property compatible (len, name offset, 8 bytes), property preserved-memory-map (len, name offset, 8 bytes), …
  const MAP = 0x38 + 8 + 20;

  it('a property whose name is outside the strings', async () => {
    const report = await damaged((image, fdt) => image.view.setUint32(fdt + MAP + 8, 0xfffffff0));
    expect(errors(report, 'incoming/kho')).toBeGreaterThan(0);
    expect(report.at('handovers', 0, 'kho', 'preserved').json).toBeNull();
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
  });

  it('a length beyond the block', async () => {
    const report = await damaged((image, fdt) => image.view.setUint32(fdt + MAP + 4, 0x7ffffff0));
    expect(errors(report, 'incoming/kho')).toBeGreaterThan(0);
    expect(report.at('handovers', 0, 'kho', 'compatible').json).toBe('kho-v4');
  });

  it('an unknown token, and no end', async () => {
    for (const [at, value] of [
      [MAP, 7],
      [MAP, 2],
      [MAP, 9],
      [MAP, 1],
    ] as const) {
      const report = await damaged((image, fdt) => image.view.setUint32(fdt + at, value));
      expect(report.at('findings').list.length).toBeGreaterThan(0);
    }
  });

  /** A root of these subtrees, each with these properties. */
  async function root(children: readonly { name: string; properties: Record<string, Uint8Array> }[], properties: Record<string, Uint8Array> = {}) {
    const image = new Image();
    const luo = luoStruct(image, [{ name: 'vm', files: [] }], { flbs: [] });
    const fdt = image.alloc();
    const filled = children.map(({ name, properties: own }) => ({
      name,
      properties: Object.fromEntries(Object.entries(own).map(([key, value]) => [key, value.length === 0 ? little(8, luo.address) : value])),
    }));
    image.put(
      fdt,
      fdtBytes({ properties: { compatible: cText('kho-v4'), 'preserved-memory-map': little(8, radixTree(image)), ...properties }, children: filled }),
    );
    setupData(image, fdt, [[0x80000, 0x40000]]);
    return read(image);
  }
  const here = new Uint8Array(0);

  it.each([
    ['four bytes', little(4, 0x1000)],
    ['no bytes at all, nearly', Uint8Array.of(1)],
    ['an address of 0', little(8, 0)],
    ['an address beyond memory', little(8, 2n ** 50n)],
    ['an address that no machine has', little(8, 2n ** 64n - 1n)],
  ])('LUO with preserved-data of %s is null, with a finding', async (_, value) => {
    const report = await root([{ name: 'LUO', properties: { 'preserved-data': value, 'blob-size': little(8, 32) } }]);
    expect(report.at('handovers', 0, 'luo').json).toBeNull();
    expect(findingsAt(report, 'incoming/luo').length).toBeGreaterThan(0);
    expect(errors(report)).toBeGreaterThan(0);
  });

  it.each([0, 1, 31, 33, 4096, 2 ** 40, 2 ** 53 + 2])('LUO with a blob-size of %i', async (size) => {
    const report = await root([{ name: 'LUO', properties: { 'preserved-data': here, 'blob-size': little(8, size) } }]);
    expect(errors(report) + report.at('findings').list.filter((finding) => finding.at('severity').json === 'warning').length).toBeGreaterThan(0);
    if (size >= 33 && size <= 4096) expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
  });

  it('a subtree without properties', async () => {
    const report = await root([{ name: 'LUO', properties: {} }]);
    expect(report.at('handovers', 0).json).toMatchObject({ luo: null, kho: { subtrees: [{ name: 'LUO', address: null, size: null }] } });
  });

  it('two LUO subtrees: both are listed, the first is decoded, as the kernel does', async () => {
    const good = { 'preserved-data': here, 'blob-size': little(8, 32) };
    const report = await root([
      { name: 'LUO', properties: good },
      { name: 'LUO', properties: { 'preserved-data': little(8, 2n ** 50n), 'blob-size': little(8, 32) } },
    ]);
    expect(report.at('handovers', 0, 'kho', 'subtrees').list.length).toBe(2);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
    expect(findingsAt(report, 'incoming/kho/subtrees/LUO#2').length).toBeGreaterThan(0);
  });

  it.each([little(8, 0xfff), little(8, 2n ** 60n), little(4, 1), little(8, 2n ** 45n)])('a wild preserved-memory-map', async (value) => {
    const report = await root([{ name: 'LUO', properties: { 'preserved-data': here, 'blob-size': little(8, 32) } }], { 'preserved-memory-map': value });
    expect(report.at('handovers', 0, 'kho', 'preserved').json).toBeNull();
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
    expect(errors(report)).toBeGreaterThan(0);
  });

  it.each(['kho-v5', 'kho-v0', 'kho-v'])('a root of version %s', async (version) => {
    const report = await root([{ name: 'LUO', properties: { 'preserved-data': here, 'blob-size': little(8, 32) } }], { compatible: cText(version) });
    expect(report.at('handovers', 0, 'kho', 'compatible').json).toBe(version);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'name').json).toBe('vm');
    expect(errors(report)).toBeGreaterThan(0);
  });
});

it('chains that bite their tail end: session blocks, file blocks, in any page', async () => {
  const image = new Image();
  const files = Array.from({ length: 70 }, (_, token) => ({ token: BigInt(token), compatible: 'x', data: 0 }));
  const luo = luoStruct(image, [...Array.from({ length: 60 }, (_, index) => ({ name: `vm-${index}`, files: [] })), { name: 'last', files }]);
  handOver(image, [luo]);
  const first = Number(image.view.getBigUint64(Number(luo.address) + 16, true));
  const second = Number(image.view.getBigUint64(first, true));
  image.u64(second, first);
  const fileBlock = Number(image.view.getBigUint64(second + 16 + 9 * 80 + 64, true));
  image.u64(fileBlock, fileBlock);
  const report = await read(image);
  expect(report.at('handovers', 0, 'luo', 'sessions').list.length).toBe(61);
  expect(report.at('handovers', 0, 'luo', 'sessions', 60, 'files').list.length).toBe(63);
  expect(errors(report, 'incoming/luo/sessions')).toBeGreaterThan(1);
});

it.each([0n, 52n, 2n ** 32n, 2n ** 64n - 1n])('a session block that counts %s', async (count) => {
  const image = new Image();
  const luo = luoStruct(image, [
    { name: 'a', files: [] },
    { name: 'b', files: [] },
  ]);
  handOver(image, [luo]);
  image.u64(Number(image.view.getBigUint64(Number(luo.address) + 16, true)) + 8, count);
  const report = await read(image);
  expect(report.at('handovers', 0, 'luo', 'sessions').list.map((session) => session.at('name').json)).toEqual(count === 0n ? [] : ['a', 'b']);
  expect(errors(report, 'incoming/luo')).toBeGreaterThan(0);
});

it('file areas that are not there: files are null', async () => {
  const image = new Image();
  const luo = luoStruct(image, [{ name: 'a', files: [{ token: 1n, compatible: 'x', data: 0 }] }]);
  handOver(image, [luo]);
  const block = Number(image.view.getBigUint64(Number(luo.address) + 16, true));
  const area = Number(image.view.getBigUint64(block + 16 + 64, true));
  const info = { OSRELEASE: '7.3.4', PAGESIZE: '4096' };
  const ranges: [number, number][] = [
    [0, area],
    [area + 4096, image.bytes.length],
  ];
  const report = await reportOf(elfCore(image, info, 62, ranges));
  expect(report.at('handovers', 0, 'luo', 'sessions', 0).json).toMatchObject({ name: 'a', files: null });
  image.u64(block + 16 + 64, 2n ** 62n);
  expect((await read(image)).at('handovers', 0, 'luo', 'sessions', 0).json).toMatchObject({ name: 'a', files: null });
});
