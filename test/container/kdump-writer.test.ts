/** What the kdump writer writes, the reader reads: pages, states, VMCOREINFO; and crash, where it is installed, reads the release. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeKdump } from '../../src/container/kdump-writer.js';
import { openDump } from '../../src/container/open.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { readBytes } from '../../src/memory/memory.js';
import { page } from './inputs.js';
import { scratch } from '../scratch.js';

const folder = scratch();

/** Pages that deflate can't make smaller. */
const noise = (seed: number): Uint8Array => {
  const bytes = new Uint8Array(4096);
  let state = seed;
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
};

it('comes back page by page, with what was withheld as excluded', async () => {
  const memory = bufferMemory([
    { start: 0x3000, bytes: new Uint8Array(4096) },
    { start: 0x8000, bytes: new Uint8Array([...page(8), ...noise(7), ...new Uint8Array(4096)]) },
    { start: 0x4000_0000, bytes: noise(9) },
  ]);
  const path = join(folder, 'a.kdump');
  const vmcoreinfo = new Map([
    ['OSRELEASE', '7.3.4'],
    ['PAGESIZE', '4096'],
  ]);
  await writeKdump(path, { memory, arch: 'x86_64', vmcoreinfo, withheld: [{ start: 0x10000, end: 0x12000 }] });
  const dump = await openDump(path);
  expect(dump.container).toBe('kdump');
  expect(dump.arch).toBe('x86_64');
  expect(dump.vmcoreinfo).toEqual(vmcoreinfo);
  expect(dump.memory.readable).toEqual(memory.readable);
  for (const { start, end } of memory.readable) expect(readBytes(dump.memory, start, end - start)).toEqual(readBytes(memory, start, end - start));
  expect(dump.memory.stateOf(0x3000)).toBe('zero');
  expect(dump.memory.stateOf(0x8000)).toBe('present');
  expect(dump.memory.stateOf(0x11000)).toBe('excluded');
  expect(dump.memory.stateOf(0x12000)).toBe('out-of-range');
  dump.close();
  if (existsSync('/usr/bin/crash')) expect(execFileSync('/usr/bin/crash', ['--osrelease', path], { encoding: 'utf8' }).trim()).toBe('7.3.4');
});

it('memory of more pages than a piece of descriptors', async () => {
  const bytes = new Uint8Array(5000 * 4096);
  for (let at = 0; at < bytes.length; at += 4096) bytes[at] = 1 + ((at / 4096) % 255);
  const path = join(folder, 'b.kdump');
  await writeKdump(path, { memory: bufferMemory([{ start: 0x100000, bytes }]), arch: 'aarch64', vmcoreinfo: new Map() });
  const dump = await openDump(path);
  expect(dump.vmcoreinfo).toBeNull();
  for (const number of [0, 4095, 4096, 4097, 4999]) {
    const read = readBytes(dump.memory, 0x100000 + number * 4096, 4096);
    expect(read.ok && read.bytes[0]).toBe(1 + (number % 255));
  }
  dump.close();
});
