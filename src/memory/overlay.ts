/** Memory with some bytes changed, over a memory that stays as it is: what-if edits, and damage on purpose. */
import { type MemoryRange, type PhysicalMemory, isReadable } from './memory.js';

export interface Patch {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** `base` with `patches` laid over it, the later over the earlier. Only pages that can be read can be changed: other parts of a patch are left out. */
export function overlayMemory(base: PhysicalMemory, patches: readonly Patch[]): PhysicalMemory {
  const { pageSize } = base;
  return {
    pageSize,
    get readable(): readonly MemoryRange[] {
      return base.readable;
    },
    stateOf(address) {
      const state = base.stateOf(address);
      const page = address - (address % pageSize);
      return state === 'zero' && patches.some((patch) => patch.address < page + pageSize && page < patch.address + patch.bytes.length) ? 'present' : state;
    },
    readInto(address, length, target, targetOffset = 0) {
      const got = base.readInto(address, length, target, targetOffset);
      for (const patch of patches) {
        const from = Math.max(address, patch.address);
        const to = Math.min(address + got, patch.address + patch.bytes.length);
        if (from < to && isReadable(base, from)) target.set(patch.bytes.subarray(from - patch.address, to - patch.address), targetOffset + from - address);
      }
      return got;
    },
  };
}
