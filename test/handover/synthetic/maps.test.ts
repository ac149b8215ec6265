/** Preserved memory maps and ways to find a handover that no capture has: chunks of both forms, trees of other page sizes, arm64. */
import { describe, expect, it } from 'vitest';
import { type ChunkOptions, Image, cells, cText, chunkChain, elfCore, fdtBytes, khoRoot, little, radixTree, setupData } from './image.js';
import { handOver, luoStruct } from './luo.js';
import { findingsAt, read, reportOf } from './read.js';
import { fires } from '../../diagnosis/fires.js';

const MiB = 1 << 20;

/** Blocks at places a chain of bitmaps has to reach far for; [address, order]. */
const far: readonly (readonly [number, number])[] = [
  [16 * MiB, 0],
  [16 * MiB + 4096, 0],
  [128 * MiB - 4096, 0],
  [128 * MiB, 0],
  [5 * 2 ** 30, 0],
  [2 ** 30, 9],
  [64 * 2 ** 30, 9],
  [6 * MiB, 1],
];

/** Blocks, pages and byOrder of what the image preserves. */
function expected(image: Image): object {
  const byOrder: Record<string, number> = {};
  for (const { order } of [...image.preserved].sort((a, b) => a.order - b.order)) byOrder[order] = (byOrder[order] ?? 0) + 1;
  const pages = image.preserved.reduce((sum, { order }) => sum + 2 ** order, 0);
  return { blocks: image.preserved.length, pages, bytes: pages * image.pageSize, byOrder };
}

