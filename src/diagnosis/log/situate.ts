/** Where in a console log a dump was taken: which of its boots is the kernel that runs in the dump, so that what came later is not held against it. */
import type { DecodedDump, Handover } from '../../handover/decode.js';
import { type Moment, momentOf } from '../subject.js';
import type { Boot, ConsoleLog, LogLine } from './console-log.js';

/** `past`: of a kernel before. `present`: of the kernel that runs in the dump, and before it was taken. `unplaced`: of that kernel, before or after. `future`: of that kernel, after it, or of a later one. */
type When = 'past' | 'present' | 'unplaced' | 'future';

export interface PlacedLine {
  readonly line: LogLine;
  readonly boot: Boot;
  readonly when: When;
}

/** The handover a line of that boot speaks of: what the boot was given, or what it made. */
export interface Situation {
  readonly incoming: Handover | null;
  readonly outgoing: Handover | null;
  readonly moment: Moment;
}

/** The handovers of a dump by their roles, and the moment of the incoming one, else of the outgoing. */
export function situationOf(dump: DecodedDump): Situation {
  const incoming = dump.handovers.find(({ role }) => role === 'incoming') ?? dump.handovers.find(({ role }) => role === 'stale') ?? null;
  const outgoing = dump.handovers.find(({ role }) => role === 'outgoing') ?? null;
  const first = incoming ?? outgoing ?? dump.handovers[0];
  return { incoming, outgoing, moment: first === undefined ? 'unknown' : momentOf(first) };
}

/** Index of the boot that runs in the dump: counted by kexec metadata where the log starts at a cold boot, else the last or the first. */
function runningBoot(log: ConsoleLog, { incoming, outgoing, moment }: Situation): number {
  const last = log.boots.length - 1;
  const count = incoming?.kexecMetadata?.kexecCount ?? (outgoing?.kexecMetadata == null ? null : outgoing.kexecMetadata.kexecCount - 1);
  const cold = log.boots[0]?.lines.every(({ text }) => !text.includes('KHO: found kexec handover data')) ?? false;
  if (count !== null && cold && count >= 0 && count <= last) return count;
  return moment === 'running' || moment === 'serialised' ? Math.max(0, last - 1) : last;
}

/** What the kernel printed that takes `handover` over, or took it over; null where the log does not reach so far. */
export function nextBoot(log: ConsoleLog, dump: DecodedDump, handover: Handover): Boot | null {
  const running = runningBoot(log, situationOf(dump));
  return log.boots[handover.role === 'outgoing' ? running + 1 : running] ?? null;
}

/** The lines of a log, each with its time relative to the dump. */
export function* placedLines(log: ConsoleLog, situation: Situation): Iterable<PlacedLine> {
  const running = runningBoot(log, situation);
  // An early dump is taken before the kernel has printed more than its first lines. Where the log goes on into the next
  // kernel, what the running one printed may be of before or after the dump.
  const goesOn = running < log.boots.length - 1 && situation.moment === 'running';
  const present: When = situation.moment === 'early' || situation.moment === 'unknown' || goesOn ? 'unplaced' : 'present';
  for (const [index, boot] of log.boots.entries()) {
    const when: When = index < running ? 'past' : index > running ? 'future' : present;
    const last = index === running ? lastInDump(boot, log) : null;
    for (const [position, line] of boot.lines.entries())
      yield { line, boot, when: last === null ? when : last === 'elsewhere' ? 'unplaced' : position <= last ? 'present' : 'future' };
  }
}

/**
 * The last line of a boot that the dump's own printk buffer has: what follows was printed after it was taken. Null where the buffer is not in the
 * dump, or the log has no times; `elsewhere` where it has, and none of the buffer's lines: it is the log of another run, or one that ends before.
 */
function lastInDump(boot: Boot, { inDump }: ConsoleLog): number | 'elsewhere' | null {
  if (inDump === undefined || inDump.length === 0) return null;
  const known = new Set(inDump.map(({ time, text }) => `${time.toFixed(6)} ${text}`));
  for (let position = boot.lines.length - 1; position >= 0; position--) {
    const line = boot.lines[position];
    if (line !== undefined && line.time !== null && known.has(`${line.time.toFixed(6)} ${line.text}`)) return position;
  }
  return boot.lines.some(({ time }) => time !== null) ? 'elsewhere' : null;
}
