/** From kvm_run snapshots to what the inspector shows: the page is the memory, its fields the tree, what explains the exit the overview. */
import { AddressIndex } from '../../address/address-index.js';
import { summarise } from '../../kvm/explain.js';
import type { KvmFinding } from '../../kvm/finding.js';
import type { SnapshotEntry, SnapshotFiles } from '../../kvm/snapshot-files.js';
import { type SnapshotRow, type SnapshotView, snapshotView } from '../../kvm/snapshot-view.js';
import { Timeline } from '../../kvm/timeline.js';
import { bufferMemory } from '../../memory/buffer-memory.js';
import { escapeText } from '../../report/escape.js';
import { Node } from '../../tree/node.js';
import type { TreeNode } from '../../tree/tree.js';
import type { InspectorModel, Series } from './state.js';

/** Snapshots kept for the view: about 12 KiB each. */
const MOST_SNAPSHOTS = 2_000;

/** @throws Error where there is no snapshot at all */
export function snapshotsModelOf(files: SnapshotFiles): InspectorModel {
  const entries: SnapshotEntry[] = [];
  const timeline = new Timeline();
  for (const entry of files.entries()) {
    entries.push(entry);
    timeline.add(entry);
    if (entries.length === MOST_SNAPSHOTS) break;
  }
  const together = timeline.finish().findings;
  const some =
    files.count > entries.length ? `the first ${entries.length} of ${files.count} snapshots` : entries.length === 1 ? 'kvm_run' : `${entries.length} snapshots`;
  const name = escapeText(files.path.split('/').filter(Boolean).at(-1) ?? files.path);
  const labels = entries.map((entry) => `${files.files.length > 1 ? `${escapeText(entry.file)}: ` : ''}${escapeText(summarise(entry.snapshot))}`);
  const series = (index: number): Series => ({ index, labels, at });
  const at = (index: number): InspectorModel => {
    const entry = entries[index];
    if (entry === undefined) throw new Error(`there is no snapshot ${index}`);
    const { snapshot } = entry;
    return modelOf(snapshotView(snapshot), { title: `${name}  ${some}  ${snapshot.arch}`, path: files.path, series: series(index), together });
  };
  return at(0);
}

interface Around {
  readonly title: string;
  readonly path: string;
  readonly series: Series;
  /** what the snapshots say together */
  readonly together: readonly KvmFinding[];
}

const NO_CONTRACTS = "a kvm_run page is laid out by KVM's API, which no release changes: there is nothing to hold against another one";

function modelOf(view: SnapshotView, { title, path, series, together }: Around): InspectorModel {
  const memory = bufferMemory([{ start: 0, bytes: view.bytes }]);
  const roots = [treeOf(view)];
  const findings = [...view.findings, ...together].map(({ rule, severity, message, path: at }) => ({
    severity,
    rule,
    message: escapeText(message),
    at: null,
    path: at,
    reaction: null,
  }));
  const worst = (['error', 'warning'] as const).find((severity) => findings.some((finding) => finding.severity === severity)) ?? 'good';
  let addresses: AddressIndex | null = null;
  return {
    title,
    path,
    headline: { text: view.title, word: view.title, severity: worst },
    overview: [
      ...view.explanation.map(escapeText),
      '',
      `${escapeText(path)}: ${series.labels.length === 1 ? '' : `snapshot ${series.index}, `}${view.bytes.length} bytes`,
    ],
    fates: new Map(),
    roots,
    memory,
    findings,
    handovers: [],
    addresses: () => {
      addresses ??= new AddressIndex({ memory, handovers: [] }, roots);
      return addresses;
    },
    log: [],
    objects: [],
    releases: [],
    contractsAgainst: () => [NO_CONTRACTS],
    ruleText: () => null,
    series,
  };
}

const GROUPS: readonly (readonly [SnapshotRow['group'], string, string])[] = [
  ['exit', 'exit', 'what the exit is about'],
  ['data', 'data', 'data of the port access'],
  ['ring', 'coalesced_mmio_ring', 'coalesced writes that wait'],
  ['registers', 's', 'synchronised registers'],
];

/** kvm_run as a tree: the payload of the exit, and what else of the page is in use, before its own fields. */
function treeOf({ title, rows, bytes }: SnapshotView): TreeNode {
  const root = new Node('kvm_run', 'kvm_run', { type: 'struct kvm_run', address: 0, bits: bytes.length * 8, meaning: title });
  for (const [group, name, description] of GROUPS) {
    const own = rows.filter((row) => row.group === group);
    if (own.length === 0) continue;
    const start = Math.min(...own.map(({ offset }) => offset));
    const end = Math.max(...own.map(({ offset, size }) => offset + size));
    const below = root.group(name, { type: 'group', address: start, bitOffset: start * 8, bits: (end - start) * 8, description });
    for (const row of own) below.add(fieldOf(row, row.path.replace(/^(exit|s\.regs)\./, ''), start));
  }
  for (const row of rows) if (row.group === 'header') root.add(fieldOf(row, row.path, 0));
  return root;
}

function fieldOf({ path, offset, size, value, words, meaning, state }: SnapshotRow, name: string, start: number): Node {
  const number = /^(0x[0-9a-f]+|-?\d+)$/.test(value) && size <= 8 ? BigInt(value) : null;
  const node = new Node(`kvm_run/${path.replaceAll('.', '/')}`, name, {
    type: number === null ? `u8[${size}]` : `u${size * 8}`,
    address: offset,
    bitOffset: (offset - start) * 8,
    bits: size * 8,
    value: state === 'missing' ? null : (number ?? value),
    // where something is, is said in hex
    role: value.startsWith('0x') || /(^|\.)(port|data_offset)$/.test(path) ? 'flags' : null,
    meaning: words,
    description: meaning,
  });
  if (state === 'missing') node.mark('missing-page', 'the snapshot ends before it');
  if (state === 'suspicious') node.mark('suspicious', 'a finding is about it');
  return node;
}
