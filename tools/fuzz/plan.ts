/** What main.ts and worker.ts tell each other. */
export interface Plan {
  /** of files that inputs are written to */
  readonly folder: string;
  readonly seed: number;
  readonly kinds: readonly string[];
  /** inputs in all, one kind after the other; null: as many as the time allows */
  readonly runs: number | null;
  /** milliseconds since 1970 */
  readonly until: number;
  /** inputs of one kind, so that those that cost nothing do not take all the time */
  readonly most: number;
  /** where inputs that fail are kept */
  readonly keep: string | null;
  /** count what refusals say */
  readonly why: boolean;
  /** what was done by workers before this one */
  readonly rows: readonly Row[];
}

/** What came of one kind so far. */
export interface Row {
  readonly kind: string;
  inputs: number;
  accepted: number;
  byCommand: number;
  failures: number;
  /** seconds of processor time: of all, of the slowest */
  cpu: number;
  slowest: number;
  /** seconds of processor time that making the inputs took; a kind's share of the time holds it, too */
  made: number;
  /** bytes by which the process grew at most */
  largest: number;
  /** how often each refusal was said, numbers and names left out */
  readonly why: Record<string, number>;
}

export interface Said {
  readonly failed?: { readonly kind: string; readonly seed: number; readonly args: readonly string[]; readonly what: string };
  readonly rows?: readonly Row[];
  /** of the process, in bytes */
  readonly peak?: number;
  readonly ended?: boolean;
}
