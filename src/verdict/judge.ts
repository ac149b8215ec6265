/**
 * The one answer: what the next kernel does with a handover, found by running it on the dump's memory, or what it did, as the log
 * and the dump show; and the findings with their reactions from there.
 */
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import { deathIn, deathText } from '../diagnosis/log/death.js';
import type { ErrnoName, Finding, ForetoldBy, ReactionKind, Reaction } from '../diagnosis/finding.js';
import { type LoggedEvent, loggedEvents } from '../diagnosis/rules/log.js';
import { momentOf } from '../diagnosis/subject.js';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { encodeField } from '../codec/encode.js';
import { type LuoSession, plainIn, takenAway, withoutPlain } from '../handover/luo.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { overlayMemory } from '../memory/overlay.js';
import { lazyList } from '../tree/tree.js';
import { counted } from '../tree/words.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { PanicStory } from '../kernel/panic.js';
import { UserError } from '../codec/user-error.js';
import { reachedText } from '../codec/budget.js';
import { type Fates, type Met, fatesOf, reasonOf } from './met.js';
import { type DumpFacts, type NextKernel, type NextOptions, dumpStart, judgedHandover, nextKernel, releaseName } from './next-kernel.js';
import { type Replay, replay } from './replay.js';
import { type FileCount, type SessionFate, type Verdict, isFailure } from './verdict.js';
import { inOrder, rootsOf } from '../diagnosis/causes.js';
import { rules } from '../diagnosis/rules/index.js';

/** What the running kernel's own objects tell; told-by-objects.ts makes it. */
export interface ToldByObjects {
  readonly kind: ReactionKind;
  readonly errno: ErrnoName | null;
  readonly text: string;
  readonly files: FileCount;
  readonly unchecked: string | null;
  readonly sessions: readonly SessionFate[];
}

interface JudgeInput {
  readonly facts: DumpFacts;
  readonly decoded: DecodedDump;
  readonly findings: readonly Finding[];
  readonly log: ConsoleLog | null;
  readonly options: NextOptions;
  /** false: nothing is run; what was read, and a log, decide. True unless given */
  readonly replay?: boolean;
  /** null where the dump's kernel objects were not read, or tell nothing */
  readonly objects?: ToldByObjects | null;
  /** sessions that the running kernel's objects hold, and that no reboot call has frozen */
  readonly preserved?: { readonly sessions: number; readonly files: number } | null;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
}

const NEEDS_OBJECTS = 'the next kernel has booted and freed what it read: what became of sessions and files is in its own objects';
const NO_FILES: FileCount = { total: null, comeBack: null, fail: null };

/** Judges a dump. Never throws on what a dump holds. @throws UserError where the options name a kernel that the engine has not */
export function judge(input: JudgeInput): Judgement {
  const { decoded, facts, findings, log, options } = input;
  const whole = judgedHandover(decoded);
  if (whole === null) return { findings, verdict: { ...blank(null), text: 'no handover was found', unchecked: 'everything' } };
  // Sessions that were checked in bulk come back: the next kernel is run on the others.
  const handover = withoutPlain(whole);
  const next = nextKernel(facts, decoded, handover, log, options);
  if (options.next !== undefined && next?.engine === null) throw new UserError(`--next ${options.next}: the engine has no kernel of that release`);
  const logged = log === null ? null : fromLog(log, decoded, handover, next);
  const moment = momentOf(handover);
  const refused = moment === 'serialised' ? null : refusal(decoded, findings, next);
  const died = deathIn(log, decoded);
  if (died?.panicked === true && (logged === null || moment !== 'early')) return { findings, verdict: ofTheDead(died, input, handover, next) };
  if (refused !== null) return { findings, verdict: logged !== null && logged.kind === refused.kind ? logged : refused };
  if (handover.released || moment === 'stale' || moment === 'booted') {
    // What became of the handover is in the objects; a log tells the same story line by line, or that of a kernel before.
    const told = moment === 'stale' || input.objects == null ? logged : null;
    return { findings, verdict: told ?? afterBoot(input, handover, next) };
  }
  const run = readyToRun(input, handover, next);
  if ('why' in run)
    return { findings: run.told === undefined ? findings : [...findings, run.told], verdict: logged ?? byRules(findings, handover, next, run.why) };
  const memory = withoutBlocks(facts.memory, handover);
  const replayed = replay(facts.path, memory, dumpStart(facts, decoded, handover, run.fdtAddress, run.next, run.engine));
  const fates = fatesOf(replayed, handover, findings);
  const foretold = foretell(findings, handover, replayed, fates);
  const judged = fromReplay(replayed, fates, foretold, handover, run.next, input.preserved ?? null);
  const verdict = { ...judged, sessions: fatesOfAll(judged.sessions, whole) };
  return { findings: foretold, verdict: logged === null ? verdict : seenToo(verdict, logged) };
}

