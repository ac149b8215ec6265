/** The findings, worst first; notes folded into one row. Pure. */
import { escapeText } from '../../../report/escape.js';
import { lastOf } from '../../model/last-of.js';
import { hasWords } from '../../model/match.js';
import { type FindingView, findingRow } from '../../model/finding.js';
import type { PaneBox } from '../../model/screen.js';
import { jumpTo, keepInView, moveBy, positionOf, rowsOf } from '../../model/scroll.js';
import { type Line, fill, line, lineWidth, restyle, span, wrap } from '../../model/text.js';
import { type Pane, filterOf, focused, tell, withShell } from '../../model/view.js';
import { FINDINGS, type PaneId } from '../layout.js';
import { type Inspector, type LogRow, boxIn, jump, jumpToAddress, placeOf, quotedLine, selectedNode } from '../state.js';
import { logPane } from './log.js';

import type { Key } from '../../model/keys.js';

type Of = Pane<Inspector, PaneId>;

/** A finding; or so many that are folded into one row: notes (`rule` null), or those of a rule of which the first are shown. */
type FindingRow =
  | { readonly kind: 'finding'; readonly index: number; readonly finding: FindingView }
  | { readonly kind: 'folded'; readonly rule: string | null; readonly count: number };

/** Findings of one rule that are shown before the others are folded, and how many there are at least then. */
const SHOWN = 3;
const MANY = 8;

/** Errors and warnings, many of a rule folded; notes in one row until they are asked for. */
const rowsFor = lastOf((findings: readonly FindingView[], filter: string, notesOpen: boolean, unfolded: ReadonlySet<string>): readonly FindingRow[] => {
  const all = findings.map((finding, index): FindingRow & { kind: 'finding' } => ({ kind: 'finding', index, finding }));
  if (filter !== '') return all.filter(({ finding }) => hasWords(`${finding.severity} ${finding.rule} ${finding.message} ${finding.path ?? ''}`, filter));
  const notes = findings.filter(({ severity }) => severity === 'info').length;
  const counts = new Map<string, number>();
  for (const { rule } of findings) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const seen = new Map<string, number>();
  const rows = all.flatMap((row): FindingRow[] => {
    const { rule, severity } = row.finding;
    if (severity === 'info' && !notesOpen) return [];
    const count = counts.get(rule) ?? 0;
    const number = (seen.get(rule) ?? 0) + 1;
    seen.set(rule, number);
    if (count < MANY || unfolded.has(rule) || number <= SHOWN) return [row];
    return number === SHOWN + 1 ? [{ kind: 'folded', rule, count: count - SHOWN }] : [];
  });
  return notesOpen || notes === 0 ? rows : [...rows, { kind: 'folded', rule: null, count: notes }];
});

const findingRows = (state: Inspector): readonly FindingRow[] =>
  rowsFor(state.model.findings, filterOf<PaneId>(state, 'findings'), state.notesOpen, state.unfolded);

const foldedText = ({ rule, count }: { readonly rule: string | null; readonly count: number }): Line =>
  rule === null
    ? [span(`i ${count} note${count === 1 ? '' : 's'}`, 'info'), span('  Enter shows them', 'dim')]
    : [span(`  ${count} more  `), span(rule, 'type'), span('  Enter shows them', 'dim')];

/** The finding under the cursor of the list; none on the row of folded notes. */
export function findingUnderCursor(state: Inspector): FindingView | undefined {
  const row = findingRows(state)[state.findings.cursor];
  return row?.kind === 'finding' ? row.finding : undefined;
}

export const findingsPane: Of = {
  id: 'findings',
  filters: true,
  content: (state, box) => {
    const rows = findingRows(state);
    if (rows.length === 0) return { title: 'findings', note: '', rows: [line('  nothing to report', 'good')] };
    const inFocus = state.shell.focus === 'findings';
    const { cursor, start, whole } = placed(state, rows, box);
    const shown = rows.slice(start, start + box.height).flatMap((row, index): Line[] => {
      const selected = inFocus && start + index === cursor;
      const current = row.kind === 'finding' && row.index === state.findingAt;
      const spans: Line = [span(selected || current ? '›' : ' ', 'focus'), ...(row.kind === 'finding' ? findingRow(row.finding) : foldedText(row))];
      if (selected) return [restyle(fill(spans, box.width), 'cursor'), ...whole];
      return [current ? restyle(fill(spans, box.width), 'selected') : spans];
    });
    return { title: 'findings', note: positionOf(cursor, rows.length), rows: shown };
  },
  move: (state, motion, box, count) => ({
    ...state,
    findings: moveBy(state.findings, rowsOf(motion, box.height) * count, findingRows(state).length, box.height),
  }),
  enter: (state) => {
    const row = findingRows(state)[state.findings.cursor];
    if (row === undefined) return state;
    if (row.kind === 'finding') return goToFinding(state, row.index);
    return row.rule === null ? { ...state, notesOpen: true } : { ...state, unfolded: new Set(state.unfolded).add(row.rule) };
  },
  click: (state, row, box) => {
    const rows = findingRows(state);
    const { cursor, start, whole } = placed(state, rows, box);
    const below = start + row - cursor;
    const wanted = below <= 0 ? start + row : Math.max(cursor, start + row - whole.length);
    return wanted < rows.length ? { ...state, findings: { ...state.findings, cursor: wanted } } : state;
  },
};

