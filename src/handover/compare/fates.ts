/**
 * What became of each file between two dumps: it came back, waits, failed or is lost. Joined by session's name and token, whether a side was
 * read from the serialised tree or from the kernel's own objects.
 */
import type { Handover } from '../decode.js';
import { type Phase, phaseOfRole } from '../life.js';
import { type LuoFile, type LuoSession, isWhole } from '../luo.js';
import { hex } from '../../tree/words.js';

/**
 * `waiting`: nobody has retrieved it yet. `kept`: preserved in both dumps, of one kernel. `gone`: no object is left of it, and nothing tells
 * whether anybody had it. `unknown`: one of the dumps can't tell.
 */
export type Fate = 'came-back' | 'waiting' | 'failed' | 'lost' | 'kept' | 'gone' | 'unknown';

export interface FileFate {
  readonly session: string;
  readonly token: bigint;
  readonly fate: Fate;
  readonly before: Phase;
  /** null where the later dump has no such file */
  readonly after: Phase | null;
  /** a sentence */
  readonly text: string;
  /** path of the node before, and after */
  readonly beforePath: string;
  readonly afterPath: string | null;
}

/** Page frames that processes of the later dump have open in memfds; null where they could not be read. */
export type OpenPages = { has(pfn: number): boolean } | null;

const OF_PHASE: Readonly<Record<Phase, Fate>> = {
  preserved: 'kept',
  frozen: 'kept',
  'handed-over': 'waiting',
  deserialised: 'waiting',
  retrieved: 'came-back',
  'retrieve-failed': 'failed',
  lost: 'lost',
};

const TEXTS: Readonly<Record<Exclude<Fate, 'lost' | 'gone' | 'unknown'>, string>> = {
  'came-back': 'retrieved',
  waiting: 'nobody has retrieved it yet',
  failed: 'retrieving it failed',
  kept: 'preserved, in both dumps',
};

/** The fates of every file of `from`; `openPages` of the later dump. */
export function fatesOf(from: Handover, to: Handover | null, openPages: OpenPages): readonly FileFate[] {
  const others = to?.luo?.sessions ?? [];
  // The place alone: sessions may be too many to be held.
  const places = new Map(others.map(({ name }, place) => [name.text, place]));
  return (from.luo?.sessions ?? []).flatMap((session) => {
    const later = others[places.get(session.name.text) ?? -1] ?? null;
    // Of two with one token the first counts.
    const byToken = new Map([...(later?.files ?? [])].reverse().map((file) => [file.token, file]));
    return session.files.map((file) => fateOf(from, to, session, file, later, byToken.get(file.token) ?? null, openPages));
  });
}

function fateOf(
  from: Handover,
  to: Handover | null,
  session: LuoSession,
  file: LuoFile,
  later: LuoSession | null,
  found: LuoFile | null,
  openPages: OpenPages,
): FileFate {
  const base = {
    session: session.name.text,
    token: file.token,
    before: file.life?.phase ?? phaseOfRole(from.role),
    beforePath: file.path,
    afterPath: found?.path ?? null,
  };
  if (found !== null && to !== null) {
    const after = found.life?.phase ?? phaseOfRole(to.role);
    const fate = OF_PHASE[after];
    const errno = found.life?.retrieveStatus ?? 0;
    const text = fate === 'lost' || fate === 'gone' || fate === 'unknown' ? 'lost' : `${TEXTS[fate]}${errno < 0 ? ` (${errno})` : ''}`;
    return { ...base, after, fate, text };
  }
  const missing =
    base.before === 'retrieve-failed'
      ? ({ fate: 'failed', text: 'retrieving it had failed, and its session has no such file any more' } as const)
      : missingFate(to, file, later, openPages);
  return { ...base, after: null, ...missing };
}

export const NOT_ALL_READ = 'the later dump’s list of sessions was not read to its end';

/** No object and no entry of the file is in the later dump. */
function missingFate(to: Handover | null, file: LuoFile, later: LuoSession | null, openPages: OpenPages): { readonly fate: Fate; readonly text: string } {
  if (to === null || to.role === 'stale') return { fate: 'lost', text: 'the running kernel did not take the handover over' };
  if (to.luo?.sessions == null) return { fate: 'unknown', text: 'the later dump’s sessions can’t be read' };
  if (later === null && !isWhole(to.luo)) return { fate: 'unknown', text: NOT_ALL_READ };
  if (later !== null && !later.complete) return { fate: 'unknown', text: 'the later dump’s list of its session’s files ends early' };
  if (openPages === null) return { fate: 'gone', text: 'the session has no such file any more; which files processes have open can’t be told' };
  const [run] = file.decoded?.kind === 'memfd' ? file.decoded.runs() : [];
  if (run === undefined)
    return { fate: 'gone', text: 'the session has no such file any more, and it has no pages to look for: retrieved and finished, or lost' };
  if (openPages.has(run.pfn)) return { fate: 'came-back', text: `retrieved and finished: a process has its pages (pfn ${hex(run.pfn)}) open in a memfd` };
  return { fate: 'lost', text: `its session has no such file any more, and no process has its pages (pfn ${hex(run.pfn)}) open` };
}