interface Ready {
  /** physical */
  readonly fdtAddress: number;
  readonly next: NextKernel;
  /** the engine's kernel of that release */
  readonly engine: string;
}

interface NotRun {
  readonly why: string;
  /** what is to be said of it beside the other findings */
  readonly told?: Finding;
}

/** What the next kernel is run with, or why it is not run. */
function readyToRun({ decoded, facts, findings, options, replay: wanted }: JudgeInput, handover: Handover, next: NextKernel | null): Ready | NotRun {
  const { fdtAddress } = handover.candidate;
  const { budget } = decoded;
  // The kernels of the engine know no layout but those that are described: they would refuse what its own successor takes over.
  if (handover.foreign.length > 0 && options.next === undefined) {
    const names = handover.foreign.map(({ compatible, contract }) =>
      contract.measured?.contradicts === true ? `${compatible} as it is laid out here` : compatible,
    );
    return { why: `no release known speaks ${names.join(', ')}; name one with --next to see what it does` };
  }
  if (fdtAddress === null || facts.memory.readable.length === 0) return { why: 'there is no memory to run the next kernel on' };
  if (next?.engine == null) return { why: 'no kernel of the engine is known to take it over' };
  if (wanted === false) return { why: 'the next kernel was not run: --no-verdict' };
  // The kernel would go on where reading ended.
  if (budget.reached.some(({ limit }) => limit === 'entries'))
    return { why: 'the next kernel was not run: not all entries were read; --limit entries allows more' };
  const work = replayWork(handover);
  const allowed = budget.allowed('replay-entries');
  if (work <= allowed) return { fdtAddress, next, engine: next.engine };
  const path = `${handover.path}/luo/sessions`;
  const message = reachedText({ limit: 'replay-entries', allowed, where: path, left: work });
  return {
    why: `the next kernel was not run: ${work} entries are more than --limit replay-entries allows`,
    told: { id: findings.length + 1, because: null, rule: 'limit/reached', severity: 'error', message, at: null, path, reaction: null },
  };
}

/** The memory with plain blocks taken out of the chain of session blocks: the blocks before them link to those after them. */
function withoutBlocks(memory: PhysicalMemory, handover: Handover): PhysicalMemory {
  const plain = takenAway(handover);
  const kept = (handover.luo?.entries?.pieces ?? []).filter(({ address }) => plain?.blocks.has(address) !== true);
  if (plain === null) return memory;
  const patches = kept.flatMap(({ header, next }, index) => {
    const follows = kept[index + 1]?.address ?? 0;
    const at = header?.field('next').address ?? null;
    return at === null || next === BigInt(follows) ? [] : [{ address: at, bytes: encodeField(khoBlockHeaderSer, 'next', BigInt(follows)) }];
  });
  return overlayMemory(memory, patches);
}

/** With the sessions that were checked in bulk, in the order of the list. */
function fatesOfAll(fates: readonly SessionFate[], { luo }: Handover): readonly SessionFate[] {
  const all = luo?.sessions ?? [];
  if (plainIn(luo) === null || fates.length === 0) return fates;
  const byPath = new Map(fates.map((fate) => [fate.path, fate]));
  const comesBack = { kind: 'taken-over', errno: null, reason: null } as const;
  return lazyList(all.length, (index) => {
    const session = all[index];
    const { path, name, files } = session ?? { path: null, name: { text: '' }, files: [] };
    return byPath.get(path) ?? { path, name: name.text, ...comesBack, files: files.map((file) => ({ path: file.path, token: file.token, ...comesBack })) };
  });
}

/** What was seen decides; where the replay meets the same, it names the sessions and files that a line of a log does not. */
function seenToo(replayed: Verdict, logged: Verdict): Verdict {
  const agree = replayed.kind === logged.kind && (logged.errno === null || logged.errno === replayed.errno);
  return {
    ...replayed,
    kind: logged.kind,
    errno: logged.errno ?? replayed.errno,
    text: agree ? `${replayed.text}, as the log shows` : logged.text,
    foretoldBy: 'log',
  };
}

