/**
 * Memory of this process that a guest sees: anonymous mappings, one a memslot, released together. A part of one can be taken
 * away while the guest has it, so each page knows whether it still is ours: nothing else is ever mapped over or unmapped.
 */
import { UserError } from '../../codec/user-error.js';
import type { HostMapping } from './backend.js';
import { type Libc, type LibcResult, MAP, PROT } from '../libc.js';

const NO_FILE = -1;
const PAGE = 4096;
/** Far from where the kernel puts mappings of its own choice, so that a hole is not filled by somebody else's. */
const FIRST_ADDRESS = 0x2000_0000_0000;
const GAP = 1 << 30;

let nextAddress = FIRST_ADDRESS;

interface SlotMemory {
  /** of this process */
  readonly address: number;
  /** in bytes */
  readonly size: number;
  /** a page each: 1 where the mapping is ours, 0 where it was taken away */
  readonly ours: Uint8Array;
}

const FINE: LibcResult = { ret: 0, errno: 0 };

export class RealMemory {
  readonly #libc: Libc;
  readonly #slots = new Map<number, SlotMemory>();

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Maps `size` bytes (whole pages) for `slot`, all `fill`. @returns what mmap answered where it failed */
  map(slot: number, size: number, fill: number): SlotMemory | LibcResult {
    const address = nextAddress;
    nextAddress += Math.ceil(size / GAP) * GAP + GAP;
    const mapped = this.#mapAt(address, size);
    if (mapped.ret === -1) return mapped;
    const memory = { address, size, ours: new Uint8Array(Math.ceil(size / PAGE)).fill(1) };
    this.#slots.set(slot, memory);
    if (fill !== 0) this.#libc.view(address, size).fill(fill);
    return memory;
  }

  of(slot: number): SlotMemory | null {
    return this.#slots.get(slot) ?? null;
  }

  /** Changes the mapping of a part of a slot: whole pages inside it. */
  change(memory: SlotMemory, offset: number, size: number, mapping: HostMapping, fill: number): LibcResult {
    const first = offset / PAGE;
    const end = (offset + size) / PAGE;
    for (const run of runsOf(memory.ours, first, end)) {
      const at = memory.address + run.first * PAGE;
      const bytes = (run.end - run.first) * PAGE;
      const result = this.#changeRun(at, bytes, run.ours, mapping);
      if (result.ret === -1) return result;
      memory.ours.fill(mapping === 'missing' ? 0 : 1, run.first, run.end);
      if (mapping === 'mapped') this.#libc.view(at, bytes).fill(fill);
    }
    return FINE;
  }

  release(slot: number): void {
    const memory = this.#slots.get(slot);
    if (memory === undefined) return;
    for (const run of runsOf(memory.ours, 0, memory.ours.length)) {
      if (run.ours) this.#libc.munmap(memory.address + run.first * PAGE, (run.end - run.first) * PAGE);
    }
    this.#slots.delete(slot);
  }

  releaseAll(): void {
    for (const slot of [...this.#slots.keys()]) this.release(slot);
  }

  #changeRun(at: number, bytes: number, ours: boolean, mapping: HostMapping): LibcResult {
    if (mapping === 'missing') return ours ? this.#libc.munmap(at, bytes) : FINE;
    if (!ours) {
      const mapped = this.#mapAt(at, bytes);
      if (mapped.ret === -1) return mapped;
    }
    return this.#libc.mprotect(at, bytes, mapping === 'mapped' ? PROT.READ | PROT.WRITE : mapping === 'read-only' ? PROT.READ : PROT.NONE);
  }

  #mapAt(address: number, size: number): LibcResult {
    const mapped = this.#libc.mmap(address, size, PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS | MAP.FIXED_NOREPLACE, NO_FILE, 0);
    if (mapped.ret === -1 || mapped.ret === address) return mapped;
    // Kernels before 4.17 take the address as a hint.
    this.#libc.munmap(mapped.ret, size);
    throw new UserError('this kernel cannot map guest memory at a fixed address without replacing what is there (Linux 4.17 can); try --device simulated');
  }
}

/** Neighbouring pages of the same kind from `first` up to `end`. */
function runsOf(ours: Uint8Array, first: number, end: number): readonly { readonly first: number; readonly end: number; readonly ours: boolean }[] {
  const runs: { first: number; end: number; ours: boolean }[] = [];
  for (let page = first; page < end; page++) {
    const mine = ours[page] === 1;
    const last = runs.at(-1);
    if (last !== undefined && last.ours === mine) last.end = page + 1;
    else runs.push({ first: page, end: page + 1, ours: mine });
  }
  return runs;
}
