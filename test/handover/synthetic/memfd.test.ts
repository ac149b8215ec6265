/** memfds with folio tables of sizes and shapes that no capture has, written by hand. */
import { describe, expect, it } from 'vitest';
import { Image } from './image.js';
import { type FolioSource, type MemfdSource, handOver, luoStruct, memfd } from './luo.js';
import { type Found, findingsAt, read } from './read.js';
import { fires } from '../../diagnosis/fires.js';
import { some } from '../../extent.js';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** The report of one memfd, and what is decoded of it. */
async function one(image: Image, source: MemfdSource): Promise<{ report: Found; decoded: Found }> {
  const data = memfd(image, source);
  handOver(image, [luoStruct(image, [{ name: 's', files: [{ token: 1n, compatible: source.seals === null ? 'memfd-v1' : 'memfd-v2', data }] }], { flbs: [] })]);
  const report = await read(image);
  return { report, decoded: report.at('handovers', 0, 'luo', 'sessions', 0, 'files', 0, 'decoded') };
}

/** Folios of one order, one after the other in the file; `stride` pages apart in memory (preserved, but not in the dump). */
function folios(image: Image, count: number, order = 0, stride = 2 ** order, first = 0x100000): FolioSource[] {
  return Array.from({ length: count }, (_, entry) => {
    image.preserve((first + entry * stride) * image.pageSize, order);
    return { pfn: first + entry * stride, index: entry * 2 ** order };
  });
}

/** Errors and warnings; that the folios lie beyond the memory of the image is known. */
const worst = (report: Found): readonly string[] =>
  report
    .at('findings')
    .list.filter((finding) => finding.at('severity').json !== 'info' && finding.at('rule').json !== 'kho/beyond-memory')
    .map((finding) => `${finding.at('rule').text} ${finding.at('message').text}`);

describe('folio tables', () => {
  // 256 entries a page of the table; 511 pages a chunk.
  it.each([1, 255, 256, 257, ...some([511 * 256, 511 * 256 - 1, 511 * 256 + 1], 2)])('%i folios of one page', async (count) => {
    const image = new Image({ size: 48 << 20 });
    const { report, decoded } = await one(image, { size: count * 4096, pos: 17, seals: 0x1f, folios: folios(image, count) });
    expect(decoded.json).toEqual({
      struct: 'memfd_luo_ser',
      pos: 17,
      size: count * 4096,
      seals: '0x1f',
      flags: '0x0',
      folios: { count, runs: [{ index: 0, pfn: '0x100000', pages: count, flags: '0x3' }] },
      name: null,
    });
    expect(worst(report)).toEqual([]);
    fires(
      'kho/beyond-memory',
      report.at('findings').list.map((finding) => finding.at('rule').text),
    );
  });

  it('many folios that nothing joins', async () => {
    const image = new Image({ size: 48 << 20 });
    const { decoded } = await one(image, { size: 50_000 * 4096, folios: folios(image, 50_000, 0, 2) });
    expect(decoded.at('folios', 'runs').list.length).toBe(50_000);
    expect(decoded.at('folios', 'runs', 49_999).json).toEqual({ index: 49_999, pfn: hex(0x100000 + 2 * 49_999), pages: 1, flags: '0x3' });
  });

  it('a table in blocks of order 2', async () => {
    const image = new Image();
    const { report, decoded } = await one(image, { size: 3000 * 4096, tableOrder: 2, folios: folios(image, 3000) });
    expect(decoded.at('folios').json).toEqual({ count: 3000, runs: [{ index: 0, pfn: '0x100000', pages: 3000, flags: '0x3' }] });
    expect(worst(report)).toEqual([]);
  });

  it('mixed orders: pages are told by the map, and join where file and memory go on', async () => {
    const image = new Image();
    const list: FolioSource[] = [];
    let index = 0;
    for (const [pfn, order, gap, flags] of [
      [0x40000, 9, 0, 3],
      [0x40200, 4, 0, 3],
      [0x40210, 0, 0, 3],
      [0x40211, 0, 0, 1],
      [0x50000, 3, 5, 3],
      [0x50008, 0, 0, 3],
    ] as const) {
      image.preserve(pfn * 4096, order);
      index += gap;
      list.push({ pfn, index, flags });
      index += 2 ** order;
    }
    const { decoded } = await one(image, { size: index * 4096 - 100, folios: list });
    expect(decoded.at('size').json).toBe(index * 4096 - 100);
    expect(decoded.at('folios', 'runs').json).toEqual([
      { index: 0, pfn: '0x40000', pages: 512 + 16 + 1, flags: '0x3' },
      { index: 529, pfn: '0x40211', pages: 1, flags: '0x1' },
      { index: 535, pfn: '0x50000', pages: 9, flags: '0x3' },
    ]);
  });

  it('entries with pfn 0 are skipped, and counted', async () => {
    const image = new Image();
    const [first, second] = folios(image, 2);
    if (first === undefined || second === undefined) throw new Error('two folios were made');
    const { decoded } = await one(image, { size: 3 * 4096, folios: [{ pfn: 0, index: 0, flags: 0 }, first, { pfn: 0, index: 7 }, second] });
    expect(decoded.at('folios').json).toEqual({ count: 4, runs: [{ index: 0, pfn: '0x100000', pages: 2, flags: '0x3' }] });
  });

  it('an empty file', async () => {
    const image = new Image();
    const { report, decoded } = await one(image, { size: 0, folios: [] });
    expect(decoded.at('folios').json).toEqual({ count: 0, runs: [] });
    expect(worst(report)).toEqual([]);
  });

  it('memfd-v1 has neither seals nor flags', async () => {
    const image = new Image();
    const { decoded } = await one(image, { size: 4096, seals: null, folios: folios(image, 1) });
    expect(Object.keys(Object(decoded.json))).toEqual(['struct', 'pos', 'size', 'folios', 'name']);
  });
});

