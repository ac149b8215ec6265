/** Raw physical memory: byte n of the file is byte n of memory. For dumps by dd, QEMU's pmemsave and other tools without a format. */
import { findRange, type MemoryRange, type PhysicalMemory, PHYSICAL_LIMIT } from '../memory/memory.js';
import type { ByteSource } from './byte-source.js';
import { extentMemory } from './extent-memory.js';
import { ExtentBuilder } from './extents.js';
import type { DumpContents } from './opened-dump.js';
import { UserError } from '../codec/user-error.js';

/** What a raw dump's size is a multiple of, in bytes: the smallest page. */
export const RAW_UNIT = 4096;

/** @param ram ranges of the machine's memory, ascending, where they are known: elsewhere the file holds no memory, whatever its bytes */
export function openRaw(source: ByteSource, ram: { readonly ranges: readonly MemoryRange[]; readonly from: string } | null = null): DumpContents {
  const extents = new ExtentBuilder();
  const evidence = [`raw physical memory from address 0: no known format, no text, and ${source.size} bytes are a multiple of ${RAW_UNIT}`];
  if (ram === null) extents.add(0, source.size, 0);
  else {
    const total = ram.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    const last = ram.ranges.at(-1)?.end ?? 0;
    // Some tools leave the gaps out.
    const packed = source.size < last && Math.abs(source.size - total) < RAW_UNIT;
    let at = 0;
    for (const { start, end } of ram.ranges) {
      const offset = packed ? at : start;
      extents.add(start, Math.min(end, start + Math.max(0, source.size - offset)), offset);
      at += end - start;
    }
    evidence.push(
      `${ram.from}: ${ram.ranges.length} ranges of System RAM, ${total} bytes${packed ? ', which follow one another in the file' : ''}${source.size < (packed ? total : last) ? `; the file has ${source.size} bytes and ends before them` : ''}`,
    );
  }
  const end = ram?.ranges.at(-1)?.end ?? source.size;
  const memory = extentMemory({ source, table: extents.build(), pageSize: 4096, span: { start: 0, end } });
  return {
    container: 'raw',
    bytes: source.size,
    arch: null,
    pageSizeFromDump: null,
    memory: ram === null ? memory : withinRam(memory, ram.ranges),
    vmcoreinfo: null,
    handoverFiles: [],
    evidence,
  };
}

/** What is no System RAM is out of range; what is, and is not in the file, was left out. */
const withinRam = (memory: PhysicalMemory, ranges: readonly MemoryRange[]): PhysicalMemory => ({
  pageSize: memory.pageSize,
  readable: memory.readable,
  stateOf: (address) => {
    const state = memory.stateOf(address);
    return state === 'present' || state === 'zero' ? state : findRange(ranges, address).inside ? 'excluded' : 'out-of-range';
  },
  readInto: (address, length, target, targetOffset) => memory.readInto(address, length, target, targetOffset),
});

/** Lines of the outermost level alone: what is in a range follows it, indented. */
const RANGE = /^([0-9a-f]+)-([0-9a-f]+) : System RAM$/i;
const MOST_RANGES = 1 << 16;

/** Ranges of System RAM, ascending. @param name as messages name the file @throws UserError where it has none */
export function parseIomem(text: string, name: string): readonly MemoryRange[] {
  const ranges: MemoryRange[] = [];
  for (const line of text.split('\n')) {
    const [, first, last] = RANGE.exec(line.trimEnd()) ?? [];
    if (first === undefined || last === undefined) continue;
    const range = { start: Number.parseInt(first, 16), end: Number.parseInt(last, 16) + 1 };
    if (range.end > range.start && range.end <= PHYSICAL_LIMIT && ranges.length < MOST_RANGES) ranges.push(range);
  }
  const memory = ranges.filter(({ end }) => end > 1).sort((a, b) => a.start - b.start);
  if (memory.length > 0) return memory;
  const hidden = /^0+-0+ : /m.test(text);
  throw new UserError(
    `${name}: ${hidden ? 'the addresses are all 0: read as an ordinary user' : 'no line says System RAM'}; copy /proc/iomem as root on the machine that was dumped`,
  );
}
