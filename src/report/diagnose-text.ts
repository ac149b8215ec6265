/**
 * `luo-inspect diagnose`. For people the outcome first, then the findings that bear on it, each with its evidence, worst first; with --short a line
 * a session: its files, what comes back, what fails, and the first reason; with --json schema luo-inspect.findings/1.
 */
import { withErrno } from '../../abi/errno.js';
import type { Finding, Severity } from '../diagnosis/finding.js';
import { isWhole } from '../handover/luo.js';
import { hex } from '../tree/words.js';
import { ownerText } from '../handover/owners/owner.js';
import { painter, wrap } from './lines.js';
import type { DumpReport } from './dump-report.js';
import { escapeText } from './escape.js';
import { headLines } from './report-text.js';
import { type SessionFate, type Verdict, isFailure, verdictSentence } from '../verdict/verdict.js';
import type { JsonObject } from './json-value.js';
import { findingJson, verdictJson } from './report-json.js';

interface DiagnoseTextOptions {
  /** columns to wrap at */
  readonly width: number;
  readonly color: boolean;
  /** findings that the suppression file accepts, with why */
  readonly accepted: readonly { readonly finding: Finding; readonly reason: string }[];
}

const SIGNS: Readonly<Record<Severity, string>> = { error: '!', warning: '?', info: 'i' };

export function* diagnoseText(report: DumpReport, findings: readonly Finding[], options: DiagnoseTextOptions): Iterable<string> {
  const paint = painter(options.color);
  const { verdict } = report;
  const worst: Severity = isFailure(verdict.kind) ? 'error' : verdict.kind === 'taken-over' ? 'info' : 'warning';
  for (const line of wrap(escapeText(verdictSentence(verdict)), options.width)) yield paint(line, worst);
  yield '';
  yield* headLines(report);
  for (const handover of report.handovers) {
    const at = handover.candidate.fdtAddress === null ? '' : ` at ${hex(handover.candidate.fdtAddress)}`;
    const { luo } = handover;
    const sessions = luo?.sessions == null ? '' : `, ${plural(luo.sessions.length, 'session')}${isWhole(luo) ? '' : ', as far as they could be read'}`;
    yield `${handover.role}: ${escapeText(handover.compatible ?? 'KHO of unknown version')}${at}${sessions}`;
  }
  yield '';
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  const nothing = count('error') + count('warning') === 0 && !isFailure(verdict.kind) ? ': nothing wrong was found' : '';
  yield paint(
    `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}, ${plural(count('info'), 'note')}${nothing}`,
    findings[0]?.severity ?? 'info',
  );
  yield* causesText(findings, options.width, paint);
  if (options.accepted.length > 0) yield '';
  for (const { finding, reason } of options.accepted)
    yield* wrap(`accepted: ${finding.rule}: ${escapeText(reason)} (${escapeText(finding.message)})`, options.width);
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Consequences of one rule that are shown below their cause; the others are counted. */
const SHOWN_A_RULE = 2;

/** Causes in full; below each what comes of it, a line each, the same rule told twice and then counted. */
function* causesText(findings: readonly Finding[], width: number, paint: (text: string, severity: Severity) => string): Iterable<string> {
  const shown = new Set(findings.map(({ id }) => id));
  const isRoot = ({ because }: Finding): boolean => because === null || !shown.has(because);
  const below = new Map<number, Finding[]>();
  const rootOf = new Map<number, number>();
  for (const finding of findings) {
    const root = isRoot(finding) ? finding.id : (rootOf.get(finding.because ?? 0) ?? finding.because ?? finding.id);
    rootOf.set(finding.id, root);
    if (root === finding.id) continue;
    const others = below.get(root);
    if (others === undefined) below.set(root, [finding]);
    else others.push(finding);
  }
  for (const finding of findings) {
    if (!isRoot(finding)) continue;
    yield* findingText(finding, width, paint);
    const counts = new Map<string, number>();
    for (const consequence of below.get(finding.id) ?? []) {
      const count = (counts.get(consequence.rule) ?? 0) + 1;
      counts.set(consequence.rule, count);
      if (count <= SHOWN_A_RULE)
        yield* indented(
          `so ${consequence.rule}${consequence.at === null ? '' : ` at ${hex(consequence.at)}`}: ${escapeText(consequence.message)}`,
          '    ',
          width,
        );
    }
    for (const [rule, count] of counts) if (count > SHOWN_A_RULE) yield `    and ${count - SHOWN_A_RULE} more ${rule}`;
  }
}

function* findingText(finding: Finding, width: number, paint: (text: string, severity: Severity) => string): Iterable<string> {
  yield '';
  yield paint(`${SIGNS[finding.severity]} ${finding.severity} ${finding.rule}${finding.at === null ? '' : ` at ${hex(finding.at)}`}`, finding.severity);
  yield* indented(escapeText(finding.message), '  ', width);
  if (finding.path !== null) yield `  in ${escapeText(finding.path)}${finding.owner === undefined ? '' : ` (${escapeText(ownerText(finding.owner))})`}`;
  if (finding.reaction === null) return;
  yield* indented(`next kernel: ${withErrno(finding.reaction.kind, finding.reaction.errno)}: ${escapeText(finding.reaction.text)}`, '  ', width);
}

function* indented(text: string, indent: string, width: number): Iterable<string> {
  for (const line of wrap(text, Math.max(40, width - indent.length))) yield `${indent}${line}`;
}

/** A line for each session: how many of its files come back, and why others do not. Without sessions, the verdict. */
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

export const findingsJson = (verdict: Verdict, findings: readonly Finding[]): JsonObject => ({
  schema: 'luo-inspect.findings/1',
  verdict: verdictJson(verdict),
  findings: findings.map(findingJson),
});
