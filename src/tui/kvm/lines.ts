/** The rows of the kvm_run view: a field, the explanation. Pure. */
import type { SnapshotRow, SnapshotView } from '../../kvm/snapshot-view.js';
import { escapeText } from '../../report/escape.js';
import { type FindingView, glyphOf } from '../model/finding.js';
import { type Line, type Span, clip, fill, line, padTo, restyle, span, wrap } from '../model/text.js';

/** A field: name, value, words. */
export function fieldRow(row: SnapshotRow, selected: boolean, focused: boolean, match: boolean, width: number): Line {
  const name = row.path.replace(/^exit\./, '').replace(/^s\.regs\./, '');
  const sign: Span = row.state === 'suspicious' ? span('?', 'warning') : row.state === 'missing' ? span('∅', 'dim') : span(' ');
  const column = Math.min(24, Math.max(12, Math.floor(width * 0.42)));
  const spans: Span[] = [
    span(selected ? '›' : ' ', 'focus'),
    sign,
    span(padTo(name, column), match ? 'match' : 'name'),
    span(` ${row.value}`, row.state === 'missing' ? 'dim' : 'value'),
    span(row.words === '' ? '' : `  ${escapeText(row.words)}`, 'dim'),
  ];
  return selected ? restyle(fill(spans, width), focused ? 'cursor' : 'selected') : clip(spans, width);
}

/** What happened, whether it can be believed, what is odd, and what the snapshots say together. */
export function explanationLines(view: SnapshotView, model: { readonly findings: readonly FindingView[] }, width: number): Line[] {
  const out: Line[] = [line(view.title, 'title')];
  for (const text of view.explanation) out.push(...wrap(escapeText(text), width).map((row) => line(row)));
  for (const finding of [...view.findings, ...model.findings]) {
    const rows = wrap(`${glyphOf(finding.severity)} ${finding.severity}: ${finding.message}`, width, 2);
    out.push(...rows.map((row) => line(row, finding.severity)));
  }
  return out;
}
