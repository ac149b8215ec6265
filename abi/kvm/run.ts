/**
 * struct kvm_run: what a vCPU's file descriptor maps at offset 0, and what KVM_RUN fills. Source: 7.3
 * include/uapi/linux/kvm.h. s390 inserts the two words of its PSW before the exit union, everything after moves by 16.
 */
import { bytes, struct, type Struct, type UnionType, u8, u16, u32, u64, union, array, nested } from '../layout.js';
import type { KvmArch } from './arch.js';
import type { PayloadName } from './exits.js';
import { debug, guestPhysical, hypercallArm64, hypercallLoongarch, KVM_H, member, payloads, word } from './payloads.js';
import { kvmSyncRegsArm64, kvmSyncRegsS390, kvmSyncRegsX86, type SyncClass, syncClassesS390, syncClassesX86 } from './sync-regs.js';

const flagNames: Readonly<Record<KvmArch, Readonly<Record<string, string>>>> = {
  x86_64: { '0': 'KVM_RUN_X86_SMM', '1': 'KVM_RUN_X86_BUS_LOCK', '2': 'KVM_RUN_X86_GUEST_MODE' },
  arm64: { '0': 'KVM_DEBUG_ARCH_HSR_HIGH_VALID' },
  s390: {},
  powerpc: {},
  riscv: {},
  loongarch: {},
};

const head = (arch: KvmArch) => ({
  request_interrupt_window: u8('in: exit as soon as an interrupt can be injected', { role: 'bool' }),
  immediate_exit: u8('in: KVM_RUN returns EINTR at once', { role: 'bool' }),
  padding1: bytes(6, 'padding'),
  exit_reason: u32('out: why KVM_RUN came back', { role: 'enum' }),
  ready_for_interrupt_injection: u8('out: an interrupt can be injected', { role: 'bool' }),
  if_flag: u8("out: the guest's interrupt flag", { role: 'bool' }),
  flags: u16('out: state of the vCPU', { role: 'flags', flagNames: flagNames[arch] }),
  cr8: word('in and out: task priority; x86 without an in-kernel APIC'),
  apic_base: word('in and out: APIC base; x86 without an in-kernel APIC'),
});

const psw = { psw_mask: word('program status word, upper half'), psw_addr: word('program status word, lower half') };

const EXIT_UNION_SIZE = 256;
const SYNC_REGS_SIZE = 2048;

const tail = (exit: UnionType, sync: UnionType, names: Readonly<Record<string, string>>) => ({
  exit,
  kvm_valid_regs: u64('in: which registers KVM shall put into s; out: which it did', { role: 'flags', flagNames: names }),
  kvm_dirty_regs: u64('in: which registers of s user space changed', { role: 'flags', flagNames: names }),
  s: sync,
});

interface ArchParts {
  readonly debug: Struct | null;
  readonly syncRegs: Struct | null;
  readonly syncClasses: readonly SyncClass[];
}

/** What struct kvm_run of each architecture holds in its two unions. */
export const kvmRunParts: Readonly<Record<KvmArch, ArchParts>> = {
  x86_64: { debug: debug.x86_64, syncRegs: kvmSyncRegsX86, syncClasses: syncClassesX86 },
  arm64: { debug: debug.arm64, syncRegs: kvmSyncRegsArm64, syncClasses: [] },
  s390: { debug: debug.s390, syncRegs: kvmSyncRegsS390, syncClasses: syncClassesS390 },
  powerpc: { debug: debug.powerpc, syncRegs: null, syncClasses: [] },
  riscv: { debug: null, syncRegs: null, syncClasses: [] },
  loongarch: { debug: null, syncRegs: null, syncClasses: [] },
};

const debugMembers = new Map<KvmArch, Struct>();

