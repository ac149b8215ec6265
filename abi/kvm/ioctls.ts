/**
 * Requests, argument structures and capabilities a VMM needs for memory and memory faults. Source: 7.3
 * include/uapi/linux/kvm.h. Request numbers are derived from the structures, as _IOW and its kin do.
 */
import { array, bytes, type Struct, struct, u32, u64 } from '../layout.js';
import { guestPhysical, KVM_H, word } from './payloads.js';
import { kvmRegs, kvmSregs } from './sync-regs.js';

const reserved = { role: 'reserved' } as const;

export const KVM_MEM_READONLY = 1 << 1;
export const KVM_MEM_GUEST_MEMFD = 1 << 2;
export const KVM_MEMORY_ATTRIBUTE_PRIVATE = 1n << 3n;
export const KVM_MEMORY_EXIT_FLAG_PRIVATE = 1n << 3n;
export const KVM_API_VERSION = 12;
export const KVM_HC_MAP_GPA_RANGE = 12n;
/** attributes of KVM_HC_MAP_GPA_RANGE: bit 4 is "encrypted", that is private. Source: 7.3 include/uapi/linux/kvm_para.h */
export const KVM_MAP_GPA_RANGE_ENCRYPTED = 1n << 4n;

export const kvmUserspaceMemoryRegion2 = struct({
  name: 'kvm_userspace_memory_region2',
  meaning: 'a memslot; a size of 0 removes it',
  source: KVM_H,
  packed: false,
  fields: {
    slot: u32('number of the slot'),
    flags: u32('flags', { role: 'flags', flagNames: { '0': 'KVM_MEM_LOG_DIRTY_PAGES', '1': 'KVM_MEM_READONLY', '2': 'KVM_MEM_GUEST_MEMFD' } }),
    guest_phys_addr: guestPhysical('where the guest sees it'),
    memory_size: u64('length', { role: 'bytes' }),
    userspace_addr: word('where this process has it'),
    guest_memfd_offset: u64('offset in the guest_memfd', { role: 'bytes' }),
    guest_memfd: u32('file descriptor of the guest_memfd'),
    pad1: u32('padding', reserved),
    pad2: array(u64('padding', reserved), 14, 'padding'),
  },
});

export const kvmUserspaceMemoryRegion = struct({
  name: 'kvm_userspace_memory_region',
  meaning: 'a memslot without guest_memfd',
  source: KVM_H,
  packed: false,
  fields: {
    slot: u32('number of the slot'),
    flags: u32('flags', { role: 'flags', flagNames: { '0': 'KVM_MEM_LOG_DIRTY_PAGES', '1': 'KVM_MEM_READONLY' } }),
    guest_phys_addr: guestPhysical('where the guest sees it'),
    memory_size: u64('length', { role: 'bytes' }),
    userspace_addr: word('where this process has it'),
  },
});

export const kvmMemoryAttributes = struct({
  name: 'kvm_memory_attributes',
  meaning: 'attributes of a range of guest memory',
  source: KVM_H,
  packed: false,
  fields: {
    address: guestPhysical('start, page-aligned'),
    size: u64('length, whole pages', { role: 'bytes' }),
    attributes: u64('attributes', { role: 'flags', flagNames: { '3': 'KVM_MEMORY_ATTRIBUTE_PRIVATE' } }),
    flags: u64('must be 0', { role: 'flags', mustBe: [0] }),
  },
});

export const kvmCreateGuestMemfd = struct({
  name: 'kvm_create_guest_memfd',
  meaning: 'a file of guest memory that user space cannot map, unless flags say so',
  source: KVM_H,
  packed: false,
  fields: {
    size: u64('length, whole pages', { role: 'bytes' }),
    flags: u64('flags', { role: 'flags', flagNames: { '0': 'GUEST_MEMFD_FLAG_MMAP', '1': 'GUEST_MEMFD_FLAG_INIT_SHARED' } }),
    reserved: array(u64('padding', reserved), 6, 'padding'),
  },
});

export const kvmPreFaultMemory = struct({
  name: 'kvm_pre_fault_memory',
  meaning: 'a range to map before the guest touches it',
  source: KVM_H,
  packed: false,
  fields: {
    gpa: guestPhysical('start; moved on by what was mapped'),
    size: u64('length; lessened by what was mapped', { role: 'bytes' }),
    flags: u64('must be 0', { role: 'flags', mustBe: [0] }),
    padding: array(u64('padding', reserved), 5, 'padding'),
  },
});

export const kvmEnableCap = struct({
  name: 'kvm_enable_cap',
  meaning: 'a capability to switch on',
  source: KVM_H,
  packed: false,
  fields: {
    cap: u32('number of the capability'),
    flags: u32('must be 0', { role: 'flags' }),
    args: array(word('argument'), 4, 'arguments'),
    pad: bytes(64, 'padding'),
  },
});

const kvmSignalMaskHead = struct({
  name: 'kvm_signal_mask',
  meaning: 'its fixed part: the set of signals is a flexible array',
  source: KVM_H,
  fields: { len: u32('bytes of sigset', { role: 'bytes' }) },
});

type Direction = 'none' | 'read' | 'write' | 'both';