describe('sizes', () => {
  it('beyond 2^53 are text', async () => {
    const image = new Image();
    const { decoded } = await one(image, { size: 2n ** 63n - 1n, pos: 2n ** 53n, folios: [{ pfn: 0x100000, index: 2n ** 53n + 1n }] });
    expect(decoded.at('size').json).toBe('0x7fffffffffffffff');
    expect(decoded.at('pos').json).toBe('0x20000000000000');
    expect(decoded.at('folios', 'runs', 0, 'index').json).toBe('0x20000000000001');
  });

  it.each([
    [16384, 1024],
    [65536, 4096],
  ])('pages of %i bytes: %i entries a page of the table', async (pageSize, perPage) => {
    const image = new Image({ pageSize, size: 64 << 20 });
    const { report, decoded } = await one(image, { size: (perPage + 3) * pageSize, folios: folios(image, perPage + 3) });
    expect(decoded.at('folios').json).toEqual({ count: perPage + 3, runs: [{ index: 0, pfn: '0x100000', pages: perPage + 3, flags: '0x3' }] });
    expect(worst(report)).toEqual([]);
  });
});

describe('damage', () => {
  const DESCRIPTOR = 32;
  async function damaged(change: (image: Image, ser: number, chunk: number) => void): Promise<{ report: Found; decoded: Found }> {
    const image = new Image();
    const ser = memfd(image, { size: 600 * 4096, folios: folios(image, 600) });
    const chunk = Number(image.view.getBigUint64(ser + DESCRIPTOR, true));
    handOver(image, [luoStruct(image, [{ name: 's', files: [{ token: 1n, compatible: 'memfd-v2', data: ser }] }])]);
    change(image, ser, chunk);
    const report = await read(image);
    return { report, decoded: report.at('handovers', 0, 'luo', 'sessions', 0, 'files', 0, 'decoded') };
  }
  const own = 'incoming/luo/sessions/s/files/0x1';

  it.each([
    ['nr_folios of 2^64 - 1', (image: Image, ser: number) => image.u64(ser + 24, 2n ** 64n - 1n)],
    ['total_pages of 2^32 - 1', (image: Image, ser: number) => image.u32(ser + DESCRIPTOR + 8, 0xffffffff)],
    ['a chunk that links itself', (image: Image, _: number, chunk: number) => image.u64(chunk, chunk)],
    ['a chunk that links wild', (image: Image, _: number, chunk: number) => image.u64(chunk, 0xdeadbeefdead0000n)],
    ['an entry that is no page', (image: Image, _: number, chunk: number) => image.u64(chunk + 16, 0x1234567)],
  ] as const)('%s: what could be read is shown, with a finding', async (_, change) => {
    const { report, decoded } = await damaged(change);
    expect(decoded.at('folios', 'runs', 0, 'pfn').json).toBe('0x100000');
    expect(findingsAt(report, own).filter((finding) => finding.at('severity').json === 'error').length).toBeGreaterThan(0);
  });

  it.each([
    ['first of 0', (image: Image, ser: number) => image.u64(ser + DESCRIPTOR, 0)],
    ['first off the machine', (image: Image, ser: number) => image.u64(ser + DESCRIPTOR, 2n ** 51n)],
    ['an order of 65535', (image: Image, ser: number) => image.u16(ser + DESCRIPTOR + 14, 65535)],
  ] as const)('%s: folios are null, with a finding', async (_, change) => {
    const { report, decoded } = await damaged(change);
    expect(decoded.at('folios').json).toBeNull();
    expect(decoded.at('size').json).toBe(600 * 4096);
    expect(findingsAt(report, own).filter((finding) => finding.at('severity').json === 'error').length).toBeGreaterThan(0);
  });

  it.each([0n, 2n ** 63n, 0x7ff000n + 0x40000000n])('data of 0x%s leads nowhere: decoded is null', async (data) => {
    const image = new Image();
    handOver(image, [luoStruct(image, [{ name: 's', files: [{ token: 1n, compatible: 'memfd-v2', data }] }])]);
    const report = await read(image);
    expect(report.at('handovers', 0, 'luo', 'sessions', 0, 'files', 0, 'decoded').json).toBeNull();
  });
});
