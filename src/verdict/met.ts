/** What went wrong in a replay, each with where in the decoded tree it belongs: the failures that findings are then held against. */
import { fdtHeader } from '../../abi/fdt/header.js';
import { sizeOf } from '../codec/layout-table.js';
import type { ErrnoName, Finding, ReactionKind } from '../diagnosis/finding.js';
import { dialectOf } from '../diagnosis/subject.js';
import type { Handover } from '../handover/decode.js';
import type { LuoFile, LuoSession } from '../handover/luo.js';
import { type Replay, type ReplayedFile, type ReplayedSession, SAME_FILE, type Stage } from './replay.js';
import type { FileFate, SessionFate } from './verdict.js';

/** Where in the run. `file`, `session`, `finish`: of the node at `path`. */
type MetIn = 'boot' | 'open' | 'session' | 'file' | 'finish';

export interface Met {
  readonly kind: ReactionKind;
  readonly errno: ErrnoName | null;
  /** what happens, as a sentence without its subject */
  readonly text: string;
  /** the kernel's own line, or null */
  readonly line: string | null;
  readonly where: MetIn;
  /** of the session or file; null for what concerns the whole */
  readonly path: string | null;
  readonly stage: Stage;
}

export interface Fates {
  readonly sessions: readonly SessionFate[];
  /** files that the sessions list or count; counts that a finding takes for damage are left out */
  readonly counted: number;
  /** worst first within a stage, in the order in which they happen */
  readonly met: readonly Met[];
}

const WARNING =
  /^WARNING: |refcount_t: |has wrong (?:size|alignment)|has no child|is missing properties|^Node '.*' is incompatible|^FDT '.*' is incompatible|^test_kho: KHO restore failed/;
const SPOKEN = /^(?:KHO: |luo: |memfd_luo: |kho_block: |Kernel panic|BUG: |System is deadlocked|WARNING: |refcount_t: |test_kho: )/;

/** Everything that the run met, and what it comes to for each session and file. */
export function fatesOf(replayed: Replay, handover: Handover, findings: readonly Finding[]): Fates {
  // Sessions that count files and never had any: a rule found no trace of them.
  const hadNone = new Set(findings.flatMap(({ rule, reaction, path }) => (rule === 'session/no-files-area' && reaction?.kind === 'warns' ? [path] : [])));
  const met: Met[] = [
    ...bootMet(replayed),
    ...lostSubtrees(replayed, handover),
    ...(replayed.tookOver ? openMet(replayed, (handover.luo?.sessions?.length ?? 0) > 0) : []),
  ];
  const decoded = new Map<number, LuoSession>();
  for (const session of handover.luo?.sessions ?? []) if (session.reading.node.address !== null) decoded.set(session.reading.node.address, session);
  const sessions: SessionFate[] = [];
  // Where the device cannot be opened, nobody gets as far as a session.
  if (replayed.open?.end === 'done')
    for (const session of replayed.sessions) sessions.push(sessionFate(session, decoded.get(session.address) ?? null, met, handover, hadNone));
  const counted = (handover.luo?.sessions ?? []).reduce(
    (sum, { count, files, path }) => sum + Math.max(files.length, hadNone.has(`${path}/file_set_ser`) ? 0 : Math.min(Number(count), 1 << 20)),
    0,
  );
  return { sessions, counted, met };
}

function bootMet({ boot, tookOver, release }: Replay): Met[] {
  const base = { where: 'boot' as const, path: null, stage: boot, errno: null };
  if (boot.end === 'down') return [{ ...base, kind: 'panic', text: `${release} goes down as it boots: ${boot.reason ?? ''}`, line: lastWords(boot) }];
  if (boot.end === 'unknown') return [{ ...base, kind: 'unknown', text: `how ${release} boots cannot be told: ${boot.reason ?? ''}`, line: null }];
  if (!tookOver) return [{ ...base, kind: 'cold-boot', text: `${release} boots as if nothing had been handed over`, line: lastWords(boot) }];
  return warningsOf(boot, base);
}

/** An FDT whose header passes may still break off: what follows is not found, and whoever asks for it is told that there is none. */
function lostSubtrees({ boot, tookOver, open }: Replay, handover: Handover): Met[] {
  const { fdt } = handover.candidate;
  const broken = fdt?.problems.find(({ offset }) => offset >= sizeOf(fdtHeader));
  if (!tookOver || boot.end !== 'done' || broken === undefined || handover.hasLuo || open?.end !== 'done') return [];
  const text = `the root FDT breaks off at byte ${broken.offset}, and no LUO node is before it: whatever session was handed over gives ENOENT`;
  return [{ kind: 'retrieve-fails', errno: 'ENOENT', text, line: null, where: 'boot', path: null, stage: boot }];
}

/** @param given sessions were handed over */
function openMet({ open }: Replay, given: boolean): Met[] {
  if (open === null) return [];
  const base = { where: 'open' as const, path: null, stage: open };
  if (open.end === 'down')
    return [{ ...base, kind: 'panic', errno: null, text: `opening /dev/liveupdate brings the kernel down: ${open.reason ?? ''}`, line: lastWords(open) }];
  if (open.end === 'unknown')
    return [{ ...base, kind: 'unknown', errno: null, text: `what opening /dev/liveupdate answers cannot be told: ${open.reason ?? ''}`, line: null }];
  if (open.end === 'refused') {
    // A kernel without LUO has no such device, and nothing to give.
    if (open.errno === 'ENOENT' && !given) return [];
    return [{ ...base, kind: 'open-fails', errno: open.errno, text: `opening /dev/liveupdate fails with ${open.errno}`, line: lastWords(open) }];
  }
  return warningsOf(open, { ...base, errno: null });
}

