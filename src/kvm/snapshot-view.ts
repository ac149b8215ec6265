/**
 * A snapshot as rows for a screen: every field with its place in the bytes, so that payload, hex and explanation can stand side
 * by side. Pure; text is plain and safe to print.
 */
import type { FieldType, Struct } from '../../abi/layout.js';
import { kvmCoalescedMmio, kvmCoalescedMmioRing } from '../../abi/kvm/coalesced.js';
import { kvmRun, kvmRunParts } from '../../abi/kvm/run.js';
import { layoutTable, offsetOf, sizeOf, typeSize } from '../codec/layout-table.js';
import { exitTitle, explain } from './explain.js';
import type { KvmFinding } from './finding.js';
import type { PartialValues } from './partial.js';
import type { KvmSnapshot } from './snapshot-model.js';
import { hex } from '../tree/words.js';
import { countOf, wordsOf } from './words.js';

export type RowState = 'fine' | 'suspicious' | 'missing';

export interface SnapshotRow {
  readonly group: 'header' | 'exit' | 'data' | 'ring' | 'registers';
  /** `exit.gpa`, `s.regs.regs.rip` */
  readonly path: string;
  /** in bytes from the start of kvm_run */
  readonly offset: number;
  /** in bytes */
  readonly size: number;
  /** the value as digits; `not in the snapshot` where its bytes are missing */
  readonly value: string;
  /** what the value says, '' where the digits say it all */
  readonly words: string;
  /** what the field is for */
  readonly meaning: string;
  readonly state: RowState;
}

export interface SnapshotView {
  readonly title: string;
  readonly rows: readonly SnapshotRow[];
  readonly explanation: readonly string[];
  readonly findings: readonly KvmFinding[];
  /** what the offsets of the rows point into */
  readonly bytes: Uint8Array;
}

type Group = SnapshotRow['group'];

/** Elements of an array shown one by one; longer arrays of registers are shown whole in the JSON. */
const MOST_ELEMENTS = 64;

export function snapshotView(snapshot: KvmSnapshot): SnapshotView {
  const { arch, bytes, header, payload, findings } = snapshot;
  const rows: SnapshotRow[] = [];
  const layout = kvmRun[arch];
  for (const field of layoutTable(layout).fields) {
    if (field.name in header) pushRows(rows, 'header', field.name, field.type, header[field.name], field.offset);
  }
  if (payload !== null) {
    pushStruct(rows, 'exit', 'exit', payload.struct, payload.values, payload.offset, payload.variant?.choice.field);
    if (payload.emulation !== null) pushStruct(rows, 'exit', 'exit.emulation_failure', payload.emulation.struct, payload.emulation.values, payload.offset);
    const { variant } = payload;
    if (variant !== null) {
      const prefix = variant.choice.anonymous ? `exit.${variant.name}` : `exit.${variant.choice.field}.${variant.name}`;
      pushStruct(rows, 'exit', prefix, variant.struct, variant.values, variant.offset);
    }
  }
  pushAreas(rows, snapshot);
  const regs = kvmRunParts[arch].syncRegs;
  if (snapshot.syncRegs !== null && regs !== null) pushStruct(rows, 'registers', 's.regs', regs, snapshot.syncRegs, offsetOf(layout, 's'));
  return { title: exitTitle(snapshot), rows: rows.map((row) => judged(holding(row, snapshot), findings)), explanation: explain(snapshot), findings, bytes };
}

