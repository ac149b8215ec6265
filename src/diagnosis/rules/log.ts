/**
 * Rules about the console log beside a dump: what the kernels said of the handover, tied to the node they speak of. A line
 * counts as its rule says only if the kernel of the dump had printed it; what comes later, or came before, is told as information.
 * Sources: the messages of kernel/liveupdate, mm/memfd_luo.c and mm/memblock.c, 6.16 to 7.3, and consoles of captures.
 */
import type { TreeNode } from '../../tree/tree.js';
import type { Reaction, Severity } from '../finding.js';
import type { DecodedDump } from '../../handover/decode.js';
import type { Boot, ConsoleLog, LogLine } from '../log/console-log.js';
import { type PlacedLine, type Situation, placedLines, situationOf } from '../log/situate.js';
import { type DumpRule, type Hit, seen } from '../rule.js';
import type { DumpSubject } from '../subject.js';
import { handoverOf, locate } from './log-nodes.js';

interface LogRule {
  readonly id: string;
  readonly severity: Severity;
  readonly phase: DumpRule['phase'];
  readonly title: string;
  readonly about: string;
  readonly reaction: Reaction | null;
  readonly pattern: RegExp;
  /** which handover the line is about: the one the kernel was given, or the one it makes */
  readonly side: 'incoming' | 'outgoing';
  readonly sources?: readonly string[];
}

const MESSAGES = 'messages of kernel/liveupdate, 6.19 to 7.3';

const when = {
  past: 'before this dump was taken',
  present: 'by the kernel of this dump',
  unplaced: 'by the kernel of this dump, before or after it was taken',
  future: 'after this dump was taken',
} as const;

function* matches(rule: LogRule, subject: DumpSubject): Iterable<Hit> {
  const { log, dump } = subject;
  if (log === null) return;
  const situation = situationOf(dump);
  for (const placed of knownLines(log, situation)) {
    const match = rule.pattern.exec(placed.line.text);
    if (match !== null) yield logHit(rule, placed, situation, match);
  }
}

const known = new WeakMap<ConsoleLog, ReadonlySet<LogLine>>();

/** The lines that any rule may know: each pattern goes once over the text of a boot, not all of them over every line. */
function* knownLines(log: ConsoleLog, situation: Situation): Iterable<PlacedLine> {
  let lines = known.get(log);
  if (lines === undefined) {
    lines = new Set(log.boots.flatMap((boot) => [...linesWithMatch(boot)]));
    known.set(log, lines);
  }
  if (lines.size > 0) for (const placed of placedLines(log, situation)) if (lines.has(placed.line)) yield placed;
}

function* linesWithMatch({ lines }: Boot): Iterable<LogLine> {
  const text = lines.map((line) => line.text).join('\n');
  const ends: number[] = [];
  for (const line of lines) ends.push((ends.at(-1) ?? -1) + 1 + line.text.length);
  for (const { pattern } of [...logRuleTexts, other]) {
    const search = new RegExp(pattern.source.replaceAll('[^', '[^\\n'), `${pattern.flags}gm`);
    let index = 0;
    for (let match = search.exec(text); match !== null; match = search.exec(text)) {
      while ((ends[index] ?? text.length) < match.index) index++;
      const line = lines[index];
      if (line !== undefined) yield line;
      // One of a line is enough.
      search.lastIndex = (ends[index] ?? text.length) + 1;
    }
  }
}

/** A line of the log that a rule knows, and when it was printed. */
export interface LoggedEvent extends PlacedLine {
  readonly rule: string;
  readonly side: LogRule['side'];
  readonly reaction: Reaction;
  /** of the node it speaks of */
  readonly path: string | null;
}

