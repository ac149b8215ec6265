/**
 * Every exit reason of 7.3: number, name, member of the exit union, the architectures that make it, and what user space is
 * expected to do. Source: 7.3 include/uapi/linux/kvm.h (KVM_EXIT_*) and Documentation/virt/kvm/api.rst, section 5.
 */
import type { payloads } from './payloads.js';
import type { KvmArch } from './arch.js';

export type PayloadName = keyof typeof payloads | 'debug';

export interface ExitReason {
  readonly number: number;
  /** the kernel's name */
  readonly name: string;
  readonly payload: PayloadName | null;
  /** who makes it in 7.3; null where every architecture may */
  readonly archs: readonly KvmArch[] | null;
  /** what user space is expected to do */
  readonly asks: string;
}

const row = (number: number, name: string, payload: PayloadName | null, archs: readonly KvmArch[] | null, asks: string): ExitReason => ({
  number,
  name: `KVM_EXIT_${name}`,
  payload,
  archs,
  asks,
});
const X86 = ['x86_64'] as const;
const S390 = ['s390'] as const;
const PPC = ['powerpc'] as const;
const ARM = ['arm64'] as const;
const RISCV = ['riscv'] as const;

export const exitReasons: readonly ExitReason[] = [
  row(0, 'UNKNOWN', 'hw', null, 'KVM did not set a reason; hardware_exit_reason holds only if KVM_RUN returned 0'),
  row(1, 'EXCEPTION', 'ex', null, 'unused by 7.3'),
  row(2, 'IO', 'io', ['x86_64'], 'carry the port access out, with the data at data_offset, and run again'),
  row(3, 'HYPERCALL', 'hypercall', ['x86_64', 'arm64', 'loongarch'], 'answer the hypercall in ret, and run again'),
  row(4, 'DEBUG', 'debug', ['x86_64', 'arm64', 's390', 'powerpc', 'riscv', 'loongarch'], 'tell the debugger; run again to go on'),
  row(5, 'HLT', null, ['x86_64', 's390', 'powerpc'], 'the vCPU waits for an interrupt; there is none from KVM, so user space brings one or stops'),
  row(
    6,
    'MMIO',
    'mmio',
    ['x86_64', 'arm64', 'powerpc', 'riscv', 'loongarch'],
    'carry the access out on the emulated device, fill data for a read, and run again',
  ),
  row(7, 'IRQ_WINDOW_OPEN', null, ['x86_64', 'riscv'], 'inject the interrupt that waited (request_interrupt_window), and run again'),
  row(8, 'SHUTDOWN', null, X86, 'triple fault or shutdown: reset the machine or end it'),
  row(9, 'FAIL_ENTRY', 'fail_entry', ['x86_64', 'arm64', 'riscv', 'powerpc'], 'the vCPU cannot run in this state; report it'),
  row(10, 'INTR', null, null, 'a signal came: KVM_RUN failed with EINTR; handle the signal and run again'),
  row(11, 'SET_TPR', null, X86, 'the guest raised or lowered cr8; read it from the header and run again'),
  row(12, 'TPR_ACCESS', 'tpr_access', X86, 'patch the access or note it (KVM_TPR_ACCESS_REPORTING)'),
  row(13, 'S390_SIEIC', 's390_sieic', S390, 'emulate the instruction'),
  row(14, 'S390_RESET', 's390_reset_flags', S390, 'reset the machine as the flags say'),
  row(15, 'DCR', 'dcr', PPC, 'deprecated'),
  row(16, 'NMI', null, X86, 'unused by 7.3'),
  row(
    17,
    'INTERNAL_ERROR',
    'internal',
    ['x86_64', 'arm64', 's390', 'powerpc', 'riscv', 'loongarch'],
    'KVM cannot go on with this vCPU; report suberror and data',
  ),
  row(18, 'OSI', 'osi', PPC, 'carry the call out and set the registers'),
  row(19, 'PAPR_HCALL', 'papr_hcall', PPC, 'answer the hypercall in ret and args, and run again'),
  row(20, 'S390_UCONTROL', 's390_ucontrol', S390, 'back the address with memory (KVM_S390_UCAS_MAP), and run again'),
  row(21, 'WATCHDOG', null, PPC, 'the guest did not feed its watchdog; do what the board would'),
  row(22, 'S390_TSCH', 's390_tsch', S390, 'carry TEST SUBCHANNEL out'),
  row(23, 'EPR', 'epr', PPC, 'put the vector of the highest interrupt into epr, and run again'),
  row(24, 'SYSTEM_EVENT', 'system_event', null, 'shut down, reset, record the crash or suspend, as type says'),
  row(25, 'S390_STSI', 's390_stsi', S390, "put user space's part of the answer where KVM wrote its own"),
  row(26, 'IOAPIC_EOI', 'eoi', X86, 'tell the I/O APIC model that vector was acknowledged'),
  row(27, 'HYPERV', 'hyperv', X86, 'carry out what type says'),
  row(28, 'ARM_NISV', 'arm_nisv', ARM, 'decode the instruction yourself, or inject an abort (KVM_SET_VCPU_EVENTS)'),
  row(29, 'X86_RDMSR', 'msr', X86, 'put the value into data, or set error to 1, and run again'),
  row(30, 'X86_WRMSR', 'msr', X86, 'take the value from data, or set error to 1, and run again'),
  row(31, 'DIRTY_RING_FULL', null, null, 'harvest the dirty ring and reset it (KVM_RESET_DIRTY_RINGS), and run again'),
  row(32, 'AP_RESET_HOLD', null, X86, 'the vCPU waits for its start-up interrupt; deliver one (KVM_SET_MP_STATE)'),
  row(33, 'X86_BUS_LOCK', null, X86, 'the guest locked the bus; slow it down or stop it'),
  row(34, 'XEN', 'xen', X86, 'answer the hypercall in result, and run again'),
  row(35, 'RISCV_SBI', 'riscv_sbi', RISCV, 'answer the call in ret, and run again'),
  row(36, 'RISCV_CSR', 'riscv_csr', RISCV, 'put the old value into ret_value, and run again'),
  row(37, 'NOTIFY', 'notify', X86, 'the guest kept event windows closed; KVM_NOTIFY_CONTEXT_INVALID means it cannot go on'),
  row(38, 'LOONGARCH_IOCSR', 'iocsr_io', ['loongarch'], 'carry the access out on the emulated device, and run again'),
  row(39, 'MEMORY_FAULT', 'memory_fault', ['x86_64', 'arm64'], 'convert the range or back it with memory, and run again; or stop the guest'),
  row(40, 'TDX', 'tdx', X86, 'answer the call in ret, and run again'),
  row(41, 'ARM_SEA', 'arm_sea', ARM, 'inject the abort into the guest, or stop it'),
  row(42, 'ARM_LDST64B', 'arm_nisv', ARM, 'carry the 64-byte access out, or inject an abort'),
  row(43, 'SNP_REQ_CERTS', 'snp_req_certs', X86, 'put the certificates at gpa and an errno or 0 into ret, and run again'),
];

/** How a union inside a payload is chosen: by which field, which value means which variant. */
export interface UnionChoice {
  readonly by: string;
  readonly field: string;
  readonly variants: Readonly<Record<string, string>>;
  /** the variant of every other value; null where there is none */
  readonly otherwise: string | null;
  /** in C the union has no name: its members are beside the other fields */
  readonly anonymous: boolean;
}

export const unionChoices: Readonly<Partial<Record<PayloadName, UnionChoice>>> = {
  hyperv: { by: 'type', field: 'u', variants: { '1': 'synic', '2': 'hcall', '3': 'syndbg' }, otherwise: null, anonymous: false },
  xen: { by: 'type', field: 'u', variants: { '1': 'hcall' }, otherwise: null, anonymous: false },
  tdx: {
    by: 'nr',
    field: 'u',
    variants: { '65536': 'get_tdvmcall_info', '65538': 'get_quote', '65540': 'setup_event_notify' },
    otherwise: 'unknown',
    anonymous: true,
  },
};
