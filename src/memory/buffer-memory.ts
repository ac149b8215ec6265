/** Physical memory held in buffers: the engine's images, tests, and blobs too small to page. */
import { findRange, type MemoryRange, type PageState, type PhysicalMemory } from './memory.js';

export interface BufferSegment {
  /** physical address, in bytes */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Memory made of `segments`, which must not overlap; any order. Everything else is `out-of-range`. */
export function bufferMemory(segments: readonly BufferSegment[], pageSize = 4096): PhysicalMemory {
  const sorted = [...segments].filter((segment) => segment.bytes.length > 0).sort((a, b) => a.start - b.start);
  const readable: MemoryRange[] = sorted.map((segment) => ({ start: segment.start, end: segment.start + segment.bytes.length }));
  const stateOf = (address: number): PageState => (findRange(readable, address).inside ? 'present' : 'out-of-range');
  return {
    pageSize,
    readable,
    stateOf,
    readInto(address, length, target, targetOffset = 0) {
      let done = 0;
      while (done < length) {
        const { index, inside } = findRange(readable, address + done);
        const segment = sorted[index];
        if (!inside || segment === undefined) break;
        const from = address + done - segment.start;
        const part = segment.bytes.subarray(from, from + length - done);
        target.set(part, targetOffset + done);
        done += part.length;
      }
      return done;
    },
  };
}
