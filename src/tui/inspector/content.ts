/** What each pane of the inspector shows. Pure. */
import { escapeText } from '../../report/escape.js';
import { detailLines } from '../model/detail.js';
import { type FindingView, findingRow, summaryOf } from '../model/finding.js';
import { bitLine, hexRows, rowStart } from '../model/hex.js';
import type { PaneBox, PaneContent, Screen } from '../model/screen.js';
import { frame } from '../model/shell.js';
import { positionOf } from '../model/scroll.js';
import { type Line, fill, line, lineWidth, restyle, span, wrap } from '../model/text.js';
import { comparePlaces } from '../model/tree-view.js';
import { treeRow } from '../model/tree-rows.js';
import { INSPECTOR_SPEC } from './keys.js';
import { type Inspector, bandsOf, hexGeometry, hexSelection, onOverview, parentNode, selectedNode, visibleRows } from './state.js';

/** The whole screen. */
export const screenOf = (state: Inspector): Screen =>
  frame(state.shell, INSPECTOR_SPEC, {
    title: state.model.title,
    summary: summaryOf(state.model.findings),
    bands: bandsOf(state),
    contentOf: (id, box) => contentOf(state, id, box),
    status: searchLine(state),
  });

/** `/text  3/17`, how far it is, and what the keys do. */
function searchLine(state: Inspector): Line | null {
  const { search } = state;
  if (search === null) return null;
  const at = search.found.findIndex((place) => comparePlaces(place, state.place) === 0);
  const count = search.found.length === 0 ? `no match in ${search.visited} nodes` : `${at === -1 ? '–' : at + 1}/${search.found.length}`;
  const progress = search.done ? '' : ', still searching';
  const reasons = [search.stopped ?? '', search.skipped === 0 ? '' : `${search.skipped} large tables left out`].filter(Boolean).join(', ');
  const stopped = reasons === '' ? '' : ` (${reasons})`;
  return [
    span(` /${search.query}`, 'match'),
    span(`  ${count}${progress}${stopped}  `),
    span('n', 'key'),
    span(' next  ', 'dim'),
    span('N', 'key'),
    span(' previous  ', 'dim'),
    span('Esc', 'key'),
    span(' end', 'dim'),
  ];
}

function contentOf(state: Inspector, id: string, box: PaneBox): PaneContent {
  switch (id) {
    case 'tree':
      return treeContent(state, box);
    case 'detail':
      return detailContent(state, box);
    case 'hex':
      return hexContent(state, box);
    default:
      return findingsContent(state, box);
  }
}

function treeContent(state: Inspector, box: PaneBox): PaneContent {
  const context = { width: box.width, focused: state.shell.focus === 'tree', marks: state.marks, matches: state.search?.matches ?? (() => false) };
  const rows = visibleRows(state).map((row) => treeRow(row, comparePlaces(row.place, state.place) === 0, context));
  return { title: 'tree', note: positionOf(state.treeScroll.cursor, state.tree.rows), rows };
}

/** The lines about the selected node, or about the dump. */
export function detailOf(state: Inspector, width: number): Line[] {
  if (onOverview(state.place)) return state.model.overview.flatMap((text) => wrap(text, width, 2).map((row) => line(row)));
  const node = selectedNode(state);
  if (node === null) return [];
  const findings = state.model.findings.filter((finding) => finding.path === node.path);
  return detailLines(node, parentNode(state), state.model.memory, findings, width);
}

function detailContent(state: Inspector, box: PaneBox): PaneContent {
  const lines = detailOf(state, box.width);
  const below = lines.length - state.detailTop - box.height;
  return {
    title: onOverview(state.place) ? 'overview' : 'detail',
    note: below > 0 ? `${below} more ↓` : '',
    rows: lines.slice(state.detailTop, state.detailTop + box.height),
  };
}

function hexContent(state: Inspector, box: PaneBox): PaneContent {
  const { perRow } = hexGeometry(state);
  const { memory } = state.model;
  const selection = hexSelection(state);
  const bits = selection === null ? null : bitLine(memory, selection);
  const top = rowStart(memory, state.hexTop, perRow);
  const height = box.height - (bits === null ? 0 : 1);
  const rows = hexRows(memory, top, { height, perRow, digits: state.digits, selection });
  const node = selectedNode(state);
  const note = state.hexAt !== null ? 'address gone to' : selection === null ? 'no bytes of its own' : node === null ? '' : escapeText(node.name);
  return { title: 'physical memory', note, rows: bits === null ? rows : [bits, ...rows] };
}

function findingsContent(state: Inspector, box: PaneBox): PaneContent {
  const { findings } = state.model;
  if (findings.length === 0) return { title: 'findings', note: '', rows: [line('  nothing to report', 'good')] };
  const focused = state.shell.focus === 'findings';
  const { cursor, top } = state.findings;
  const whole = focused ? wholeFinding(findings[cursor], box.width) : [];
  // the selected finding is shown whole: the list gives way
  const start = Math.max(top, Math.min(cursor, cursor + 1 + whole.length - box.height));
  const rows = findings.slice(start, start + box.height).flatMap((finding, index): Line[] => {
    const selected = focused && start + index === cursor;
    const row: Line = [span(selected ? '›' : ' ', 'focus'), ...findingRow(finding)];
    return selected ? [restyle(fill(row, box.width), 'cursor'), ...whole] : [row];
  });
  return { title: 'findings', note: positionOf(cursor, findings.length), rows };
}

/** What does not fit a finding's one row. */
function wholeFinding(finding: FindingView | undefined, width: number): Line[] {
  if (finding === undefined || lineWidth(findingRow(finding)) < width) return [];
  const rows = wrap(`    ${finding.message}`, width).map((row) => line(row));
  return finding.reaction === null ? rows : [...rows, ...wrap(`    → ${finding.reaction}`, width, 2).map((row) => line(row))];
}