/** What the log shows to have happened to handovers, line by line. */
export function* loggedEvents(log: ConsoleLog, dump: DecodedDump): Iterable<LoggedEvent> {
  const situation = situationOf(dump);
  for (const placed of knownLines(log, situation))
    for (const rule of [...logRuleTexts, other]) {
      const match = rule.reaction === null ? null : rule.pattern.exec(placed.line.text);
      if (match === null || rule.reaction === null) continue;
      const { path } = logHit(rule, placed, situation, match);
      yield { ...placed, rule: rule.id, side: rule.side, reaction: rule.reaction, path };
    }
}

function logHit(rule: LogRule, { line, boot, when: time }: PlacedLine, situation: Situation, match: RegExpExecArray): Hit {
  const handover = handoverOf(situation, rule.side);
  const node: TreeNode | null = handover === null ? null : locate(handover, match);
  const kernel = boot.release === null ? '' : ` of ${boot.release}`;
  return {
    message: `console line ${line.number}${kernel}, ${when[time]}: ${line.text}`,
    at: node?.address ?? null,
    path: node?.path ?? handover?.path ?? null,
    ...(time === 'present' && situation.moment !== 'serialised' ? {} : { severity: 'info' as const }),
  };
}

const cold = seen('log', 'cold-boot', 'The kernel booted as if nothing had been handed over.');
const panic = seen('log', 'panic', 'The kernel stopped.');
const eio = seen('log', 'open-fails', 'Every open of /dev/liveupdate fails with EIO until the next reboot.', 'EIO');

