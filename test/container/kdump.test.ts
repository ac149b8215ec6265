/** kdump-compressed dumps: each compression, page states, flattened and split ones, and what is refused. */
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { DUMP_DH_COMPRESSED, diskDumpHeader, flattenedHeader, flattenedPiece, kdumpSubHeader, pageDesc } from '../../abi/kdump/kdump.js';
import { encodeInto, encodeStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { openDump } from '../../src/container/open.js';
import { readBytes } from '../../src/memory/memory.js';
import { concat, fixture, kdump, page, refusal, scratchFolder } from './inputs.js';

const { fileOf, opened } = scratchFolder();

/** `zstd -19` of the page below. */
const ZSTD_PAGE =
  'KLUv/QRovQUARAoABw4VHCMqMTg/Rk1UW2JpcHd+hYyTmqGor7a9xMvS2eDn7vX8AwoRAMDHztXc4+rx+P8GDRQbIikwNz5FTFNaYWhvdn2Ei5KZoKeutbzDytEAgIeOlZyjqrG4v8bN1Nvi6fD3/gUMExohKC82PURLUllgZ251fIOKkQBAR05VXGNqcXh/ho2Um6KpsLe+xczT2uHo7/b9BAsSGSAnLjU8Q0pRAAUA/R5YPgioS0CtA2qdGugBI1iCkw==';
const zstdPage = Uint8Array.from({ length: 4096 }, (_, index) => (index % 64 < 40 ? (index * 7) & 255 : 0));

/** Snappy by hand: 5 literals, then copies of them (1-, 2- and 4-byte offsets) up to 4096 bytes. */
function snappyPage(): { readonly stored: Uint8Array; readonly bytes: Uint8Array } {
  const stored = [0x80, 0x20, (5 - 1) << 2, 1, 2, 3, 4, 5];
  let length = 5;
  stored.push(1 | ((6 - 4) << 2), 5);
  length += 6;
  stored.push(3 | ((9 - 1) << 2), 5, 0, 0, 0);
  length += 9;
  while (length < 4096) {
    const part = Math.min(64, 4096 - length);
    stored.push(2 | ((part - 1) << 2), 5, 0);
    length += part;
  }
  return { stored: Uint8Array.from(stored), bytes: Uint8Array.from({ length: 4096 }, (_, index) => (index % 5) + 1) };
}

describe('made by makedumpfile 1.7.2', () => {
  test.each(['sixteen-pages.zlib.kdump.xz', 'sixteen-pages.lzo.kdump.xz', 'sixteen-pages.lzo.flattened.xz'])(
    '%s holds the memory of the core it was made from',
    async (name) => {
      const core = await openDump(fixture('sixteen-pages.elf.xz'));
      const dump = await openDump(fixture(name));
      expect(dump.container).toBe('kdump');
      expect(dump.arch).toBe('x86_64');
      expect(dump.vmcoreinfo).toEqual(core.vmcoreinfo);
      expect(dump.pageSizeFromDump).toBe(4096);
      expect(dump.memory.readable).toEqual(core.memory.readable);
      for (const { start, end } of core.memory.readable) expect(readBytes(dump.memory, start, end - start)).toEqual(readBytes(core.memory, start, end - start));
      const states = core.memory.readable.flatMap(({ start, end }) =>
        Array.from({ length: (end - start) / 4096 }, (_, index) => dump.memory.stateOf(start + index * 4096)),
      );
      expect(states.filter((state) => state === 'zero')).toHaveLength(1);
      expect(states.filter((state) => state === 'present')).toHaveLength(15);
      expect(dump.memory.stateOf(0x20000)).toBe('out-of-range');
      core.close();
      dump.close();
    },
  );
});

describe('pages', () => {
  const snappy = snappyPage();
  const pages = [
    { pfn: 3, bytes: new Uint8Array(4096), flags: 0 },
    { pfn: 8, bytes: page(8), flags: 0 },
    { pfn: 9, bytes: deflateSync(page(9)), flags: DUMP_DH_COMPRESSED.ZLIB },
    { pfn: 10, bytes: snappy.stored, flags: DUMP_DH_COMPRESSED.SNAPPY },
    { pfn: 63, bytes: Uint8Array.from(Buffer.from(ZSTD_PAGE, 'base64')), flags: DUMP_DH_COMPRESSED.ZSTD },
  ];

  test('stored, zlib, snappy and zstd; zero, excluded and out of range', async () => {
    const dump = await opened('all.kdump', kdump(pages, [20]));
    const read = (pfn: number): Uint8Array => {
      const result = readBytes(dump.memory, pfn * 4096, 4096);
      expect(result.ok).toBe(true);
      return result.bytes;
    };
    expect(read(3)).toEqual(new Uint8Array(4096));
    expect(read(8)).toEqual(page(8));
    expect(read(9)).toEqual(page(9));
    expect(read(10)).toEqual(snappy.bytes);
    expect(read(63)).toEqual(zstdPage);
    expect([3, 8, 20, 21, 63, 64].map((pfn) => dump.memory.stateOf(pfn * 4096))).toEqual([
      'zero',
      'present',
      'excluded',
      'out-of-range',
      'present',
      'out-of-range',
    ]);
    expect(readBytes(dump.memory, 8 * 4096 + 4090, 12)).toEqual({ ok: true, bytes: concat(page(8).subarray(4090), page(9).subarray(0, 6)) });
    dump.close();
  });

  test.each(Object.entries(DUMP_DH_COMPRESSED))('a damaged %s page counts as excluded once it was asked for, the others stay', async (_, flags) => {
    const dump = await opened(
      'damaged.kdump',
      kdump([
        { pfn: 1, bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), flags },
        { pfn: 2, bytes: page(2), flags: 0 },
      ]),
    );
    expect(readBytes(dump.memory, 4096, 8)).toMatchObject({ ok: false, state: 'excluded', at: 4096 });
    expect(readBytes(dump.memory, 8192, 4096)).toEqual({ ok: true, bytes: page(2) });
    dump.close();
  });

  test('of a split dump only the frames of its part are in it', async () => {
    const bytes = kdump(pages.slice(1, 3), [3, 10]);
    encodeInto(kdumpSubHeader, { split: 1, start_pfn_64: 9, end_pfn_64: 64 }, bytes, 4096);
    // Descriptors are of the part alone.
    const first = bytes.slice(4 * 4096 + sizeOf(pageDesc), 4 * 4096 + 2 * sizeOf(pageDesc));
    bytes.set(first, 4 * 4096);
    const dump = await opened('split.kdump', bytes);
    expect([8, 9].map((pfn) => dump.memory.stateOf(pfn * 4096))).toEqual(['excluded', 'present']);
    expect(readBytes(dump.memory, 9 * 4096, 4096)).toEqual({ ok: true, bytes: page(9) });
    dump.close();
  });
});