/** The exit union's member of that name on `arch`; `debug` is empty where the architecture has no details. */
export function payloadStruct(arch: KvmArch, name: PayloadName): Struct {
  if (name === 'hypercall' && arch === 'arm64') return hypercallArm64;
  if (name === 'hypercall' && arch === 'loongarch') return hypercallLoongarch;
  if (name !== 'debug') return payloads[name];
  let found = debugMembers.get(arch);
  if (found === undefined) {
    const details = kvmRunParts[arch].debug;
    found = member(
      'debug',
      'a breakpoint, a watchpoint or a single step',
      details === null ? {} : { arch: { kind: 'nested', struct: details, meaning: details.meaning } },
    );
    debugMembers.set(arch, found);
  }
  return found;
}

function unionsOf(arch: KvmArch): { readonly exit: UnionType; readonly sync: UnionType; readonly names: Readonly<Record<string, string>> } {
  const { syncRegs, syncClasses } = kvmRunParts[arch];
  return {
    exit: union(
      { ...payloads, hypercall: payloadStruct(arch, 'hypercall'), debug: payloadStruct(arch, 'debug') },
      EXIT_UNION_SIZE,
      "the exit's payload; which member holds is told by exit_reason",
    ),
    sync: union(syncRegs === null ? {} : { regs: syncRegs }, SYNC_REGS_SIZE, 'synchronised registers'),
    names: Object.fromEntries(syncClasses.map((part) => [part.bit, part.name])),
  };
}

function kvmRunOf(arch: Exclude<KvmArch, 's390'>) {
  const { exit, sync, names } = unionsOf(arch);
  return struct({
    name: 'kvm_run',
    meaning: 'state a vCPU shares with user space',
    source: KVM_H,
    packed: false,
    fields: { ...head(arch), ...tail(exit, sync, names) },
  });
}

function kvmRunOfS390() {
  const { exit, sync, names } = unionsOf('s390');
  return struct({
    name: 'kvm_run',
    meaning: 'state a vCPU shares with user space (s390)',
    source: `${KVM_H}, with __KVM_S390`,
    packed: false,
    endian: 'big',
    btfName: null,
    fields: { ...head('s390'), ...psw, ...tail(exit, sync, names) },
  });
}

export const kvmRunX86 = kvmRunOf('x86_64');
export const kvmRunS390 = kvmRunOfS390();

export type KvmRun = typeof kvmRunX86 | typeof kvmRunS390;

/** struct kvm_run as `arch` has it. */
export const kvmRun: Readonly<Record<KvmArch, KvmRun>> = {
  x86_64: kvmRunX86,
  arm64: kvmRunOf('arm64'),
  s390: kvmRunS390,
  powerpc: kvmRunOf('powerpc'),
  riscv: kvmRunOf('riscv'),
  loongarch: kvmRunOf('loongarch'),
};

/* The ring of coalesced MMIO and port writes, in a page of the vCPU's mapping. Source: 7.3 include/uapi/linux/kvm.h. */

export const kvmCoalescedMmio = struct({
  name: 'kvm_coalesced_mmio',
  meaning: 'one write that KVM did not exit for',
  source: KVM_H,
  packed: false,
  fields: {
    phys_addr: guestPhysical('guest physical address, or the port'),
    len: u32('bytes', { role: 'bytes' }),
    pio: u32('1 for a port; shares its bytes with pad', { role: 'bool' }),
    data: bytes(8, 'what was written'),
  },
});

/** KVM_COALESCED_MMIO_MAX is the number of entries that fit a page. */
export const kvmCoalescedMmioRing = struct({
  name: 'kvm_coalesced_mmio_ring',
  meaning: 'ring: KVM adds at last, user space takes at first; empty where they are equal',
  source: KVM_H,
  packed: false,
  fields: {
    first: u32('next entry user space takes', { role: 'index' }),
    last: u32('next entry KVM writes', { role: 'index' }),
    coalesced_mmio: array(nested(kvmCoalescedMmio, 'entry'), 'page', 'entries'),
  },
});
