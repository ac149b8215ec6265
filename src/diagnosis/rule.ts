/** What a rule is: an id that stays, what it says of the next kernel, and a check over the decoded handover. For `rules/` and `diagnose.ts`. */
import type { Observation, ObservationKind } from '../handover/observe.js';
import type { TreeNode } from '../tree/tree.js';
import type { Outcome } from '../../abi/behaviour/behaviour.js';
import { type FactName, NEWEST, outcomeOf } from '../../abi/behaviour/facts.js';
import type { ErrnoName, Finding, Reaction, ReactionKind, Severity } from './finding.js';
import { type Dialect, type DumpSubject, type Subject, isIntact } from './subject.js';

/** Where in a live update it bites. */
export type Phase = 'preserve' | 'freeze' | 'jump' | 'early boot' | 'deserialise' | 'retrieve' | 'finish';

export interface RuleText {
  /** stable: `family/what`, kebab-case */
  readonly id: string;
  /** of a finding at the moment it can still do harm; a finding may be milder */
  readonly severity: Severity;
  readonly phase: Phase;
  /** a sentence without names or values */
  readonly title: string;
  /** what it leads to, for `rules show` and the reference page */
  readonly about: string;
  /** what the next kernel does: a fact of abi/behaviour, or what a log or objects show; null where nothing happens: the rule states what the dump shows */
  readonly reaction: FactName | Reaction | null;
  /**
   * The kernel goes on without a word, and user space is told nothing: a session it never hears of, memory with two owners. A replay
   * does not meet it, so that what the rule says holds.
   */
  readonly silent?: true;
  /** how to make sure */
  readonly confirm: string;
  /** kernel files and releases, or mail subjects, it was read in; captures it was seen in */
  readonly sources: readonly string[];
}

/** Where the cause of a hit would be found: at this address, or at this path; by this rule alone, where one is named. */
export interface Clue {
  /** physical */
  readonly at?: number;
  readonly path?: string;
  /** anywhere below this path */
  readonly below?: string;
  readonly rule?: string;
}

/** One thing found, before it becomes a finding. */
export interface Hit {
  readonly message: string;
  /** physical; null where it has no address */
  readonly at: number | null;
  readonly path: string | null;
  /** instead of the rule's */
  readonly severity?: Severity;
  readonly reaction?: FactName | Reaction | null;
  /** causes, the nearest first; the first that is found counts */
  readonly after?: readonly Clue[];
}

export interface HandoverRule extends RuleText {
  check(subject: Subject): Iterable<Hit>;
}

/** A rule about the dump as a whole, or the log beside it. */
export interface DumpRule extends RuleText {
  /** runs when all others have */
  readonly afterAll?: true;
  checkDump(subject: DumpSubject): Iterable<Hit>;
}

/** A rule that comes after all others, and sees what they found in the same handover. What it finds is not cut short. */
export interface LastRule extends RuleText {
  checkLast(subject: Subject, findings: readonly Finding[]): Iterable<Hit>;
}

export type Rule = HandoverRule | DumpRule | LastRule;

/** What a log or a kernel's own objects show to have happened. */
export const seen = (foretoldBy: 'log' | 'objects', kind: ReactionKind, text: string, errno: ErrnoName | null = null): Reaction => ({
  kind,
  errno,
  text,
  foretoldBy,
});

const reactions = new Map<Outcome, Reaction>();

/** What abi/behaviour says of it: of the release, or where that does not get there, of the newest. It holds where no replay, log or kernel object tells what happens. */
export function reactionOf(fact: FactName, dialect: Dialect): Reaction | null {
  const outcome = outcomeOf(fact, dialect) ?? outcomeOf(fact, NEWEST);
  if (outcome === null) return null;
  const { kind, errno, text } = outcome;
  const known = reactions.get(outcome) ?? { kind, errno, text, foretoldBy: 'rules' };
  reactions.set(outcome, known);
  return known;
}

/** A hit at a node of the tree; `at` unless given is the node's own address. */
export const hit = (node: TreeNode, message: string, at: number | null = node.address): Hit => ({ message, at, path: node.path });

/**
 * The root FDT's page is never freed: what is wrong there was handed over so. Elsewhere, once the kernel that received a
 * handover may have reused its pages, nonsense is no damage (moment/pages-reused says so, once).
 */
export const isStillTrue = (subject: Subject, observation: Observation): boolean =>
  isIntact(subject) || /\/kho(\/fdt(_header)?(\/.*)?)?$/.test(observation.node.path);

/** The observations of a kind that found something wrong, as hits. */
export function* wrong(subject: Subject, kind: ObservationKind, which: (observation: Observation) => boolean = () => true): Iterable<Hit> {
  for (const observation of subject.handover.observations) {
    if (observation.kind === kind && observation.nature === 'wrong' && isStillTrue(subject, observation) && which(observation))
      yield hit(observation.node, observation.text, observation.at);
  }
}

/** The notes of a kind: true, and no damage. */
export function* noted(subject: Subject, kind: ObservationKind): Iterable<Hit> {
  for (const observation of subject.handover.observations) {
    if (observation.kind === kind && observation.nature === 'note') yield hit(observation.node, observation.text, observation.at);
  }
}
