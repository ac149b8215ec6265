/** Findings that were looked at and accepted, as `diagnose` and `abi check` ask for them; suppress.ts reads the file that names them. */

/** What a suppression is held against. */
export interface Suppressible {
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
