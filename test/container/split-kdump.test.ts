/** A kdump in several files: whichever is given, the others are found beside it, and what is missing is said. */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { kdumpSubHeader } from '../../abi/kdump/kdump.js';
import { encodeInto } from '../../src/codec/encode.js';
import { writeKdump } from '../../src/container/kdump-writer.js';
import { type ByteSource, bufferSource } from '../../src/container/byte-source.js';
import { openDump } from '../../src/container/open.js';
import { PageBitmap } from '../../src/container/page-bitmap.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { scratch } from '../scratch.js';

const PAGE = 4096;
const PAGES = 24;
const folder = scratch();

const bytes = Uint8Array.from({ length: PAGES * PAGE }, (_, at) => (at % 251) ^ (at >> 12));
/** As makedumpfile does it: descriptors of a part of the page frames, and a sub header that says which. */
async function writePart(name: string, start: number, end: number): Promise<void> {
  const path = join(folder, name);
  const memory = bufferMemory([{ start: start * PAGE, bytes: bytes.subarray(start * PAGE, end * PAGE) }]);
  const withheld = [
    { start: 0, end: start * PAGE },
    { start: end * PAGE, end: PAGES * PAGE },
  ].filter((range) => range.end > range.start);
  await writeKdump(path, { memory, arch: 'x86_64', vmcoreinfo: new Map([['OSRELEASE', '7.3.4']]), withheld });
  const file = readFileSync(path);
  encodeInto(kdumpSubHeader, { split: 1, start_pfn: start, end_pfn: end, start_pfn_64: start, end_pfn_64: end }, file, PAGE);
  writeFileSync(path, file);
}

beforeAll(async () => {
  await writePart('vmcore.2', 9, 17);
  await writePart('vmcore.1', 0, 9);
  await writePart('vmcore.3', 17, PAGES);
  writeFileSync(join(folder, 'console.log'), 'not a dump\n');
});

describe('a split dump', () => {
  it.each(['vmcore.1', 'vmcore.2', 'vmcore.3'])('by %s: all of it', async (name) => {
    const dump = await openDump(join(folder, name));
    try {
      const read = new Uint8Array(bytes.length);
      expect(dump.memory.readInto(0, read.length, read)).toBe(bytes.length);
      expect(Buffer.from(read).equals(bytes)).toBe(true);
      expect(dump.evidence.join('\n')).toContain('a dump in 3 files of this folder (makedumpfile --split)');
      expect(dump.evidence.join('\n')).toContain('all parts are there');
      expect(dump.vmcoreinfo?.get('OSRELEASE')).toBe('7.3.4');
    } finally {
      dump.close();
    }
  });

  it('a part that is not there is named, and its pages are not in the dump', async () => {
    unlinkSync(join(folder, 'vmcore.2'));
    const dump = await openDump(join(folder, 'vmcore.3'));
    expect(dump.evidence.join('\n')).toContain('MISSING are page frames 0x9 to 0x11');
    expect([8, 9, 16, 17, PAGES].map((page) => dump.memory.stateOf(page * PAGE))).toEqual(['present', 'excluded', 'excluded', 'present', 'out-of-range']);
    dump.close();
  });
});

it('a part of a bitmap is counted without what is below it, and gives each page the same rank among its own', () => {
  const bits = Uint8Array.from({ length: 1000 }, (_, at) => (at * 37) & 0xff);
  const has = (frame: number): boolean => ((bits[frame >> 3] ?? 0) & (1 << (frame & 7))) !== 0;
  const plain = bufferSource('bitmap', bits);
  let lowest = Number.POSITIVE_INFINITY;
  const watched: ByteSource = {
    ...plain,
    readInto(offset, ...rest) {
      lowest = Math.min(lowest, offset);
      return plain.readInto(offset, ...rest);
    },
  };
  const [first, end] = [4099, 7001];
  const bitmap = new PageBitmap(watched, 0, first, end, true);
  const frames = Array.from({ length: end - first }, (_, index) => first + index).filter(has);
  expect(bitmap.count).toBe(frames.length);
  expect(frames.map((frame) => bitmap.rank(frame))).toEqual(frames.map((_, index) => index));
  expect([...bitmap.frames()].flatMap((range) => Array.from({ length: range.end - range.start }, (_, index) => range.start + index))).toEqual(frames);
  expect(lowest).toBe(512);
});
