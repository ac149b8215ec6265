/** From snapshot files to what the kvm_run view shows. */
import { summarise } from '../../kvm/explain.js';
import type { SnapshotEntry, SnapshotFiles } from '../../kvm/snapshot-files.js';
import { snapshotView } from '../../kvm/snapshot-view.js';
import { Timeline } from '../../kvm/timeline.js';
import { escapeText } from '../../report/escape.js';
import type { KvmModel } from './state.js';

/** Snapshots kept for the view: about 12 KiB each. */
const MOST_SNAPSHOTS = 2_000;

/** @throws Error where there is no snapshot at all */
export function kvmModelOf(files: SnapshotFiles): KvmModel {
  const entries: SnapshotEntry[] = [];
  const timeline = new Timeline();
  for (const entry of files.entries()) {
    entries.push(entry);
    timeline.add(entry);
    if (entries.length === MOST_SNAPSHOTS) break;
  }
  const entry = (index: number): SnapshotEntry => {
    const found = entries[index];
    if (found === undefined) throw new Error(`there is no snapshot ${index}`);
    return found;
  };
  const some =
    files.count > entries.length ? `the first ${entries.length} of ${files.count} snapshots` : entries.length === 1 ? 'kvm_run' : `${entries.length} snapshots`;
  return {
    title: `${escapeText(files.path.split('/').filter(Boolean).at(-1) ?? files.path)}  ${some}  ${entry(0).snapshot.arch}`,
    path: files.path,
    count: entries.length,
    at: (index) => snapshotView(entry(index).snapshot),
    label: (index) => `${files.files.length > 1 ? `${escapeText(entry(index).file)}: ` : ''}${escapeText(summarise(entry(index).snapshot))}`,
    findings: timeline.finish().findings,
  };
}