const blank = (next: NextKernel | null): Verdict => ({
  kind: 'unknown',
  errno: null,
  text: '',
  foretoldBy: 'rules',
  next: next?.release ?? null,
  nextFoundBy: next?.foundBy ?? null,
  files: NO_FILES,
  unchecked: null,
  sessions: [],
});

/** From the worst on, as a verdict: what ends everything before what fails for one. */
const WORST: readonly ReactionKind[] = [
  'reboot-fails',
  'panic',
  'cold-boot',
  'open-fails',
  'retrieve-fails',
  'corrupts',
  'finish-fails',
  'unknown',
  'leaks',
  'warns',
  'ignored',
  'taken-over',
];

const worst = <T extends { readonly kind: ReactionKind }>(all: readonly T[]): T | null =>
  all.reduce<T | null>((found, one) => (found === null || WORST.indexOf(one.kind) < WORST.indexOf(found.kind) ? one : found), null);

/** The kernel in the dump left alone what it was given, and runs on: that is what there is to tell. */
function refusal(decoded: DecodedDump, findings: readonly Finding[], next: NextKernel | null): Verdict | null {
  const told = findings.find(({ rule, severity }) => rule === 'moment/refused' && severity !== 'info');
  const handover = decoded.handovers.find(({ path }) => path === told?.path);
  if (told?.reaction == null || handover === undefined) return null;
  return {
    ...blank(next),
    kind: told.reaction.kind,
    errno: told.reaction.errno,
    text: `${next?.release ?? 'the kernel'} ${lowered(told.reaction.text).replace(/^it /, '')}: ${told.message}`,
    files: goneWhole(told.reaction.kind, handover),
  };
}

// The log.

/** What the log shows of the kernel that took this handover over; null where it shows no failure. */
function fromLog(log: ConsoleLog, decoded: DecodedDump, handover: Handover, next: NextKernel | null): Verdict | null {
  const events = [...loggedEvents(log, decoded)].filter((event) => concerns(event, handover) && isFailure(event.reaction.kind));
  // A line that names what it is about tells more than the warning that goes before it.
  const told = worst(events.map((event) => event.reaction));
  const alike = events.filter(({ reaction }) => reaction.kind === told?.kind);
  const event = alike.find(({ path }) => path !== null && path !== handover.path) ?? alike.find(({ line }) => !line.text.startsWith('WARNING: ')) ?? alike[0];
  if (event === undefined) return null;
  const { kind } = event.reaction;
  const who = event.boot.release ?? 'the kernel';
  return {
    ...blank(next),
    kind,
    errno: event.reaction.errno,
    text: `${who} said "${event.line.text}": ${lowered(event.reaction.text)}`,
    foretoldBy: 'log',
    files: goneWhole(kind, handover),
    ...(event.side === 'incoming' && event.boot.release !== null ? { next: event.boot.release, nextFoundBy: 'the console log' } : {}),
  };
}

/** Is a line about the handover that is judged, and does it still hold at the dump's moment or after? */
function concerns({ side, when }: LoggedEvent, handover: Handover): boolean {
  if (handover.role === 'outgoing') {
    const serialised = momentOf(handover) === 'serialised';
    // A freeze that failed before another went well is past.
    if (side === 'incoming') return when === 'future';
    // An image is loaded right before the attempt: a dump with one is of then, or of after it.
    return !serialised && (when === 'present' || (when === 'unplaced' && handover.candidate.namedBy.length > 0));
  }
  return side === 'incoming' && when !== 'past' && when !== 'future';
}

/** A sentence as part of another; an acronym stays as it is. */
const lowered = (text: string): string => (/^[A-Z][a-z ]/.test(text) ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : text).replace(/\.$/, '');

function goneWhole(kind: ReactionKind, handover: Handover): FileCount {
  const total = countFiles(handover);
  const all = kind === 'panic' || kind === 'cold-boot' || kind === 'open-fails';
  return { total, comeBack: all && total !== null ? 0 : null, fail: all ? total : null };
}

