/** Raw memory with a copy of /proc/iomem: what is no System RAM is no memory, whatever the file has there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIomem } from '../../src/container/raw.js';
import { openDump } from '../../src/container/open.js';
import { scratch } from '../scratch.js';

// A QEMU guest's, with what stands inside of a range below it.
const IOMEM = `00000000-00000fff : Reserved
00001000-00002fff : System RAM
  00002000-00002fff : Kernel code
00003000-00003fff : Reserved
00004000-00005fff : System RAM
fee00000-fee00fff : Local APIC
`;

const folder = scratch();
const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const iomem = file('iomem', IOMEM);
/** Page n holds n + 1 everywhere. */
const pages = (numbers: readonly number[]): Uint8Array => Uint8Array.from({ length: numbers.length * 4096 }, (_, index) => (numbers[index >> 12] ?? 0) + 1);

describe('--iomem', () => {
  it('takes the outermost ranges of System RAM', () => {
    expect(parseIomem(IOMEM, 'iomem')).toEqual([
      { start: 0x1000, end: 0x3000 },
      { start: 0x4000, end: 0x6000 },
    ]);
  });

  it.each([
    ['with its gaps', [0, 1, 2, 3, 4, 5]],
    ['without them', [1, 2, 4, 5]],
  ])('a dump %s', async (name, numbers) => {
    const dump = await openDump(file(`raw-${numbers.length}`, pages(numbers)), { iomem });
    try {
      expect(dump.memory.readable).toEqual(parseIomem(IOMEM, name));
      const byte = new Uint8Array(1);
      for (const page of [1, 2, 4, 5]) {
        expect(dump.memory.readInto(page * 4096, 1, byte)).toBe(1);
        expect(byte[0]).toBe(page + 1);
      }
      for (const page of [0, 3, 6]) expect(dump.memory.stateOf(page * 4096)).toBe('out-of-range');
    } finally {
      dump.close();
    }
  });

  it('a dump that ends early: the rest of memory was left out, and is not said to be none', async () => {
    const dump = await openDump(file('short', pages([0, 1, 2])), { iomem });
    expect([0x2000, 0x3000, 0x4000, 0x6000].map((address) => dump.memory.stateOf(address))).toEqual(['present', 'out-of-range', 'excluded', 'out-of-range']);
    expect(dump.evidence.join('\n')).toContain('ends before them');
    dump.close();
  });

  it('is refused where it says nothing, and where the dump says itself where memory is', async () => {
    const raw = file('raw', pages([0, 1]));
    await expect(openDump(raw, { iomem: file('zeros', '00000000-00000000 : System RAM\n') })).rejects.toThrow(/read as an ordinary user/);
    await expect(openDump(raw, { iomem: file('none', 'nothing\n') })).rejects.toThrow(/no line says System RAM/);
    await expect(openDump('samples/handover-7.3/s1-frozen.sparse.elf.xz', { iomem })).rejects.toThrow(/leave --iomem out/);
  });
});
