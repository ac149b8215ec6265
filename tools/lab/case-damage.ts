/**
 * Random single damages, written into a real guest's memory at the jump: what `diagnose` foretells of the same bytes against what the real
 * next kernel then does. The first kernel runs once; each next one starts from where it was stopped.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDump } from '../../src/cli/load-dump.js';
import { overlayMemory } from '../../src/memory/overlay.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import type { CaseResult, LabOptions } from './case.js';
import { planLines, planned } from './plan.js';
import { Random } from '../random.js';
import { type ByteChange, runNext, takeSnapshot, type NextRun } from './snapshot.js';
import type { Handover } from '../../src/handover/decode.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { type Target, targetsOf } from '../../test/diagnosis/mutation/targets.js';
import { errnoName } from '../../abi/errno.js';
import type { FileFate } from '../../src/verdict/verdict.js';
import { atEnd } from '../../src/codec/at-end.js';

const COMMAND_LINE = 'kho=on kho_scratch=80M,4M,4M liveupdate=on reserve_mem=2M:4096:labmem reserve_mem=512K:4096:trace';
/** MiB */
const MEMORY = 256;
/** A next kernel answers within seconds; what has not ended by then hangs. */
const SECONDS = 90;

/** Sessions of every shape: files with and without contents, of many pages, of a part of one; more sessions than a block holds. */
export const PLAN = planLines([
  { name: 'vm-0', files: [planned('0x1', 262_144, 6, 77, 3, 64), planned('0x2', 20_491, 0, 0, 4, 6), planned('0xfeed', 0, 0, 0, 1, 0)] },
  {
    name: 'web',
    files: [
      planned('0x10', 4096, 14, 4096, 5, 1),
      planned('0x11', 1_228_800, 0, 0, 6, 300),
      planned('0x12', 65_536, 0, 5, 7, 16),
      planned('0x13', 8192, 1, 0, 8, 2),
    ],
  },
  ...Array.from({ length: 50 }, (_, index) => ({ name: `idle-${index}`, files: [] })),
  { name: 'last', files: [planned('0x7', 12_288, 0, 0, 9, 3)] },
]);

