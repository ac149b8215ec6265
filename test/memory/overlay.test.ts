/** Memory over other memory: with bytes changed, or watched while it is read. */
import { expect, it } from 'vitest';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { readBytes } from '../../src/memory/memory.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import { WatchedMemory } from '../../src/memory/watched.js';

const base = bufferMemory([{ start: 0x1000, bytes: Uint8Array.from({ length: 0x2000 }, (_, index) => index & 0xff) }]);
const read = (memory: typeof base, address: number, length: number): number[] => [...readBytes(memory, address, length).bytes];

it('changes the bytes of a patch, and no others', () => {
  const memory = overlayMemory(base, [{ address: 0x1004, bytes: Uint8Array.of(0xaa, 0xbb) }]);
  expect(read(memory, 0x1000, 8)).toEqual([0, 1, 2, 3, 0xaa, 0xbb, 6, 7]);
  expect(read(base, 0x1000, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

it('cuts a patch at the edges of what is read', () => {
  const memory = overlayMemory(base, [{ address: 0x1ffe, bytes: Uint8Array.of(1, 2, 3, 4) }]);
  expect(read(memory, 0x1fff, 2)).toEqual([2, 3]);
  expect(read(memory, 0x2001, 2)).toEqual([4, 2]);
});

it('lays the later patch over the earlier, and adds no memory', () => {
  const memory = overlayMemory(base, [
    { address: 0x1000, bytes: Uint8Array.of(9, 9) },
    { address: 0x1001, bytes: Uint8Array.of(8) },
    { address: 0x8000, bytes: Uint8Array.of(7) },
  ]);
  expect(read(memory, 0x1000, 3)).toEqual([9, 8, 2]);
  expect(memory.stateOf(0x8000)).toBe('out-of-range');
  expect(read(memory, 0x8000, 1)).toEqual([]);
});

it('watched memory is searched where the memory below it may hold something', () => {
  const searchable = [{ start: 0x2000, end: 0x3000 }];
  expect(new WatchedMemory({ ...base, searchable }, () => undefined).searchable).toEqual(searchable);
  expect(new WatchedMemory(base, () => undefined).searchable).toEqual(base.readable);
});
