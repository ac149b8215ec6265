/** Hostile input: whatever is cut off or changed, opening and reading ends in a dump or in one line, never otherwise. */
import { readFileSync } from 'node:fs';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flattenedHeader, flattenedPiece } from '../../abi/kdump/kdump.js';
import { limeHeader } from '../../abi/lime/v1.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { buildFdt } from '../../src/codec/fdt.js';
import { UserError } from '../../src/codec/user-error.js';
import { openDump } from '../../src/container/open.js';
import { concat, elfCore, fixture, kdump, note, page, scratchFolder } from './inputs.js';
import { extent } from '../extent.js';

const { fileOf } = scratchFolder();

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const core = elfCore({
  segments: [
    { paddr: 0x1000, bytes: page(1) },
    { paddr: 0x4000, bytes: page(2), memsz: 0x2000 },
  ],
  notes: [note('CORE', 1, new Uint8Array(8)), note('VMCOREINFO', 0, text('OSRELEASE=7.3\nPAGESIZE=4096\n'))],
});
const compressed = kdump(
  [
    { pfn: 3, bytes: new Uint8Array(4096), flags: 0 },
    { pfn: 9, bytes: deflateSync(page(9)), flags: 1 },
  ],
  [20],
);
const flattened = concat(
  encodeStruct(flattenedHeader, { signature: 'makedumpfile', type: 1, version: 1 }),
  new Uint8Array(4096 - 32),
  encodeStruct(flattenedPiece, { offset: 0, buf_size: compressed.length }),
  compressed,
  encodeStruct(flattenedPiece, { offset: -1, buf_size: -1 }),
);
const lime = concat(encodeStruct(limeHeader, { magic: 0x4c694d45, version: 1, s_addr: 0x1000, e_addr: 0x1fff }), page(1));
const fdt = buildFdt({
  name: '',
  properties: [['compatible', text('kho-v4\0')]],
  children: [{ name: 'LUO', properties: [['preserved-data', new Uint8Array(8)]], children: [] }],
});

/** `header`: the bytes that changes aim at. */
const inputs: readonly { readonly name: string; readonly bytes: Uint8Array; readonly headers: readonly (readonly [start: number, size: number])[] }[] = [
  { name: 'elf', bytes: core, headers: [[0, 64 + 3 * 56 + 80]] },
  {
    name: 'kdump',
    bytes: compressed,
    headers: [
      [0, 12],
      [424, 40],
      [4096, 112],
      [8192, 8],
      [12288, 8],
      [16384, 48],
    ],
  },
  {
    name: 'flattened',
    bytes: flattened,
    headers: [
      [0, 32],
      [4096, 16],
      [flattened.length - 16, 16],
    ],
  },
  { name: 'lime', bytes: lime, headers: [[0, 32]] },
  { name: 'fdt', bytes: fdt, headers: [[0, fdt.length]] },
  { name: 'gzip', bytes: gzipSync(core), headers: [[0, 400]] },
  { name: 'xz', bytes: readFileSync(fixture('handover-6.18-s1-frozen.sparse.elf.xz')), headers: [[0, 2200]] },
  { name: 'zstd', bytes: readFileSync(fixture('handover-6.18-s1-frozen.sparse.elf.zst')), headers: [[0, 2186]] },
];

/** Opens and reads a little everywhere; true where it opened. */
async function survives(name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const dump = await openDump(fileOf(name, bytes));
    const target = new Uint8Array(8192);
    const ranges = dump.memory.readable.slice(0, 8);
    for (const at of [0, 0x1000, 0x4ff8, 0x9000, 2 ** 51, ...ranges.flatMap(({ start, end }) => [start, end - 1, end])]) {
      const got = dump.memory.readInto(at, target.length, target);
      expect(got).toBeGreaterThanOrEqual(0);
      expect(got).toBeLessThanOrEqual(target.length);
      expect(['present', 'zero', 'excluded', 'out-of-range']).toContain(dump.memory.stateOf(at));
    }
    dump.close();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect(error instanceof UserError && error.message.includes('\n')).toBe(false);
    return false;
  }
}

test.each(inputs)('$name: whole, it opens', async ({ name, bytes }) => {
  expect(await survives(name, bytes)).toBe(true);
});

test.each(inputs)('$name: cut anywhere', async ({ name, bytes }) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), async (size) => {
      await survives(name, bytes.subarray(0, size));
    }),
    { numRuns: extent(15, 60) },
  );
});

test.each(inputs)('$name: bytes of its headers changed', async ({ name, bytes, headers }) => {
  const place = fc.oneof(...headers.map(([start, size]) => fc.integer({ min: start, max: Math.min(bytes.length, start + size) - 1 })));
  const change = fc.tuple(place, fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const damaged = Uint8Array.from(bytes);
      for (const [at, value] of changes) damaged[at] = value;
      await survives(name, damaged);
    }),
    { numRuns: extent(40, 150) },
  );
});
