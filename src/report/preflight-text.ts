/** A preflight for people: the answer first, what blocks, what can't be told, then what is fine. */
import { painter } from './lines.js';
import type { Preflight } from '../preflight/preflight.js';
import type { LineState } from '../preflight/line.js';
import { escapeText } from './escape.js';

const marks: Readonly<Record<LineState, { readonly mark: string; readonly color: 'error' | 'warning' | 'good' }>> = {
  blocks: { mark: 'blocks     ', color: 'error' },
  'cannot-tell': { mark: 'cannot tell', color: 'warning' },
  fine: { mark: 'fine       ', color: 'good' },
};

export function preflightText(result: Preflight, color: boolean): readonly string[] {
  const count = (state: LineState): number => result.lines.filter((line) => line.state === state).length;
  const paint = painter(color);
  const answer =
    result.verdict === 'works'
      ? paint('nothing that was checked blocks a live update', marks.fine.color)
      : result.verdict === 'blocks'
        ? paint('a live update would not work as it stands', marks.blocks.color)
        : paint('nothing could be checked', marks['cannot-tell'].color);
  const version = result.version === null ? '' : `, Linux ${result.version}`;
  const lines = [
    `${escapeText(`${result.label}${version}`)}: ${answer} (${count('blocks')} block, ${count('cannot-tell')} cannot be told, ${count('fine')} fine)`,
    '',
  ];
  for (const state of ['blocks', 'cannot-tell', 'fine'] as const) {
    const { mark, color: code } = marks[state];
    for (const line of result.lines.filter((one) => one.state === state)) {
      lines.push(`${paint(mark, code)}  ${escapeText(line.check)}: ${escapeText(line.text)}`);
      if (line.remedy !== null) lines.push(`             try: ${escapeText(line.remedy)}`);
    }
  }
  if (result.outcomes.length > 0)
    lines.push('', 'what survives, by the engine (files are not shown before the reboot call: that they can be handed over is taken for granted):');
  for (const { session, outcome, text } of result.outcomes) {
    const color = outcome === 'comes-back' ? marks.fine.color : outcome === 'lost' ? marks.blocks.color : marks['cannot-tell'].color;
    lines.push(`  session ${escapeText(JSON.stringify(session))}: ${paint(outcome === 'comes-back' ? 'comes back' : outcome, color)}: ${escapeText(text)}`);
  }
  return lines;
}

/** Schema luo-inspect.preflight/1. */
export const preflightJson = (result: Preflight) => ({
  schema: 'luo-inspect.preflight/1',
  machine: result.label,
  release: result.version,
  verdict: result.verdict,
  lines: result.lines,
  sessions: result.sessions.map(({ name, holders }) => {
    const outcome = result.outcomes.find(({ session }) => session === name);
    return {
      name,
      openBy: holders.map(({ pid, comm, fd }) => ({ pid, comm, fd })),
      outcome: outcome === undefined ? null : { kind: outcome.outcome, text: outcome.text },
    };
  }),
});
