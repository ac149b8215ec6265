/**
 * Ties what a replay met to what the rules found: a finding's reaction is what the replay did about it. First by path (the session
 * or file that failed), then by the bytes that the failing part had read, the last first, then by what could not be restored.
 */
import { inOrder, rootsOf } from '../diagnosis/causes.js';
import type { Finding, Reaction, ReactionKind } from '../diagnosis/finding.js';
import { rules } from '../diagnosis/rules/index.js';
import type { Handover } from '../handover/decode.js';
import { type Fates, type Met, reasonOf } from './met.js';
import type { Replay } from './replay.js';

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
export function foretell(findings: readonly Finding[], handover: Handover, replayed: Replay, { met }: Fates): readonly Finding[] {
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
