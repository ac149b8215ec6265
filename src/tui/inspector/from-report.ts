/** From what was decoded of a dump to what the inspector shows: title, overview, roots, findings. */
import { type ErrnoName, withErrno } from '../../../abi/errno.js';
import { releases } from '../../../abi/registry.js';
import { AddressIndex } from '../../address/address-index.js';
import type { Finding, Reaction } from '../../diagnosis/finding.js';
import { rules } from '../../diagnosis/rules/index.js';
import type { Handover } from '../../handover/decode.js';
import { plainIn } from '../../handover/luo.js';
import { formatBytes, hex } from '../../tree/words.js';
import { againstText } from '../../report/against.js';
import type { DumpReport } from '../../report/dump-report.js';
import { escapeText } from '../../report/escape.js';
import { ruleText } from '../../report/rules-text.js';
import { judgedHandover } from '../../verdict/next-kernel.js';
import { type Verdict, isFailure, verdictSentence } from '../../verdict/verdict.js';
import type { Headline } from '../model/finding.js';
import { objectRows } from './object-rows.js';
import type { InspectorModel } from './state.js';

/** Texts are escaped here, but for those of nodes, which are escaped where they are drawn. */
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
    headline: headlineOf(report.verdict),
    fates: () => fatesOf(report),
    overview: overviewOf(report),
    roots: report.handovers.map((handover) => handover.node),
    memory: report.decoded.memory,
    image: kernel?.facts?.image ?? null,
    findings,
    handovers: report.handovers,
    addresses: () => {
      addresses ??= new AddressIndex(report.decoded);
      return addresses;
    },
    log: (report.log?.boots ?? []).flatMap(({ lines }) => lines.map(({ number, text }) => ({ number, text: escapeText(text) }))),
    objects: kernel?.live == null ? [] : objectRows(kernel.live, report.handovers),
    releases: releases.map(String),
    contractsAgainst: (release, width) => againstText(report, release, width),
    ruleText: (id) => {
      const rule = rules.find((one) => one.id === id);
      return rule === undefined ? null : ruleText(rule);
    },
    series: null,
  };
}

/** The verdict as the first screen and the header say it. */
function headlineOf(verdict: Verdict): Headline {
  const { kind, errno, files } = verdict;
  const count = files.fail === null || files.fail === 0 || files.total === null ? '' : `, ${files.fail} of ${plural(files.total, 'file')} lost`;
  const severity = isFailure(kind) ? 'error' : kind === 'taken-over' ? 'good' : kind === 'warns' || kind === 'leaks' || kind === 'unknown' ? 'warning' : 'info';
  return {
    text: cased(escapeText(verdictSentence(verdict))),
    word: kind === 'taken-over' ? 'taken over' : `${kind}${errno === null ? '' : ` ${errno}`}${count}`,
    severity,
  };
}

/** As a sentence begins; the name of a function stays as it is written. */
const cased = (text: string): string => (/^\w*[_(]/.test(text) ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}`);

/** Kinds of verdict that no file comes back from. */
const LOSES_ALL: ReadonlySet<string> = new Set(['panic', 'cold-boot', 'open-fails']);

/** What becomes of sessions and files, by path; of one that is told twice the later holds. */
function* fatesOf({ verdict, decoded }: DumpReport): Iterable<readonly [string, string]> {
  const words = (kind: string, errno: ErrnoName | null): string => (kind === 'taken-over' ? 'comes back' : withErrno(kind, errno));
  if (LOSES_ALL.has(verdict.kind))
    for (const session of judgedHandover(decoded)?.luo?.sessions ?? [])
      for (const { path } of [session, ...session.files]) yield [path, words(verdict.kind, verdict.errno)];
  for (const session of verdict.sessions) {
    if (session.path !== null) yield [session.path, words(session.kind, session.errno)];
    for (const file of session.files) if (file.path !== null) yield [file.path, words(file.kind, file.errno)];
  }
}

const findingOf = (finding: Finding): InspectorModel['findings'][number] => ({
  severity: finding.severity,
  rule: finding.rule,
  message: escapeText(finding.message),
  at: finding.at,
  path: finding.path,
  reaction: finding.reaction === null ? null : reactionText(finding.reaction),
  reactionKind: finding.reaction === null ? null : withErrno(finding.reaction.kind, finding.reaction.errno),
});

const reactionText = ({ kind, errno, text }: Reaction): string => `${withErrno(kind, errno)}: ${escapeText(text)}`;

function overviewOf({ source, kernel, handovers }: DumpReport): string[] {
  const lines = [
    source.path === '-' ? 'standard input' : escapeText(source.path),
    `${source.container}, ${formatBytes(source.bytes)}, ${source.arch ?? 'architecture unknown'}, pages of ${formatBytes(source.pageSize)}`,
    kernel === null || kernel.release === null ? 'kernel release unknown' : `Linux ${escapeText(kernel.release)} (${kernel.foundBy})`,
  ];
  for (const handover of handovers) lines.push('', ...handoverLines(handover));
  return lines;
}

/** Sessions told one by one in the overview. */
const MOST_SESSIONS = 20;

function handoverLines(handover: Handover): string[] {
  const { candidate, map, luo, memblock, kexecMetadata } = handover;
  const where = candidate.fdtAddress === null ? 'a file' : hex(candidate.fdtAddress);
  const lines = [
    `${handover.path}: ${handover.compatible === null ? 'no version' : escapeText(handover.compatible)} at ${where}, found by ${candidate.foundBy}`,
  ];
  lines.push(`  ${escapeText(handover.roleEvidence)}`);
  if (map !== null) {
    const { blocks, pages, bytes } = map.summary;
    lines.push(
      `  preserved: ${plural(pages, 'page')} (${formatBytes(bytes)}) in ${plural(blocks, 'block')}, ${map.format}${map.complete ? '' : ', incomplete'}`,
    );
  }
  if (luo !== null) {
    lines.push(`  ${escapeText(luo.compatible)}: ${sessionText(luo)}`);
    const { sessions } = luo;
    for (const session of sessions?.slice(0, MOST_SESSIONS) ?? []) {
      const kinds = [...new Set(session.files.map((file) => file.compatible.text))].map(escapeText).join(', ');
      lines.push(
        `    ${escapeText(session.name.text)}: ${plural(session.files.length, 'file')}${kinds === '' ? '' : ` (${kinds})`}${session.complete ? '' : ', incomplete'}`,
      );
    }
    if (sessions !== null && sessions.length > MOST_SESSIONS) lines.push(`    and ${sessions.length - MOST_SESSIONS} more: 5 lists them`);
  }
  if (memblock !== null)
    lines.push(`  reserve_mem: ${memblock.map((region) => `${escapeText(region.name)} ${formatBytes(region.size)}`).join(', ') || 'none'}`);
  if (kexecMetadata !== null) lines.push(`  kexec ${kexecMetadata.kexecCount}, before it ${escapeText(kexecMetadata.previousRelease)}`);
  return lines;
}

function sessionText(luo: NonNullable<Handover['luo']>): string {
  const { sessions, flbs, notSerialised } = luo;
  if (sessions === null) return 'sessions could not be read';
  if (notSerialised) return 'nothing serialised yet';
  const plain = plainIn(luo);
  const files = (plain?.kept ?? sessions).reduce((sum, session) => sum + session.files.length, plain?.files ?? 0);
  return `${plural(sessions.length, 'session')}, ${plural(files, 'file')}${flbs === null ? '' : `, ${plural(flbs.length, 'FLB')}`}`;
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
