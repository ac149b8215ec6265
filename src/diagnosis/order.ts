/** Worst first: what decides the outcome before what accompanies it, and of two that decide, the one that comes first. */
import type { Finding, ReactionKind, Severity } from './finding.js';
import type { Phase } from './rule.js';

const SEVERITY: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/**
 * In the order in which they end a handover: a refused kexec never jumps; a refused root FDT means that nothing below it is
 * read, LUO's panic included; what fails on opening the device comes before what fails for one file.
 */
const REACTIONS: readonly ReactionKind[] = [
  'reboot-fails',
  'cold-boot',
  'panic',
  'open-fails',
  'corrupts',
  'retrieve-fails',
  'finish-fails',
  'leaks',
  'unknown',
  'warns',
  'ignored',
  'taken-over',
];

const PHASES: readonly Phase[] = ['preserve', 'freeze', 'jump', 'early boot', 'deserialise', 'retrieve', 'finish'];

export interface Ranked {
  readonly finding: Finding;
  readonly phase: Phase;
}

const reactionRank = (finding: Finding): number => (finding.reaction === null ? REACTIONS.length : REACTIONS.indexOf(finding.reaction.kind));

/** For Array.sort, which keeps the order of equals: that of the rules, then of the tree. */
export const worstFirst = (a: Ranked, b: Ranked): number =>
  SEVERITY[a.finding.severity] - SEVERITY[b.finding.severity] ||
  reactionRank(a.finding) - reactionRank(b.finding) ||
  PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase);

/** Is `severity` at least as bad as `threshold`? */
export const atLeast = (severity: Severity, threshold: Severity): boolean => SEVERITY[severity] <= SEVERITY[threshold];
