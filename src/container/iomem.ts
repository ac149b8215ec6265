/**
 * Where a machine's memory is, as its /proc/iomem lists it: for raw dumps, which have no room for that.
 * Source: kernel/resource.c, 7.3; "System RAM" is what arch/x86/kernel/e820.c and arch/arm64/kernel/setup.c call memory.
 */
import { UserError } from '../codec/user-error.js';
import { type MemoryRange, PHYSICAL_LIMIT } from '../memory/memory.js';

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
