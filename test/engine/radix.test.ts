/** The map that the engine writes, read back twice: by the next kernel's walk, and by the decoder, which shares nothing with it but the layouts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RadixMap, walkRadix } from '../../src/engine/kho/radix-map.js';
import { PageAllocator } from '../../src/engine/kernel/pages.js';
import { Machine, runThrough } from '../../src/engine/machine.js';
import { Node } from '../../src/tree/node.js';
import { Observations } from '../../src/handover/observe.js';
import { readRadixMap } from '../../src/handover/preserved/radix.js';

const MEMORY = 2 ** 34;

describe.each([4096, 16384, 65536])('pages of %i bytes', (pageSize) => {
  const pageShift = Math.log2(pageSize);
  const block = fc.record({ order: fc.integer({ min: 0, max: 8 }), place: fc.integer({ min: 0, max: 2 ** 33 / pageSize - 1 }) });

  it('what is added and not removed is in the map, in both readings', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 40 }), fc.array(fc.nat(39), { maxLength: 10 }), (added, removed) => {
        const machine = new Machine({ arch: 'x86_64', memory: MEMORY, pageSize, faults: [], base: null });
        const pages = new PageAllocator(machine);
        // The tree's own pages come from the lower half, blocks from the upper.
        pages.addFree(pageSize, 2 ** 33);
        const map = new RadixMap(machine, pages, pages.alloc() ?? 0);
        const expected = new Map<string, { address: number; order: number }>();
        const blocks = added.map(({ order, place }) => ({ order, address: 2 ** 33 + (place - (place % 2 ** order)) * pageSize }));
        for (const { address, order } of blocks) {
          expect(runThrough(map.add(address, order))).toBe(0);
          expected.set(`${address}/${order}`, { address, order });
        }
        for (const index of removed) {
          const gone = blocks[index];
          if (gone !== undefined) expect(map.remove(gone.address, gone.order)).toBe(expected.delete(`${gone.address}/${gone.order}`));
        }
        const sorted = (list: Iterable<{ address: number; order: number }>): string[] => [...list].map(({ address, order }) => `${address}/${order}`).sort();
        const walked: { address: number; order: number }[] = [];
        runThrough(walkRadix(machine, map.root, (address, order) => walked.push({ address, order })));
        expect(sorted(walked)).toEqual(sorted(expected.values()));
        const decoded = readRadixMap(machine.memory.now, map.root, new Node('map', 'map'), new Observations(), 1 << 20);
        expect(sorted([...(decoded?.blocks() ?? [])].map(({ start, order }) => ({ address: start, order })))).toEqual(sorted(expected.values()));
        for (const { address, order } of blocks) expect(map.has(address, order)).toBe(expected.has(`${address}/${order}`));
      }),
      { numRuns: 25 },
    );
  });

  it('nodes are the kernel’s: six levels of 4 KiB, five of 16, four of 64', () => {
    const machine = new Machine({ arch: 'aarch64', memory: MEMORY, pageSize, faults: [], base: null });
    const pages = new PageAllocator(machine);
    pages.addFree(pageSize, MEMORY);
    const map = new RadixMap(machine, pages, pages.alloc() ?? 0);
    const free = pages.freePages;
    runThrough(map.add(2 ** (pageShift + 20), 0));
    expect(free - pages.freePages).toBe({ 12: 5, 14: 4, 16: 3 }[pageShift]);
  });
});

describe('a damaged map', () => {
  const machine = (): { machine: Machine; map: RadixMap } => {
    const made = new Machine({ arch: 'x86_64', memory: 2 ** 24, pageSize: 4096, faults: [], base: null });
    const pages = new PageAllocator(made);
    pages.addFree(4096, 2 ** 24);
    const map = new RadixMap(made, pages, pages.alloc() ?? 0);
    runThrough(map.add(0x800000, 0));
    return { machine: made, map };
  };
  const pointer = (value: bigint): Uint8Array => new Uint8Array(new BigUint64Array([value]).buffer);

  it('that points outside memory stops the kernel', () => {
    const { machine: made, map } = machine();
    made.memory.write(map.root + 8, pointer(0x7fff_ffff_f000n));
    expect(() => runThrough(walkRadix(made, map.root, () => undefined))).toThrow(/page fault/);
  });

  it('that leads back into itself does not keep the engine walking for ever', () => {
    const { machine: made, map } = machine();
    for (let slot = 0; slot < 512; slot++) made.memory.write(map.root + slot * 8, pointer(BigInt(map.root)));
    expect(() => runThrough(walkRadix(made, map.root, () => undefined))).toThrow(/does not end|unable to handle page fault/);
  });
});
