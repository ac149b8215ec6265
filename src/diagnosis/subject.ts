/** What a rule looks at: one handover with the moment it was caught in and the releases that speak it, or the dump as a whole. */
import type { Budget } from '../codec/budget.js';
import type { LimitName } from '../codec/limits.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { Disagreement } from '../objects/handovers.js';
import type { LiveObjects, Trouble } from '../objects/model.js';
import type { ConsoleLog } from './log/console-log.js';
import type { TreeNode } from '../tree/tree.js';

/**
 * `running`: written by the kernel that runs, not serialised. `serialised`: frozen, before the jump. `early`: in the next kernel,
 * before it looked at the map. `booted`: the next kernel runs and may have reused pages. `stale`: refused, or done with.
 */
export type Moment = 'running' | 'serialised' | 'early' | 'booted' | 'stale' | 'unknown';

/** Releases that react alike: 6.16 to 6.18 (kho-v1 without LUO), 6.19 and 7.0 (kho-v1 with LUO), 7.1 (kho-v2, kho-v3), 7.2 and later. */
export type Dialect = '6.16' | '6.19' | '7.1' | '7.2';

/** Is the preserved memory map a chain of chunks? */
export const isOfChunks = (dialect: Dialect): boolean => dialect === '6.16' || dialect === '6.19';

export interface DiagnoseLimits {
  /** findings of one rule in one handover that are listed */
  readonly perRule: number;
  /** folios, blocks and references looked at, each */
  readonly items: number;
}

export const diagnoseLimits = (budget: Budget): DiagnoseLimits => ({ perRule: 20, items: budget.allowed('check-items') });

/** Notes that a check ended before it saw everything. @param left items not looked at, null where that is not known */
export const cutShort = (subject: DumpSubject, where: string, left: number | null = null): void => subject.budget.reach('check-items', where, left);

/** Was all read that these limits count? What rests on all of it says nothing where not: that a limit was reached is told already. */
export const isWithin = (subject: DumpSubject, limits: readonly LimitName[]): boolean => !subject.budget.reached.some(({ limit }) => limits.includes(limit));

/** LUO's own objects in the kernel of the dump, or why they could not be read. */
export interface ObjectsView {
  readonly live: LiveObjects | null;
  /** what the dump lacks, and what to give for it */
  readonly missing: readonly string[];
  readonly troubles: readonly Trouble[];
  readonly disagreements: readonly Disagreement[];
  /** the dump's handovers with what the objects say in them */
  readonly decoded: DecodedDump;
}

export interface DumpSubject {
  readonly dump: DecodedDump;
  readonly log: ConsoleLog | null;
  /** what the kernel in the dump holds of LUO itself; null where nobody looked */
  readonly objects: ObjectsView | null;
  readonly limits: DiagnoseLimits;
  /** of the command: what ends a check before its end is noted there, and told */
  readonly budget: Budget;
}

export interface Subject extends DumpSubject {
  readonly handover: Handover;
  readonly moment: Moment;
  readonly dialect: Dialect;
}

/** Where between two kernels a handover was caught, told by its role, by whether its pages were released, and by whether sessions were serialised. */
export function momentOf(handover: Handover): Moment {
  switch (handover.role) {
    case 'stale':
      return 'stale';
    case 'incoming':
      return handover.released ? 'booted' : 'early';
    case 'outgoing':
      return (handover.luo?.sessions?.length ?? 0) > 0 ? 'serialised' : 'running';
    case 'unknown':
      return 'unknown';
  }
}

/** From the KHO string; where that is damaged, from the form of the LUO subtree. Unknown versions count as the newest. */
export function dialectOf(handover: Handover): Dialect {
  const known = handover.contract?.compatible ?? null;
  if (known === 'kho-v1') return handover.hasLuo ? '6.19' : '6.16';
  if (known === 'kho-v2' || known === 'kho-v3') return '7.1';
  return '7.2';
}

/** Can the pages of this handover still be judged, or does the running kernel use them? */
export const isIntact = (subject: Pick<Subject, 'handover' | 'moment'>): boolean => !subject.handover.released && subject.moment !== 'stale';

/** Everything of KHO itself; the handover's own node where there is none. */
export const khoNode = (subject: Subject): TreeNode => subject.handover.node.children().find((child) => child.name === 'kho') ?? subject.handover.node;

/** The root node of the root FDT. */
export const rootNode = (subject: Subject): TreeNode | undefined =>
  khoNode(subject)
    .children()
    .find((child) => child.name === '/');
