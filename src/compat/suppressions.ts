/** Findings that were looked at and accepted, as `diagnose` and `abi check` ask for them; suppress.ts reads the file that names them. */
import { type CompatResult, verdictOf } from './verdict.js';

/** What a suppression is held against. */
interface Suppressible {
  readonly rule: string;
  /** null where it is about no node */
  readonly path: string | null;
  /** physical address, null where it has none */
  readonly at: number | null;
}

export interface SuppressionEntry {
  readonly rule: RegExp;
  readonly path: RegExp | null;
  readonly at: number | null;
  readonly reason: string;
  readonly text: string;
}

export class Suppressions {
  readonly #entries: readonly SuppressionEntry[];
  readonly #used = new Set<SuppressionEntry>();

  constructor(entries: readonly SuppressionEntry[]) {
    this.#entries = entries;
  }

  /** The reason it is accepted, or null where it is not. */
  reasonFor(finding: Suppressible): string | null {
    const entry = this.#entries.find(
      ({ rule, path, at }) =>
        rule.test(finding.rule) && (path === null || (finding.path !== null && path.test(finding.path))) && (at === null || at === finding.at),
    );
    if (entry === undefined) return null;
    this.#used.add(entry);
    return entry.reason;
  }

  /** Entries that accepted nothing so far: what they named may be gone. */
  unused(): readonly string[] {
    return this.#entries.filter((entry) => !this.#used.has(entry)).map((entry) => entry.text);
  }
}

export const NO_SUPPRESSIONS = new Suppressions([]);

/** A check with what was accepted: it stays in the list and no longer counts. */
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