const warningsOf = (stage: Stage, base: Pick<Met, 'where' | 'path' | 'stage' | 'errno'>): Met[] =>
  stage.lines.filter((line) => WARNING.test(line)).map((line) => ({ ...base, kind: 'warns', text: 'the kernel warns, and goes on', line }));

/** The last line that a part of live update printed. */
const lastWords = (stage: Stage): string | null => stage.lines.findLast((line) => SPOKEN.test(line) && !/^KHO: disabling KHO revival/.test(line)) ?? null;

/** The last entry of the list, all zeros: as if the count had been one too many. */
const isInvented = (session: LuoSession | null, last: LuoSession | undefined): boolean =>
  session !== null && session === last && session.name.trailing === 0 && session.count === 0n && session.files.length === 0;

function sessionFate(session: ReplayedSession, decoded: LuoSession | null, met: Met[], handover: Handover, hadNone: ReadonlySet<string | null>): SessionFate {
  const last = handover.luo?.sessions?.at(-1);
  const takesAnyName = dialectOf(handover) === '6.19';
  const path = decoded?.path ?? null;
  const name = decoded?.name.text ?? new TextDecoder().decode(session.name);
  const stage = session.retrieve;
  const own: Met[] = [];
  const add = (list: Met[], one: Met): void => {
    list.push(one);
    met.push(one);
  };
  if (stage !== null) {
    const refused = stageMet(stage, 'session', path, `retrieving session ${JSON.stringify(name)}`, 'retrieve-fails');
    if (refused !== null) add(own, refused);
    else if (session.name.length === 0 && !isInvented(decoded, last) && !takesAnyName)
      add(own, {
        kind: 'retrieve-fails',
        errno: 'ENOENT',
        text: 'its name is empty: nobody can have made it so, and whoever asks for its own name gets ENOENT',
        line: null,
        where: 'session',
        path,
        stage,
      });
    const lost = decoded === null || hadNone.has(`${decoded.path}/file_set_ser`) ? 0n : decoded.count - BigInt(session.files.length);
    if (lost > 0n && own.length === 0)
      add(own, {
        kind: 'retrieve-fails',
        errno: 'ENOENT',
        text: `${lost} of the files that session ${JSON.stringify(name)} counts are not there: their tokens give ENOENT`,
        line: lastWords(stage),
        where: 'session',
        path,
        stage,
      });
  }
  const byAddress = new Map<number, LuoFile>();
  for (const file of decoded?.files ?? []) if (file.reading.node.address !== null) byAddress.set(file.reading.node.address, file);
  const files = session.files.map((file): FileFate => fileFate(file, byAddress.get(file.address)?.path ?? null, name, met));
  if (session.finish !== null) {
    const failed = stageMet(session.finish, 'finish', path, `finishing session ${JSON.stringify(name)}`, 'finish-fails');
    if (failed !== null) add(own, failed);
    else for (const one of warningsOf(session.finish, { where: 'finish', path, stage: session.finish, errno: null })) met.push(one);
  }
  const [first] = own;
  return { path, name, kind: first?.kind ?? 'taken-over', errno: first?.errno ?? null, reason: first === undefined ? null : reasonOf(first), files };
}

function fileFate(file: ReplayedFile, path: string | null, session: string, met: Met[]): FileFate {
  const { stage, token } = file;
  const what = `file 0x${token.toString(16)} of session ${JSON.stringify(session)}`;
  if (stage === null) return { path, token, kind: 'unknown', errno: null, reason: 'nobody could ask for it: other files bring the kernel down' };
  let failed = stageMet(stage, 'file', path, `retrieving ${what}`, 'retrieve-fails');
  if (failed === null && file.different !== null) {
    const lost = file.different === SAME_FILE;
    failed = {
      kind: lost ? 'retrieve-fails' : 'corrupts',
      errno: lost ? 'ENOENT' : null,
      text: `${what} comes back, but ${file.different}`,
      line: lastWords(stage),
      where: 'file',
      path,
      stage,
    };
  }
  if (failed !== null) {
    met.push(failed);
    return { path, token, kind: failed.kind, errno: failed.errno, reason: reasonOf(failed) };
  }
  for (const one of warningsOf(stage, { where: 'file', path, stage, errno: null })) met.push(one);
  return { path, token, kind: 'taken-over', errno: null, reason: null };
}

function stageMet(stage: Stage, where: MetIn, path: string | null, doing: string, refused: ReactionKind): Met | null {
  const base = { where, path, stage };
  switch (stage.end) {
    case 'done':
      return null;
    case 'down':
      return { ...base, kind: 'panic', errno: null, text: `${doing} brings the kernel down: ${stage.reason ?? ''}`, line: lastWords(stage) };
    case 'unknown':
      return { ...base, kind: 'unknown', errno: null, text: `what ${doing} answers cannot be told: ${stage.reason ?? ''}`, line: null };
    case 'refused':
      return { ...base, kind: refused, errno: stage.errno, text: `${doing} fails with ${stage.errno ?? 'an error'}`, line: lastWords(stage) };
  }
}

/** What was met, with the kernel's own line; where the line repeats the text's end, the line alone. */
export function reasonOf({ text, line }: Met): string {
  if (line === null || text.includes(line)) return text;
  const [doing = text, ...said] = text.split(': ');
  return said.length > 0 && line.includes(said.join(': ')) ? `${doing} ("${line}")` : `${text} ("${line}")`;
}
