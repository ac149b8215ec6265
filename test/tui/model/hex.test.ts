import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferMemory } from '../../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { type Grid, bitLine, bytesPerRow, hexRows, moveRows, nextRow, previousRow, readings, rowStart } from '../../../src/tui/model/hex.js';
import { textOf } from '../../../src/tui/model/text.js';

const counted = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, index) => (from + index) & 0xff);

/** The same with long runs of equal bytes in it. */
function sparse(): PhysicalMemory {
  const bytes = counted(4096);
  bytes.fill(0, 0x80, 0x400);
  bytes.fill(7, 0x700, 0xff0);
  return bufferMemory([
    { start: 0x1000, bytes },
    { start: 0x4000, bytes: new Uint8Array(4096) },
  ]);
}

/** Two runs of pages with a hole of excluded pages between them, in a machine of 64 KiB. */
function memory(): PhysicalMemory {
  const inner = bufferMemory([
    { start: 0x1000, bytes: counted(4096) },
    { start: 0x4000, bytes: counted(20) },
  ]);
  return { ...inner, stateOf: (address) => (inner.stateOf(address) === 'present' ? 'present' : address < 0x10000 ? 'excluded' : 'out-of-range') };
}

const options = { height: 10, digits: 8, selection: null } as const;
const grid = (of: PhysicalMemory = memory(), perRow = 8, keep: number | null = null): Grid => ({ memory: of, perRow, keep });

