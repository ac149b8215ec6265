/** What follows from layouts and the page size: capacities of areas, bitmaps, the radix tree. Figures worked out from the kernels' own macros. */
import { describe, expect, test } from 'vitest';
import { bitmapBytes, bitmapSpan, khoserMemChunk } from '../../abi/kho/chunk.js';
import { radixGeometry } from '../../abi/kho/radix.js';
import { khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { iommuLiveupdateV1 } from '../../abi/iommu/liveupdate-v1.js';
import { fileBlocks, filePages, flbPage, sessionBlocks, sessionPages } from '../../abi/luo/areas.js';
import { pciDeviceBlocks } from '../../abi/pci/version.js';
import { areaCapacity, areaLimit, areaOrder, entryOffset } from '../../src/codec/area.js';
import { arrayCount, layoutTable } from '../../src/codec/layout-table.js';

const KiB = 1024;

test.each([
  ['sessions up to 7.1', sessionPages, [819, 3276, 13107]],
  ['sessions from 7.2', sessionBlocks, [51, 204, 819]],
  ['files up to 7.1', filePages, [128, 512, 2048]],
  ['files from 7.2', fileBlocks, [63, 255, 1023]],
  ['FLBs', flbPage, [63, 255, 1023]],
] as const)('%s', (_, area, capacities) => {
  expect([4, 16, 64].map((size) => areaCapacity(area, size * KiB))).toEqual(capacities);
});

test('ten thousand blocks bound a chain', () => {
  expect([areaLimit(sessionBlocks), areaLimit(fileBlocks), areaLimit(sessionPages)]).toEqual([510000, 630000, 819]);
});

test('a piece is preserved as one block', () => {
  expect([areaOrder(sessionPages), areaOrder(filePages), areaOrder(sessionBlocks)]).toEqual([4, 1, 0]);
});

test('entries follow the header', () => {
  expect([entryOffset(sessionPages, 2), entryOffset(filePages, 2), entryOffset(sessionBlocks, 2)]).toEqual([8 + 160, 128, 16 + 160]);
});

test('objects of the lists a page holds', () => {
  expect(areaCapacity(pciDeviceBlocks)).toBe(510);
  expect((iommuLiveupdateV1.areas ?? []).map((area) => [area.name, areaCapacity(area)])).toEqual([
    ['domains', 102],
    ['devices', 72],
    ['iommus', 36],
  ]);
});

test.each([
  [4, 255, 511],
  [16, 1023, 2047],
  [64, 4095, 8191],
])('chunks at %i KiB: %i bitmaps, %i blocks of a vmalloc area', (size, bitmaps, blocks) => {
  const count = (struct: Parameters<typeof layoutTable>[0], field: string) => arrayCount(layoutTable(struct, size * KiB).field(field), size * KiB);
  expect([count(khoserMemChunk, 'bitmaps'), count(khoVmallocChunk, 'phys')]).toEqual([bitmaps, blocks]);
  for (const struct of [khoserMemChunk, khoVmallocChunk]) expect(layoutTable(struct, size * KiB).size).toBe(size * KiB);
});

describe('bitmaps of kho-v1', () => {
  const MiB = KiB * KiB;
  const GiB = MiB * KiB;
  test.each([
    ['512', 0, 16 * MiB],
    ['512', 9, 8 * GiB],
    ['page', 0, 128 * MiB],
    ['page', 9, 64 * GiB],
  ] as const)('form %s, order %i', (form, order, span) => {
    expect(bitmapSpan(form, 4096, order)).toBe(span);
  });
  test('the small form does not grow with the page', () => {
    expect([bitmapBytes('512', 65536), bitmapBytes('page', 65536)]).toEqual([512, 65536]);
  });
});

test.each([
  [12, { tableLog2: 9, leafLog2: 15, keyWidth: 53, levels: 6 }, 6],
  [14, { tableLog2: 11, leafLog2: 17, keyWidth: 51, levels: 5 }, 4],
  [16, { tableLog2: 13, leafLog2: 19, keyWidth: 49, levels: 4 }, 4],
])('radix tree at page shift %i', (shift, geometry, levelsOfKhoV2) => {
  expect(radixGeometry(shift)).toEqual(geometry);
  expect(radixGeometry(shift, 'kho-v2').levels).toBe(levelsOfKhoV2);
});
