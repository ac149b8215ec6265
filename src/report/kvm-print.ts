/** What the `kvm` command prints, piece by piece, so that a file of any number of snapshots passes through. */
import type { SnapshotFiles } from '../kvm/snapshot-files.js';
import { Timeline } from '../kvm/timeline.js';
import type { Json } from './json-value.js';
import { repeatJson, snapshotJson, timelineEntryJson } from './kvm-json.js';
import { snapshotText, timelineLine, timelineSummaryText } from './kvm-text.js';

/** One snapshot in full; several as a timeline. */
export function printKvm(files: SnapshotFiles, json: boolean): Generator<string, void, undefined> {
  if (files.count === 1) return printOne(files, json);
  return json ? printTimelineJson(files) : printTimeline(files);
}

function* printOne(files: SnapshotFiles, json: boolean): Generator<string, void, undefined> {
  for (const { snapshot } of files.entries()) yield json ? `${JSON.stringify(snapshotJson(snapshot), null, 2)}\n` : snapshotText(snapshot);
}

function* printTimeline(files: SnapshotFiles): Generator<string, void, undefined> {
  const timeline = new Timeline();
  for (const entry of files.entries()) {
    timeline.add(entry);
    yield `${timelineLine(entry)}\n`;
  }
  yield timelineSummaryText(timeline.finish());
}

/** One JSON object, a snapshot a line. */
function* printTimelineJson(files: SnapshotFiles): Generator<string, void, undefined> {
  const source = { path: files.path, files: files.files.map((file) => ({ ...file })), skipped: [...files.skipped] };
  yield `{"schema":"luo-inspect.kvm-timeline/1","source":${JSON.stringify(source)},"snapshots":[`;
  const timeline = new Timeline();
  let separator = '\n';
  for (const entry of files.entries()) {
    timeline.add(entry);
    yield `${separator}${JSON.stringify(timelineEntryJson(entry))}`;
    separator = ',\n';
  }
  const { exits, repeats, findings } = timeline.finish();
  const rest: Readonly<Record<string, Json>> = {
    exits: Object.fromEntries(exits),
    repeats: repeats.map(repeatJson),
    findings: findings.map((finding) => ({ ...finding })),
  };
  yield `\n],${JSON.stringify(rest).slice(1)}\n`;
}
