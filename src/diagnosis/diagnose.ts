/** From a decoded dump to findings, worst first: runs every rule over every handover, and caps what one rule may say. */
import type { DecodedDump, Handover } from '../handover/decode.js';
import { ownerAbove } from '../handover/owners/owner.js';
import { plainIn, withoutPlain } from '../handover/luo.js';
import type { Finding } from './finding.js';
import type { ConsoleLog } from './log/console-log.js';
import { type Related, related } from './causes.js';
import { trustOf } from './pointers/trust.js';
import { type Hit, type Rule, reactionOf } from './rule.js';
import { rules } from './rules/index.js';
import { type DiagnoseLimits, type Dialect, type DumpSubject, type ObjectsView, diagnoseLimits, dialectOf, momentOf } from './subject.js';

interface DiagnoseOptions {
  /** the console log beside the dump, already parsed; null or absent for none */
  readonly log?: ConsoleLog | null;
  /** the running kernel's own objects; null or absent where nobody looked */
  readonly objects?: ObjectsView | null;
  readonly limits?: Partial<DiagnoseLimits>;
}

/** All findings of a dump, worst first. Never throws on what a dump holds. */
export function diagnose(all: DecodedDump, options: DiagnoseOptions = {}): readonly Finding[] {
  const { budget } = all;
  // Sessions that were checked in bulk break no rule. What the kernel's own objects say is held against all.
  const judged = all.handovers.map(options.objects?.live == null ? withoutPlain : decodedWhole);
  // What a map that was not read to its end lacks says nothing.
  const isCut = budget.reached.some(({ limit }) => limit === 'map-nodes');
  const dump = { ...all, handovers: isCut ? judged.map((handover) => ({ ...handover, map: null })) : judged };
  const subject: DumpSubject = {
    dump,
    log: options.log ?? null,
    objects: options.objects ?? null,
    limits: { ...diagnoseLimits(budget), ...options.limits },
    budget,
  };
  const ranked: Related[] = [];
  for (const handover of dump.handovers) {
    const own = { ...subject, handover, moment: momentOf(handover), dialect: dialectOf(handover) };
    const { isGarbage } = trustOf(own);
    for (const rule of rules) if ('check' in rule) collect(rule, rule.check(own), own.dialect, subject.limits, ranked, handover, isGarbage);
  }
  const ofDump = (afterAll: boolean): void => {
    for (const rule of rules)
      if ('checkDump' in rule && (rule.afterAll === true) === afterAll) collect(rule, rule.checkDump(subject), '7.2', subject.limits, ranked, null);
  };
  ofDump(false);
  const told = ranked.map(({ finding }) => finding);
  for (const handover of dump.handovers) {
    const own = { ...subject, handover, moment: momentOf(handover), dialect: dialectOf(handover) };
    const before = told.filter(({ path }) => path === handover.path || path?.startsWith(`${handover.path}/`) === true);
    const uncut = { ...subject.limits, perRule: subject.limits.items };
    for (const rule of rules) if ('checkLast' in rule) collect(rule, rule.checkLast(own, before), own.dialect, uncut, ranked, handover);
  }
  ofDump(true);
  return related(ranked).map((finding) => ({ ...finding, ...ownedBy(dump, finding.path) }));
}

/** The handover with all its sessions decoded and held: rules go over them again and again. */
const decodedWhole = (handover: Handover): Handover =>
  plainIn(handover.luo) === null || handover.luo === null ? handover : { ...handover, luo: { ...handover.luo, sessions: [...(handover.luo.sessions ?? [])] } };

function ownedBy(dump: DecodedDump, path: string | null): Pick<Finding, 'owner'> {
  for (const { owners } of dump.handovers) {
    const owner = ownerAbove(owners, path);
    if (owner !== null) return { owner };
  }
  return {};
}

function collect(
  rule: Rule,
  hits: Iterable<Hit>,
  dialect: Dialect,
  limits: DiagnoseLimits,
  out: Related[],
  handover: Handover | null,
  isGarbage: (path: string) => boolean = () => false,
): void {
  let listed = 0;
  let more = 0;
  for (const found of hits) {
    if (found.path !== null && isGarbage(found.path)) continue;
    if (listed < limits.perRule) out.push({ finding: findingOf(rule, found, dialect), after: found.after ?? [] });
    else more++;
    listed++;
    if (more >= limits.items) break;
  }
  if (more === 0) return;
  const last: Hit = { message: `and ${more} more like these: ${rule.title}`, at: null, path: handover?.path ?? null, severity: 'info' };
  out.push({ finding: findingOf(rule, last, dialect), after: [] });
}

function findingOf(rule: Rule, found: Hit, dialect: Dialect): Finding {
  const told = found.reaction === undefined ? rule.reaction : found.reaction;
  return {
    // Numbers are given once all are found and in their order.
    id: 0,
    because: null,
    rule: rule.id,
    severity: found.severity ?? rule.severity,
    message: found.message,
    at: found.at,
    path: found.path,
    reaction: typeof told === 'string' ? reactionOf(told, dialect) : told,
  };
}
