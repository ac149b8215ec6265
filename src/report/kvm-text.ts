/** Snapshots as text for people. */
import { exitTitle, explain, summarise } from '../kvm/explain.js';
import type { KvmFinding } from '../kvm/finding.js';
import { kvmTree } from '../kvm/kvm-tree.js';
import type { SnapshotEntry, SnapshotFiles } from '../kvm/snapshot-files.js';
import type { KvmSnapshot } from '../kvm/snapshot-model.js';
import type { PartialValues } from '../kvm/areas.js';
import { type TimelineSummary, type RepeatedFault, Timeline } from '../kvm/timeline.js';
import type { TreeNode } from '../tree/tree.js';
import { numberText } from '../tree/words.js';
import { escapeText } from './escape.js';
import type { Struct } from '../../abi/layout.js';
import { kvmRunParts, kvmCoalescedMmio } from '../../abi/kvm/run.js';
import { memoryFault } from '../../abi/kvm/payloads.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { accessOf } from '../kvm/memory-fault.js';
import { bytesJson, hexJson, integerJson, type Json, type JsonObject, jsonOf } from './json-value.js';

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
const timelineLine = ({ index, file, offset, snapshot }: SnapshotEntry): string =>
  `${index.toString().padStart(6)}  ${escapeText(file)}${offset === 0 ? '' : `+${offset}`}  ${summarise(snapshot)}`;

/** What is below the lines: exits by number, findings over all snapshots. */
function timelineSummaryText({ count, exits, findings }: TimelineSummary): string {
  const byCount = [...exits].sort((a, b) => b[1] - a[1]);
  const out = ['', `${count} snapshots`, ...byCount.map(([name, times]) => `  ${times.toString().padStart(7)}  ${name}`)];
  if (findings.length > 0) out.push('', 'findings', ...findings.map(findingLine));
  return out.join('\n');
}

/** Fields of `struct` that `values` has; null where the bytes ended. */
function fieldsJson(struct: Struct, values: PartialValues, without: readonly string[] = []): Record<string, Json> {
  const out: Record<string, Json> = {};
  for (const [name, type] of Object.entries(struct.fields)) {
    if (without.includes(name) || !(name in values)) continue;
    out[name] = values[name] === null ? null : jsonOf(type, values[name]);
  }
  return out;
}

/** The exit's payload: `{}` where the exit has none, null where the exit is unknown. */
function exitJson(snapshot: KvmSnapshot): JsonObject | null {
  const { exit, payload, ioData } = snapshot;
  if (exit === null) return null;
  if (payload === null) return {};
  if (payload.name === 'memory_fault') return faultJson(snapshot);
  const { variant, emulation } = payload;
  const out = fieldsJson(payload.struct, payload.values, variant === null ? [] : [variant.choice.field]);
  if (payload.name === 'io') out.data = ioData === null ? null : bytesJson(ioData.bytes);
  if (emulation !== null) {
    const form = fieldsJson(emulation.struct, emulation.values, ['suberror', 'ndata']);
    out.emulation_failure = emulation.hasInstruction ? form : { ...form, insn_size: null, insn_bytes: null };
  }
  if (variant !== null) {
    const inner = { [variant.name]: fieldsJson(variant.struct, variant.values) };
    if (variant.choice.anonymous) Object.assign(out, inner);
    else out[variant.choice.field] = inner;
  }
  return out;
}

function faultJson({ payload, bytes, endian, abi }: KvmSnapshot): JsonObject | null {
  if (payload === null) return null;
  if (bytes.length < payload.offset + sizeOf(memoryFault)) {
    const { flags = null, ...rest } = fieldsJson(memoryFault, payload.values);
    return { flags, private: null, ...rest };
  }
  const fault = decodeStruct(memoryFault, bytes, payload.offset, { endian });
  const access = accessOf(fault, abi);
  return {
    flags: hexJson(fault.flags),
    private: access === null ? null : access === 'private',
    gpa: hexJson(fault.gpa),
    size: integerJson('bytes', fault.size),
  };
}

function bodyJson(snapshot: KvmSnapshot): JsonObject {
  const { arch, exitReason, exit, stale, layout, header, ring, syncRegs, findings } = snapshot;
  const regs = kvmRunParts[arch].syncRegs;
  return {
    arch,
    exitReason,
    exitName: exit?.name ?? null,
    stale,
    exit: exitJson(snapshot),
    header: fieldsJson(layout, header),
    syncRegs: syncRegs === null || regs === null ? null : fieldsJson(regs, syncRegs),
    coalescedMmio:
      ring === null
        ? null
        : { first: ring.first, last: ring.last, pending: ring.pending === null ? null : ring.pending.map((entry) => fieldsJson(kvmCoalescedMmio, entry)) },
    findings: findings.map((finding) => ({ ...finding })),
  };
}

/** One snapshot. Beyond the fields of the interface: `syncRegs`, `coalescedMmio` (null where there is none) and `explanation`. */
export const snapshotJson = (snapshot: KvmSnapshot): JsonObject => ({
  schema: 'luo-inspect.kvm/1',
  ...bodyJson(snapshot),
  explanation: explain(snapshot),
});

/** One snapshot of a timeline. */
const timelineEntryJson = ({ index, file, offset, snapshot }: SnapshotEntry): JsonObject => ({ index, file, offset, ...bodyJson(snapshot) });

const repeatJson = ({ first, last, count, flags, gpa, size }: RepeatedFault): JsonObject => ({
  first,
  last,
  count,
  flags: hexJson(flags),
  gpa: hexJson(gpa),
  size: integerJson('bytes', size),
});

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
