/** Random flips in the memory of frozen kernels: those that the next kernel would read, and that something contradicts, are told at the word that was changed. */
import { expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { flip } from './flips/flips.js';
import { extent } from '../extent.js';

const SEED = Number(process.env.FLIP_SEED ?? 20261121);
const COUNT = Number(process.env.FLIPS ?? extent(30, 500));

const images = [
  ['7.3', 'test/fixtures/diagnosis/frozen-73.elf.xz', '7.3.4'],
  ['7.1', 'test/fixtures/diagnosis/frozen-71.elf.xz', '7.1.13'],
  ['6.18', 'test/fixtures/diagnosis/frozen-618.elf.xz', '6.18.15'],
] as const;

it.each(images)(
  `${COUNT} flips in a handover of %s (seed ${SEED}): 98 of 100 are found, 90 at the word that was changed first`,
  { timeout: 600_000 },
  async (_, path, release) => {
    const opened = await openDump(path);
    try {
      const { done, found, first, short } = flip(opened.memory, release, COUNT, SEED);
      const told = short.join('\n');
      expect(done).toBe(COUNT);
      expect(found / done, told).toBeGreaterThanOrEqual(0.98);
      expect(first / done, told).toBeGreaterThanOrEqual(0.9);
    } finally {
      opened.close();
    }
  },
);