interface KvmRequest {
  readonly name: string;
  readonly nr: number;
  readonly direction: Direction;
  readonly struct: Struct | null;
}

const KVMIO = 0xae;
const DIRECTION_BITS: Readonly<Record<Direction, bigint>> = { none: 0n, write: 1n, read: 2n, both: 3n };

/** The number ioctl(2) takes. `size` is that of the structure, in bytes. Source: 7.3 include/uapi/asm-generic/ioctl.h. */
export const requestNumber = (request: KvmRequest, size: number): bigint =>
  (DIRECTION_BITS[request.direction] << 30n) | (BigInt(size) << 16n) | (BigInt(KVMIO) << 8n) | BigInt(request.nr);

const request = (name: string, nr: number, direction: Direction, argument: Struct | null): KvmRequest => ({ name, nr, direction, struct: argument });

export const kvmRequests = {
  KVM_GET_API_VERSION: request('KVM_GET_API_VERSION', 0x00, 'none', null),
  KVM_CREATE_VM: request('KVM_CREATE_VM', 0x01, 'none', null),
  KVM_CHECK_EXTENSION: request('KVM_CHECK_EXTENSION', 0x03, 'none', null),
  KVM_GET_VCPU_MMAP_SIZE: request('KVM_GET_VCPU_MMAP_SIZE', 0x04, 'none', null),
  KVM_CREATE_VCPU: request('KVM_CREATE_VCPU', 0x41, 'none', null),
  KVM_SET_USER_MEMORY_REGION: request('KVM_SET_USER_MEMORY_REGION', 0x46, 'write', kvmUserspaceMemoryRegion),
  KVM_SET_TSS_ADDR: request('KVM_SET_TSS_ADDR', 0x47, 'none', null),
  KVM_SET_USER_MEMORY_REGION2: request('KVM_SET_USER_MEMORY_REGION2', 0x49, 'write', kvmUserspaceMemoryRegion2),
  KVM_RUN: request('KVM_RUN', 0x80, 'none', null),
  KVM_GET_REGS: request('KVM_GET_REGS', 0x81, 'read', kvmRegs),
  KVM_SET_REGS: request('KVM_SET_REGS', 0x82, 'write', kvmRegs),
  KVM_GET_SREGS: request('KVM_GET_SREGS', 0x83, 'read', kvmSregs),
  KVM_SET_SREGS: request('KVM_SET_SREGS', 0x84, 'write', kvmSregs),
  /** its number counts the length alone, the set of signals follows */
  KVM_SET_SIGNAL_MASK: request('KVM_SET_SIGNAL_MASK', 0x8b, 'write', kvmSignalMaskHead),
  KVM_ENABLE_CAP: request('KVM_ENABLE_CAP', 0xa3, 'write', kvmEnableCap),
  KVM_SET_MEMORY_ATTRIBUTES: request('KVM_SET_MEMORY_ATTRIBUTES', 0xd2, 'write', kvmMemoryAttributes),
  KVM_CREATE_GUEST_MEMFD: request('KVM_CREATE_GUEST_MEMFD', 0xd4, 'both', kvmCreateGuestMemfd),
  KVM_PRE_FAULT_MEMORY: request('KVM_PRE_FAULT_MEMORY', 0xd5, 'both', kvmPreFaultMemory),
} as const;

export type KvmRequestName = keyof typeof kvmRequests;

/** Capabilities by the kernel's names. */
export const kvmCapabilities = {
  KVM_CAP_USER_MEMORY: 3,
  KVM_CAP_EXT_CPUID: 7,
  KVM_CAP_SYNC_MMU: 16,
  KVM_CAP_READONLY_MEM: 81,
  KVM_CAP_IMMEDIATE_EXIT: 136,
  KVM_CAP_SYNC_REGS: 74,
  KVM_CAP_X86_USER_SPACE_MSR: 188,
  KVM_CAP_EXIT_HYPERCALL: 201,
  KVM_CAP_EXIT_ON_EMULATION_FAILURE: 204,
  KVM_CAP_USER_MEMORY2: 231,
  KVM_CAP_MEMORY_FAULT_INFO: 232,
  KVM_CAP_MEMORY_ATTRIBUTES: 233,
  KVM_CAP_GUEST_MEMFD: 234,
  KVM_CAP_VM_TYPES: 235,
  KVM_CAP_PRE_FAULT_MEMORY: 236,
  KVM_CAP_GUEST_MEMFD_FLAGS: 244,
  KVM_CAP_ARM_SEA_TO_USER: 245,
  KVM_CAP_S390_USER_OPEREXEC: 246,
  KVM_CAP_S390_KEYOP: 247,
  KVM_CAP_S390_VSIE_ESAMODE: 248,
  KVM_CAP_S390_HPAGE_2G: 249,
  KVM_CAP_PPC_COMPAT_CAPS: 250,
  KVM_CAP_ARM_PMU_V3_STRICT: 251,
} as const;

export type KvmCapability = keyof typeof kvmCapabilities;

/** VM type of KVM_CREATE_VM that has private memory without hardware support for it (x86). */
export const KVM_X86_SW_PROTECTED_VM = 1;