describe('hex rows', () => {
  it('shows bytes, text, and a gap as one row', () => {
    expect(hexRows(grid(), 0x1ff0, { ...options, height: 4 }).map(textOf)).toEqual([
      '00001ff0  f0 f1 f2 f3 f4 f5 f6 f7 ........',
      '00001ff8  f8 f9 fa fb fc fd fe ff ........',
      '  0x2000–0x3fff (8 KiB): not in this dump',
      '00004000  00 01 02 03 04 05 06 07 ........',
    ]);
  });

  it('ends with the memory, and says what is behind it', () => {
    const rows = hexRows(grid(), 0x4010, options).map(textOf);
    expect(rows[0]?.trimEnd()).toBe('00004010  10 11 12 13             ....');
    expect(rows[1]).toBe('  0x4014 and above: not in this dump, then outside the memory of this dump');
    expect(rows).toHaveLength(2);
  });

  it('puts brackets around the selection, across rows and at the end of a row', () => {
    const rows = hexRows(grid(), 0x1040, { ...options, height: 3, selection: { address: 0x1046, firstBit: 0, bits: 48 } }).map(textOf);
    expect(rows).toEqual([
      '00001040  40 41 42 43 44 45[46 47]@ABCDEFG',
      '00001048 [48 49 4a 4b]4c 4d 4e 4f HIJKLMNO',
      '00001050  50 51 52 53 54 55 56 57 PQRSTUVW',
    ]);
  });

  it('marks changed bytes without colour', () => {
    const [row] = hexRows(grid(), 0x1040, { ...options, height: 1, changed: [{ start: 0x1041, end: 0x1043 }] }).map(textOf);
    expect(row).toBe('00001040  40*41*42 43 44 45 46 47 @ABCDEFG');
  });

  it('names the selected address inside a gap with the state of its own page', () => {
    const rows = hexRows(grid(), 0x2000, { ...options, selection: { address: 0x3008, firstBit: 0, bits: 8 } }).map(textOf);
    expect(rows[1]).toBe('[ 0x3008: not in this dump');
  });

  it('goes forth and back over the same rows from anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x5000 }), fc.constantFrom(4, 8, 16, 32), fc.constantFrom(null, 0x1100, 0x1808), (address, perRow, keep) => {
        const dump = grid(sparse(), perRow, keep);
        const start = rowStart(dump, address);
        expect(start).toBeLessThanOrEqual(address);
        const next = nextRow(dump, start);
        if (next !== null) {
          expect(next).toBeGreaterThan(address);
          expect(previousRow(dump, next)).toBe(start);
        }
        expect(moveRows(dump, moveRows(dump, start, 3), -100_000)).toBe(0);
      }),
    );
  });

  it('fits as many bytes a row as the pane is wide', () => {
    expect([200, 142, 120, 76, 46, 30].map((width) => bytesPerRow(width, 8))).toEqual([32, 32, 16, 16, 8, 4]);
    for (const width of [30, 46, 80, 142, 300]) {
      const perRow = bytesPerRow(width, 9);
      const [row] = hexRows(grid(memory(), perRow), 0x1040, { ...options, height: 1, digits: 9 });
      if (width >= 46) expect(textOf(row ?? []).length).toBeLessThanOrEqual(width);
    }
  });

  it('squeezes rows that repeat the one above, but never the row of the cursor', () => {
    expect(hexRows(grid(sparse(), 16), 0x1070, { ...options, height: 4 }).map(textOf)).toEqual([
      '00001070  70 71 72 73 74 75 76 77·78 79 7a 7b 7c 7d 7e 7f pqrstuvwxyz{|}~.',
      `00001080  ${'00 '.repeat(8).trim()}·${'00 '.repeat(8)}................`,
      '00001090 *  the same up to 0x13ff (55 rows)',
      '00001400  00 01 02 03 04 05 06 07·08 09 0a 0b 0c 0d 0e 0f ................',
    ]);
    const kept = hexRows(grid(sparse(), 16, 0x1204), 0x1080, { ...options, height: 4 }).map(textOf);
    expect(kept.map((row) => row.slice(0, 11))).toEqual(['00001080  0', '00001090 * ', '00001200  0', '00001210 * ']);
  });

  it('has no inverse blank between bytes and text (B1), and its selection is one piece', () => {
    const [plain] = hexRows(grid(), 0x1040, { ...options, height: 1 });
    expect(plain?.filter(({ style }) => style === 'selected')).toEqual([]);
    const [row] = hexRows(grid(), 0x1040, { ...options, height: 1, selection: { address: 0x1042, firstBit: 0, bits: 24 } });
    const selected = (row ?? []).map(({ text, style }) => (style === 'selected' ? text : '·')).join('');
    expect(selected).toMatch(/\[42 43 44\]/);
  });

  it('marks only the bytes that a write changed (B14)', () => {
    const before = Uint8Array.of(0x41, 0, 0x43);
    const [row] = hexRows(grid(), 0x1040, { ...options, height: 1, changed: [{ start: 0x1041, end: 0x1044, before }] }).map(textOf);
    expect(row).toBe('00001040  40 41*42 43 44 45 46 47 @ABCDEFG');
  });

  it('reads the bytes under the cursor in other ways', () => {
    const dump = bufferMemory([{ start: 0, bytes: Uint8Array.of(0xea, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x33, 0, 0, 0, 0, 0, 0) }]);
    expect(Object.fromEntries(readings(dump, 0))).toMatchObject({ s32: '-22 -EINVAL', u16: '0xffea 65514', be16: '0xeaff' });
    expect(Object.fromEntries(readings(dump, 8))).toMatchObject({ u64: '0x33e7 13287', pfn: '0x33e7000' });
    const time = bufferMemory([{ start: 0, bytes: Uint8Array.of(0, 0xe1, 0x0b, 0x5e) }]);
    expect(Object.fromEntries(readings(time, 0))).toMatchObject({ time: '2020-01-01T00:00:00Z' });
  });

  it('writes a part of a byte out in binary', () => {
    expect(textOf(bitLine(memory(), { address: 0x10a5, firstBit: 2, bits: 3 }) ?? [])).toBe('10a5: 101[001]01');
    expect(textOf(bitLine(memory(), { address: 0x10a5, firstBit: 4, bits: 12 }) ?? [])).toBe('10a6: [10100110] 10a5: [1010]0101');
    expect(bitLine(memory(), { address: 0x10a5, firstBit: 0, bits: 16 })).toBeNull();
    expect(bitLine(memory(), { address: 0x3000, firstBit: 1, bits: 3 })).toBeNull();
  });
});
