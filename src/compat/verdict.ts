/** What a compatibility check says: a row a layer, remarks that are about no outcome, and the verdict. */
import type { ErrnoName } from '../../abi/errno.js';
import type { Evidence, ReactionKind } from '../../abi/behaviour/behaviour.js';

export type CompatSeverity = 'error' | 'warning' | 'info';

export interface LayerVerdict {
  readonly layer: string;
  /** the version written; null where nothing of the layer was */
  readonly from: string | null;
  /** the version spoken; null where the next kernel has none */
  readonly to: string | null;
  readonly outcome: ReactionKind;
  readonly errno: ErrnoName | null;
  readonly text: string;
  readonly severity: CompatSeverity;
  readonly evidence: Evidence;
  /** `compat/<layer>`: what a suppression names */
  readonly rule: string;
  /** the reason given in a suppression file; null where it counts */
  readonly suppressed: string | null;
}

/** Something a type differ would not say, or said wrongly. */
export interface CompatRemark {
  /** `compat/layout-changed` (under one string) or `compat/string-changed` (over one layout) */
  readonly rule: string;
  readonly severity: CompatSeverity;
  readonly layer: string;
  readonly message: string;
  readonly suppressed: string | null;
}

export interface CompatResult {
  readonly from: string;
  readonly to: string;
  readonly verdict: 'compatible' | 'incompatible' | 'unknown';
  readonly layers: readonly LayerVerdict[];
  readonly remarks: readonly CompatRemark[];
  /** what can't be seen from the two sides */
  readonly notes: readonly string[];
  /** how both sides are known */
  readonly evidence: readonly string[];
}

export const NOT_REACHED = 'not reached';

const losing: ReadonlySet<ReactionKind> = new Set<ReactionKind>([
  'cold-boot',
  'panic',
  'open-fails',
  'retrieve-fails',
  'finish-fails',
  'reboot-fails',
  'corrupts',
  'leaks',
]);

/** @param matters somebody's data is in the layer */
export function severityOf(outcome: ReactionKind, text: string, matters: boolean): CompatSeverity {
  if (outcome === 'taken-over' || text === NOT_REACHED) return 'info';
  if (!matters) return outcome === 'warns' ? 'warning' : 'info';
  if (losing.has(outcome) || outcome === 'ignored') return 'error';
  return 'warning';
}

/** What does not count is what was accepted. */
export function verdictOf(layers: readonly LayerVerdict[], remarks: readonly CompatRemark[]): CompatResult['verdict'] {
  const counted = layers.filter((layer) => layer.suppressed === null);
  if (counted.some((layer) => layer.severity === 'error') || remarks.some((remark) => remark.severity === 'error' && remark.suppressed === null))
    return 'incompatible';
  return counted.some((layer) => layer.outcome === 'unknown' && layer.severity !== 'info') ? 'unknown' : 'compatible';
}