describe('chunks of kho-v1', () => {
  async function chunks(options: ChunkOptions, blocks: readonly (readonly [number, number])[] = far) {
    const image = new Image();
    for (const [at, order] of blocks) image.preserve(at, order);
    const fdt = image.alloc();
    khoRoot(image, 'kho-v1', chunkChain(image, options), [], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    return { image, preserved: (await read(image)).at('handovers', 0, 'kho', 'preserved') };
  }

  it.each([
    ['bitmaps of a page', {}, 'chunks-page'],
    ['bitmaps of 512 bytes', { bitmapBytes: 512 }, 'chunks-512'],
    ['bitmaps of 512 bytes that start no page', { bitmapBytes: 512, skew: 0x600 }, 'chunks-512'],
    ['one bitmap a chunk', { perChunk: 1 }, 'chunks-page'],
    ['one bitmap of 512 bytes a chunk', { perChunk: 1, bitmapBytes: 512 }, 'chunks-512'],
    ['empty chunks of other orders', { emptyOrders: [3, 10] }, 'chunks-page'],
  ] as const)('%s', async (_, options, format) => {
    const { image, preserved } = await chunks(options);
    expect(preserved.json).toMatchObject({ format, ...expected(image), complete: true });
  });

  it('more bitmaps than a chunk holds (255)', async () => {
    const blocks = Array.from({ length: 300 }, (_, index): readonly [number, number] => [index * 128 * MiB + 2 ** 40, 0]);
    const { image, preserved } = await chunks({}, blocks);
    expect(preserved.json).toMatchObject({ format: 'chunks-page', ...expected(image) });
  });

  it('more than a dump of selected pages reaches to is no damage', async () => {
    const image = new Image();
    for (let block = 0; block < 64; block++) image.preserve(2 ** 36 + block * 2 ** 30, 18);
    const fdt = image.alloc();
    khoRoot(image, 'kho-v1', chunkChain(image), [], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    const report = await reportOf(elfCore(image, { OSRELEASE: '6.19.11', PAGESIZE: '4096' }));
    expect(report.at('handovers', 0, 'kho', 'preserved').json).toMatchObject(expected(image));
  });

  it('bitmaps full of something else are none', async () => {
    const image = new Image();
    for (const order of [0, 2, 9]) image.preserve(2 ** 30, order);
    const fdt = image.alloc();
    const first = chunkChain(image);
    khoRoot(image, 'kho-v1', first, [], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    for (let chunk = first; chunk !== 0; chunk = Number(image.view.getBigUint64(chunk, true))) {
      const bitmap = Number(image.view.getBigUint64(chunk + 24, true));
      for (let byte = 0; byte < 4096; byte++) image.bytes[bitmap + byte] = (byte * 167 + 13) & 0xff;
    }
    const report = await reportOf(elfCore(image, { OSRELEASE: '6.19.11', PAGESIZE: '4096' }));
    expect(report.at('handovers', 0, 'kho', 'preserved').json).toBeNull();
  });

  it('bitmaps that would fit both forms are said to', async () => {
    const { preserved } = await chunks({}, [[8 * MiB, 0]]);
    expect(preserved.at('formatEvidence').text).toMatch(/would look the same/);
  });

  it('a map of 0 preserves nothing', async () => {
    const image = new Image();
    const fdt = image.alloc();
    khoRoot(image, 'kho-v1', 0, [], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    expect((await read(image)).at('handovers', 0, 'kho', 'preserved').json).toBeNull();
  });
});

describe('radix trees', () => {
  it.each([4096, 16384, 65536])('pages of %i bytes, blocks of every order up to 12', async (pageSize) => {
    const image = new Image({ pageSize, size: 48 * MiB });
    for (let order = 0; order <= 12; order++) for (const block of [1, 3, 5]) image.preserve(2 ** 38 + block * pageSize * 2 ** order * 2 ** 13, order);
    handOver(image, []);
    const preserved = (await read(image)).at('handovers', 0, 'kho', 'preserved');
    expect(preserved.json).toMatchObject({ format: 'radix', ...expected(image), complete: true });
  });

  it('a block at the end of a 52-bit machine', async () => {
    const image = new Image();
    image.preserve(2 ** 52 - 4096, 0);
    image.preserve(2 ** 51, 39);
    handOver(image, []);
    const { byOrder } = Object((await read(image)).at('handovers', 0, 'kho', 'preserved').json);
    expect(byOrder).toEqual({ 0: 2, 39: 1 });
  });

  it('a node that links itself, and one that links nowhere, are told; the rest is read', async () => {
    const image = new Image();
    const fdt = image.alloc();
    const root = radixTree(image);
    image.u64(root + 100 * 8, root);
    image.u64(root + 101 * 8, 0x7654321000n);
    khoRoot(image, 'kho-v4', root, [], fdt);
    setupData(image, fdt, [[0x80000, 0x40000]]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'kho', 'preserved').json).toMatchObject({ blocks: 1, complete: false });
    expect(findingsAt(report, 'incoming/kho/preserved').length).toBeGreaterThan(1);
  });
});

describe('arm64: /chosen names the handover in big-endian cells', () => {
  async function machine(pageSize: number, filled: boolean, wide = true) {
    const image = new Image({ pageSize, size: 48 * MiB });
    const fdt = image.alloc();
    const scratch = image.alloc(0, false);
    khoRoot(
      image,
      'kho-v4',
      radixTree(image),
      [luoStruct(image, [{ name: 'vm', files: [] }])].map((luo) => luo),
      fdt,
    );
    if (filled) image.put(scratch, little(8, 0x800000, 0x400000, 0x1000000, 0));
    const pair = (address: number, size: number): Uint8Array => (wide ? cells(0, address, 0, size) : cells(address, size));
    const tree = fdtBytes({
      properties: { compatible: cText('linux,dummy-virt'), '#address-cells': cells(wide ? 2 : 1), '#size-cells': cells(wide ? 2 : 1) },
      children: [{ name: 'chosen', properties: { 'linux,kho-fdt': pair(fdt, pageSize), 'linux,kho-scratch': pair(scratch, 32) } }],
    });
    image.put(image.alloc(0, false), tree);
    return { fdt, report: await read(image, 183) };
  }

  it.each([
    [4096, true],
    [16384, true],
    [65536, true],
    [4096, false],
  ] as const)('pages of %i bytes, cells of 64 bits: %s', async (pageSize, wide) => {
    const { fdt, report } = await machine(pageSize, true, wide);
    expect(report.at('source').json).toMatchObject({ arch: 'aarch64', pageSize });
    const handover = report.at('handovers', 0);
    expect(handover.json).toMatchObject({ role: 'incoming', kho: { fdt: `0x${fdt.toString(16)}`, foundBy: 'devicetree' } });
    expect(handover.at('kho', 'scratch').json).toEqual([
      { start: '0x800000', size: 0x400000 },
      { start: '0x1000000', size: 0 },
    ]);
    expect(handover.at('luo', 'sessions', 0, 'name').json).toBe('vm');
  });

  it.each([
    [0, 'info', 'the same array'],
    [4096, 'warning', 'one of them is of a kernel before'],
  ])('both names of scratch, %i bytes apart', async (apart, severity, says) => {
    const image = new Image();
    const fdt = handOver(image, []);
    const scratch = image.alloc(1, false);
    for (const at of [scratch, scratch + 4096]) image.put(at, little(8, 0x800000, 0x400000));
    const tree = fdtBytes({
      properties: { compatible: cText('x'), '#address-cells': cells(2), '#size-cells': cells(2) },
      children: [
        {
          name: 'chosen',
          properties: {
            'linux,kho-fdt': cells(0, fdt, 0, 4096),
            'linux,kho-scratch': cells(0, scratch, 0, 16),
            'linux,kho-bootmem': cells(0, scratch + apart, 0, 16),
          },
        },
      ],
    });
    image.put(image.alloc(0, false), tree);
    const { list } = (await read(image, 183)).at('findings');
    fires(
      'scratch/two-names',
      list.map((finding) => finding.at('rule').text),
    );
    const found = list.filter((finding) => finding.at('rule').text === 'scratch/two-names');
    expect(found.map((finding) => finding.json)).toEqual([expect.objectContaining({ severity, message: expect.stringContaining(says) })]);
  });

  it('with an empty scratch array it is the outgoing one', async () => {
    const { report } = await machine(65536, false);
    expect(report.at('handovers', 0).json).toMatchObject({ role: 'outgoing', kho: { foundBy: 'devicetree', scratch: null } });
  });

  it.each([
    ['sizes beyond any machine', cells(0, 0x200000, 0xffffffff, 0xfffffff0)],
    ['a size of 2^40', cells(0, 0x200000, 0x100, 0)],
    ['too few cells', cells(0)],
  ])('a scratch of %s is no handover, and nothing breaks', async (_, value) => {
    const image = new Image();
    const fdt = handOver(image, []);
    const tree = fdtBytes({
      properties: { compatible: cText('x'), '#address-cells': cells(2), '#size-cells': cells(2) },
      children: [{ name: 'chosen', properties: { 'linux,kho-fdt': cells(0, fdt, 0, 4096), 'linux,kho-scratch': value } }],
    });
    image.put(image.alloc(0, false), tree);
    expect((await read(image)).at('handovers').list.length).toBe(1);
  });
});

describe('several handovers in one memory', () => {
  it('incoming, outgoing and stale are told by who names them and who wrote them', async () => {
    const { metadata } = await import('./luo.js');
    const image = new Image();
    const incoming = handOver(image, [luoStruct(image, [{ name: 'in', files: [] }], { number: 4 }), metadata(image, '7.2.13', 4)]);
    const outgoing = image.alloc();
    khoRoot(image, 'kho-v4', radixTree(image), [luoStruct(image, [], { number: 5 }), metadata(image, '7.3.4', 5)], outgoing);
    const stale = image.alloc();
    khoRoot(image, 'kho-v4', radixTree(image), [metadata(image, '7.3.4', 3)], stale);
    const roles = (await read(image)).at('handovers').list.map((handover) => [handover.at('role').json, handover.at('kho', 'fdt').json]);
    expect(roles).toEqual([
      ['incoming', `0x${incoming.toString(16)}`],
      ['outgoing', `0x${outgoing.toString(16)}`],
      ['stale', `0x${stale.toString(16)}`],
    ]);
  });

  it('a node that names a page which is not in the dump', async () => {
    const image = new Image();
    const fdt = handOver(image, []);
    const ranges: [number, number][] = [
      [0, fdt],
      [fdt + 4096, image.bytes.length],
    ];
    const report = await reportOf(elfCore(image, { OSRELEASE: '7.3.4', PAGESIZE: '4096' }, 62, ranges));
    expect(report.at('handovers', 0).json).toMatchObject({ kho: { fdt: `0x${fdt.toString(16)}`, compatible: null, preserved: null, subtrees: [] }, luo: null });
  });
});
