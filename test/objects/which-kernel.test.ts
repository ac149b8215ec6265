/** Two kernels of one release in one memory, as after a kexec that nothing has overwritten: pages of two moments of one capture. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OpenedDump } from '../../src/container/opened-dump.js';
import { openDump } from '../../src/container/open.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { vmcoreinfoThatRuns } from '../../src/objects/which-kernel.js';

let before: OpenedDump;
let after: OpenedDump;
beforeAll(async () => {
  before = await openDump('test/fixtures/objects/objects-7.3-s1-preserved.elf.xz');
  after = await openDump('test/fixtures/objects/objects-7.3-s2-partly.elf.xz');
});
afterAll(() => {
  before.close();
  after.close();
});

/** `over`, and `under` where it has nothing. */
const both = (over: PhysicalMemory, under: PhysicalMemory): PhysicalMemory => {
  const at = (address: number): PhysicalMemory => (over.stateOf(address) === 'present' || over.stateOf(address) === 'zero' ? over : under);
  return {
    pageSize: over.pageSize,
    readable: [...over.readable, ...under.readable].sort((a, b) => a.start - b.start),
    stateOf: (address) => at(address).stateOf(address),
    readInto(address, length, target, targetOffset = 0) {
      for (let done = 0; done < length; ) {
        const part = Math.min(length - done, over.pageSize - ((address + done) % over.pageSize));
        const got = at(address + done).readInto(address + done, part, target, targetOffset + done);
        if (got < part) return done + got;
        done += part;
      }
      return length;
    },
  };
};

it('the one that was given what the other handed over', () => {
  const pages = [before.vmcoreinfo ?? new Map(), after.vmcoreinfo ?? new Map()];
  const memory = both(after.memory, before.memory);
  expect(vmcoreinfoThatRuns(memory, pages, new Set())).toBe(pages[1]);
  expect(vmcoreinfoThatRuns(memory, [...pages].reverse(), new Set())).toBe(pages[1]);
  // What the kernel of the first moment hands over, another was given: it does not run any more.
  expect(vmcoreinfoThatRuns(before.memory, pages, new Set([0x126c000]))).toBeNull();
});

it('the one whose memory still stands', () => {
  const pages = [before.vmcoreinfo ?? new Map(), after.vmcoreinfo ?? new Map()];
  expect(vmcoreinfoThatRuns(after.memory, pages, new Set([0x126c000]))).toBe(pages[1]);
  expect(vmcoreinfoThatRuns(before.memory, pages, new Set())).toBe(pages[0]);
});
