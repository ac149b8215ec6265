/**
 * A kvm_run snapshot decoded: header, exit payload, data areas, synchronised registers, and what is odd about them. Pure; for
 * report, terminal and engine tests. Source: 7.3 include/uapi/linux/kvm.h through abi/kvm.
 */
import { errnoText } from '../../abi/errno.js';
import type { Endian, DecodedStruct, Struct } from '../../abi/layout.js';
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { type ExitReason, exitReasons } from '../../abi/kvm/exits.js';
import { io, internal, memoryFault, mmio, systemEvent } from '../../abi/kvm/payloads.js';
import { type KvmRun, kvmRun } from '../../abi/kvm/run.js';
import { MEMORY_FAULT, SEED_MEMORY_FAULT, seedExitReasons, SEED_CAP_MEMORY_FAULT_INFO } from '../../abi/kvm/seed-v13.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf, DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { type IoData, coalescedRing, ioData, syncRegs, type PartialValues, decodePartial, partOf } from './areas.js';
import { assumeArch, faultWords, holdsFault } from './assume-arch.js';
import { type KvmFinding, finding, worstFirst } from './finding.js';
import type { KvmAbi, KvmSnapshot, KvmSnapshotOptions } from './snapshot-model.js';
import { type Payload, decodePayload } from './payload.js';
import { ERRNO } from '../../abi/errno.js';
import { proposedFaultFlags } from '../../abi/kvm/proposed.js';
import { kvmCapabilities } from '../../abi/kvm/ioctls.js';
import { faultRange } from './memory-fault.js';
import { counted, hex, unknownBits } from '../tree/words.js';

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
  const pageSize = options.pageSize ?? DEFAULT_PAGE_SIZE;
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

type Undecided = Omit<KvmSnapshot, 'findings'>;

function checkSnapshot(snapshot: Undecided, findings: KvmFinding[]): void {
  checkHeader(snapshot, findings);
  checkReason(snapshot, findings);
  checkStale(snapshot, findings);
  const { payload } = snapshot;
  if (payload === null) return;
  if (payload.name === 'memory_fault') checkFault(snapshot, findings);
  if (payload.name === 'mmio' || payload.name === 'iocsr_io') checkMmio(snapshot, findings);
  if (payload.name === 'internal' || payload.name === 'system_event') checkCount(snapshot, findings);
}

/** The payload as `struct`, or null where its bytes are not all there. */
function typed<S extends Struct>(snapshot: Undecided, struct: S): DecodedStruct<S> | null {
  const { payload, bytes, endian } = snapshot;
  return payload === null || bytes.length < payload.offset + sizeOf(struct) ? null : decodeStruct(struct, bytes, payload.offset, { endian });
}

function checkHeader({ header, layout, arch, bytes }: Undecided, findings: KvmFinding[]): void {
  const odd = (field: string, message: string): void => {
    findings.push(finding('kvm.header-implausible', 'warning', `kvm_run/${field}`, message));
  };
  for (const name of ['request_interrupt_window', 'immediate_exit', 'ready_for_interrupt_injection', 'if_flag'] as const) {
    const value = header[name];
    if (typeof value === 'number' && value > 1) odd(name, `${name} is ${value}; it is 0 or 1`);
  }
  const { flags } = layout.fields;
  if (typeof header.flags === 'number') {
    const unknown = unknownBits(header.flags, flags.flagNames ?? {});
    if (unknown !== 0n) odd('flags', `bits ${hex(unknown)} of flags have no meaning on ${arch}`);
  }
  if (header.exit_reason === 0 && bytes.every((byte) => byte === 0)) {
    findings.push(finding('kvm.not-run', 'info', 'kvm_run', 'every byte is 0: this vCPU has not run yet, or these bytes are no kvm_run'));
  }
}