function pushAreas(rows: SnapshotRow[], { ioData, ring }: KvmSnapshot): void {
  if (ioData !== null) {
    rows.push(plainRow('data', 'io data', ioData.offset, ioData.bytes.length, hexText(ioData.bytes), '', 'data of the port access'));
  }
  if (ring === null) return;
  const entriesAt = offsetOf(kvmCoalescedMmioRing, 'coalesced_mmio');
  const words = ring.pending === null ? 'invalid' : ring.pending.length === 0 ? 'empty' : countOf(ring.pending.length, 'entry').replace('entrys', 'entries');
  rows.push(plainRow('ring', 'coalesced_mmio_ring', ring.offset, entriesAt, `first ${ring.first}, last ${ring.last}`, words, 'coalesced writes that wait'));
  const each = sizeOf(kvmCoalescedMmio);
  for (const [index, entry] of (ring.pending ?? []).entries()) {
    const slot = (ring.first + index) % ring.capacity;
    const data = hexText(entry.data.subarray(0, Math.min(entry.len, entry.data.length)));
    const where = entry.pio === 1 ? `port ${hex(entry.phys_addr)}` : hex(entry.phys_addr);
    rows.push(
      plainRow('ring', `coalesced_mmio[${slot}]`, ring.offset + entriesAt + slot * each, each, data, `${where}, ${countOf(entry.len, 'byte')}`, 'a write'),
    );
  }
}

function pushStruct(rows: SnapshotRow[], group: Group, prefix: string, struct: Struct, values: PartialValues, offset: number, without?: string): void {
  for (const field of layoutTable(struct).fields) {
    if (field.name === without || !(field.name in values)) continue;
    pushRows(rows, group, `${prefix}.${field.name}`, field.type, values[field.name], offset + field.offset);
  }
}

function pushRows(rows: SnapshotRow[], group: Group, path: string, type: FieldType, value: unknown, offset: number): void {
  if (type.kind === 'nested' && isValues(value)) {
    pushStruct(rows, group, path, type.struct, value, offset);
    return;
  }
  if (type.kind === 'array' && Array.isArray(value) && value.length <= MOST_ELEMENTS) {
    const each = typeSize(type.of);
    for (const [index, item] of value.entries()) pushRows(rows, group, `${path}[${index}]`, type.of, item, offset + index * each);
    return;
  }
  const size = typeSize(type);
  if (value === null) {
    rows.push({ group, path, offset, size, value: 'not in the snapshot', words: '', meaning: type.meaning, state: 'missing' });
    return;
  }
  rows.push(plainRow(group, path, offset, size, digits(type, value), wordsOf(type, value), type.meaning));
}

const isValues = (value: unknown): value is PartialValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

const plainRow = (group: Group, path: string, offset: number, size: number, value: string, words: string, meaning: string): SnapshotRow => ({
  group,
  path,
  offset,
  size,
  value,
  words,
  meaning,
  state: 'fine',
});

const hexText = (bytes: Uint8Array): string => (bytes.length === 0 ? '' : Buffer.from(bytes).toString('hex'));

const DECIMAL_ROLES: ReadonlySet<string> = new Set(['number', 'count', 'bytes', 'pages', 'enum', 'bool', 'index']);

function digits(type: FieldType, value: unknown): string {
  if (value instanceof Uint8Array) return hexText(value);
  if (typeof value !== 'bigint' && typeof value !== 'number') return '';
  return type.kind === 'int' && DECIMAL_ROLES.has(type.role) ? value.toString() : hex(value);
}

/** Words behind ndata, and instruction bytes that flags do not announce, hold nothing. */
function holding(row: SnapshotRow, { payload }: KvmSnapshot): SnapshotRow {
  if (payload === null || row.group !== 'exit') return row;
  const index = /^exit\.data\[(\d+)\]$/.exec(row.path)?.[1];
  const { ndata } = payload.values;
  if (index !== undefined && typeof ndata === 'number' && Number(index) >= ndata) return { ...row, words: 'past ndata: does not hold' };
  if (/\.insn_(size|bytes)$/.test(row.path) && payload.emulation?.hasInstruction === false) return { ...row, words: 'does not hold: flags do not announce it' };
  return row;
}

/** A row a finding is about is suspicious. */
function judged(row: SnapshotRow, findings: readonly KvmFinding[]): SnapshotRow {
  const path = `kvm_run/${row.path.replaceAll('.', '/')}`;
  return row.state === 'fine' && findings.some((finding) => finding.path === path && finding.severity !== 'info') ? { ...row, state: 'suspicious' } : row;
}
