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

export interface Outcome {
  readonly args: readonly string[];
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** processor time in seconds */
  readonly cpu: number;
  /** resident bytes above those before the run */
  readonly grown: number;
}

export const MOST_SECONDS = 10;
export const MOST_BYTES = 500 << 20;

const STEERS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/u;

/** What does not hold, a sentence each. */
export function* broken({ args, status, stdout, stderr, cpu, grown }: Outcome): Iterable<string> {
  if (![0, 1, 2].includes(status)) yield `status ${status}`;
  if (/internal error|^\s+at .*:\d+:\d+/m.test(stderr)) yield `not handled: ${stderr.slice(0, 400)}`;
  if (status === 2 && !/^(luo-inspect: [^\n]+\n)+$/.test(stderr)) yield `status 2 without a line that says why: ${JSON.stringify(stderr.slice(0, 200))}`;
  if (status !== 2 && args.includes('--json')) {
    const documents = args[0] === 'sim' || args[0] === 'step' ? stdout.trim().split('\n') : [stdout];
    for (const document of documents) {
      try {
        JSON.parse(document);
      } catch {
        yield `no JSON: ${JSON.stringify(document.slice(0, 200))}`;
        break;
      }
    }
  }
  for (const [name, text] of [
    ['standard output', stdout],
    ['standard error', stderr],
  ] as const) {
    const at = STEERS.exec(text);
    if (at !== null) yield `${name} holds ${JSON.stringify(text.slice(Math.max(0, at.index - 40), at.index + 10))}`;
  }
  if (cpu > MOST_SECONDS) yield `${cpu.toFixed(1)} s of processor time`;
  if (grown > MOST_BYTES) yield `${Math.round(grown / 2 ** 20)} MiB of memory`;
}