const countFiles = (handover: Handover): number | null => {
  const sessions = handover.luo?.sessions ?? null;
  const plain = takenAway(handover)?.files ?? 0;
  return sessions === null || handover.luo?.notSerialised === true ? null : sessions.reduce((sum, { files }) => sum + files.length, plain);
};

// After the boot.

function afterBoot({ findings, objects }: JudgeInput, handover: Handover, next: NextKernel | null): Verdict {
  if (objects != null && handover.role === 'incoming') return { ...blank(next), ...objects, foretoldBy: 'objects' };
  const told = findings.find(
    ({ rule, reaction }) => (rule.startsWith('moment/') || rule === 'log/switched-off') && reaction !== null && isFailure(reaction.kind),
  );
  if (told?.reaction != null)
    return {
      ...blank(next),
      kind: told.reaction.kind,
      errno: told.reaction.errno,
      text: `${told.message}: ${lowered(told.reaction.text)}`,
      files: goneWhole(told.reaction.kind, handover),
    };
  return {
    ...blank(next),
    text: `${next?.release ?? 'the next kernel'} has taken the handover over and freed its pages; whether every file came back is not told by them`,
    unchecked: NEEDS_OBJECTS,
  };
}

/** The kernel of the dump panicked: what it had taken over so far, or had preserved, ends with it. */
function ofTheDead(died: PanicStory, input: JudgeInput, handover: Handover, next: NextKernel | null): Verdict {
  // The first frame of a panic that follows nothing is panic() itself.
  const story = deathText(died, died.cause === null ? 0 : 1);
  const { preserved } = input;
  if (handover.role !== 'incoming') {
    const total = preserved?.files ?? countFiles(handover);
    const held = preserved == null || preserved.sessions === 0 ? '' : `; ${preserved.sessions} sessions with ${preserved.files} files were preserved`;
    return {
      ...blank(next),
      kind: 'panic',
      text: `the kernel panicked before it could hand over: ${story}${held}`,
      foretoldBy: 'log',
      files: { total, comeBack: 0, fail: total },
    };
  }
  const before = input.objects ?? null;
  const text = `the kernel that was handed over to panicked: ${story}`;
  if (before === null) return { ...blank(next), kind: 'panic', text, foretoldBy: 'log', files: { ...NO_FILES, total: countFiles(handover) } };
  return { ...blank(next), ...before, kind: 'panic', errno: null, text: `${text}; before that, ${before.text}`, foretoldBy: 'log' };
}

// Where nothing can be run.

function byRules(findings: readonly Finding[], handover: Handover, next: NextKernel | null, why: string): Verdict {
  const found = worst(findings.flatMap(({ reaction, severity }) => (reaction !== null && severity !== 'info' ? [reaction] : [])));
  const told = found !== null && isFailure(found.kind) ? found : null;
  return {
    ...blank(next),
    kind: told?.kind ?? 'unknown',
    errno: told?.errno ?? null,
    text: told === null ? 'what the next kernel does was not run; nothing that was read contradicts itself' : lowered(told.text),
    files: { ...NO_FILES, total: countFiles(handover) },
    unchecked: why,
  };
}

// The replay.

function notFrozen(preserved: { readonly sessions: number; readonly files: number } | null): string {
  if (preserved === null) return 'no session was serialised when this dump was taken';
  if (preserved.sessions === 0) return 'no session is open';
  const { sessions, files } = preserved;
  return `${counted(sessions, 'session')} with ${counted(files, 'file')} ${sessions === 1 ? 'is' : 'are'} preserved, and none was serialised when this dump was taken`;
}

