/** The parts below the formats: extents, LZO and snappy, spooled streams. */
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExtentBuilder, findExtent } from '../../src/container/extents.js';
import { lzoDecompress } from '../../src/container/lzo.js';
import { snappyDecompress } from '../../src/container/snappy.js';
import { Spool } from '../../src/container/spool.js';
import { readAt } from '../../src/container/byte-source.js';
import { page } from './inputs.js';

describe('extents', () => {
  const extent = fc.tuple(fc.nat(60), fc.nat(20), fc.nat(1000));

  test('every address belongs to the first extent added that holds it', () => {
    fc.assert(
      fc.property(fc.array(extent, { maxLength: 20 }), (list) => {
        const builder = new ExtentBuilder();
        for (const [start, size, offset] of list) builder.add(start, start + size, offset);
        const table = builder.build();
        for (let address = 0; address < 90; address++) {
          const owner = list.find(([start, size]) => start <= address && address < start + size);
          const index = findExtent(table, address);
          const start = table.starts[index];
          const found = start !== undefined && start <= address ? (table.offsets[index] ?? 0) + address - start : null;
          expect(found).toBe(owner === undefined ? null : owner[2] + address - owner[0]);
        }
      }),
    );
  });
});

describe('LZO1X', () => {
  test('literals, short and long matches, by hand from the format description', () => {
    // 4 literals (first byte 17 + 4); M2 match of 3 at distance 4 with 1 literal behind; end mark.
    const end = [0x11, 0, 0];
    expect(lzoDecompress(Uint8Array.of(21, 1, 2, 3, 4, 0x4d, 0, 9, ...end), 8)).toEqual(Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 9));
    // A literal, then M3 match of 33 + 255 + 7 bytes at distance 1.
    expect(lzoDecompress(Uint8Array.of(18, 7, 0x20, 0, 7, 0, 0, ...end), 1 + 2 + 31 + 255 + 7)).toEqual(new Uint8Array(296).fill(7));
  });

  test('damage gives null, never another size', () => {
    expect(lzoDecompress(Uint8Array.of(21, 1, 2, 3, 4, 0x11, 0, 0), 5)).toBeNull();
    expect(lzoDecompress(Uint8Array.of(), 4)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (input) => {
        const out = lzoDecompress(input, 64);
        expect(out === null || out.length === 64).toBe(true);
      }),
    );
  });
});

describe('snappy', () => {
  test('the example of the format description: a run by an overlapping copy', () => {
    // "xababab": literal "xab", copy of 4 at offset 2.
    expect(snappyDecompress(Uint8Array.of(7, 0x08, 0x78, 0x61, 0x62, 0x01, 0x02), 7)).toEqual(new TextEncoder().encode('xababab'));
    const long = page(1).subarray(0, 300);
    expect(snappyDecompress(Uint8Array.of(0xac, 2, 61 << 2, 43, 1, ...long), 300)).toEqual(long);
  });

  test('damage gives null, never another size', () => {
    expect(snappyDecompress(Uint8Array.of(7, 0x08, 0x78, 0x61), 7)).toBeNull();
    expect(snappyDecompress(Uint8Array.of(4, 0x01, 0x02), 4)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (input) => {
        const out = snappyDecompress(Uint8Array.of(64, ...input), 64);
        expect(out === null || out.length === 64).toBe(true);
      }),
    );
  });
});

describe('spool', () => {
  test.each([16, 100000, 1 << 20])('what was written reads back (memory limit %i bytes), and no file is left from the moment there is one', (limit) => {
    const folder = mkdtempSync(join(tmpdir(), 'spool-'));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder;
    try {
      const spool = new Spool('a stream', limit);
      const pieces = [
        page(1),
        new Uint8Array(70_000),
        page(2).subarray(0, 77),
        new Uint8Array(0),
        Buffer.concat(new Array(40).fill(page(3))),
        new Uint8Array(200_000),
        page(4),
      ];
      for (const piece of pieces) {
        spool.write(piece);
        expect(readdirSync(folder)).toEqual([]);
      }
      const source = spool.finish();
      const all = Buffer.concat(pieces);
      expect(source.size).toBe(all.length);
      expect(Buffer.from(readAt(source, 0, source.size)).equals(all)).toBe(true);
      for (const at of [0, 65_530, 69_999, 131_071, 250_000, all.length - 3])
        expect(Buffer.from(readAt(source, at, 70_000)).equals(all.subarray(at, at + 70_000))).toBe(true);
      source.close();
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmdirSync(folder);
    }
  });
});
