/** Applies a suppression file to a check: what was accepted stays in the list and no longer counts. */
import type { Suppressions } from './suppressions.js';
import { type CompatResult, verdictOf } from './verdict.js';

export function accept(result: CompatResult, suppressions: Suppressions): CompatResult {
  const layers = result.layers.map((row) =>
    row.severity === 'info' ? row : { ...row, suppressed: suppressions.reasonFor({ rule: row.rule, path: `${row.layer}/${row.from ?? '-'}`, at: null }) },
  );
  const remarks = result.remarks.map((remark) =>
    remark.severity === 'info' ? remark : { ...remark, suppressed: suppressions.reasonFor({ rule: remark.rule, path: remark.layer, at: null }) },
  );
  return { ...result, layers, remarks, verdict: verdictOf(layers, remarks) };
}

const order = { error: 0, warning: 1, info: 2 } as const;

/** Is there anything at least as bad as `level` that was not accepted? What was taken over, or not reached, is nothing bad. */
export function fails(result: CompatResult, level: keyof typeof order): boolean {
  if (result.verdict === 'incompatible') return true;
  const rows = [...result.layers.filter((row) => row.outcome !== 'taken-over'), ...result.remarks];
  return rows.some((row) => row.suppressed === null && order[row.severity] <= order[level]);
}
