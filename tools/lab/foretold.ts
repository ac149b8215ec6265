/** What `diagnose` foretells of a dump, as answers the agent would give, and what the real next kernel gave. */
import { errnoName } from '../../abi/errno.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import type { FileFate } from '../../src/verdict/verdict.js';
import type { NextRun } from './snapshot.js';

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
