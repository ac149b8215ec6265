/** Snapshots as text for people. */
import { exitTitle, explain, summarise } from '../kvm/explain.js';
import type { KvmFinding } from '../kvm/finding.js';
import { kvmTree } from '../kvm/kvm-tree.js';
import type { SnapshotEntry } from '../kvm/snapshot-files.js';
import type { KvmSnapshot } from '../kvm/snapshot-model.js';
import type { TimelineSummary } from '../kvm/timeline.js';
import type { TreeNode } from '../tree/tree.js';
import { numberText } from '../tree/words.js';
import { escapeText } from './escape.js';

const GROUPS: Readonly<Record<string, string>> = {
  exit: 'exit payload',
  data: 'port I/O data',
  coalesced_mmio_ring: 'coalesced MMIO ring',
  s: 'synchronised registers',
};

/** Elements of an array shown one by one; the JSON has them all. */
const MOST_ELEMENTS = 64;

interface Row {
  readonly path: string;
  readonly node: TreeNode;
}

/** The nodes that say something, by their paths as C writes them. Padding that is 0 is left out. */
function rowsOf(node: TreeNode, path: string): readonly Row[] {
  if (node.type === 'gap' || (/^(pad\w*|reserved)$/.test(node.name) && isZero(node))) return [];
  const children = node.children();
  const own = children.length === 0 || node.meaning !== '' ? [{ path, node }] : [];
  if (children.length > MOST_ELEMENTS) return [{ path, node }];
  return [...own, ...children.flatMap((child) => rowsOf(child, child.name.startsWith('[') ? `${path}${child.name}` : `${path}.${child.name}`))];
}

const isZero = (node: TreeNode): boolean =>
  node.value === null ? node.state === 'fine' && node.children().length > 0 && node.children().every(isZero) : /^0*$/.test(node.value.toString());

/** Text columns: place in the snapshot, name, value, words. */
function rowLines(rows: readonly Row[]): readonly string[] {
  const name = Math.min(40, Math.max(0, ...rows.map(({ path }) => path.length)));
  return rows.map(({ path, node: { state, address, bits, value, role, meaning } }) => {
    const mark = state === 'fine' ? ' ' : state === 'suspicious' ? '!' : '?';
    const text =
      state === 'missing-page' ? 'not in the snapshot' : typeof value === 'bigint' || typeof value === 'number' ? numberText(role, value) : (value ?? '');
    const words = meaning === '' || meaning === '0' || meaning === text ? '' : `  ${meaning}`;
    return `  ${mark} ${(address ?? 0).toString().padStart(6)} +${(bits / 8).toString().padEnd(4)} ${path.padEnd(name)}  ${text}${words}`.trimEnd();
  });
}

const findingLine = ({ severity, message, rule }: KvmFinding): string => `  ${severity}: ${escapeText(message)} [${rule}]`;

/** The whole snapshot. */
export function snapshotText(snapshot: KvmSnapshot): string {
  const out = [`kvm_run of ${snapshot.arch}, ${snapshot.bytes.length} bytes: ${exitTitle(snapshot)}`, ...explain(snapshot).map((line) => `  ${line}`)];
  const parts = kvmTree(snapshot).children();
  const header = parts.filter(({ name }) => GROUPS[name] === undefined);
  out.push('', 'header', ...rowLines(header.flatMap((node) => rowsOf(node, node.name))));
  for (const node of parts) {
    const heading = GROUPS[node.name];
    if (heading !== undefined) out.push('', heading, ...rowLines(rowsOf(node, node.name)));
  }
  const { findings } = snapshot;
  if (findings.length > 0) out.push('', 'findings', ...findings.map(findingLine));
  return out.join('\n');
}

/** One line of a timeline. */
export const timelineLine = ({ index, file, offset, snapshot }: SnapshotEntry): string =>
  `${index.toString().padStart(6)}  ${escapeText(file)}${offset === 0 ? '' : `+${offset}`}  ${summarise(snapshot)}`;

/** What is below the lines: exits by number, findings over all snapshots. */
export function timelineSummaryText({ count, exits, findings }: TimelineSummary): string {
  const byCount = [...exits].sort((a, b) => b[1] - a[1]);
  const out = ['', `${count} snapshots`, ...byCount.map(([name, times]) => `  ${times.toString().padStart(7)}  ${name}`)];
  if (findings.length > 0) out.push('', 'findings', ...findings.map(findingLine));
  return out.join('\n');
}