function fromReplay(
  replayed: Replay,
  { met, sessions, counted: listed }: Fates,
  findings: readonly Finding[],
  handover: Handover,
  next: NextKernel,
  preserved: JudgeInput['preserved'],
): Verdict {
  const beyond = bySilentRules(findings);
  const first = worst<Pick<Met, 'kind' | 'errno'> & { readonly text: string; readonly by: ForetoldBy }>([
    ...met.map((one) => ({ kind: one.kind, errno: one.errno, text: reasonOf(one), by: 'replay' as const })),
    ...beyond.map(({ reaction }) => ({ kind: reaction.kind, errno: reaction.errno, text: lowered(reaction.text), by: reaction.foretoldBy })),
  ]);
  const files = countFates(replayed, sessions, handover, listed, beyond.filter(({ reaction }) => reaction.kind === 'retrieve-fails').length);
  // Before an image is loaded nothing names the handover: nothing was frozen then, either.
  const waiting = handover.luo?.notSerialised === true && handover.role !== 'incoming';
  const left = [...(replayed.notAsked === 0 ? [] : [`${replayed.notAsked} files could not be asked for, ${replayed.endedBy}`]), ...replayed.boot.notFollowed];
  const notAsked = left.length === 0 ? null : `not ${left.join('; not ')}`;
  const base = { ...blank(next), files, sessions };
  const count = sessions.length + (takenAway(handover)?.sessions ?? 0);
  if (first === null || first.kind === 'warns') {
    if (waiting)
      return {
        ...base,
        files: { ...NO_FILES, total: preserved?.files ?? null },
        text: `${releaseName(next.release)} would boot and take over the memory; ${notFrozen(preserved ?? null)}`,
        unchecked: preserved?.sessions === 0 ? notAsked : 'sessions that are open are in the kernel’s own objects until the reboot call freezes them',
        foretoldBy: 'replay',
      };
    return {
      ...base,
      kind: first?.kind ?? 'taken-over',
      text: `${releaseName(next.release)} takes over: ${comeBack(files, count)}${first === null ? '' : `; ${first.text}`}`,
      unchecked: notAsked,
      foretoldBy: 'replay',
    };
  }
  return {
    ...base,
    kind: first.kind,
    errno: first.errno,
    text: `${lead(first.kind, next, files, count)}${first.text}`,
    unchecked: notAsked,
    foretoldBy: first.by,
  };
}

/** What the rules know and no replay meets: sessions it never hears of, memory with two owners. */
function bySilentRules(findings: readonly Finding[]): readonly (Finding & { readonly reaction: NonNullable<Finding['reaction']> })[] {
  return findings.flatMap((finding) => {
    const { reaction, severity } = finding;
    return reaction !== null && severity !== 'info' && reaction.foretoldBy === 'rules' && isFailure(reaction.kind) ? [{ ...finding, reaction }] : [];
  });
}

function countFates(replayed: Replay, sessions: readonly SessionFate[], handover: Handover, listed: number, hidden: number): FileCount {
  const known = countFiles(handover);
  if (replayed.open?.end !== 'done' || !replayed.tookOver) return { total: known, comeBack: known === null ? null : 0, fail: known };
  // A session that was retrieved by its name gives the files it has, whatever else its entry counts.
  const gives = replayed.sessions.map(({ name, retrieve }) => name.length > 0 && retrieve?.end === 'done');
  const all = sessions.flatMap((session, index) =>
    session.files.map((file) => (session.kind === 'retrieve-fails' && session.errno !== null && gives[index] !== true ? 'retrieve-fails' : file.kind)),
  );
  const plain = takenAway(handover)?.files ?? 0;
  const total = Math.max(all.length, listed) + hidden + plain;
  const back = all.filter((kind) => kind === 'taken-over').length + plain;
  const open = all.filter((kind) => kind === 'unknown').length;
  return { total, comeBack: back, fail: open > 0 ? null : total - back };
}

function comeBack({ total, comeBack: back }: FileCount, sessions: number): string {
  if (sessions === 0) return 'no session was handed over';
  const named = `${sessions} session${sessions === 1 ? '' : 's'}`;
  if (total === 0) return `${named} without a file come${sessions === 1 ? 's' : ''} back`;
  return total === back ? `${named} with ${total === 1 ? 'one file' : `all ${total} files`} come back` : `${named} and ${back} of ${total} files come back`;
}

function lead(kind: ReactionKind, next: NextKernel, files: FileCount, sessions: number): string {
  if (kind === 'panic' || kind === 'cold-boot' || kind === 'open-fails')
    return files.comeBack === 0 && files.total !== null && files.total > 0 ? `none of ${files.total} files come back: ` : '';
  return `${releaseName(next.release)} takes over, ${comeBack(files, sessions)}: `;
}

/**
 * How much there is for the next kernel to deserialise and retrieve, before it is run on it: a chain of blocks can lead to millions.
 * Entries, by what the dump itself says of their number: files that two sessions lead to count twice, as the kernel reads them twice.
 */
export function replayWork({ luo }: Handover): number {
  const sessions = luo?.sessions ?? [];
  return sessions.reduce((sum, session) => sum + 1 + filesOf(session), 0);
}