const logRuleTexts: readonly LogRule[] = [
  {
    id: 'log/kho-refused',
    severity: 'warning',
    phase: 'early boot',
    title: 'the log says that a handover was refused',
    about: 'KHO does not take a root FDT that it cannot read, or whose version is not its own.',
    reaction: cold,
    pattern: /KHO: (?:setup: )?(?:handover FDT \((?<fdt>0x[0-9a-f]+)\) is (?:invalid|incompatible)|disabling KHO revival|setup: failed)/,
    side: 'incoming',
  },
  {
    id: 'log/kho-disabled',
    severity: 'warning',
    phase: 'early boot',
    title: 'the log says that handing over is switched off',
    about: 'Without KHO there is no LUO: kho=off, a kdump kernel, or no room for the scratch areas (seen at 256 MiB).',
    reaction: seen('log', 'open-fails', 'Sessions that came over cannot be retrieved, and none can be handed on: /dev/liveupdate is not there.', 'ENOENT'),
    pattern:
      /luo: Disabling liveupdate because KHO is disabled|KHO: disabled in the kdump kernel|disabling kexec handover|KHO: .*Failed to reserve .*(scratch|bootmem)/i,
    side: 'incoming',
  },
  {
    id: 'log/luo-refused',
    severity: 'error',
    phase: 'early boot',
    title: 'the log says that LUO’s data could not be read',
    about: 'Before it panics, LUO says what it could not read: a missing node, a size, a version, a block list.',
    reaction: panic,
    pattern:
      /luo: (?:LUO state is (?:too small|incompatible)|failed to retrieve LUO|Block (?:contains invalid entry count|set is corrupted)|.*incompatible with 'luo)|Block contains invalid entry count: \d+|Block set is corrupted/,
    side: 'incoming',
  },
  {
    id: 'log/panic',
    severity: 'error',
    phase: 'early boot',
    title: 'the log ends in a panic over the handover',
    about: 'LUO panics rather than lose sessions silently; the PCI core of the mail series does the same.',
    reaction: panic,
    pattern: /^Kernel panic - not syncing: .*(?:incoming tree|live ?update|KHO|luo)/i,
    side: 'incoming',
  },
  {
    id: 'log/restore-warning',
    severity: 'error',
    phase: 'retrieve',
    title: 'the log shows a page that could not be restored',
    about: 'kho_restore_page() warns if a page is not the first of a preserved block, if it was restored before, or if its order is another.',
    reaction: seen('log', 'retrieve-fails', 'Whoever asked for the page did not get it.', 'EIO'),
    pattern: /WARNING: .*\bkho_(?:restore|unpreserve|preserve|radix)\w*\+|memfd_luo: Unable to restore folio at physical address: (?<address>[0-9a-f]+)/,
    side: 'incoming',
  },
  {
    id: 'log/no-handler',
    severity: 'error',
    phase: 'deserialise',
    title: 'the log says that a file’s handler is missing',
    about: 'The next kernel has no file handler of that name.',
    reaction: eio,
    pattern: /luo: No registered handler for compatible '(?<compatible>[^']*)'/,
    side: 'incoming',
  },
  {
    id: 'log/deserialise-failed',
    severity: 'error',
    phase: 'deserialise',
    title: 'the log says that sessions could not be read',
    about: 'One session that cannot be read is enough: the device cannot be opened any more.',
    reaction: eio,
    pattern:
      /luo: (?:File count mismatch: expected (?<expected>\d+)|Failed to deserialize files for session \[(?<session>.*)\]|Failed to (?:insert|allocate) session \[(?<other>.*)\])/,
    side: 'incoming',
  },
  {
    id: 'log/finish-failed',
    severity: 'error',
    phase: 'finish',
    title: 'the log says that a session could not be finished',
    about: 'A handler refused, and the session’s last descriptor was closed: nobody can reach it any more.',
    reaction: seen('log', 'leaks', 'The session stays until the next reboot; RETRIEVE_SESSION gives EINVAL.', 'EINVAL'),
    pattern: /luo: Unable to finish session \[(?<session>.*)\] on release/,
    side: 'incoming',
  },
  {
    id: 'log/freeze-failed',
    severity: 'warning',
    phase: 'freeze',
    title: 'the log says that a freeze was refused',
    about:
      'A file’s handler refused to freeze, so reboot(LINUX_REBOOT_CMD_KEXEC) failed and everything was rolled back: the pointer to the sessions is 0 again, while blocks keep the counts they had. A later attempt may have gone well. VFIO refuses while interrupts are on, or the device is not in D0.',
    reaction: seen('log', 'reboot-fails', 'reboot() returned the handler’s error; sessions can still be used.'),
    pattern:
      /luo: Freeze failed for token\[(?<token>0x[0-9a-f]+)\] handler\[(?<compatible>.*)\] err\[|Freeze failed! (?:Interrupts are still enabled|Device not in D0)/i,
    side: 'outgoing',
    sources: ['seen with 7.3.4: a freeze that returned -EINVAL, and a device with interrupts on'],
  },
  {
    id: 'log/preserve-failed',
    severity: 'warning',
    phase: 'preserve',
    title: 'the log says that something could not be preserved',
    about: 'Preserving failed, or succeeded without the user being told (the response could not be written).',
    reaction: seen('log', 'ignored', 'The old kernel goes on; what was not preserved is not handed over.'),
    pattern: /luo: .*(?:failed to (?:preserve|prepare|allocate)|successfully preserved, but response)|KHO: .*failed to (?:add|preserve)/i,
    side: 'outgoing',
  },
  {
    id: 'log/reserve-mem',
    severity: 'warning',
    phase: 'early boot',
    title: 'the log says that a reserve_mem= region was not revived',
    about: 'Name, size and alignment must be what they were in the old kernel.',
    reaction: seen('log', 'warns', 'The region was allocated afresh.'),
    pattern:
      /reserve_mem: ?(?:.*'?(?<region>[\w-]+)'? )?.*(?:has wrong size|has wrong alignment|has no child|has wrong)|FDT .*(?:has wrong (?:size|alignment)|has no child)/,
    side: 'incoming',
    sources: ['mm/memblock.c, 6.16 to 7.3'],
  },
  {
    id: 'log/metadata',
    severity: 'warning',
    phase: 'early boot',
    title: 'the log says that the kexec metadata was not understood',
    about: 'Nothing depends on it.',
    reaction: seen('log', 'ignored', 'Only "exec from:" is missing.'),
    pattern: /kexec-metadata (?:blob too small|version \d+ not supported)|broken KHO subnode/,
    side: 'incoming',
  },
  {
    id: 'log/kho-test',
    severity: 'warning',
    phase: 'early boot',
    title: 'the log says that the kernel’s own KHO test failed',
    about: 'CONFIG_TEST_KEXEC_HANDOVER compares what it handed over with a checksum.',
    reaction: seen('log', 'warns', 'Pages were lost or changed on the way, or its own data was.'),
    pattern: /test_kho: .*(?:fail|mismatch|wrong|error)/i,
    side: 'incoming',
    sources: ['lib/test_kho.c, 6.16 to 7.3'],
  },
];