describe('flattened', () => {
  const block = (bytes: Uint8Array): Uint8Array => concat(bytes, new Uint8Array(4096 - bytes.length));
  const start = block(encodeStruct(flattenedHeader, { signature: 'makedumpfile', type: 1, version: 1 }));
  const piece = (offset: number, bytes: Uint8Array): Uint8Array => concat(encodeStruct(flattenedPiece, { offset, buf_size: bytes.length }), bytes);
  const end = encodeStruct(flattenedPiece, { offset: -1, buf_size: -1 });
  const whole = kdump([{ pfn: 8, bytes: page(8), flags: 0 }]);

  test('pieces in any order; what was written last holds', async () => {
    const stale = new Uint8Array(4096).fill(0xee);
    const dump = await opened('pieces.flat', concat(start, piece(8192, whole.subarray(8192)), piece(0, stale), piece(0, whole.subarray(0, 8192)), end));
    expect(dump.container).toBe('kdump');
    expect(readBytes(dump.memory, 8 * 4096, 4096)).toEqual({ ok: true, bytes: page(8) });
    dump.close();
  });

  test('refused: no end mark, a piece cut short, holes without measure, nothing within', async () => {
    expect(await refusal(fileOf('a.flat', concat(start, piece(0, whole))))).toMatch(/cut short: no end mark/);
    expect(await refusal(fileOf('b.flat', concat(start, piece(0, whole)).subarray(0, 9000)))).toMatch(/the piece at offset 4096 ends at offset/);
    expect(await refusal(fileOf('c.flat', concat(start, piece(0, whole), piece(2 ** 50, Uint8Array.of(1)), end)))).toMatch(/were never written/);
    expect(await refusal(fileOf('d.flat', concat(start, end)))).toMatch(/without any piece/);
    expect(await refusal(fileOf('e.flat', concat(start, piece(0, page(1)), end)))).toMatch(/neither an ELF core nor kdump/);
  });
});

describe('refused', () => {
  const good = kdump([{ pfn: 8, bytes: page(8), flags: 0 }]);
  const changed = (fields: Parameters<typeof encodeStruct<typeof diskDumpHeader>>[1]): Uint8Array => {
    const bytes = good.slice();
    encodeInto(diskDumpHeader, fields, bytes, 0);
    return bytes;
  };
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['cut inside the header', good.subarray(0, 100), /kdump cut short: the header has/],
    ['cut inside the sub header', good.subarray(0, 4100), /the sub header at offset 4096 needs/],
    ['cut inside the bitmaps', good.subarray(0, 9000), /its bitmaps end at offset 16384, the file at 9000/],
    ['cut inside the pages', good.subarray(0, good.length - 1), new RegExp(`its pages end at offset ${good.length}`)],
    ['big-endian', changed({ header_version: 0x06000000 }), /header version 100663296 .* little-endian/],
    ['no page has that size', changed({ block_size: 1000 }), /block_size at offset 428 is 1000/],
    ['bitmaps too small', changed({ bitmap_blocks: 0 }), /bitmap_blocks at offset 436 is 0/],
  ];
  test.each(cases)('%s', async (name, bytes, message) => {
    expect(await refusal(fileOf(`${name.replaceAll(' ', '-')}.kdump`, bytes))).toMatch(message);
  });
});