/** Blocks (7.2 and later) end where their chain does, and no files area has no entries: only a contiguous area is read by its count. */
function filesOf({ count, files, entries, reading }: LuoSession): number {
  const isCounted = reading.integer('file_set_ser.files') !== 0n && (entries === null || entries.area.maxPieces === 1);
  return isCounted ? Math.max(files.length, Number(count)) : files.length;
}

/** From the heaviest on. */
const WEIGHT: readonly ReactionKind[] = ['panic', 'cold-boot', 'open-fails', 'retrieve-fails', 'corrupts', 'finish-fails', 'unknown', 'warns'];
const weightOf = ({ kind }: Met): number => WEIGHT.indexOf(kind);
/** As the rule has it; what is no failure weighs nothing. */
function weightOfRule({ reaction }: Finding): number {
  const at = reaction === null ? -1 : WEIGHT.indexOf(reaction.kind);
  return at === -1 ? WEIGHT.length : at;
}

/** What the rules say of it holds, whatever the replay met: it is not about what a retrieval answers. */
const BESIDE: ReadonlySet<ReactionKind> = new Set<ReactionKind>(['leaks', 'warns', 'ignored', 'reboot-fails', 'unknown', 'taken-over']);
/** What leaves nobody to ask anything more of the handover. */
const ENDS: ReadonlySet<ReactionKind> = new Set<ReactionKind>(['panic', 'cold-boot', 'open-fails']);
/** What does not wait for the next kernel, or comes of nothing. */
const COMES_ANYWAY: ReadonlySet<ReactionKind> = new Set<ReactionKind>(['ignored', 'taken-over', 'reboot-fails', 'unknown']);
const silent: ReadonlySet<string> = new Set(rules.filter((rule) => rule.silent === true).map(({ id }) => id));

/** Findings of other handovers, or of the log, are not the replay's to judge. */
const isJudged = (finding: Finding, handover: Handover): boolean =>
  finding.reaction?.foretoldBy !== 'log' && (finding.path === null || finding.path === handover.path || finding.path.startsWith(`${handover.path}/`));

/** The findings with their reactions as the replay gives them, in their new order. */
function foretell(findings: readonly Finding[], handover: Handover, replayed: Replay, { met }: Fates): readonly Finding[] {
  const judged = findings.filter((finding) => finding.severity !== 'info' && isJudged(finding, handover));
  const told = new Map<number, Met>();
  const tell = (finding: Finding, one: Met): void => {
    const before = told.get(finding.id);
    if (before === undefined || weightOf(one) < weightOf(before)) told.set(finding.id, one);
  };
  const unexplained: Met[] = [];
  for (const one of met) {
    const why = explaining(one, judged, handover);
    for (const finding of why) tell(finding, one);
    if (why.length === 0 && one.kind !== 'unknown') unexplained.push(one);
  }
  // What nothing else explains comes of what is wrong with the whole: the map first.
  const left = judged.filter(({ id, because, rule }) => because === null && !told.has(id) && !silent.has(rule));
  const whole = left.filter((finding) => isOfMap(finding, handover));
  for (const one of unexplained) for (const finding of one.kind === 'warns' ? whole : whole.length > 0 ? whole : left) tell(finding, one);
  // What comes of its consequences comes of a cause.
  const roots = rootsOf(findings);
  for (const [id, one] of [...told]) {
    const root = roots.get(id);
    if (root !== undefined && root.id !== id && judged.includes(root)) tell(root, one);
  }
  // What a replay does not meet is as heavy where it is the consequence of something.
  const quiet = new Map<number, Reaction>();
  for (const { id, rule, because, reaction: own } of judged) {
    const root = because === null ? undefined : roots.get(id);
    if (root !== undefined && own !== null && silent.has(rule) && !BESIDE.has(own.kind)) quiet.set(root.id, own);
  }
  const undecided = met.some(({ where, kind }) => (where === 'boot' || where === 'open') && kind !== 'warns');
  const ended = met.find(({ where, kind }) => (where === 'boot' || where === 'open') && ENDS.has(kind));
  const reaction = (finding: Finding): Reaction | null => {
    const one = told.get(finding.id);
    const beyond = quiet.get(finding.id);
    const before = one === undefined ? -1 : one.kind === 'unknown' ? weightOfRule(finding) : weightOf(one);
    if (beyond !== undefined && WEIGHT.indexOf(beyond.kind) < before) return beyond;
    // Where a missing page decides, what is known of the release is more than nothing.
    if (one !== undefined && !(one.kind === 'unknown' && finding.reaction !== null && finding.reaction.kind !== 'ignored'))
      return { kind: one.kind, errno: one.errno, text: sentence(reasonOf(one)), foretoldBy: 'replay' };
    const own = finding.reaction;
    if (one !== undefined) return own;
    if (ended !== undefined && own !== null && judged.includes(finding) && !COMES_ANYWAY.has(own.kind))
      return { kind: 'unknown', errno: null, text: `${endOf(ended, replayed.release)} before anything comes of this.`, foretoldBy: 'replay' };
    if (beyond !== undefined) return beyond;
    if (own === null || undecided || !judged.includes(finding) || silent.has(finding.rule) || BESIDE.has(own.kind)) return own;
    return {
      kind: 'ignored',
      errno: null,
      text: `${replayed.release} does not stumble over it: it boots, opens, retrieves and finishes all the same.`,
      foretoldBy: 'replay',
    };
  };
  return inOrder(findings.map((finding) => withReaction(finding, reaction(finding))));
}

