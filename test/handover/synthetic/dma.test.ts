/** What a device behind a preserved IOMMU can still write to: VT-d tables written at literal offsets, held against the preserved map. */
import { describe, expect, it } from 'vitest';
import { walkVtd } from '../../../src/handover/dma/domains.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { Image, little } from './image.js';
import { handOver, luoStruct, memfd } from './luo.js';
import { type Found, read } from './read.js';
import { fires } from '../../diagnosis/fires.js';

const WRITE = 3n;
const READ_ONLY = 1n;
const LARGE = 0x80n;

/** A table with its top at `topLevel` that maps `pages`: IOVA -> address and its low bits. */
function pageTable(image: Image, pages: readonly (readonly [iova: number, address: number, bits: bigint])[], preserve = true, topLevel = 3): number {
  const top = image.alloc(0, preserve);
  for (const [iova, address, bits] of pages) {
    let table = top;
    const last = (bits & LARGE) === 0n ? 0 : 1;
    for (let level = topLevel; level > last; level--) {
      const at = table + (Math.floor(iova / 2 ** (12 + 9 * level)) % 512) * 8;
      let next = Number(image.view.getBigUint64(at, true) & ~0xfffn);
      if (next === 0) {
        next = image.alloc(0, preserve);
        image.u64(at, BigInt(next) | WRITE);
      }
      table = next;
    }
    image.u64(table + (Math.floor(iova / 2 ** (12 + 9 * last)) % 512) * 8, BigInt(address) | bits);
  }
  return top;
}

interface Options {
  /** kind of the IOMMU: 1 Intel, 2 SMMUv3 */
  readonly kind?: number;
  readonly level?: number;
}

/** The FLB of the branches with one domain, one unit and the device 0000:01:00.0. */
function iommu(image: Image, top: number, { kind = 1, level = 3 }: Options = {}): number {
  const put = (...parts: readonly Uint8Array[]): number => {
    const at = image.alloc();
    image.put(at, Uint8Array.from(parts.flatMap((part) => [...part])));
    return at;
  };
  const domains = put(little(8, 0, 1), little(4, 1, 0), little(8, top, level), little(4, 48, 0), little(8, 0));
  const units = put(little(8, 0, 1), little(4, 1, 0), little(8, 7, kind), new Uint8Array(88));
  const devices = put(little(8, 0, 1), little(4, 1, 0), little(4, 0x100, 0), little(8, 5), little(8, 1, domains + 16, units + 16), new Uint8Array(24));
  return put(little(8, 1, units, domains, devices));
}

/** One memfd of one page; `map` says what the device reaches beside it. */
async function decode(map: (image: Image, folio: number) => number, options: Options = {}): Promise<{ report: Found; folio: number }> {
  const image = new Image();
  const folio = image.alloc();
  const file = { token: 1n, compatible: 'memfd-v2', data: memfd(image, { size: 4096, folios: [{ pfn: folio / 4096, index: 0 }] }) };
  const data = iommu(image, map(image, folio), options);
  handOver(image, [luoStruct(image, [{ name: 'vm', files: [file] }], { flbs: [{ name: 'iommu-liveupdate', data, count: 1 }] })]);
  return { report: await read(image), folio };
}

const dma = (report: Found): readonly Found[] => report.at('findings').list.filter((finding) => finding.at('rule').text.startsWith('dma/'));
const ids = (report: Found): readonly string[] => dma(report).map((finding) => finding.at('rule').text);

