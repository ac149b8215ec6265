/**
 * What a VMM does with KVM, as one interface: /dev/kvm of this machine and the embedded engine both implement it, so that the
 * same steps run on both and can be compared. Addresses are guest physical unless they say otherwise, sizes are bytes.
 */
import { hypercall, io, mmio, msr } from '../../../abi/kvm/payloads.js';
import { exitReasons, type PayloadName } from '../../../abi/kvm/exits.js';
import { kvmRunX86 } from '../../../abi/kvm/run.js';
import { decodeStruct } from '../../codec/decode.js';
import { encodeInto } from '../../codec/encode.js';
import { offsetOf } from '../../codec/layout-table.js';

/** What a request answered, as user space sees it: `ret` is -1 where `errno` is not 0. */
export interface KvmCall {
  readonly ret: number;
  readonly errno: number;
}

/** The VMM's mapping of a part of a memslot. */
export type HostMapping = 'mapped' | 'missing' | 'prot-none' | 'read-only';

/** One thing the guest does. `bytes` is the width of the access. */
export type GuestAccess =
  | { readonly op: 'read'; readonly gpa: number; readonly bytes: 1 | 2 | 4 }
  | { readonly op: 'write'; readonly gpa: number; readonly bytes: 1 | 2 | 4; readonly value: number }
  | { readonly op: 'fetch'; readonly gpa: number }
  | { readonly op: 'in'; readonly port: number; readonly bytes: 1 | 2 | 4 }
  | { readonly op: 'out'; readonly port: number; readonly bytes: 1 | 2 | 4; readonly value: number }
  | { readonly op: 'hypercall'; readonly nr: number; readonly args: readonly number[]; readonly longMode?: boolean }
  | { readonly op: 'rdmsr'; readonly index: number }
  | { readonly op: 'hlt' }
  /** an instruction that no exception handler takes */
  | { readonly op: 'triple-fault' }
  /** never ends */
  | { readonly op: 'loop' };

export interface MemoryRegion {
  readonly slot: number;
  readonly gpa: number;
  /** 0 removes the slot */
  readonly size: number;
  readonly readOnly?: boolean;
  /** name given to `createGuestMemfd` */
  readonly guestMemfd?: string;
  readonly guestMemfdOffset?: number;
  /** a file of the scenario that backs it, shared; the simulated device alone */
  readonly fd?: string | number;
  /** every byte of its mapping; 0 unless given */
  readonly fill?: number;
}

export interface RunOptions {
  /** set kvm_run.immediate_exit */
  readonly immediateExit?: boolean;
  /** milliseconds until a signal interrupts a guest that does not exit */
  readonly interruptAfter?: number;
  /** attributes another thread sets while the fault is being handled; only the simulated device can say when */
  readonly race?: { readonly gpa: number; readonly size: number; readonly attributes: number };
}

export interface KvmRunResult extends KvmCall {
  /** the vCPU's mapping as it was when KVM_RUN came back, a copy */
  readonly page: Uint8Array;
  /** of the guest, where the run left it; null where it is not known */
  readonly rax: bigint | null;
  /** what the kernel sent to the thread meanwhile */
  readonly signal?: 'SIGBUS' | null;
}

export interface KvmBackend {
  readonly name: 'simulated' | 'kvm';
  /** bytes of the vCPU's mapping (KVM_GET_VCPU_MMAP_SIZE) */
  readonly mappingSize: number;
  checkExtension(capability: number): KvmCall;
  enableCapability(capability: number, args: readonly number[]): KvmCall;
  createGuestMemfd(name: string, size: number, flags: number): KvmCall;
  /** Removes whole pages of a guest_memfd: they read as zeros afterwards. */
  punchHole(name: string, offset: number, size: number): KvmCall;
  closeGuestMemfd(name: string): KvmCall;
  setMemoryRegion(region: MemoryRegion): KvmCall;
  setAttributes(gpa: number, size: number, attributes: number): KvmCall;
  /**
   * KVM_SET_MEMORY_ATTRIBUTES2 on a guest_memfd: proposed, in no release.
   * @param pinned offset of a page that somebody else holds
   * @returns with EAGAIN, the offset of the page that stopped it
   */
  setFileAttributes(name: string, offset: number, size: number, attributes: number, pinned?: number | null): KvmCall & { readonly errorOffset?: number };
  /** The guest_memfd that backs a guest physical address, if conversions go there; null where they are the VM's. */
  convertsIn(gpa: number): { readonly name: string; readonly offset: number } | null;
  /** Changes the mapping of `size` bytes of a slot from `offset` on. */
  setMapping(slot: number, offset: number, size: number, mapping: HostMapping, fill?: number): KvmCall;
  /** Makes the page of memory at `offset` of a slot fail, as broken hardware does: of its guest_memfd where it has one. */
  poison(slot: number, offset: number): KvmCall;
  preFault(gpa: number, size: number): KvmCall;
  /** Puts the vCPU at the start of a program. */
  load(program: readonly GuestAccess[]): void;
  /** Puts what the guest shall read, or a hypercall's answer, where KVM takes it from, before the next run. */
  answer(value: bigint): void;
  run(options?: RunOptions): KvmRunResult;
  /** Releases everything. May be called twice. */
  close(): void;
}

export interface KvmOptions {
  /** `sw-protected`: KVM_X86_SW_PROTECTED_VM, which has private memory */
  readonly type: 'default' | 'sw-protected';
  /** the module parameter gmem_in_place_conversion of the series of that name (v8, 19 Jun 2026): attributes are the guest_memfd's */
  readonly inPlaceConversion?: boolean;
}

const EXIT = offsetOf(kvmRunX86, 'exit');

/** The exit payload's name in `page`, null where the exit has none. */
export function payloadIn(page: Uint8Array): PayloadName | null {
  const reason = exitReasonIn(page);
  return exitReasons.find(({ number }) => number === reason)?.payload ?? null;
}

/** The number of exit_reason in `page`. */
export const exitReasonIn = (page: Uint8Array): number =>
  new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(offsetOf(kvmRunX86, 'exit_reason'), true);

/** Writes `value` where KVM takes the answer to the exit in `page` from; nothing where the exit asks for none. */
export function answerIn(page: Uint8Array, value: bigint): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  switch (payloadIn(page)) {
    case 'io': {
      const access = decodeStruct(io, page, EXIT);
      if (access.direction === 0 && access.data_offset + BigInt(access.size) <= BigInt(page.length))
        page.set(bytes.subarray(0, access.size), Number(access.data_offset));
      break;
    }
    case 'mmio':
      if (decodeStruct(mmio, page, EXIT).is_write === 0) encodeInto(mmio, { data: bytes }, page, EXIT);
      break;
    case 'hypercall':
      encodeInto(hypercall, { ret: BigInt.asUintN(64, value) }, page, EXIT);
      break;
    case 'msr':
      encodeInto(msr, { data: BigInt.asUintN(64, value) }, page, EXIT);
      break;
    default:
  }
}