function checkReason({ exitReason, exit, arch, abi, bytes, endian }: Undecided, findings: KvmFinding[]): void {
  const path = 'kvm_run/exit_reason';
  if (exitReason === null) {
    findings.push(finding('kvm.truncated', 'error', path, `the snapshot ends after ${bytes.length} bytes, before exit_reason`));
    return;
  }
  if (exit === null) {
    const known =
      abi === 'seed-v13' && exitReason === MEMORY_FAULT ? `; mainline numbers KVM_EXIT_MEMORY_FAULT ${MEMORY_FAULT}, the v13 patches ${SEED_MEMORY_FAULT}` : '';
    findings.push(
      finding(
        'kvm.exit-reason-unknown',
        'error',
        path,
        `exit reason ${exitReason} is not known to ${abi === 'seed-v13' ? 'the v13 patches' : 'Linux 7.3'}${known}: its payload is not decoded`,
      ),
    );
    return;
  }
  if (abi === 'mainline' && exitReason === SEED_MEMORY_FAULT && arch !== 'loongarch' && holdsFault(bytes, endian, arch)) {
    findings.push(
      finding(
        'kvm.seed-number',
        'warning',
        path,
        `exit reason ${SEED_MEMORY_FAULT} is KVM_EXIT_LOONGARCH_IOCSR in mainline, which ${arch} never makes, and the payload reads as a memory fault (${faultWords(bytes, endian, arch)}): ` +
          `the v13 patches of October 2023 numbered KVM_EXIT_MEMORY_FAULT ${SEED_MEMORY_FAULT} and KVM_CAP_MEMORY_FAULT_INFO ${SEED_CAP_MEMORY_FAULT_INFO}, mainline ${MEMORY_FAULT} and ${kvmCapabilities.KVM_CAP_MEMORY_FAULT_INFO}; --abi seed-v13 reads it so`,
      ),
    );
    return;
  }
  if (exit.archs !== null && !exit.archs.includes(arch) && exit.payload !== 'memory_fault') {
    findings.push(
      finding('kvm.exit-reason-foreign', 'warning', path, `${exit.name} is not made on ${arch}, only on ${exit.archs.join(', ')}; is --arch right?`),
    );
  }
}

function checkStale({ stale, errno, exitReason, exit, payload, header, bytes, endian, arch }: Undecided, findings: KvmFinding[]): void {
  const path = 'kvm_run/exit_reason';
  const name = exit?.name ?? `exit reason ${exitReason}`;
  if (stale === true && errno !== null) {
    const why =
      errno === ERRNO.EFAULT && exitReason === 0
        ? 'KVM_RUN failed with EFAULT and exit_reason 0: a page of a memslot has no usable mapping (VMA missing, PROT_NONE, or read-only for a write); no payload was written'
        : `KVM_RUN failed with ${errnoText(errno)}: ${name} is what an earlier run left behind, and so is the payload`;
    findings.push(finding('kvm.exit-reason-stale', 'warning', path, why));
  }
  if (stale === null && header.immediate_exit === 1 && exitReason !== null) {
    findings.push(
      finding(
        'kvm.exit-reason-stale',
        'info',
        path,
        `immediate_exit is set: a KVM_RUN that sees it returns EINTR at once and leaves ${name} from the run before`,
      ),
    );
  }
  if (exitReason === 0 && payload !== null && holdsFault(bytes, endian, arch)) {
    findings.push(
      finding(
        'kvm.leftover-memory-fault',
        'info',
        'kvm_run/exit',
        `the payload still holds what an earlier memory fault wrote (${faultWords(bytes, endian, arch)}); KVM_RUN resets exit_reason alone`,
      ),
    );
  }
  if (payload?.name === 'memory_fault' && errno === 0) {
    findings.push(
      finding(
        'kvm.memory-fault-return',
        'warning',
        path,
        'a memory fault comes with KVM_RUN failing with EFAULT or EHWPOISON, never with 0: was the errno taken right?',
      ),
    );
  }
}

