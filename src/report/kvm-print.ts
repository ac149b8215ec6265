/** What the `kvm` command prints, line by line, so that a file of any number of snapshots passes through. */
import type { SnapshotFiles } from '../kvm/snapshot-files.js';
import { Timeline } from '../kvm/timeline.js';
import type { Json } from './json-value.js';
import { repeatJson, snapshotJson, timelineEntryJson } from './kvm-json.js';
import { snapshotText, timelineLine, timelineSummaryText } from './kvm-text.js';

/** Lines, without their ends: one snapshot in full; several as a timeline. */
export function kvmLines(files: SnapshotFiles, json: boolean): Iterable<string> {
  if (files.count === 1) return oneSnapshot(files, json);
  return json ? timelineJson(files) : timelineText(files);
}

function* oneSnapshot(files: SnapshotFiles, json: boolean): Iterable<string> {
  for (const { snapshot } of files.entries()) yield json ? JSON.stringify(snapshotJson(snapshot), null, 2) : snapshotText(snapshot);
}

function* timelineText(files: SnapshotFiles): Iterable<string> {
  const timeline = new Timeline();
  for (const entry of files.entries()) {
    timeline.add(entry);
    yield timelineLine(entry);
  }
  yield timelineSummaryText(timeline.finish());
}

/** One JSON object, a snapshot a line. */
function* timelineJson(files: SnapshotFiles): Iterable<string> {
  const source = { path: files.path, files: files.files.map((file) => ({ ...file })), skipped: [...files.skipped] };
  yield `{"schema":"luo-inspect.kvm-timeline/1","source":${JSON.stringify(source)},"snapshots":[`;
  const timeline = new Timeline();
  let separator = '';
  for (const entry of files.entries()) {
    timeline.add(entry);
    yield `${separator}${JSON.stringify(timelineEntryJson(entry))}`;
    separator = ',';
  }
  const { exits, repeats, findings } = timeline.finish();
  const rest: Readonly<Record<string, Json>> = {
    exits: Object.fromEntries(exits),
    repeats: repeats.map(repeatJson),
    findings: findings.map((finding) => ({ ...finding })),
  };
  yield `],${JSON.stringify(rest).slice(1)}`;
}
