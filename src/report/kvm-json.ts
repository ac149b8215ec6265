/** Snapshots as JSON: `luo-inspect.kvm/1`, and `luo-inspect.kvm-timeline/1` for several. For scripts. */
import type { Struct } from '../../abi/layout.js';
import { kvmRunParts } from '../../abi/kvm/run.js';
import { kvmCoalescedMmio } from '../../abi/kvm/coalesced.js';
import { memoryFault } from '../../abi/kvm/payloads-common.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { explain } from '../kvm/explain.js';
import { accessOf } from '../kvm/memory-fault.js';
import type { PartialValues } from '../kvm/partial.js';
import type { SnapshotEntry } from '../kvm/snapshot-files.js';
import type { KvmSnapshot } from '../kvm/snapshot-model.js';
import type { RepeatedFault } from '../kvm/timeline.js';
import { bytesJson, hexJson, integerJson, type Json, type JsonObject, jsonOf } from './json-value.js';

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
export const timelineEntryJson = ({ index, file, offset, snapshot }: SnapshotEntry): JsonObject => ({ index, file, offset, ...bodyJson(snapshot) });

export const repeatJson = ({ first, last, count, flags, gpa, size }: RepeatedFault): JsonObject => ({
  first,
  last,
  count,
  flags: hexJson(flags),
  gpa: hexJson(gpa),
  size: integerJson('bytes', size),
});