/** The first row on the screen, the one under the cursor, and the rest of its finding: it is shown whole, the list gives way. */
function placed(
  state: Inspector,
  rows: readonly FindingRow[],
  { width, height }: PaneBox,
): { readonly cursor: number; readonly start: number; readonly whole: readonly Line[] } {
  const { cursor, top } = keepInView(state.findings, rows.length, height);
  const at = rows[cursor];
  const whole = state.shell.focus === 'findings' && at?.kind === 'finding' ? wholeFinding(at.finding, width) : [];
  return { cursor, start: Math.max(top, Math.min(cursor, cursor + 1 + whole.length - height)), whole };
}

/** What does not fit a finding's one row. */
function wholeFinding(finding: FindingView, width: number): Line[] {
  if (lineWidth(findingRow(finding)) < width) return [];
  const rows = wrap(`    ${finding.message}`, width).map((row) => line(row));
  return finding.reaction === null ? rows : [...rows, ...wrap(`    → ${finding.reaction}`, width, 2).map((row) => line(row))];
}

/** Selects what a finding is about: its node, its bytes, its console line. */
export function goToFinding(before: Inspector, index: number): Inspector {
  const finding = before.model.findings[index];
  if (finding === undefined) return before;
  const row = findingRows(before).findIndex((one) => one.kind === 'finding' && one.index === index);
  const state = {
    ...before,
    findingAt: index,
    findings: row === -1 ? before.findings : jumpTo(before.findings, row, findingRows(before).length, boxIn(before, 'findings').height),
  };
  const place = finding.path === null ? null : placeOf(state, finding.path);
  const there = place === null ? state : jump(state, place);
  const node = selectedNode(there);
  // the finding may be about a field deeper than what was decoded, or about bytes without a node
  if (finding.at !== null && (place === null || (node !== null && node.path !== finding.path)))
    return { ...(place === null ? jumpToAddress(state, finding.at) : there), hexAt: finding.at };
  if (place !== null) return there;
  const quoted = state.model.log[quotedLine(state.model, finding)];
  return quoted === undefined ? tell(state, 'this finding is about no single place') : goToLine(state, quoted);
}

/** Selects a line of the log; a filter that hides it is ended. */
function goToLine(state: Inspector, wanted: LogRow): Inspector {
  const rows = logPane.shown(state);
  const index = rows.indexOf(wanted);
  if (index === -1) {
    const all = withShell(state, { filters: new Map([...state.shell.filters].filter(([id]) => id !== 'log')) });
    return tell(goToLine(all, wanted), `the filter ${escapeText(filterOf<PaneId>(state, 'log'))} hid line ${wanted.number}: the log is shown whole again`);
  }
  return focused({ ...state, log: jumpTo(state.log, index, rows.length, boxIn(state, 'log').height) }, 'log');
}

function stepFinding(state: Inspector, by: number): Inspector {
  const { findings } = state.model;
  // notes are gone through where there is nothing else, or where they are shown
  const indexes = findings.flatMap(({ severity }, index) => (severity !== 'info' || state.notesOpen ? [index] : []));
  const among = indexes.length > 0 ? indexes : findings.map((_, index) => index);
  if (among.length === 0) return tell(state, 'no findings');
  const at = among.indexOf(state.findingAt ?? -1);
  const next = at === -1 ? (by === 1 ? 0 : among.length - 1) : (at + by + among.length) % among.length;
  const index = among[next] ?? 0;
  const there = goToFinding(withShell(state, { toast: null }), index);
  const said = there.shell.toast === null ? '' : ` (${there.shell.toast})`;
  return tell(there, `finding ${next + 1}/${among.length}: ${findings[index]?.message ?? ''}${said}`);
}

/** `[` and `]` where a place is not shared. */
export const FINDING_KEYS: readonly Key<Inspector>[] = [
  { keys: [']'], group: FINDINGS, help: 'go to the next finding', hint: 'finding', run: (state) => stepFinding(state, 1) },
  { keys: ['['], group: FINDINGS, help: 'go to the finding before', run: (state) => stepFinding(state, -1) },
];
