/** `luo-inspect diagnose --short`: a line a session: its name, its files, what comes back, what fails, and the first reason. */
import type { SessionFate } from '../verdict/verdict.js';
import { verdictSentence } from '../verdict/verdict.js';
import type { DumpReport } from './dump-report.js';
import { escapeText } from './escape.js';

export function* shortText({ verdict, handovers }: DumpReport): Iterable<string> {
  if (verdict.sessions.length > 0) {
    for (const session of verdict.sessions) yield sessionLine(session);
    return;
  }
  // Where the kernel did not come as far as a session, the one reason is everybody's.
  const sessions = handovers.find(({ luo }) => (luo?.sessions?.length ?? 0) > 0)?.luo?.sessions ?? [];
  const back = verdict.files.comeBack === 0 ? '0 come back' : 'what comes back is not known';
  for (const { name, files } of sessions) yield `${escapeText(name.text)}: ${counted(files.length)}, ${back}: ${escapeText(verdictSentence(verdict))}`;
  if (sessions.length === 0) yield escapeText(verdictSentence(verdict));
}

function sessionLine({ name, files, kind, reason }: SessionFate): string {
  const lost = kind === 'retrieve-fails' || kind === 'panic';
  const back = lost ? 0 : files.filter((file) => file.kind === 'taken-over').length;
  const unknown = files.filter((file) => file.kind === 'unknown').length;
  const fail = files.length - back - (lost ? 0 : unknown);
  const why = reason ?? files.find((file) => file.reason !== null)?.reason ?? null;
  const parts = [counted(files.length), `${back} come back`, ...(fail > 0 ? [`${fail} fail`] : []), ...(unknown > 0 && !lost ? [`${unknown} not known`] : [])];
  return `${escapeText(name)}: ${parts.join(', ')}${why === null ? '' : `: ${escapeText(why)}`}`;
}

const counted = (files: number): string => `${files} file${files === 1 ? '' : 's'}`;
