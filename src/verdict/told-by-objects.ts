/** What a running kernel's own objects tell of the handover it was given: which sessions and files came back, wait, or failed. */
import { errnoName } from '../../abi/errno.js';
import type { Handover } from '../handover/decode.js';
import type { LuoFile, LuoSession } from '../handover/luo.js';
import type { LiveObjects } from '../objects/model.js';
import { hex } from '../tree/words.js';
import type { ToldByObjects } from './judge.js';
import type { FileFate, SessionFate } from './verdict.js';

const WAITS = 'nobody has retrieved it yet';

/**
 * Null where this kernel was given no sessions that its objects tell of.
 * @param handovers with the objects' records in them
 */
export function toldByObjects(live: LiveObjects | null, handovers: readonly Handover[]): ToldByObjects | null {
  if (live === null || !live.incoming.active) return null;
  const handover = handovers.find(({ role, luo }) => role === 'incoming' && luo?.source !== undefined);
  const sessions = (handover?.luo?.sessions ?? []).map(fateOfSession);
  const files = sessions.flatMap((session) => session.files);
  const error = live.deserialiseError ?? 0;
  if (error < 0) {
    const name = errnoName(-error) ?? `${error}`;
    return {
      kind: 'open-fails',
      errno: 'EIO',
      text: `the running kernel could not make sessions of what was handed over (${name}): every open of /dev/liveupdate fails with EIO until the next reboot`,
      files: { total: null, comeBack: 0, fail: null },
      unchecked: null,
      sessions,
    };
  }
  if (live.incoming.sessions === null) return null;
  const failed = files.filter(({ kind }) => kind === 'retrieve-fails');
  const back = files.filter(({ kind }) => kind === 'taken-over');
  const waiting = files.filter(({ kind }) => kind === 'unknown');
  const [first] = failed;
  const counts = `${back.length} of ${files.length} files that its objects tell of were retrieved${waiting.length === 0 ? '' : `, ${waiting.length} wait`}`;
  const count = { total: files.length, comeBack: back.length, fail: failed.length };
  const unchecked = uncheckedText(live, waiting.length);
  if (first !== undefined) {
    const session = sessions.find((one) => one.files.includes(first));
    const text = `session ${JSON.stringify(session?.name ?? '')}, token ${hex(first.token)} could not be retrieved (${first.errno ?? 'an errno without a name'}); ${counts}`;
    return { kind: 'retrieve-fails', errno: first.errno, text, files: count, unchecked, sessions };
  }
  const when = live.deserialised === false ? 'has taken the handover over, and nobody has opened /dev/liveupdate yet' : 'has taken the handover over';
  return { kind: 'taken-over', errno: null, text: `the running kernel ${when}: ${sessions.length} sessions, ${counts}`, files: count, unchecked, sessions };
}

function uncheckedText(live: LiveObjects, waiting: number): string | null {
  const parts = [
    live.incoming.complete ? null : 'its list of sessions as far as it could be read',
    waiting === 0 ? null : `not whether the ${waiting} files that wait can be retrieved`,
    'not what was finished before, which leaves no object',
  ];
  const said = parts.filter((part) => part !== null);
  return live.deserialised === false && waiting === 0 && live.incoming.complete ? null : said.join('; ');
}

function fateOfSession(session: LuoSession): SessionFate {
  const files = session.files.map(fateOfFile);
  const waits = session.life?.state === 'waiting';
  return { path: session.path, name: session.name.text, kind: waits ? 'unknown' : 'taken-over', errno: null, reason: waits ? WAITS : null, files };
}

function fateOfFile({ path, token, life }: LuoFile): FileFate {
  const status = life?.retrieveStatus ?? 0;
  if (life?.phase === 'retrieved') return { path, token, kind: 'taken-over', errno: null, reason: null };
  if (life?.phase === 'retrieve-failed')
    return { path, token, kind: 'retrieve-fails', errno: errnoName(-status), reason: `retrieving it failed (${errnoName(-status) ?? status})` };
  return { path, token, kind: 'unknown', errno: null, reason: WAITS };
}

/** Sessions that are open in a running kernel, as long as no reboot call has frozen them; null where its objects don't tell. */
export function preservedOf(live: LiveObjects | null): { readonly sessions: number; readonly files: number } | null {
  if (live === null || live.outgoing.frozen || live.outgoing.sessions === null) return null;
  const { sessions } = live.outgoing;
  return { sessions: sessions.length, files: sessions.reduce((sum, { files }) => sum + files.length, 0) };
}
