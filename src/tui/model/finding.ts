/** Findings as rows, and the marks they leave in the tree. Pure. */
import { type Line, type Style, span } from './text.js';

export type Severity = 'error' | 'warning' | 'info';

/** The answer about a dump or a run, in words. Escaped. */
export interface Headline {
  /** one sentence */
  readonly text: string;
  /** a word or two for the header */
  readonly word: string;
  readonly severity: Severity | 'good';
}

/** What the views need of a finding. `message` and `reaction` are already escaped. */
export interface FindingView {
  readonly severity: Severity;
  /** the rule's id */
  readonly rule: string;
  readonly message: string;
  /** physical address of what it is about */
  readonly at: number | null;
  /** path of the node it is about */
  readonly path: string | null;
  /** what the next kernel does about it */
  readonly reaction: string | null;
  /** the same in a word, with the errno: `retrieve-fails (EIO)` */
  readonly reactionKind?: string | null;
}

const GLYPHS: Readonly<Record<Severity, string>> = { error: '!', warning: '?', info: 'i' };
const RANK: Readonly<Record<Severity, number>> = { error: 3, warning: 2, info: 1 };

/** A sign beside the colour, so that the colour is never alone. */
export const glyphOf = (severity: Severity): string => GLYPHS[severity];

export const worse = (a: Severity | null, b: Severity | null): Severity | null => {
  if (a === null || b === null) return a ?? b;
  return RANK[a] >= RANK[b] ? a : b;
};

/** Worst finding at a node itself, and anywhere below it. */
interface Mark {
  readonly own: Severity | null;
  readonly below: Severity | null;
}

export type Marks = ReadonlyMap<string, Mark>;

/** Marks by path: each finding marks its own node, and every ancestor as having something below. */
export function marksOf(findings: readonly FindingView[]): Marks {
  const marks = new Map<string, Mark>();
  const merge = (path: string, own: Severity | null, below: Severity | null): void => {
    const old = marks.get(path);
    marks.set(path, { own: worse(old?.own ?? null, own), below: worse(old?.below ?? null, below) });
  };
  for (const { path, severity } of findings) {
    if (path === null || severity === 'info') continue;
    merge(path, severity, null);
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) merge(path.slice(0, slash), null, severity);
  }
  return marks;
}

/** One row of the findings pane. */
export function findingRow(finding: FindingView): Line {
  const style: Style = finding.severity;
  const reaction = finding.reaction === null ? [] : [span(` → ${finding.reaction}`, 'dim')];
  return [span(`${glyphOf(finding.severity)} ${finding.severity.padEnd(7)} `, style), span(finding.rule, 'type'), span(`  ${finding.message}`), ...reaction];
}

/** `! 2 errors  ? 1 warning`, for the header. */
export function summaryOf(findings: readonly { readonly severity: Severity }[], headline: Headline | null = null): Line {
  const parts: Line[] =
    headline === null ? [] : [[span(headline.severity === 'good' ? headline.word : `${glyphOf(headline.severity)} ${headline.word}`, headline.severity)]];
  for (const severity of ['error', 'warning', 'info'] as const) {
    const count = findings.filter((finding) => finding.severity === severity).length;
    const word = severity === 'info' ? 'note' : severity;
    if (count > 0) parts.push([span(`${headline === null ? `${glyphOf(severity)} ` : ''}${count} ${word}${count === 1 ? '' : 's'}`, severity)]);
  }
  if (parts.length === 0) return [span('no findings', 'good')];
  return parts.flatMap((part, index) => (index === 0 ? part : [span('  '), ...part]));
}
