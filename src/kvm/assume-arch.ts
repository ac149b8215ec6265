/**
 * Which architecture's kvm_run the bytes are, where nobody says: nothing in the page names it. Exit reasons that one
 * architecture alone makes, byte order and the APIC fields tell, else x86-64 is assumed, and a finding says so.
 */
import type { Endian } from '../../abi/layout.js';
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { exitReasons } from '../../abi/kvm/exits.js';
import { memoryFault } from '../../abi/kvm/payloads.js';
import { kvmRun } from '../../abi/kvm/run.js';
import { LOONGARCH_IOCSR } from '../../abi/kvm/seed-v13.js';
import { decodeStruct } from '../codec/decode.js';
import { layoutTable, offsetOf, sizeOf } from '../codec/layout-table.js';
import { finding, type KvmFinding } from './finding.js';
import { looksLikeFault } from './memory-fault.js';
import { decodeField } from './areas.js';
import { hex } from '../tree/words.js';

interface AssumedArch {
  readonly arch: KvmArch;
  readonly endian: Endian;
}

/** Exit reasons are small: no kernel will number that many. */
const PLAUSIBLE_REASON = 0xffff;

/** @param findings what had to be assumed is added here */
export function assumeArch(bytes: Uint8Array, given: { readonly arch?: KvmArch; readonly endian?: Endian }, findings: KvmFinding[]): AssumedArch {
  const little = reasonAs(bytes, 'little');
  const big = little === null || little <= PLAUSIBLE_REASON ? null : reasonAs(bytes, 'big');
  const looksBig = big !== null && big <= PLAUSIBLE_REASON;
  if (given.arch !== undefined) return { arch: given.arch, endian: given.endian ?? endianOf(given.arch, looksBig, findings) };
  const endian = given.endian ?? (looksBig ? 'big' : 'little');
  const reason = reasonAs(bytes, endian);
  const arch = guess(bytes, endian, reason);
  if (arch !== 'x86_64') {
    const why =
      endian === 'big'
        ? 'the bytes are big-endian'
        : `${exitReasons[reason ?? 0]?.name ?? 'its exit reason'} is of that architecture, and the APIC fields are empty`;
    findings.push(finding('kvm.arch-assumed', 'info', 'kvm_run', `taken for ${arch}: ${why}; --arch says otherwise`));
  }
  return { arch, endian };
}

function endianOf(arch: KvmArch, looksBig: boolean, findings: KvmFinding[]): Endian {
  const fact = kvmArches[arch].endian;
  if (fact !== 'host') {
    if ((fact === 'little') === looksBig)
      findings.push(
        finding(
          'kvm.byte-order',
          'warning',
          'kvm_run/exit_reason',
          `exit_reason makes sense only in the byte order that ${arch} does not have; is --arch right?`,
        ),
      );
    return fact;
  }
  if (looksBig) findings.push(finding('kvm.byte-order', 'info', 'kvm_run', 'taken for a big-endian host: exit_reason makes sense only so'));
  return looksBig ? 'big' : 'little';
}

function guess(bytes: Uint8Array, endian: Endian, reason: number | null): KvmArch {
  if (reason === null) return 'x86_64';
  const archs = exitReasons.find((row) => row.number === reason)?.archs ?? null;
  if (endian === 'big') return archs?.length === 1 && archs[0] === 'powerpc' ? 'powerpc' : 's390';
  const only = archs?.length === 1 ? archs[0] : undefined;
  if (only === undefined || kvmArches[only].hasApic || kvmArches[only].endian === 'big' || hasApicFields(bytes, endian)) return 'x86_64';
  // A memory fault of the 2023 patches has the number of LoongArch's IOCSR exit.
  if (reason === LOONGARCH_IOCSR && holdsFault(bytes, endian)) return 'x86_64';
  return only;
}

function reasonAs(bytes: Uint8Array, endian: Endian): number | null {
  const { type, offset, size } = layoutTable(kvmRun.x86_64).field('exit_reason');
  const value = decodeField(type, bytes, offset, size, endian);
  return typeof value === 'number' ? value : null;
}

const hasApicFields = (bytes: Uint8Array, endian: Endian): boolean =>
  (['cr8', 'apic_base'] as const).some((name) => {
    const { type, offset, size } = layoutTable(kvmRun.x86_64).field(name);
    const value = decodeField(type, bytes, offset, size, endian);
    return value !== null && value !== 0n;
  });

/** Do the first words of the exit union read as a memory fault? */
export function holdsFault(bytes: Uint8Array, endian: Endian, arch: KvmArch = 'x86_64'): boolean {
  const offset = offsetOf(kvmRun[arch], 'exit');
  return bytes.length >= offset + sizeOf(memoryFault) && looksLikeFault(decodeStruct(memoryFault, bytes, offset, { endian }));
}

/** The words of the union as a fault, for a message. */
export function faultWords(bytes: Uint8Array, endian: Endian, arch: KvmArch): string {
  const { flags, gpa, size } = decodeStruct(memoryFault, bytes, offsetOf(kvmRun[arch], 'exit'), { endian });
  return `flags ${hex(flags)}, gpa ${hex(gpa)}, size ${hex(size)}`;
}