/** What a line says of a handler or message that this page does not list. */
const other: LogRule = {
  id: 'log/refcount',
  severity: 'warning',
  phase: 'finish',
  title: 'the log shows a reference count that fell below zero',
  about:
    'In 7.1 to 7.3 an object that nobody retrieved has no count in the next kernel; finishing the files that need it counts below zero, and its finish never runs.',
  reaction: seen('log', 'leaks', 'The object’s data stays reserved.'),
  pattern: /refcount_t: underflow|WARNING: .*luo_flb/,
  side: 'incoming',
};

/** Is a switch of the command line on? Null where it is not given. */
function switchOf(commandLine: string, name: string): boolean | null {
  const value = new RegExp(`(?:^| )${name}=(\\S+)`).exec(commandLine)?.[1];
  return value === undefined ? null : /^(?:on|1|y|Y|t|true)/.test(value);
}

const switchedOff: DumpRule = {
  id: 'log/switched-off',
  severity: 'warning',
  phase: 'early boot',
  title: 'a kernel that was given a handover was started without live updates',
  about:
    'kho= and liveupdate= on the command line switch handing over and live updates; without liveupdate=on the kernel still reads LUO’s data (and can panic over it), but /dev/liveupdate cannot be used. CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT stands for kho=on.',
  reaction: seen(
    'log',
    'open-fails',
    'The sessions that came over cannot be retrieved, and are lost at the next reboot: /dev/liveupdate is not there.',
    'ENOENT',
  ),
  confirm: 'Read the command line in the log.',
  sources: ['kernel/liveupdate/luo_core.c, 6.19 to 7.3', 'seen with 7.3.4: kho=off, and liveupdate= not given'],
  *checkDump({ log, dump }) {
    const handover = dump.handovers.find(({ hasLuo }) => hasLuo);
    if (log === null || handover === undefined) return;
    const situation = situationOf(dump);
    const given = new Set(log.boots.filter((boot) => boot.lines.some(({ text }) => text.includes('KHO: found kexec handover data'))));
    for (const { line, boot, when: time } of placedLines(log, situation)) {
      const commandLine = given.has(boot) ? /^Kernel command line: (.*)$/.exec(line.text)?.[1] : undefined;
      if (commandLine === undefined) continue;
      const [kho, liveupdate] = [switchOf(commandLine, 'kho'), switchOf(commandLine, 'liveupdate')];
      if (kho !== false && liveupdate === true) continue;
      const why = kho === false ? 'kho is off' : liveupdate === null ? 'liveupdate=on is not given' : 'liveupdate is off';
      yield {
        message: `console line ${line.number}, ${when[time]}: on the kernel command line ${why}`,
        at: null,
        path: handover.path,
        ...(time === 'present' && situation.moment !== 'serialised' ? {} : { severity: 'info' as const }),
      };
    }
  },
};

export const logRules: readonly DumpRule[] = [switchedOff, ...[...logRuleTexts, other].map(toDumpRule)];

function toDumpRule(rule: LogRule): DumpRule {
  return {
    id: rule.id,
    severity: rule.severity,
    phase: rule.phase,
    title: rule.title,
    about: rule.about,
    reaction: rule.reaction,
    confirm: 'Read the log around the line.',
    sources: [MESSAGES, ...(rule.sources ?? [])],
    checkDump: (subject: DumpSubject) => matches(rule, subject),
  };
}
