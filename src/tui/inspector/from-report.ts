/** From what was decoded of a dump to what the inspector shows: title, overview, roots, findings. */
import { AddressIndex } from '../../address/address-index.js';
import type { Finding } from '../../diagnosis/finding.js';
import { rules } from '../../diagnosis/rules/index.js';
import type { Handover } from '../../handover/decode.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { DumpReport } from '../../report/dump-report.js';
import { escapeText } from '../../report/escape.js';
import { ruleText } from '../../report/rules-text.js';
import type { Headline } from '../model/finding.js';
import type { InspectorModel } from './state.js';

export function inspectorModelOf(report: DumpReport): InspectorModel {
  const { source, kernel } = report;
  const name = source.path === '-' ? 'standard input' : (source.path.split('/').filter(Boolean).at(-1) ?? source.path);
  const findings = report.findings.map(findingOf);
  let addresses: AddressIndex | null = null;
  return {
    title: [escapeText(name), source.container, source.arch ?? '', kernel?.release == null ? '' : `Linux ${escapeText(kernel.release)}`]
      .filter(Boolean)
      .join('  '),
    path: source.path,
    headline: headlineOf(report.findings),
    overview: overviewOf(report),
    roots: report.handovers.map((handover) => handover.node),
    memory: report.decoded.memory,
    findings,
    handovers: report.handovers,
    addresses: () => {
      addresses ??= new AddressIndex(report.decoded);
      return addresses;
    },
    log: (report.log?.boots ?? []).flatMap(({ release, lines }) => lines.map(({ number, time, text }) => ({ number, time, text: escapeText(text), release }))),
    ruleText: (id) => {
      const rule = rules.find((one) => one.id === id);
      return rule === undefined ? null : ruleText(rule);
    },
  };
}

/** The worst error or warning, until somebody has a better answer. */
function headlineOf(findings: readonly Finding[]): Headline {
  const worst = findings[0];
  if (worst === undefined || worst.severity === 'info') return { text: 'Nothing wrong was found.', word: 'nothing wrong found', severity: 'good' };
  const { reaction } = worst;
  const word = reaction === null ? worst.severity : `${reaction.kind}${reaction.errno === null ? '' : ` ${reaction.errno}`}`;
  return { text: escapeText(worst.message), word, severity: worst.severity };
}

const findingOf = (finding: Finding): InspectorModel['findings'][number] => ({
  severity: finding.severity,
  rule: finding.rule,
  message: escapeText(finding.message),
  at: finding.at,
  path: finding.path,
  reaction: finding.reaction === null ? null : reactionText(finding.reaction),
  reactionKind: finding.reaction === null ? null : `${finding.reaction.kind}${finding.reaction.errno === null ? '' : ` (${finding.reaction.errno})`}`,
});

const reactionText = (reaction: { readonly kind: string; readonly errno: string | null; readonly text: string }): string =>
  `${reaction.kind}${reaction.errno === null ? '' : ` (${reaction.errno})`}: ${escapeText(reaction.text)}`;

function overviewOf({ source, kernel, handovers }: DumpReport): string[] {
  const lines = [
    escapeText(source.path),
    `${source.container}, ${formatBytes(source.bytes)}, ${source.arch ?? 'architecture unknown'}, pages of ${formatBytes(source.pageSize)}`,
    kernel === null || kernel.release === null ? 'kernel release unknown' : `Linux ${escapeText(kernel.release)} (${kernel.foundBy})`,
  ];
  for (const handover of handovers) lines.push('', ...handoverLines(handover));
  return lines;
}

function handoverLines(handover: Handover): string[] {
  const { candidate, map, luo, memblock, kexecMetadata } = handover;
  const where = candidate.fdtAddress === null ? 'a file' : hex(candidate.fdtAddress);
  const lines = [
    `${handover.path}: ${handover.compatible === null ? 'no version' : escapeText(handover.compatible)} at ${where}, found by ${candidate.foundBy}`,
  ];
  lines.push(`  ${escapeText(handover.roleEvidence)}`);
  if (map !== null) {
    const { blocks, pages, bytes } = map.summary;
    lines.push(`  preserved: ${pages} pages (${formatBytes(bytes)}) in ${blocks} blocks, ${map.format}${map.complete ? '' : ', incomplete'}`);
  }
  if (luo !== null) {
    lines.push(`  ${escapeText(luo.compatible)}: ${sessionText(luo)}`);
    for (const session of luo.sessions ?? []) {
      const kinds = [...new Set(session.files.map((file) => file.compatible.text))].map(escapeText).join(', ');
      lines.push(
        `    ${escapeText(session.name.text)}: ${session.files.length} files${kinds === '' ? '' : ` (${kinds})`}${session.complete ? '' : ', incomplete'}`,
      );
    }
  }
  if (memblock !== null)
    lines.push(`  reserve_mem: ${memblock.map((region) => `${escapeText(region.name)} ${formatBytes(region.size)}`).join(', ') || 'none'}`);
  if (kexecMetadata !== null) lines.push(`  kexec ${kexecMetadata.kexecCount}, before it ${escapeText(kexecMetadata.previousRelease)}`);
  return lines;
}

function sessionText({ sessions, flbs, notSerialised }: NonNullable<Handover['luo']>): string {
  if (sessions === null) return 'sessions could not be read';
  if (notSerialised) return 'nothing serialised yet';
  const files = sessions.reduce((sum, session) => sum + session.files.length, 0);
  return `${sessions.length} sessions, ${files} files${flbs === null ? '' : `, ${flbs.length} FLBs`}`;
}
