/** What the terminal UI shows of a dump, from the report: title, overview, tree, findings. */
import { headLines } from '../report/report-text.js';
import { escapeText } from '../report/escape.js';
import type { DumpReport } from '../report/dump-report.js';
import type { InspectorModel } from '../tui/open.js';

export function inspectorModel(report: DumpReport): InspectorModel {
  const release = report.kernel?.release ?? 'kernel not told';
  return {
    title: `${escapeText(report.source.path)}  ${report.source.container}  ${escapeText(release)}`,
    overview: [
      ...headLines(report),
      ...report.handovers.map((handover) => `${handover.role}: ${escapeText(handover.node.meaning)}; ${escapeText(handover.roleEvidence)}`),
    ],
    roots: report.handovers.map((handover) => handover.node),
    memory: report.decoded.memory,
    findings: report.findings.map((finding) => ({
      severity: finding.severity,
      rule: finding.rule,
      message: finding.message,
      at: finding.at,
      path: finding.path,
      reaction:
        finding.reaction === null
          ? null
          : `${finding.reaction.kind}${finding.reaction.errno === null ? '' : ` ${finding.reaction.errno}`}: ${finding.reaction.text}`,
    })),
  };
}
