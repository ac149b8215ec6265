/** Snapshots as text for people. */
import { summarise } from '../kvm/explain.js';
import type { KvmFinding } from '../kvm/finding.js';
import type { SnapshotEntry } from '../kvm/snapshot-files.js';
import type { KvmSnapshot } from '../kvm/snapshot-model.js';
import { snapshotView, type SnapshotRow } from '../kvm/snapshot-view.js';
import type { TimelineSummary } from '../kvm/timeline.js';
import { escapeText } from './escape.js';

const GROUPS: Readonly<Record<SnapshotRow['group'], string>> = {
  header: 'header',
  exit: 'exit payload',
  data: 'port I/O data',
  ring: 'coalesced MMIO ring',
  registers: 'synchronised registers',
};

/** Text columns: place in the snapshot, name, value, words. */
function rowLines(rows: readonly SnapshotRow[]): readonly string[] {
  const name = Math.min(40, Math.max(0, ...rows.map((row) => row.path.length)));
  return rows.map((row) => {
    const mark = row.state === 'suspicious' ? '!' : row.state === 'missing' ? '?' : ' ';
    return `  ${mark} ${row.offset.toString().padStart(6)} +${row.size.toString().padEnd(4)} ${row.path.padEnd(name)}  ${row.value}${row.words === '' ? '' : `  ${row.words}`}`.trimEnd();
  });
}

const findingLine = ({ severity, message, rule }: KvmFinding): string => `  ${severity}: ${escapeText(message)} [${rule}]`;

/** The whole snapshot. Padding that is 0 is left out. */
export function snapshotText(snapshot: KvmSnapshot): string {
  const { title, rows, explanation, findings } = snapshotView(snapshot);
  const out = [`kvm_run of ${snapshot.arch}, ${snapshot.bytes.length} bytes: ${title}`, ...explanation.map((line) => `  ${line}`)];
  const shown = rows.filter((row) => !(/(^|\.)(pad\w*|reserved)(\[\d+\])?$/.test(row.path) && /^(0x)?0+$/.test(row.value)));
  for (const [group, heading] of Object.entries(GROUPS)) {
    const part = shown.filter((row) => row.group === group);
    if (part.length > 0) out.push('', heading, ...rowLines(part));
  }
  if (findings.length > 0) out.push('', 'findings', ...findings.map(findingLine));
  return out.join('\n');
}

/** One line of a timeline. */
export const timelineLine = ({ index, file, offset, snapshot }: SnapshotEntry): string =>
  `${index.toString().padStart(6)}  ${escapeText(file)}${offset === 0 ? '' : `+${offset}`}  ${summarise(snapshot)}`;

/** What stands below the lines: exits by number, findings over all snapshots. */
export function timelineSummaryText({ count, exits, findings }: TimelineSummary): string {
  const byCount = [...exits].sort((a, b) => b[1] - a[1]);
  const out = ['', `${count} snapshots`, ...byCount.map(([name, times]) => `  ${times.toString().padStart(7)}  ${name}`)];
  if (findings.length > 0) out.push('', 'findings', ...findings.map(findingLine));
  return out.join('\n');
}
