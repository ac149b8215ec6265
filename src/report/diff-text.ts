/** `luo-inspect diff` for people: one line a difference, worst first, then what was kept. */
import type { Comparison } from '../handover/compare/compare.js';
import type { Change, Kept } from '../handover/compare/difference.js';
import type { Handover } from '../handover/decode.js';
import { hex } from '../tree/words.js';
import { escapeText } from './escape.js';

const COLORS: Readonly<Record<Change, string>> = { lost: '31', changed: '33', unknown: '2', new: '32' };

export function* diffText(comparison: Comparison, paths: { readonly before: string; readonly after: string }, color: boolean): Iterable<string> {
  yield `before: ${escapeText(paths.before)}: ${sideText(comparison.before)}`;
  yield `after:  ${escapeText(paths.after)}: ${comparison.after === null ? 'no handover came in' : sideText(comparison.after)}`;
  yield '';
  if (comparison.differences.length === 0) yield 'nothing differs';
  for (const { change, name, text } of comparison.differences) {
    const word = change.padEnd(7);
    yield `${color ? `\u001b[${COLORS[change]}m${word}\u001b[0m` : word}  ${escapeText(name)}: ${escapeText(text)}`;
  }
  const kept = keptText(comparison.kept);
  if (kept !== '') yield `kept     ${kept}`;
}

function sideText(handover: Handover): string {
  const at = handover.candidate.fdtAddress === null ? '' : ` at ${hex(handover.candidate.fdtAddress)}`;
  return `${handover.role} handover${at}, ${escapeText(handover.compatible ?? 'version unknown')}`;
}

function keptText(kept: Kept): string {
  const parts: readonly (readonly [number, string])[] = [
    [kept.sessions, 'sessions'],
    [kept.files, 'files'],
    [kept.contents, 'contents compared byte for byte'],
    [kept.devices, 'devices'],
    [kept.flbs, 'FLBs'],
    [kept.regions, 'reserve_mem regions'],
    [kept.pages, 'preserved pages'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}