describe('a device behind a preserved VT-d', () => {
  it('that reaches nothing but preserved memory of a file is no finding, and its tables are the FLB’s', async () => {
    const { report } = await decode((image, folio) => pageTable(image, [[0x10000000, folio, WRITE]]));
    expect(dma(report).map((finding) => finding.json)).toEqual([]);
  });

  it('that can write to free memory: device, IOVA and page are named', async () => {
    const { report } = await decode((image, folio) =>
      pageTable(image, [
        [0x10000000, folio, WRITE],
        [0x10001000, 0x700000, WRITE],
        [0x10002000, 0x701000, WRITE],
      ]),
    );
    expect(dma(report)).toHaveLength(1);
    fires('dma/not-preserved', ids(report));
    expect(dma(report)[0]?.json).toMatchObject({
      at: '0x700000',
      message: expect.stringMatching(/device 0000:01:00\.0 .* IOVA 0x10001000 to the 8 KiB at 0x700000/),
    });
  });

  it('that can only read there does no harm; a large page counts whole', async () => {
    const { report } = await decode((image) =>
      pageTable(image, [
        [0x1000, 0x700000, READ_ONLY],
        [0x40000000, 0x800000, WRITE | LARGE],
      ]),
    );
    expect(dma(report).map((finding) => finding.at('message').text)).toEqual([expect.stringContaining('the 2 MiB at 0x800000')]);
  });

  it('preserved memory of nobody is a warning; table pages that are not preserved are an error', async () => {
    const nobody = await decode((image) => pageTable(image, [[0x1000, image.alloc(), WRITE]]));
    expect(dma(nobody.report)).toHaveLength(1);
    fires('dma/nobody', ids(nobody.report));
    const tables = await decode((image, folio) => pageTable(image, [[0x1000, folio, WRITE]], false));
    expect(ids(tables.report)).toEqual(Array.from({ length: 4 }, () => 'dma/table-not-preserved'));
    fires('dma/table-not-preserved', ids(tables.report));
  });

  it.each([
    ['an SMMU', { kind: 2 }, /SMMUv3, .* neither the stage nor the granule/],
    ['a level that does not exist', { level: 9 }, /level 9/],
  ])('%s is not walked, and that is said', async (_, options, why) => {
    const { report } = await decode((image, folio) => pageTable(image, [[0x1000, folio, WRITE]]), options);
    expect(dma(report)).toHaveLength(1);
    fires('dma/not-walked', ids(report));
    expect(dma(report)[0]?.at('message').text).toMatch(why);
  });

  it('a table that leads back to itself, and one that is not in the dump, end the walk there', async () => {
    const { report } = await decode((image, folio) => {
      const top = pageTable(image, [[0x1000, folio, WRITE]]);
      image.u64(top + 8, BigInt(top) | WRITE);
      image.u64(top + 16, 0x3_0000_0000n | WRITE);
      return top;
    });
    const texts = dma(report)
      .filter((finding) => finding.at('rule').text === 'dma/not-walked')
      .map((finding) => finding.at('message').text);
    expect(texts.some((text) => text.includes('leads back to itself'))).toBe(true);
    expect(texts.some((text) => text.includes('0x300000000'))).toBe(true);
  });
});

it('a table of 5 levels: an IOVA of 57 bits', async () => {
  const iova = 2 ** 56 + 0x1234_5678_9000;
  const { report } = await decode(
    (image, folio) =>
      pageTable(
        image,
        [
          [0x4000, folio, WRITE],
          [iova, image.alloc(0, false), WRITE],
        ],
        true,
        4,
      ),
    { level: 4 },
  );
  const [found] = report.at('findings').list.filter((finding) => finding.at('rule').text === 'dma/not-preserved');
  expect(found?.at('message').text).toContain(`at IOVA 0x${iova.toString(16)} to the 4 KiB`);
});

it('a table whose every entry leads on ends with its budget', () => {
  const bytes = new Uint8Array(8 << 12);
  const view = new DataView(bytes.buffer);
  for (let table = 0; table < 7; table++)
    for (let index = 0; index < 512; index++) view.setBigUint64(table * 4096 + index * 8, BigInt((table + 1) * 4096) | 3n, true);
  const memory: PhysicalMemory = {
    pageSize: 4096,
    readable: [{ start: 0, end: bytes.length }],
    stateOf: (address) => (address < bytes.length ? 'present' : 'out-of-range'),
    readInto(address, length, target, at = 0) {
      const got = Math.max(0, Math.min(length, bytes.length - address));
      target.set(bytes.subarray(address, address + got), at);
      return got;
    },
  };
  const budget = { tables: 2000 };
  const walk = walkVtd(memory, 0, 3, budget);
  expect(walk.cut).toBe(true);
  expect(walk.tables.length).toBeLessThanOrEqual(4);
});
