/** `luo-inspect diff` for people: one line a difference, worst first, then what was kept. */
import { painter } from './lines.js';
import { type Comparison, nothingDiffers, notesOf } from '../handover/compare/compare.js';
import type { Change, Kept } from '../handover/compare/difference.js';
import type { Fate, FileFate } from '../handover/compare/fates.js';
import type { Handover } from '../handover/decode.js';
import { hex } from '../tree/words.js';
import { escapeText } from './escape.js';
import type { JsonObject } from './json-value.js';

const COLORS = { lost: 'error', changed: 'warning', unknown: 'info', new: 'good' } as const satisfies Readonly<Record<Change, string>>;

export function* diffText(comparison: Comparison, paths: { readonly before: string; readonly after: string }, color: boolean): Iterable<string> {
  yield `before: ${escapeText(paths.before)}: ${sideText(comparison.before)}`;
  yield `after:  ${escapeText(paths.after)}: ${comparison.after === null ? 'no handover came in' : sideText(comparison.after)}`;
  for (const note of notesOf(comparison)) yield `note: ${escapeText(note)}`;
  yield '';
  if (comparison.differences.length === 0) yield nothingDiffers(comparison);
  for (const { change, name, text } of comparison.differences) {
    const word = change.padEnd(7);
    yield `${painter(color)(word, COLORS[change])}  ${escapeText(name)}: ${escapeText(text)}`;
  }
  yield* fateLines(comparison.fates);
  const kept = keptText(comparison.kept);
  if (kept !== '') yield `kept     ${kept}`;
}

const FATES: Readonly<Record<Fate, string>> = {
  'came-back': 'came back',
  waiting: 'waiting',
  failed: 'failed',
  lost: 'lost',
  kept: 'kept',
  gone: 'gone',
  unknown: 'unknown',
};
/** Files that are listed; the JSON has them all. */
const MAX_FILES = 200;

/** What became of each file, and how many of each in the last line. */
function* fateLines(fates: readonly FileFate[]): Iterable<string> {
  for (const { session, token, fate, text } of fates.slice(0, MAX_FILES))
    yield `file     ${escapeText(session)} ${hex(token)}: ${FATES[fate]}${text === FATES[fate] ? '' : ` (${escapeText(text)})`}`;
  if (fates.length > MAX_FILES) yield `file     … and ${fates.length - MAX_FILES} more (--json lists every one)`;
  const counts = new Map<Fate, number>();
  for (const { fate } of fates) counts.set(fate, (counts.get(fate) ?? 0) + 1);
  if (fates.length > 0) yield `files    ${[...counts].map(([fate, count]) => `${count} ${FATES[fate]}`).join(', ')}`;
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

export const diffJson = (comparison: Comparison, paths: { readonly before: string; readonly after: string }): JsonObject => ({
  schema: 'luo-inspect.diff/1',
  before: sideJson(paths.before, comparison.before, comparison.notSearched.before),
  after: sideJson(paths.after, comparison.after, comparison.notSearched.after),
  doubts: [...comparison.doubts],
  ...(comparison.notRead.length === 0 ? {} : { notRead: [...comparison.notRead] }),
  differences: comparison.differences.map(({ change, what, name, text, before, after }) => ({ change, what, name, text, before, after })),
  kept: { ...comparison.kept },
  files: comparison.fates.map(({ session, token, fate, before, after, text, beforePath, afterPath }) => ({
    session,
    token: hex(token),
    fate,
    before: { phase: before, path: beforePath },
    after: after === null ? null : { phase: after, path: afterPath },
    text,
  })),
});

const sideJson = (path: string, handover: Handover | null, notSearched: string | null): JsonObject => ({
  path,
  ...(notSearched === null ? {} : { notSearched }),
  handover:
    handover === null
      ? null
      : {
          path: handover.path,
          role: handover.role,
          fdt: handover.candidate.fdtAddress === null ? null : hex(handover.candidate.fdtAddress),
          compatible: handover.compatible,
        },
});