function checkFault(snapshot: Undecided, findings: KvmFinding[]): void {
  const fault = typed(snapshot, memoryFault);
  if (fault === null) return;
  const { arch, abi, pageSize } = snapshot;
  const range = faultRange(fault, pageSize);
  if (range.unknownFlags !== 0n) {
    findings.push(
      finding(
        'kvm.memory-fault-flags',
        'warning',
        'kvm_run/exit/flags',
        `flag bits ${hex(range.unknownFlags)} have no meaning in 7.3: a VMM that knows only KVM_MEMORY_EXIT_FLAG_PRIVATE must not guess${proposedText(range.unknownFlags)}`,
      ),
    );
  }
  if (abi === 'seed-v13' && fault.flags !== 0n) {
    findings.push(
      finding(
        'kvm.memory-fault-flags',
        'info',
        'kvm_run/exit/flags',
        'the patch itself (v13 09/35) defines no flags and writes 0; bit 3, PRIVATE, came with a later patch of the same series',
      ),
    );
  }
  if (range.end === null) {
    const message =
      fault.size === 0n
        ? 'size is 0: an empty range cannot be converted'
        : `gpa ${hex(fault.gpa)} and size ${hex(fault.size)} run past the end of the address space`;
    findings.push(finding('kvm.memory-fault-range', 'warning', 'kvm_run/exit/size', message));
  } else if (fault.gpa >= 1n << 52n) {
    findings.push(
      finding('kvm.memory-fault-range', 'warning', 'kvm_run/exit/gpa', `gpa ${hex(fault.gpa)} is wider than the 52 bits a guest physical address can have`),
    );
  } else if (range.subPage) {
    findings.push(
      finding(
        'kvm.memory-fault-range',
        'info',
        'kvm_run/exit/size',
        `the range is finer than a page of ${pageSize} bytes; 7.3 reports whole pages, attributes exist for whole pages alone`,
      ),
    );
  }
  if (kvmArches[arch].memoryFaults === null) {
    findings.push(
      finding('kvm.memory-fault-foreign', 'warning', 'kvm_run/exit_reason', `no code of Linux 7.3 reports memory faults on ${arch}; is --arch right?`),
    );
  } else if (arch === 'arm64' && range.private) {
    findings.push(finding('kvm.memory-fault-foreign', 'warning', 'kvm_run/exit/flags', 'arm64 never reports a fault as private in 7.3'));
  }
}

/** Widest access a MMIO exit carries, in bytes. */
const MMIO_MAX = 8;

function checkMmio(snapshot: Undecided, findings: KvmFinding[]): void {
  const access = typed(snapshot, mmio);
  if (access === null) return;
  if (access.len === 0 || access.len > MMIO_MAX) {
    findings.push(finding('kvm.mmio-access', 'warning', 'kvm_run/exit/len', `an access of ${counted(access.len, 'byte')}; data holds 1 to ${MMIO_MAX}`));
  }
  if (access.is_write > 1) findings.push(finding('kvm.mmio-access', 'warning', 'kvm_run/exit/is_write', `is_write is ${access.is_write}; it is 0 or 1`));
}

function checkCount(snapshot: Undecided, findings: KvmFinding[]): void {
  const counted = snapshot.payload?.name === 'internal' ? typed(snapshot, internal) : typed(snapshot, systemEvent);
  if (counted !== null && counted.ndata > counted.data.length) {
    findings.push(finding('kvm.count-too-large', 'warning', 'kvm_run/exit/ndata', `ndata is ${counted.ndata}, data has ${counted.data.length} words`));
  }
}

/** What series that no release has would mean by these bits. */
function proposedText(flags: bigint): string {
  const named = proposedFaultFlags.filter(({ bit }) => (flags & bit) !== 0n);
  return named.map(({ bit, name, source, means }) => `; ${hex(bit)} is proposed as ${name} (${source}): ${means}`).join('');
}
