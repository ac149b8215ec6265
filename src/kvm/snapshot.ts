/**
 * A kvm_run snapshot decoded: header, exit payload, data areas, synchronised registers, and what is odd about them. Pure; for
 * report, terminal and engine tests. Source: 7.3 include/uapi/linux/kvm.h through abi/kvm.
 */
import type { Endian } from '../../abi/layout.js';
import type { KvmArch } from '../../abi/kvm/arch.js';
import { type ExitReason, exitReasons } from '../../abi/kvm/exits.js';
import { io } from '../../abi/kvm/payloads-common.js';
import { type KvmRun, kvmRun } from '../../abi/kvm/run.js';
import { MEMORY_FAULT, SEED_MEMORY_FAULT, seedExitReasons } from '../../abi/kvm/seed-v13.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { type IoData, coalescedRing, ioData, syncRegs } from './areas.js';
import { assumeArch } from './assume-arch.js';
import { checkSnapshot } from './checks.js';
import { type KvmFinding, finding, worstFirst } from './finding.js';
import { type PartialValues, decodePartial, partOf } from './partial.js';
import type { KvmAbi, KvmSnapshot, KvmSnapshotOptions } from './snapshot-model.js';
import { type Payload, decodePayload } from './payload.js';
import { ERRNO } from '../../abi/errno.js';

const byNumber: Readonly<Record<KvmAbi, ReadonlyMap<number, ExitReason>>> = {
  mainline: new Map(exitReasons.map((reason) => [reason.number, reason])),
  'seed-v13': new Map(seedExitReasons.map((reason) => [reason.number, reason])),
};

/** The exit reason of that number. On loongarch 38 is LOONGARCH_IOCSR whatever the ABI asked for. */
const exitReasonOf = (number: number, abi: KvmAbi, arch: KvmArch): ExitReason | null => byNumber[arch === 'loongarch' ? 'mainline' : abi].get(number) ?? null;

/** Decodes what `bytes` hold of a snapshot. Never throws for what they contain: what is missing is null, with a finding. */
export function decodeSnapshot(bytes: Uint8Array, options: KvmSnapshotOptions = {}): KvmSnapshot {
  const findings: KvmFinding[] = [];
  const { arch, endian } = assumeArch(bytes, options, findings);
  const abi = options.abi ?? 'mainline';
  const errno = options.errno ?? null;
  const pageSize = options.pageSize ?? 4096;
  const layout = kvmRun[arch];
  const header = decodeHeader(layout, bytes, endian);
  if (bytes.length < sizeOf(layout)) {
    findings.push(
      finding('kvm.truncated', 'warning', 'kvm_run', `the snapshot ends after ${bytes.length} bytes; struct kvm_run of ${arch} has ${sizeOf(layout)}`),
    );
  }
  const exitReason = typeof header.exit_reason === 'number' ? header.exit_reason : null;
  const exit = exitReason === null ? null : exitReasonOf(exitReason, abi, arch);
  const payload = exit === null || exit.payload === null ? null : decodePayload(arch, exit.payload, bytes, endian, findings);
  const seedFault = abi === 'seed-v13' && arch !== 'loongarch';
  const snapshot = {
    arch,
    endian,
    abi,
    errno,
    pageSize,
    layout,
    bytes,
    header,
    exitReason,
    exit,
    stale: isStale(errno, exitReason, seedFault ? SEED_MEMORY_FAULT : MEMORY_FAULT),
    payload,
    ioData: ioDataOf(payload, bytes, endian, pageSize, findings),
    ring: coalescedRing(arch, bytes, endian, pageSize, findings),
    syncRegs: syncRegs(arch, typeof header.kvm_valid_regs === 'bigint' ? header.kvm_valid_regs : null, bytes, endian, findings),
  };
  checkSnapshot(snapshot, findings);
  return { ...snapshot, findings: cutOnce(worstFirst(findings)) };
}

/** A page that ends early is told once: by what is missing of the exit, where something is. */
function cutOnce(findings: readonly KvmFinding[]): readonly KvmFinding[] {
  const first = findings.find(({ rule }) => rule === 'kvm.truncated');
  return findings.filter((one) => one.rule !== 'kvm.truncated' || one === first);
}

/** The fields before the exit union and those after it; the unions themselves are decoded by what they hold. */
function decodeHeader(layout: KvmRun, bytes: Uint8Array, endian: Endian): PartialValues {
  const before = decodePartial(partOf(layout, 'request_interrupt_window', 'exit'), bytes, 0, endian);
  const after = decodePartial(partOf(layout, 'kvm_valid_regs', 's'), bytes, offsetOf(layout, 'kvm_valid_regs'), endian);
  return Object.assign({}, before, after);
}

function ioDataOf(payload: Payload | null, bytes: Uint8Array, endian: Endian, pageSize: number, findings: KvmFinding[]): IoData | null {
  if (payload?.name !== 'io' || bytes.length < payload.offset + sizeOf(io)) return null;
  return ioData(decodeStruct(io, bytes, payload.offset, { endian }), bytes, pageSize, findings);
}

/**
 * Can exit_reason be believed? KVM_RUN leaves the reason of an earlier run wherever it fails before or without setting
 * one. Source: Documentation/virt/kvm/api.rst, KVM_EXIT_MEMORY_FAULT and KVM_CAP_MEMORY_FAULT_INFO; what 7.3 does.
 */

/** KVM_EXIT_INTR: set where a signal ends a run that had begun. */
const EXIT_INTR = 10;

/**
 * @param errno 0 where KVM_RUN returned 0, null where nobody says
 * @param memoryFault the number of KVM_EXIT_MEMORY_FAULT
 * @returns null where it can't be told
 */
export function isStale(errno: number | null, exitReason: number | null, memoryFault = MEMORY_FAULT): boolean | null {
  if (errno === null || exitReason === null) return null;
  if (errno === 0) return false;
  if (errno === ERRNO.EFAULT || errno === ERRNO.EHWPOISON) return exitReason !== memoryFault;
  if (errno === ERRNO.EINTR) return exitReason !== EXIT_INTR;
  return true;
}