function withReaction(finding: Finding, reaction: Reaction | null): Finding {
  const harmless = reaction?.foretoldBy === 'replay' && reaction.kind === 'ignored';
  return { ...finding, reaction, severity: harmless && finding.severity === 'error' ? 'warning' : finding.severity };
}

const endOf = ({ kind, where }: Met, release: string): string =>
  kind === 'open-fails'
    ? 'Opening /dev/liveupdate fails'
    : kind === 'cold-boot'
      ? `${release} boots without the handover`
      : where === 'boot'
        ? `${release} goes down as it boots,`
        : 'The kernel goes down as /dev/liveupdate is opened,';

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?")]$/.test(text) ? '' : '.'}`;

/** The findings that a failure is explained by. */
function explaining(one: Met, findings: readonly Finding[], handover: Handover): readonly Finding[] {
  const { path } = one;
  const own = path === null ? [] : findings.filter((finding) => finding.path !== null && (finding.path === path || finding.path.startsWith(`${path}/`)));
  // A session fails for what is wrong with itself before what is wrong with one of its files.
  const direct = one.where === 'file' ? own : own.filter((finding) => !finding.path?.slice((path ?? '').length).startsWith('/files/'));
  if (direct.length > 0) return direct;
  if (one.kind === 'warns' && one.where === 'finish') return own.length > 0 ? own : byFlb(findings, handover);
  const read = byReads(one, findings);
  if (one.where === 'boot' || one.where === 'open') return read.length > 0 ? read : likeliest(one, findings);
  const restored = one.stage.notRestored.length > 0 ? findings.filter((finding) => isOfMap(finding, handover)) : [];
  return [...new Set([...read, ...restored])];
}

const byFlb = (findings: readonly Finding[], handover: Handover): readonly Finding[] =>
  findings.filter(
    (finding) => finding.rule.startsWith('flb/') || finding.rule.startsWith('luo/flb') || finding.path?.startsWith(`${handover.path}/luo/flbs`) === true,
  );

const isOfMap = (finding: Finding, handover: Handover): boolean => finding.path?.startsWith(`${handover.path}/kho`) === true || finding.rule.startsWith('kho/');

/** The findings about bytes that were read last before the failure: all those of the last range that any finding is about. */
function byReads(one: Met, findings: readonly Finding[]): readonly Finding[] {
  const placed = findings.filter(({ at }) => at !== null);
  if (placed.length === 0) return [];
  const ranges = [...one.stage.reads()];
  for (const { address, length } of ranges.reverse()) {
    const inside = placed.filter(({ at }) => at !== null && at >= address && at < address + length);
    if (inside.length > 0) return inside;
  }
  return [];
}

/** Nothing was read where a finding is: the worst that foretells the same, else the worst of all. */
function likeliest(one: Met, findings: readonly Finding[]): readonly Finding[] {
  if (one.kind === 'warns') return [];
  const errors = findings.filter(({ severity }) => severity === 'error');
  const same = errors.filter(({ reaction }) => reaction?.kind === one.kind);
  const first = same[0] ?? errors[0] ?? findings[0];
  return first === undefined ? [] : [first];
}
