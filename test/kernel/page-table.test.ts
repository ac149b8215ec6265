/** Page tables of every geometry: tables written here by the manuals' bits, walked by the code. */
import { describe, expect, it } from 'vitest';
import { KernelFault } from '../../src/kernel/fault.js';
import { type Geometry, arm64Geometry, x86Geometry } from '../../src/kernel/geometry.js';
import { walkTables, VirtualMemory } from '../../src/kernel/virtual-memory.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';

interface Format {
  readonly table: (at: number) => bigint;
  readonly page: (at: number) => bigint;
  readonly block: (at: number) => bigint;
}

const x86: Format = { table: (at) => BigInt(at) | 0x67n, page: (at) => BigInt(at) | 0x8000000000000163n, block: (at) => BigInt(at) | 0x80000000000001e3n };
const arm: Format = { table: (at) => BigInt(at) | 3n, page: (at) => BigInt(at) | 0x68000000000703n, block: (at) => BigInt(at) | 0x68000000000701n };
/** Bits 51:48 of an address at 15:12. */
const arm64k: Format = {
  table: (at) => (BigInt(at) & 0xffffffff0000n) | ((BigInt(at) >> 48n) << 12n) | 3n,
  page: (at) => (BigInt(at) & 0xffffffff0000n) | ((BigInt(at) >> 48n) << 12n) | 0x703n,
  block: (at) => (BigInt(at) & 0xffffffff0000n) | ((BigInt(at) >> 48n) << 12n) | 0x701n,
};
/** Bits 51:50 at 9:8. */
const armLpa2: Format = {
  table: (at) => (BigInt(at) & 0x3fffffffff000n) | ((BigInt(at) >> 50n) << 8n) | 3n,
  page: (at) => (BigInt(at) & 0x3fffffffff000n) | ((BigInt(at) >> 50n) << 8n) | 0x403n,
  block: (at) => (BigInt(at) & 0x3fffffffff000n) | ((BigInt(at) >> 50n) << 8n) | 0x401n,
};

const HIGH = 2 ** 51 + 2 ** 48;
const cases: readonly { readonly geometry: Geometry; readonly format: Format; readonly target: number }[] = [
  { geometry: x86Geometry(4, 0n), format: x86, target: 0x123456000 },
  { geometry: x86Geometry(5, 0n), format: x86, target: 0x123456000 },
  { geometry: arm64Geometry(4096, 39, false), format: arm, target: 0x41230000 },
  { geometry: arm64Geometry(4096, 48, false), format: arm, target: 0x41230000 },
  { geometry: arm64Geometry(4096, 52, true), format: armLpa2, target: HIGH + 0x41230000 },
  { geometry: arm64Geometry(16384, 47, false), format: arm, target: 0x41230000 },
  { geometry: arm64Geometry(16384, 48, false), format: arm, target: 0x41230000 },
  { geometry: arm64Geometry(65536, 42, false), format: arm64k, target: 0x41230000 },
  { geometry: arm64Geometry(65536, 48, true), format: arm64k, target: HIGH + 0x41230000 },
  { geometry: arm64Geometry(65536, 52, true), format: arm64k, target: HIGH + 0x41230000 },
];

/** Tables from 1 MiB on that lead `address` down to level `last`, where `leaf` stands. */
function tablesFor({ geometry, format }: (typeof cases)[number], address: bigint, last: number, leaf: bigint) {
  const { pageShift, indexBits, levels, addressBits } = geometry;
  const pageSize = 2 ** pageShift;
  const inside = address & ((1n << BigInt(addressBits)) - 1n);
  const segments: { start: number; bytes: Uint8Array }[] = [];
  const start = (level: number): number => 0x100000 + (levels - 1 - level) * 8 * pageSize;
  for (let level = levels - 1; level >= last; level--) {
    const shift = BigInt(pageShift + level * indexBits);
    const index = level === levels - 1 ? inside >> shift : (inside >> shift) & BigInt(2 ** indexBits - 1);
    const bytes = new Uint8Array(pageSize);
    new DataView(bytes.buffer).setBigUint64(Number(index) * 8, level === last ? leaf : format.table(start(level - 1)), true);
    segments.push({ start: start(level), bytes });
  }
  return { root: start(levels - 1), segments, pageSize };
}

describe.each(cases)('$geometry.name', (one) => {
  const { geometry, format, target } = one;
  const address = (1n << 64n) - (1n << BigInt(geometry.addressBits - 1)) + 0x5_4321_1230n;

  it('a page', () => {
    const page = Math.floor(target / 2 ** geometry.pageShift) * 2 ** geometry.pageShift;
    const { root, segments, pageSize } = tablesFor(one, address, 0, format.page(page));
    const found = walkTables(bufferMemory(segments, pageSize), geometry, root, address);
    expect(found).toEqual({ physical: page, size: pageSize });
  });

  it.each([1, 2, 3].filter((level) => level <= geometry.highestBlock && level < geometry.levels))('a block of level %i', (level) => {
    const size = 2 ** (geometry.pageShift + level * geometry.indexBits);
    const block = Math.floor((target - (target % 2 ** 48)) / size) * size + (target >= 2 ** 48 ? 0 : size);
    const { root, segments, pageSize } = tablesFor(one, address, level, format.block(block));
    const memory = bufferMemory(segments, pageSize);
    expect(walkTables(memory, geometry, root, address)).toEqual({ physical: block, size });
    const virtual = new VirtualMemory(memory, { geometry, root, linear: [] });
    expect(virtual.translate(address)).toBe(block + Number(address & BigInt(size - 1)));
  });

  it('what is not mapped, not canonical, or not in the dump is told', () => {
    const { root, segments, pageSize } = tablesFor(one, address, 0, 0n);
    const memory = bufferMemory(segments, pageSize);
    expect(() => walkTables(memory, geometry, root, address)).toThrow(/nothing is mapped/);
    expect(() => walkTables(memory, geometry, root, 0x1000n)).toThrow(/no kernel address/);
    const [top] = segments;
    const alone = bufferMemory(top === undefined ? [] : [top], pageSize);
    if (geometry.levels > 1) expect(() => walkTables(alone, geometry, root, address)).toThrow(KernelFault);
    if (geometry.levels > 1) expect(() => walkTables(alone, geometry, root, address)).toThrow(/page table at 0x/);
  });
});
