import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferMemory } from '../../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { bitLine, bytesPerRow, hexRows, moveRows, nextRow, previousRow, rowStart } from '../../../src/tui/model/hex.js';
import { textOf } from '../../../src/tui/model/text.js';

const counted = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, index) => (from + index) & 0xff);

/** Two runs of pages with a hole of excluded pages between them, in a machine of 64 KiB. */
function memory(): PhysicalMemory {
  const inner = bufferMemory([
    { start: 0x1000, bytes: counted(4096) },
    { start: 0x4000, bytes: counted(20) },
  ]);
  return { ...inner, stateOf: (address) => (inner.stateOf(address) === 'present' ? 'present' : address < 0x10000 ? 'excluded' : 'out-of-range') };
}

const options = { height: 10, perRow: 8, digits: 8, selection: null } as const;

describe('hex rows', () => {
  it('shows bytes, text, and a gap as one row', () => {
    expect(hexRows(memory(), 0x1ff0, { ...options, height: 4 }).map(textOf)).toEqual([
      '00001ff0  f0 f1 f2 f3 f4 f5 f6 f7 ........',
      '00001ff8  f8 f9 fa fb fc fd fe ff ........',
      '  0x2000–0x3fff (8 KiB): not in this dump',
      '00004000  00 01 02 03 04 05 06 07 ........',
    ]);
  });

  it('ends with the memory, and says what is behind it', () => {
    const rows = hexRows(memory(), 0x4010, options).map(textOf);
    expect(rows[0]?.trimEnd()).toBe('00004010  10 11 12 13             ....');
    expect(rows[1]).toBe('  0x4014 and above: not in this dump, then outside the memory of this dump');
    expect(rows).toHaveLength(2);
  });

  it('puts brackets around the selection, across rows and at the end of a row', () => {
    const rows = hexRows(memory(), 0x1040, { ...options, height: 3, selection: { address: 0x1046, firstBit: 0, bits: 48 } }).map(textOf);
    expect(rows).toEqual([
      '00001040  40 41 42 43 44 45[46 47]@ABCDEFG',
      '00001048 [48 49 4a 4b]4c 4d 4e 4f HIJKLMNO',
      '00001050  50 51 52 53 54 55 56 57 PQRSTUVW',
    ]);
  });

  it('marks changed bytes without colour', () => {
    const [row] = hexRows(memory(), 0x1040, { ...options, height: 1, changed: [{ start: 0x1041, end: 0x1043 }] }).map(textOf);
    expect(row).toBe('00001040  40*41*42 43 44 45 46 47 @ABCDEFG');
  });

  it('names the selected address inside a gap with the state of its own page', () => {
    const rows = hexRows(memory(), 0x2000, { ...options, selection: { address: 0x3008, firstBit: 0, bits: 8 } }).map(textOf);
    expect(rows[1]).toBe('[ 0x3008: not in this dump');
  });

  it('goes forth and back over the same rows from anywhere', () => {
    const dump = memory();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x5000 }), fc.constantFrom(4, 8, 16, 32), (address, perRow) => {
        const start = rowStart(dump, address, perRow);
        expect(start).toBeLessThanOrEqual(address);
        const next = nextRow(dump, start, perRow);
        if (next !== null) {
          expect(next).toBeGreaterThan(address);
          expect(previousRow(dump, next, perRow)).toBe(start);
        }
        expect(moveRows(dump, moveRows(dump, start, 3, perRow), -100_000, perRow)).toBe(0);
      }),
    );
  });

  it('fits as many bytes a row as the pane is wide', () => {
    expect([200, 142, 120, 76, 46, 30].map((width) => bytesPerRow(width, 8))).toEqual([32, 32, 16, 16, 8, 4]);
    for (const width of [30, 46, 80, 142, 300]) {
      const perRow = bytesPerRow(width, 9);
      const [row] = hexRows(memory(), 0x1040, { ...options, height: 1, perRow, digits: 9 });
      if (width >= 46) expect(textOf(row ?? []).length).toBeLessThanOrEqual(width);
    }
  });

  it('writes a part of a byte out in binary', () => {
    expect(textOf(bitLine(memory(), { address: 0x10a5, firstBit: 2, bits: 3 }) ?? [])).toBe('10a5: 101[001]01');
    expect(textOf(bitLine(memory(), { address: 0x10a5, firstBit: 4, bits: 12 }) ?? [])).toBe('10a6: [10100110] 10a5: [1010]0101');
    expect(bitLine(memory(), { address: 0x10a5, firstBit: 0, bits: 16 })).toBeNull();
    expect(bitLine(memory(), { address: 0x3000, firstBit: 1, bits: 3 })).toBeNull();
  });
});
