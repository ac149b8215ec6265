/** The printk buffer of a real 7.3.4 (the pages it stands on, and the page tables that lead there), against its serial console. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { kernelLog } from '../../src/kernel/log.js';

const lines = async (): Promise<readonly string[]> => {
  const opened = await openDump('test/fixtures/printk/7.3.4-s2-boot.elf.xz');
  try {
    return kernelLog(opened.memory, opened.vmcoreinfo) ?? [];
  } finally {
    opened.close();
  }
};

it('holds what the second kernel printed on its console', async () => {
  const found = await lines();
  const console = new Set(readFileSync('samples/handover-7.3/console.log', 'utf8').split(/\r?\n/));
  const both = found.filter((line) => console.has(line));
  expect(found.length).toBeGreaterThan(200);
  expect(both.length / found.length).toBeGreaterThan(0.9);
  expect(found.some((line) => line.endsWith('luo: Retrieved live update data, liveupdate number: 1'))).toBe(true);
});

it('is null without VMCOREINFO, and where its pages are not in the dump', async () => {
  const sparse = await openDump('samples/handover-7.3/s1-frozen.sparse.elf.xz');
  try {
    expect(kernelLog(sparse.memory, null)).toBeNull();
    expect(kernelLog(sparse.memory, sparse.vmcoreinfo)).toBeNull();
  } finally {
    sparse.close();
  }
});
