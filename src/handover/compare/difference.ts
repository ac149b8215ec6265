/** One thing that a comparison of two handovers says. For `compare.ts` and the reports. */

/** `unknown`: one of the two dumps does not tell. */
export type Change = 'lost' | 'changed' | 'new' | 'unknown';

type Subject = 'handover' | 'session' | 'file' | 'contents' | 'device' | 'flb' | 'pages' | 'reserve-mem' | 'metadata';

export interface Difference {
  readonly change: Change;
  readonly what: Subject;
  /** names as they are in the dump: escape before printing */
  readonly name: string;
  /** a sentence: what was, what is */
  readonly text: string;
  /** path of the node before, and after; null without one */
  readonly before: string | null;
  readonly after: string | null;
}

/** How many of each were found the same on both sides. */
export interface Kept {
  sessions: number;
  files: number;
  /** memfds whose contents were compared whole and are the same */
  contents: number;
  devices: number;
  flbs: number;
  /** preserved pages */
  pages: number;
  regions: number;
}

const CHANGES: readonly Change[] = ['lost', 'changed', 'unknown', 'new'];
const SUBJECTS: readonly Subject[] = ['handover', 'session', 'file', 'contents', 'device', 'pages', 'reserve-mem', 'flb', 'metadata'];

/** For Array.sort: what was lost before what changed, what holds much before what it holds. */
export const worstFirst = (a: Difference, b: Difference): number =>
  CHANGES.indexOf(a.change) - CHANGES.indexOf(b.change) || SUBJECTS.indexOf(a.what) - SUBJECTS.indexOf(b.what);

/** Adds one. @param before,after paths of the nodes; null where there is none */
export function tell(
  out: Difference[],
  change: Difference['change'],
  what: Difference['what'],
  name: string,
  text: string,
  before: string | null,
  after: string | null,
): void {
  out.push({ change, what, name, text, before, after });
}
