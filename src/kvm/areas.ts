/**
 * What the vCPU's mapping holds beside struct kvm_run: the data of a port access, the ring of coalesced writes, the
 * synchronised registers. Every offset and count is checked against the bytes that are there.
 */
import { type DecodedStruct, type Endian, type FieldType, type Struct, struct } from '../../abi/layout.js';
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { kvmCoalescedMmioRing, type kvmCoalescedMmio, kvmRun, kvmRunParts } from '../../abi/kvm/run.js';
import type { io } from '../../abi/kvm/payloads.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { arrayCount, layoutTable, offsetOf, sizeOf } from '../codec/layout-table.js';
import { finding, type KvmFinding } from './finding.js';
import { counted, hex, unknownBits } from '../tree/words.js';

/** Decoded fields by the kernel's names; null where the bytes ended. */
export type PartialValues = Readonly<Record<string, unknown>>;

/** The values of a structure; null for each field that the bytes end before. */
export function decodePartial(layout: Struct, bytes: Uint8Array, offset: number, endian: Endian): PartialValues {
  const table = layoutTable(layout);
  if (bytes.length - offset >= table.size) return decodeStruct(layout, bytes, offset, { endian });
  return Object.fromEntries(table.fields.map((field) => [field.name, decodeField(field.type, bytes, offset + field.offset, field.size, endian)]));
}

/** One value, or null if it is not wholly there. */
export function decodeField(type: FieldType, bytes: Uint8Array, offset: number, size: number, endian: Endian): unknown {
  if (bytes.length - offset < size) return null;
  return decodeValue(type, bytes, offset, { endian });
}

const parts = new WeakMap<Struct, Map<string, Struct>>();

/** The neighbouring fields of `layout` from `first` up to `end`, as a structure of its own: decoding it copies nothing else. */
export function partOf(layout: Struct, first: string, end: string): Struct {
  let known = parts.get(layout);
  if (known === undefined) {
    known = new Map();
    parts.set(layout, known);
  }
  let part = known.get(first);
  if (part === undefined) {
    const names = Object.keys(layout.fields);
    const fields = Object.fromEntries(Object.entries(layout.fields).slice(names.indexOf(first), names.indexOf(end)));
    part = struct({ name: layout.name, meaning: layout.meaning, source: layout.source, packed: layout.packed, endian: layout.endian, fields });
    known.set(first, part);
  }
  return part;
}

export interface IoData {
  /** in bytes from the start of kvm_run */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Port accesses the processor can make, in bytes. */
const PORT_SIZES: readonly number[] = [1, 2, 4];

/** The data of a port access; null, with a finding, where it is not in the bytes. */
export function ioData(access: DecodedStruct<typeof io>, bytes: Uint8Array, pageSize: number, findings: KvmFinding[]): IoData | null {
  const odd = (message: string): void => {
    findings.push(finding('kvm.io-access', 'warning', 'kvm_run/exit', message));
  };
  if (access.direction > 1) odd(`direction is ${access.direction}; 0 is in, 1 is out`);
  if (!PORT_SIZES.includes(access.size)) odd(`a port access of ${counted(access.size, 'byte')}; 1, 2 and 4 exist`);
  if (access.count === 0) odd('count is 0: an exit for no access');
  const length = access.size * access.count;
  if (length > pageSize)
    odd(`${counted(access.count, 'access')} of ${counted(access.size, 'byte')} do not fit the page of port I/O data`.replace('accesss', 'accesses'));
  const unreadable = (message: string): null => {
    findings.push(finding('kvm.io-data-unreadable', 'warning', 'kvm_run/exit/data_offset', message));
    return null;
  };
  const end = access.data_offset + BigInt(length);
  if (end > BigInt(bytes.length)) {
    const where = `data_offset ${hex(access.data_offset)} with ${counted(length, 'byte')} of data`;
    return unreadable(`${where} is outside the ${bytes.length} bytes of this snapshot: the port I/O data is not shown`);
  }
  const offset = Number(access.data_offset);
  if (offset < sizeOf(kvmRun.x86_64)) odd(`data_offset ${hex(offset)} points into kvm_run itself; KVM puts the data ${pageSize} bytes after its start`);
  return { offset, bytes: bytes.slice(offset, offset + length) };
}

export interface CoalescedRing {
  /** in bytes from the start of kvm_run */
  readonly offset: number;
  readonly first: number;
  readonly last: number;
  /** entries the ring has room for */
  readonly capacity: number;
  /** entries that user space has not taken yet, oldest first; null where first or last is no index */
  readonly pending: readonly DecodedStruct<typeof kvmCoalescedMmio>[] | null;
}

/** The ring, or null where the architecture has none or its page is not there. */
export function coalescedRing(arch: KvmArch, bytes: Uint8Array, endian: Endian, pageSize: number, findings: KvmFinding[]): CoalescedRing | null {
  const page = kvmArches[arch].coalescedPage;
  if (page === null) return null;
  const offset = page * pageSize;
  if (bytes.length < offset + pageSize) return null;
  const head = layoutTable(kvmCoalescedMmioRing, pageSize);
  const capacity = arrayCount(head.field('coalesced_mmio'), pageSize);
  const index = (name: 'first' | 'last'): number => Number(decodeField(head.field(name).type, bytes, offset + head.field(name).offset, 4, endian));
  const first = index('first');
  const last = index('last');
  // Empty rings are the rule: their entries need no decoding.
  if (first === last && first === 0) return { offset, first, last, capacity, pending: [] };
  const ring = decodeStruct(kvmCoalescedMmioRing, bytes, offset, { endian, pageSize });
  const entries = ring.coalesced_mmio;
  if (first >= entries.length || last >= entries.length) {
    findings.push(finding('kvm.ring-invalid', 'warning', 'coalesced_mmio_ring', `first ${first} and last ${last}: the ring has ${entries.length} entries`));
    return { offset, first, last, capacity, pending: null };
  }
  const count = (last - first + entries.length) % entries.length;
  return { offset, first, last, capacity, pending: [...entries.slice(first, first + count), ...entries.slice(0, Math.max(0, first + count - entries.length))] };
}

/** The parts of s.regs that kvm_valid_regs says hold; null where it says that none does. */
export function syncRegs(arch: KvmArch, valid: bigint | null, bytes: Uint8Array, endian: Endian, findings: KvmFinding[]): PartialValues | null {
  const { syncRegs: layout, syncClasses } = kvmRunParts[arch];
  if (valid === null) return null;
  const unknown = unknownBits(valid, kvmRun[arch].fields.kvm_valid_regs.flagNames ?? {});
  if (unknown !== 0n)
    findings.push(finding('kvm.sync-regs-invalid', 'warning', 'kvm_run/kvm_valid_regs', `bits ${hex(unknown)} stand for no registers on ${arch}`));
  if (layout === null || (valid === 0n && syncClasses.length > 0)) return null;
  const wanted =
    syncClasses.length === 0
      ? Object.keys(layout.fields)
      : syncClasses.filter((part) => ((valid >> BigInt(part.bit)) & 1n) === 1n).flatMap((part) => part.fields);
  if (wanted.length === 0) return null;
  const start = offsetOf(kvmRun[arch], 's');
  const placed = layoutTable(layout).fields.filter((field) => wanted.includes(field.name));
  return Object.fromEntries(placed.map((field) => [field.name, decodeField(field.type, bytes, start + field.offset, field.size, endian)]));
}
