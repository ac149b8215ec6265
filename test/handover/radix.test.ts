/** Keys of the preserved memory map, against worked examples and against the kernel's formula. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { radixGeometry } from '../../abi/kho/radix.js';
import { radixBlock, radixKey } from '../../src/handover/preserved/radix.js';

describe('radix keys with pages of 4 KiB', () => {
  // Computed by hand from the definition: marker at bit 52 - order, below it the block's number.
  it.each([
    [0x1000, 0, 0x0010000000000001n],
    [0x12345000, 0, 0x0010000000012345n],
    [0x100000000, 0, 0x0010000000100000n],
    [0x3fffe000, 1, 0x000800000001ffffn],
    [0x40000000, 9, 0x0000080000000200n],
    [0x7f200000, 9, 0x00000800000003f9n],
    [0x80000000, 18, 0x0000000400000002n],
  ])('block at 0x%s of order %i', (start, order, key) => {
    expect(radixKey(start, order, 12)).toBe(key);
    expect(radixBlock(key, 12)).toEqual({ start, order });
  });

  it('an empty key stands for nothing', () => {
    expect(radixBlock(0n, 12)).toBeNull();
  });
});

describe('geometry', () => {
  it.each([
    [12, 6, 53],
    [14, 5, 51],
    [16, 4, 49],
  ])('pages of 1 << %i have %i levels', (pageShift, levels, keyWidth) => {
    const geometry = radixGeometry(pageShift);
    expect(geometry.levels).toBe(levels);
    expect(geometry.keyWidth).toBe(keyWidth);
  });
});

it('every block has one key, every key one block', () => {
  const block = fc.record({ pageShift: fc.constantFrom(12, 14, 16), order: fc.integer({ min: 0, max: 18 }), number: fc.integer({ min: 0, max: 2 ** 15 }) });
  fc.assert(
    fc.property(block, ({ pageShift, order, number }) => {
      const start = number * 2 ** (pageShift + order);
      fc.pre(start < 2 ** 52);
      expect(radixBlock(radixKey(start, order, pageShift), pageShift)).toEqual({ start, order });
    }),
  );
});
