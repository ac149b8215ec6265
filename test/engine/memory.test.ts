/** The engine's memory against plain arrays: what was written is there, now and at every earlier point; blocks never overlap. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Buddy, MAX_PAGE_ORDER } from '../../src/engine/memory/buddy.js';
import { TracedMemory } from '../../src/engine/memory/traced-memory.js';
import { PageStore } from '../../src/engine/memory/page-store.js';
import { StateLog } from '../../src/engine/trace/state-log.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { extent } from '../extent.js';

const PAGE = 64;
const SIZE = PAGE * 8;

const whole = (memory: PhysicalMemory): Uint8Array => {
  const bytes = new Uint8Array(SIZE);
  expect(memory.readInto(0, SIZE, bytes)).toBe(SIZE);
  return bytes;
};

const writes = fc.array(
  fc.record({ address: fc.integer({ min: 0, max: SIZE - 1 }), bytes: fc.uint8Array({ minLength: 1, maxLength: 3 * PAGE }), page: fc.boolean() }),
  { maxLength: 60 },
);

describe('traced memory', () => {
  it('shows every earlier point as it was, in any order of looking', () => {
    fc.assert(
      fc.property(writes, (list) => {
        const memory = new TracedMemory(SIZE, PAGE);
        const plain = new Uint8Array(SIZE);
        const history = [{ writes: 0, bytes: plain.slice() }];
        for (const { address, bytes, page } of list) {
          if (page) {
            const start = address - (address % PAGE);
            const contents = new Uint8Array(PAGE).fill(bytes[0] ?? 0);
            memory.replacePage(start, contents);
            plain.set(contents, start);
          } else {
            const part = bytes.subarray(0, SIZE - address);
            memory.write(address, part, 'struct', 'field');
            plain.set(part, address);
          }
          history.push({ writes: memory.log.length, bytes: plain.slice() });
        }
        for (const { writes: count, bytes } of [...history].reverse()) expect(whole(memory.at(count))).toEqual(bytes);
        expect(whole(memory.now)).toEqual(plain);
      }),
      { numRuns: extent(20, 60) },
    );
  });

  it('is still right beyond a snapshot, which comes every few thousand writes', () => {
    const memory = new TracedMemory(SIZE, PAGE);
    for (let index = 0; index < 10_000; index++) memory.write(index % SIZE, Uint8Array.of(index & 0xff, index >> 8).subarray(0, SIZE - (index % SIZE)));
    const plain = new Uint8Array(SIZE);
    let done = 0;
    for (let index = 0; index < 9000; index++) {
      const bytes = Uint8Array.of(index & 0xff, index >> 8).subarray(0, SIZE - (index % SIZE));
      plain.set(bytes, index % SIZE);
      done += (index % PAGE) + bytes.length > PAGE ? 2 : 1;
    }
    expect(whole(memory.at(done))).toEqual(plain);
  });

  it('a write records what was there and what is there now', () => {
    const memory = new TracedMemory(SIZE, PAGE);
    memory.write(10, Uint8Array.of(1, 2, 3), 'a', 'b');
    memory.write(11, Uint8Array.of(9), 'a');
    expect(memory.log.record(1)).toMatchObject({ address: 11, length: 1, struct: 'a', field: null, before: Uint8Array.of(2), after: Uint8Array.of(9) });
    expect(memory.log.record(0)).toMatchObject({ struct: 'a', field: 'b', before: new Uint8Array(3), after: Uint8Array.of(1, 2, 3) });
  });

  it('a page handed in is shared until something is written to it, and is never changed itself', () => {
    const memory = new TracedMemory(SIZE, PAGE);
    const page = new Uint8Array(PAGE).fill(7);
    memory.replacePage(0, page);
    memory.replacePage(PAGE, page);
    memory.write(3, Uint8Array.of(1));
    expect(page.every((byte) => byte === 7)).toBe(true);
    expect(memory.now.page(1)).toBe(page);
    expect(whole(memory.at(2)).subarray(0, PAGE)).toEqual(page);
  });

  it('reads a u64 as the bytes say, also across a page', () => {
    const memory = new TracedMemory(SIZE, PAGE);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, 0x000f_1234_5678_9abcn, true);
    for (const address of [0, 8, PAGE - 3]) {
      memory.write(address, bytes);
      expect(memory.readU64(address)).toBe(0x000f_1234_5678_9abc);
    }
  });
});

describe('memory over a dump', () => {
  const base = bufferMemory([{ start: PAGE, bytes: new Uint8Array(PAGE).fill(5) }], PAGE);

  it('shows the dump where nothing was written, and tells what the dump lacks', () => {
    const store = new PageStore(SIZE, PAGE, base);
    const bytes = new Uint8Array(4);
    expect(store.readInto(PAGE, 4, bytes)).toBe(4);
    expect(bytes).toEqual(Uint8Array.of(5, 5, 5, 5));
    expect(store.readInto(0, 4, bytes)).toBe(0);
    expect(store.stateOf(0)).toBe('out-of-range');
  });

  it('a write to a page of the dump keeps the rest of that page', () => {
    const store = new PageStore(SIZE, PAGE, base);
    store.writeInPage(PAGE + 1, Uint8Array.of(1));
    const bytes = new Uint8Array(3);
    store.readInto(PAGE, 3, bytes);
    expect(bytes).toEqual(Uint8Array.of(5, 1, 5));
    store.writeInPage(3 * PAGE, Uint8Array.of(1));
    expect(store.readable).toEqual([
      { start: PAGE, end: 2 * PAGE },
      { start: 3 * PAGE, end: 4 * PAGE },
    ]);
  });
});

describe('the buddy allocator', () => {
  it('hands out blocks that are aligned, inside its memory and never twice; given back, all of it is there again', () => {
    const requests = fc.array(fc.record({ order: fc.integer({ min: 0, max: 5 }), free: fc.boolean() }), { maxLength: 120 });
    fc.assert(
      fc.property(requests, fc.integer({ min: 0, max: 40 }), (list, first) => {
        const buddy = new Buddy();
        buddy.addRange(first, first + 150);
        buddy.addRange(400, 700);
        const total = buddy.freePages;
        const held: { page: number; order: number }[] = [];
        const taken = new Set<number>();
        for (const { order, free } of list) {
          const gone = free ? held.pop() : undefined;
          if (gone !== undefined) {
            buddy.free(gone.page, gone.order);
            for (let page = 0; page < 2 ** gone.order; page++) taken.delete(gone.page + page);
            continue;
          }
          const page = buddy.alloc(order);
          if (page === null) continue;
          expect(page % 2 ** order).toBe(0);
          for (let index = 0; index < 2 ** order; index++) {
            const at = page + index;
            expect((at >= first && at < first + 150) || (at >= 400 && at < 700)).toBe(true);
            expect(taken.has(at)).toBe(false);
            taken.add(at);
          }
          held.push({ page, order });
          expect(buddy.freePages).toBe(total - taken.size);
        }
        for (const { page, order } of held) buddy.free(page, order);
        expect(buddy.freePages).toBe(total);
      }),
      { numRuns: extent(25, 80) },
    );
  });

  it('joins neighbours: after many small blocks a large one can be had again', () => {
    const buddy = new Buddy();
    buddy.addRange(0, 2 ** MAX_PAGE_ORDER);
    const pages = Array.from({ length: 2 ** MAX_PAGE_ORDER }, () => buddy.alloc(0));
    expect(buddy.alloc(0)).toBeNull();
    for (const page of pages) buddy.free(page ?? 0, 0);
    expect(buddy.alloc(MAX_PAGE_ORDER)).toBe(0);
  });

  it('takes a range of terabytes without splitting it', () => {
    const buddy = new Buddy();
    buddy.addRange(1, 2 ** 32);
    expect(buddy.freePages).toBe(2 ** 32 - 1);
    expect(buddy.alloc(0)).toBe(1);
    expect(buddy.alloc(3)).toBe(8);
  });
});

describe('the state log', () => {
  it('shows every earlier state as it was', () => {
    const changes = fc.array(fc.tuple(fc.constantFrom('a', 'a/b', 'a/b/c', 'd', 'd/e'), fc.option(fc.integer({ min: 0, max: 9 }))), { maxLength: 80 });
    fc.assert(
      fc.property(changes, (list) => {
        const log = new StateLog();
        const plain = new Map<string, number>();
        const history = [{ at: 0, entries: [...plain] }];
        for (const [path, value] of list) {
          if (value === null) {
            log.remove(path);
            for (const key of [...plain.keys()]) if (key === path || key.startsWith(`${path}/`)) plain.delete(key);
          } else {
            log.set(path, value);
            plain.set(path, value);
          }
          history.push({ at: log.length, entries: [...plain] });
        }
        for (const { at, entries } of history) expect(new Map(log.at(at))).toEqual(new Map(entries));
      }),
      { numRuns: extent(25, 80) },
    );
  });
});
