/** From kvm_run snapshots to what the inspector shows: the page is the memory, its fields the tree, what explains the exit the overview. */
import { AddressIndex } from '../../address/address-index.js';
import { exitTitle, explain, summarise } from '../../kvm/explain.js';
import type { KvmFinding } from '../../kvm/finding.js';
import { kvmTree } from '../../kvm/kvm-tree.js';
import type { SnapshotEntry, SnapshotFiles } from '../../kvm/snapshot-files.js';
import type { KvmSnapshot } from '../../kvm/snapshot-model.js';
import { Timeline } from '../../kvm/timeline.js';
import { bufferMemory } from '../../memory/buffer-memory.js';
import { escapeText } from '../../report/escape.js';
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
    return modelOf(snapshot, { title: `${name}  ${some}  ${snapshot.arch}`, path: files.path, series: series(index), together });
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

function modelOf(snapshot: KvmSnapshot, { title, path, series, together }: Around): InspectorModel {
  const { bytes } = snapshot;
  const memory = bufferMemory([{ start: 0, bytes }]);
  const roots = [kvmTree(snapshot)];
  const word = exitTitle(snapshot);
  const findings = [...snapshot.findings, ...together].map(({ rule, severity, message, path: at }) => ({
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
    headline: { text: word, word, severity: worst },
    overview: [
      ...explain(snapshot).map(escapeText),
      '',
      `${escapeText(path)}: ${series.labels.length === 1 ? '' : `snapshot ${series.index}, `}${bytes.length} bytes`,
    ],
    fates: () => new Map(),
    roots,
    memory,
    image: null,
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