export async function damageCase(options: LabOptions): Promise<CaseResult> {
  const folder = mkdtempSync(join(options.memoryFolder ?? tmpdir(), 'luo-damage-'));
  using _folder = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const { kernel } = options;
  const plan = { kernel, next: kernel, plan: PLAN, commandLine: COMMAND_LINE, memory: MEMORY, folder, sources: join(options.project, 'tools/lab') };
  const snapshot = await takeSnapshot({ ...plan, seconds: options.seconds });
  const base = await runNext(snapshot, [], options.seconds);
  const loaded = await loadDump(snapshot.core, { log: false, cmdline: COMMAND_LINE });
  const [handover] = loaded.report.handovers;
  if (handover === undefined || base.ending !== 'off') throw new Error('the undamaged handover is not taken over; nothing can be compared');
  const undamaged = judgeRun(loaded.report, null, snapshot.answers, base, base);
  const lines = [`undamaged: foretold ${undamaged.foretold}, happened ${undamaged.happened}${undamaged.differences.map((line) => `; ${line}`).join('')}`];
  const random = new Random(options.seed);
  const choose = damages(loaded.opened.memory, handover, random);
  let agreed = 0;
  const kinds = new Map<string, number>();
  for (let number = 1; number <= options.count; number++) {
    const damage = choose.next().value;
    const changes = [{ address: damage.address, bytes: damage.bytes }];
    const report = await reportOf(snapshot.core, changes).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    if (report instanceof Error) {
      lines.push(`damage ${number}: ${damage.text}: the tool fails: ${report.message}`);
      options.progress?.(lines.at(-1) ?? '');
      continue;
    }
    const run = await runNext(snapshot, changes, SECONDS);
    const judged = judgeRun(report, damage.group, snapshot.answers, base, run);
    kinds.set(judged.happened, (kinds.get(judged.happened) ?? 0) + 1);
    if (judged.agrees) agreed++;
    const found = report.findings.find(({ severity }) => severity !== 'info');
    const text = `${damage.text} at 0x${damage.address.toString(16)}: foretold ${judged.foretold}, happened ${judged.happened}${run.ending === 'hang' ? ' (hang)' : ''}`;
    options.progress?.(`damage ${number}: ${judged.agrees ? 'agrees' : 'DIFFERS'}: ${text}; ${found?.rule ?? 'nothing found'}`);
    if (!judged.agrees) lines.push(`damage ${number}: ${text}${judged.differences.map((line) => `; ${line}`).join('')}; the tool: ${report.verdict.text}`);
  }
  lines.push(`what happened: ${[...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  loaded.opened.close();
  return { lines, compared: options.count, agreed };
}

/** What a user of `diagnose` gets of the core with `changes` in it. @throws Error where the tool has a defect */
export async function reportOf(core: string, changes: readonly ByteChange[]): Promise<DumpReport> {
  const { opened, report } = await loadDump(core, { log: false, cmdline: COMMAND_LINE }, (one) => ({ ...one, memory: overlayMemory(one.memory, changes) }));
  opened.close();
  return report;
}

export interface Damage {
  /** path of the field, was and is */
  readonly text: string;
  /** what kind of field, without names, tokens and numbers */
  readonly group: string;
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Never read: what a kernel leaves for people, and the check that an FDT of LUO's is not. */
const NOT_READ = /reserved|\/(?:last_comp_version|boot_cpuid_phys|size_dt_strings|off_mem_rsvmap)$/;

const groupOf = ({ path, name }: Target): string => {
  const field = name.slice(path.length);
  return `${path
    .replace(/^[^/]+\//, '')
    .replace(/sessions\/(?!block|header)[^/]+/, 'sessions/*')
    .replace(/files\/[^/]+/, 'files/*')
    .replace(/flbs\/[^/]+/, 'flbs/*')
    .replace(/0x[0-9a-f]+/g, '*')
    .replace(/\/\d+(?=\/|$)/g, '/*')}${field.replace(/\[\d+\]/, '[]')}`;
};

/** How many of ten damages are to LUO's part of a handover; the others are to the map, the root FDT and other subtrees. */
const OF_LUO = 7;

/** An endless list of damages of one handover; of each part, each kind of field is as likely as any other. */
export function* damages(memory: PhysicalMemory, handover: Handover, random: Random): Generator<Damage, never> {
  const groups = new Map<string, Target[]>();
  const pointers: Target[] = [];
  for (const target of targetsOf(memory, handover)) {
    if (NOT_READ.test(target.name) || target.width === 0) continue;
    const group = groupOf(target);
    groups.set(group, [...(groups.get(group) ?? []), target]);
    if (target.role === 'phys' && target.was.some((byte) => byte !== 0)) pointers.push(target);
  }
  const all = [...groups];
  const luo = all.filter(([group]) => group.startsWith('luo/'));
  const others = all.filter(([group]) => !group.startsWith('luo/'));
  for (;;) {
    const [group, targets] = random.pick(others.length === 0 || (luo.length > 0 && random.below(10) < OF_LUO) ? luo : others);
    const target = random.pick(targets);
    const bytes = changed(target, pointers, random);
    if (bytes.every((byte, index) => byte === target.was[index])) continue;
    yield { text: `${target.name}: ${hex(target.was)} becomes ${hex(bytes)}`, group, address: target.address, bytes };
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Where a pointer may lead that is no structure: page 0 and 1, the BIOS, free memory, the gap below 4 GiB, a ROM, beyond all memory. */
const NOWHERE = [0n, 0x1000n, 0xf0000n, 0x7f0f000n, 0x5000_0000n, 0xfffc_0000n, 0x1_2345_6000n, 0xffff_ffff_ffff_f000n] as const;

/** A bit, a byte, or the whole: zeros, ones, random, one more or less, twice, a power of two; a pointer also elsewhere. */
export function changed(target: Target, pointers: readonly Target[], random: Random): Uint8Array {
  const bytes = target.was.slice();
  const first = Math.floor(target.lowBit / 8);
  const length = Math.max(1, Math.floor(target.width / 8));
  const at = first + random.below(Math.min(length, bytes.length - first));
  const kind = random.below(12);
  const whole = target.kind === 'number';
  const value = numberOf(target);
  if (whole && target.role === 'phys' && bytes.length === 8 && random.below(2) === 0)
    return kind < 5
      ? bytesOf(target, random.pick(NOWHERE))
      : kind < 8
        ? random.pick(pointers).was.slice(0, 8)
        : bytesOf(target, value + random.pick([8n, -8n, 0x1000n, -0x1000n, value]));
  if (kind < 3 || target.kind !== 'number') bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  else if (kind === 3) bytes[at] = random.below(256);
  else if (kind === 4) bytes.fill(0);
  else if (kind === 5) bytes.fill(0xff);
  else if (kind === 6) for (let index = 0; index < bytes.length; index++) bytes[index] = random.below(256);
  else if (kind === 7) return bytesOf(target, 1n << BigInt(random.below(bytes.length * 8)));
  else return bytesOf(target, random.pick([value + 1n, value - 1n, value * 2n, value + 1n]));
  return bytes;
}

function numberOf({ was, bigEndian }: Target): bigint {
  return BigInt(`0x${Buffer.from(bigEndian ? was : was.slice().reverse()).toString('hex')}`);
}

function bytesOf({ was, bigEndian }: Target, value: bigint): Uint8Array {
  const text = BigInt.asUintN(was.length * 8, value)
    .toString(16)
    .padStart(was.length * 2, '0');
  const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
  return bigEndian ? bytes : bytes.reverse();
}

/** One file as it was handed over, by the agent's own words before the jump. */
interface Before {
  readonly size: string;
  readonly position: string;
  readonly seals: string;
  readonly hash: string;
}

interface Judged {
  /** what the tool said, in a word */
  readonly foretold: string;
  readonly happened: string;
  readonly agrees: boolean;
  /** the answers that differ; empty where none does */
  readonly differences: readonly string[];
  /** the tool said that it cannot tell */
  readonly untold: boolean;
}

const MILD = new Set(['taken-over', 'leaks', 'warns', 'ignored']);
const errnoOf = (text: string): string => (text === '0' ? '0' : (errnoName(Number(text)) ?? text));
const HANDOVER_FOUND = 'KHO: found kexec handover data';
const REVIVAL_OFF = 'KHO: disabling KHO revival';

/** Fields in which any value is as good as another: the dump does not know what was meant. Their answers are held against what it says now. */
const FREE = /\/(?:token|name|pos|seals)$/;

/**
 * @param group what kind of field was damaged; null for none
 * @param first answers of the first kernel @param base answers of the undamaged run, by which warnings are told from those of every boot */
export function judgeRun(report: DumpReport, group: string | null, first: readonly string[], base: NextRun, run: NextRun): Judged {
  const { verdict } = report;
  const happened = kindOf(first, base, run);
  const differences = [...answersThatDiffer(report, first, run)];
  const same = (group !== null && FREE.test(group)) || verdict.kind === happened || (MILD.has(verdict.kind) && MILD.has(happened));
  const untold = verdict.kind === 'unknown' || differences.some((line) => line.startsWith('?'));
  return {
    foretold: `${verdict.kind}${verdict.errno === null ? '' : ` ${verdict.errno}`}`,
    happened,
    agrees: same && differences.length === 0,
    differences,
    untold,
  };
}

const wordsOf = (line: string): string[] => line.split(' ');
const saysOf = (lines: readonly string[], letter: string): string[][] => lines.filter((line) => line.startsWith(`${letter} `)).map(wordsOf);

/** The worst that happened, in the verdict's words. */
function kindOf(first: readonly string[], base: NextRun, run: NextRun): string {
  if (!run.console.some((line) => line.includes(HANDOVER_FOUND)) || run.console.some((line) => line.includes(REVIVAL_OFF)))
    return run.ending === 'off' ? 'cold-boot' : 'panic';
  if (run.ending !== 'off') return 'panic';
  const [open] = saysOf(run.answers, 'O');
  if (open?.[1] !== '0') return 'open-fails';
  if (saysOf(run.answers, 'S').some(([, , errno]) => errno !== '0') || saysOf(run.answers, 'F').some(([, , errno]) => errno !== '0')) return 'retrieve-fails';
  const before = new Set(first.filter((line) => line.startsWith('F ')));
  if (run.answers.some((line) => line.startsWith('F ') && !before.has(line))) return 'corrupts';
  if (saysOf(run.answers, 'X').some(([, , errno]) => errno !== '0')) return 'finish-fails';
  const warnings = (lines: readonly string[]): number => lines.filter((line) => line.includes('WARNING: ') || line.includes('refcount_t: ')).length;
  return warnings(run.console) > warnings(base.console) ? 'warns' : 'taken-over';
}

/** Answer by answer, as far as the kernel came. A line that begins with `?` is one that the tool could not tell. */
function* answersThatDiffer(report: DumpReport, first: readonly string[], run: NextRun): Generator<string> {
  const { verdict } = report;
  const [open] = saysOf(run.answers, 'O');
  const asked = verdict.sessions.length > 0;
  if (open === undefined) {
    if (verdict.kind !== 'panic' || asked) yield `the kernel goes down (${run.ending}) before anything is asked`;
    return;
  }
  if (verdict.kind === 'panic' && !asked) {
    yield `it answers: open ${errnoOf(open[1] ?? '')}`;
    return;
  }
  const openErrno = verdict.kind === 'open-fails' ? (verdict.errno ?? '?') : '0';
  if (errnoOf(open[1] ?? '') !== openErrno) yield `open: foretold ${openErrno}, was ${errnoOf(open[1] ?? '')}`;
  if (open[1] !== '0') return;
  const before = new Map(
    saysOf(first, 'F').map(([, token, , size, position, seals, hash]): [string, Before] => [
      token ?? '',
      { size: size ?? '', position: position ?? '', seals: seals ?? '', hash: hash ?? '' },
    ]),
  );
  let session: (typeof verdict.sessions)[number] | undefined;
  let name = '';
  // What the tool said brings the kernel down must be the last that is heard.
  let downAt: string | null = null;
  for (const line of run.answers) {
    const [letter, what = '', errno = ''] = wordsOf(line);
    if (downAt !== null && (letter === 'S' || letter === 'F' || letter === 'X')) {
      yield `${downAt} was foretold to bring the kernel down, and did not`;
      return;
    }
    if (letter === 'S') {
      name = what;
      session = verdict.kind === 'cold-boot' ? undefined : verdict.sessions.find((one) => one.name === name);
      // A session whose files are lost comes back itself.
      const refused = session?.kind === 'retrieve-fails' && session.reason?.startsWith('retrieving session') === true;
      const expected = session === undefined ? 'ENOENT' : refused ? (session.errno ?? '0') : '0';
      if (session?.kind === 'unknown') yield `? session ${name}: ${session.reason}`;
      else if (errnoOf(errno) !== expected) yield `session ${name}: foretold ${expected}, was ${errnoOf(errno)}`;
    } else if (letter === 'F' && session !== undefined) {
      const file = session.files.find(({ token }) => token === BigInt(what));
      yield* fileDiffers(report, `${name}/${what}`, file, before.get(what), wordsOf(line));
    } else if (letter === 'X' && session !== undefined) {
      const expected = session.kind === 'finish-fails' ? (session.errno ?? '0') : '0';
      if (errnoOf(errno) !== expected) yield `finish of ${name}: foretold ${expected}, was ${errnoOf(errno)}`;
    }
    downAt = nextDown(verdict.sessions, first, line) ?? downAt;
  }
  if (run.ending !== 'off') {
    const foretold = verdict.kind === 'panic';
    if (!foretold) yield `the kernel goes down (${run.ending}) after "${run.answers.at(-1) ?? ''}"`;
  } else if (verdict.kind === 'panic') yield 'the kernel was foretold to go down, and did not';
}

/** Was the answer in `line` to something foretold to bring the kernel down? Then no such line can be. */
function nextDown(sessions: DumpReport['verdict']['sessions'], first: readonly string[], line: string): string | null {
  const [letter, what = ''] = wordsOf(line);
  if (letter !== 'F') return null;
  const index = first.findIndex((one) => one.startsWith(`F ${what} `));
  const name = first.slice(0, index).findLast((one) => one.startsWith('S '));
  const session = sessions.find((one) => one.name === wordsOf(name ?? '')[1]);
  const file = session?.files.find(({ token }) => token === BigInt(what));
  return file?.kind === 'panic' ? `${session?.name}/${what}` : null;
}

function* fileDiffers(report: DumpReport, path: string, file: FileFate | undefined, before: Before | undefined, line: readonly string[]): Generator<string> {
  const [, , errno = '', size = '', position = '', seals = '', hash = ''] = line;
  if (file === undefined) {
    if (errnoOf(errno) !== 'ENOENT') yield `${path}: foretold ENOENT, was ${errnoOf(errno)}`;
    return;
  }
  if (file.kind === 'unknown') {
    yield `? ${path}: ${file.reason}`;
    return;
  }
  const expected = file.kind === 'retrieve-fails' ? (file.errno ?? '0') : '0';
  if (errnoOf(errno) !== expected) {
    yield `${path}: foretold ${file.kind} ${expected}, was ${errnoOf(errno)}`;
    return;
  }
  if (errno !== '0' || before === undefined) return;
  const same = size === before.size && position === before.position && seals === before.seals && hash === before.hash;
  if (file.kind === 'corrupts') {
    if (same) yield `${path}: foretold to come back changed, came back as it was`;
    return;
  }
  // Size, position and seals as the damaged dump has them: no other value is anywhere in it.
  const said = decodedOf(report, file.path);
  const says = `${size} ${position} ${seals}`;
  if (said !== null && said !== says) yield `${path}: size, position, seals: foretold ${said}, was ${says}`;
  if (size === before.size && hash !== before.hash) yield `${path}: foretold as it was, came back with other contents`;
}

function decodedOf(report: DumpReport, path: string | null): string | null {
  for (const handover of report.handovers)
    for (const session of handover.luo?.sessions ?? [])
      for (const { path: own, decoded } of session.files) {
        if (own !== path || decoded?.kind !== 'memfd') continue;
        return `${decoded.size} ${decoded.pos} ${decoded.seals}`;
      }
  return null;
}
