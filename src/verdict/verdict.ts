/** The one answer about a dump: what the next kernel does with the handover, or did. The shape of `verdict` in every output. */
import type { ErrnoName, ForetoldBy, ReactionKind } from '../diagnosis/finding.js';

/** Files by what becomes of them; null where that is not known. */
export interface FileCount {
  readonly total: number | null;
  /** retrieved, and as they were handed over */
  readonly comeBack: number | null;
  readonly fail: number | null;
}

/** What becomes of one file. */
export interface FileFate {
  /** of the file in the decoded tree; null where the tree has no such file */
  readonly path: string | null;
  readonly token: bigint;
  /** `taken-over`, or what happens in place of it */
  readonly kind: ReactionKind;
  readonly errno: ErrnoName | null;
  /** why it does not come back as it was; null if it does */
  readonly reason: string | null;
}

/** What becomes of one session. */
export interface SessionFate {
  readonly path: string | null;
  readonly name: string;
  readonly kind: ReactionKind;
  readonly errno: ErrnoName | null;
  readonly reason: string | null;
  readonly files: readonly FileFate[];
}

export interface Verdict {
  readonly kind: ReactionKind;
  /** what user space sees, where it sees one */
  readonly errno: ErrnoName | null;
  /** one sentence, with the kernel's own line where there is one; text of the dump in it is not escaped */
  readonly text: string;
  readonly foretoldBy: ForetoldBy;
  /** release of the kernel the answer is about, as far as it is known */
  readonly next: string | null;
  readonly nextFoundBy: string | null;
  readonly files: FileCount;
  /** what was not checked, and how much of it; null where everything was */
  readonly unchecked: string | null;
  /** session by session, where they are known */
  readonly sessions: readonly SessionFate[];
}

/** Kinds after which something that was handed over is lost, or the kernel is: `diagnose` and `step` exit with 1. */
const FAILING: ReadonlySet<ReactionKind> = new Set<ReactionKind>([
  'panic',
  'cold-boot',
  'open-fails',
  'retrieve-fails',
  'finish-fails',
  'reboot-fails',
  'corrupts',
]);

export const isFailure = (kind: ReactionKind): boolean => FAILING.has(kind);

/** The first sentence of every output, with what was left out of the check. */
export function verdictSentence({ text, unchecked }: Verdict): string {
  return unchecked === null ? text : `${text} (of what was checked; ${unchecked})`;
}
