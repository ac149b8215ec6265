/**
 * Advice on the size of scratch: the memory the next kernel lives in until it has read the preserved map.
 * Source: kho_reserve_scratch(), memmap_init_kho_scratch_pages(), kho_memory_init(), 6.16 to 7.3.
 */
import type { PhysicalMemory } from '../../memory/memory.js';
import type { DecodedDump } from '../decode.js';
import { formatBytes } from '../../tree/words.js';
import { blocksOf, endOf } from '../preserved/preserved-map.js';
import type { ScratchArea } from '../roles.js';
import type { Ledger } from './ledger.js';

/** Bytes of a struct page on x86-64 and arm64. */
const STRUCT_PAGE = 64;

export interface ScratchAdvice {
  /** bytes of all areas; null where the areas are not in this dump */
  readonly bytes: number | null;
  /** bytes of the largest area */
  readonly largest: number | null;
  /** bytes up to the end of the memory seen here */
  readonly memory: number;
  readonly text: string;
}

/** What the areas hold against what the next kernel takes from them first. The end of memory is that of the dump or the map: a lower bound. */
export function scratchAdvice(dump: DecodedDump, ledger: Ledger): ScratchAdvice {
  const areas = ledger.handover.scratch.areas ?? dump.handovers.find(({ scratch }) => scratch.areas !== null)?.scratch.areas ?? null;
  const memory = endOfMemory(dump.memory, ledger);
  const structPages = Math.ceil(memory / ledger.pageSize) * STRUCT_PAGE;
  const takes = `the next kernel's struct pages for the ${formatBytes(memory)} seen here take ${formatBytes(structPages)} of it before it frees anything`;
  if (areas === null) {
    return { bytes: null, largest: null, memory, text: `scratch areas are not in this dump; ${takes}` };
  }
  const bytes = areas.reduce((sum, area) => sum + area.size, 0);
  const largest = Math.max(0, ...areas.map(({ size }) => size));
  const inside = preservedInside(ledger, areas);
  const size = `${formatBytes(bytes)} in ${areas.filter((area) => area.size > 0).length} areas`;
  const enough =
    structPages > bytes
      ? `too small: ${takes}; raise kho_scratch= above that and the kernel's own needs`
      : structPages * 4 > bytes
        ? `${takes}; little is left for the kernel, its initrd and the CPUs: raise kho_scratch= if the next kernel runs out of memory early`
        : takes;
  const text = inside > 0 ? `${size}; ${inside} preserved pages are in it, and are overwritten while the next kernel boots; ${enough}` : `${size}; ${enough}`;
  return { bytes, largest, memory, text };
}

function endOfMemory(memory: PhysicalMemory, ledger: Ledger): number {
  let end = memory.readable.at(-1)?.end ?? 0;
  for (const bits of ledger.handover.map?.bits() ?? []) {
    if (endOf(bits, ledger.pageSize) > end)
      for (const { start, order } of blocksOf(bits, ledger.pageSize)) end = Math.max(end, start + ledger.pageSize * 2 ** order);
  }
  return end;
}

function preservedInside({ handover, pageSize }: Ledger, areas: readonly ScratchArea[]): number {
  let pages = 0;
  for (const bits of handover.map?.bits() ?? []) {
    const near = areas.filter(({ start, size }) => start < endOf(bits, pageSize) && bits.start < start + size);
    if (near.length === 0) continue;
    for (const { start, order } of blocksOf(bits, pageSize)) {
      const end = start + pageSize * 2 ** order;
      for (const area of near) pages += Math.max(0, Math.min(end, area.start + area.size) - Math.max(start, area.start)) / pageSize;
    }
  }
  return pages;
}
