/**
 * Members of kvm_run's exit union. Source: 7.3 include/uapi/linux/kvm.h, struct kvm_run
 * (the members are anonymous structures there, so no kernel's BTF has these names).
 */
import { array, bytes, type StructOptions, type Fields, type Struct, struct, u8, u16, u32, u64, union } from '../layout.js';

export const KVM_H = '7.3 include/uapi/linux/kvm.h';

/** A member of the exit union: C's own alignment, no type of its own. */
export const member = <const F extends Fields>(name: string, meaning: string, fields: F): Struct<F> => {
  const options: StructOptions<F> = { name: `kvm_run.${name}`, meaning, source: `${KVM_H}, struct kvm_run`, packed: false, btfName: null, fields };
  return struct(options);
};

export const word = (meaning: string) => u64(meaning, { role: 'opaque' });
/** An address of the guest: nothing of the host's memory is there. */
export const guestPhysical = (meaning: string) => u64(meaning, { role: 'opaque' });

export const mmio = member('mmio', 'an access to guest memory that no memslot backs, or a write to a read-only one', {
  phys_addr: guestPhysical('guest physical address'),
  data: bytes(8, 'what is written; for a read, what user space puts there'),
  len: u32('bytes of the access', { role: 'bytes' }),
  is_write: u8('1 for a write', { role: 'bool' }),
});

const hypercallOf = (flagNames: Readonly<Record<string, string>>, symbols: Readonly<Record<string, string>>) =>
  member('hypercall', 'a hypercall that user space shall answer', {
    nr: u64('number of the hypercall', { role: 'enum', symbols }),
    args: array(word('argument'), 6, 'arguments'),
    ret: word('what the guest gets back; set by user space'),
    flags: u64('how the call was made', { role: 'flags', flagNames }),
  });

/** Names of hypercalls and of the bits of flags are the architecture's own. */
export const hypercall = hypercallOf({ '0': 'KVM_EXIT_HYPERCALL_LONG_MODE' }, { '12': 'KVM_HC_MAP_GPA_RANGE' });
export const hypercallArm64 = hypercallOf({ '0': 'KVM_HYPERCALL_EXIT_SMC', '1': 'KVM_HYPERCALL_EXIT_16BIT' }, {});
export const hypercallLoongarch = hypercallOf({}, {});

export const internal = member('internal', 'an error inside KVM', {
  suberror: u32('which', {
    role: 'enum',
    symbols: {
      '1': 'KVM_INTERNAL_ERROR_EMULATION',
      '2': 'KVM_INTERNAL_ERROR_SIMUL_EX',
      '3': 'KVM_INTERNAL_ERROR_DELIVERY_EV',
      '4': 'KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON',
    },
  }),
  ndata: u32('valid words of data', { role: 'count' }),
  data: array(word('word'), 16, 'what KVM knew'),
});

export const emulationFailure = member('emulation_failure', 'the form of internal for suberror 1', {
  suberror: u32('1', { role: 'enum', symbols: { '1': 'KVM_INTERNAL_ERROR_EMULATION' }, mustBe: [1] }),
  ndata: u32('valid words of internal.data', { role: 'count' }),
  flags: u64('which of the next fields hold something', {
    role: 'flags',
    flagNames: { '0': 'KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES' },
  }),
  insn_size: u8('bytes of the instruction that could be fetched', { role: 'bytes' }),
  insn_bytes: bytes(15, 'the instruction'),
});

const SYSTEM_EVENTS = {
  '1': 'KVM_SYSTEM_EVENT_SHUTDOWN',
  '2': 'KVM_SYSTEM_EVENT_RESET',
  '3': 'KVM_SYSTEM_EVENT_CRASH',
  '4': 'KVM_SYSTEM_EVENT_WAKEUP',
  '5': 'KVM_SYSTEM_EVENT_SUSPEND',
  '6': 'KVM_SYSTEM_EVENT_SEV_TERM',
  '7': 'KVM_SYSTEM_EVENT_TDX_FATAL',
} as const;

export const systemEvent = member('system_event', 'the guest asked for something that concerns the whole machine', {
  type: u32('which event', { role: 'enum', symbols: SYSTEM_EVENTS }),
  ndata: u32('valid words of data; the first is also known as flags', { role: 'count' }),
  data: array(word('word'), 16, "the architecture's own details"),
});

export const memoryFault = member('memory_fault', 'a fault on guest memory that KVM cannot resolve; comes with KVM_RUN failing', {
  flags: u64('properties of the access; read, write or fetch is not told', { role: 'flags', flagNames: { '3': 'KVM_MEMORY_EXIT_FLAG_PRIVATE' } }),
  gpa: guestPhysical('guest physical address the range starts at'),
  size: u64('length of the range', { role: 'bytes' }),
});

export const debug = {
  x86_64: struct({
    name: 'kvm_debug_exit_arch',
    meaning: 'what stopped the guest',
    source: '7.3 arch/x86/include/uapi/asm/kvm.h',
    packed: false,
    fields: {
      exception: u32('vector: 1 for #DB, 3 for #BP'),
      pad: u32('padding', { role: 'reserved' }),
      pc: word('linear address of the instruction'),
      dr6: word('DR6'),
      dr7: word('DR7'),
    },
  }),
  arm64: struct({
    name: 'kvm_debug_exit_arch',
    meaning: 'what stopped the guest',
    source: '7.3 arch/arm64/include/uapi/asm/kvm.h',
    packed: false,
    btfName: null,
    fields: { hsr: u32('ESR_EL2, low half', { role: 'opaque' }), hsr_high: u32('ESR_EL2[61:32]', { role: 'opaque' }), far: word('address a watchpoint hit') },
  }),
  powerpc: struct({
    name: 'kvm_debug_exit_arch',
    meaning: 'what stopped the guest',
    source: '7.3 arch/powerpc/include/uapi/asm/kvm.h',
    packed: false,
    btfName: null,
    fields: {
      address: word('address of the breakpoint'),
      status: u32('what kind of breakpoint', { role: 'flags' }),
      reserved: u32('padding', { role: 'reserved' }),
    },
  }),
  s390: struct({
    name: 'kvm_debug_exit_arch',
    meaning: 'what stopped the guest',
    source: '7.3 arch/s390/include/uapi/asm/kvm.h',
    packed: false,
    btfName: null,
    fields: { addr: word('address'), type: u8('what kind of breakpoint'), pad: bytes(7, 'padding') },
  }),
} as const;

export const io = member('io', 'an access to an I/O port', {
  direction: u8('0 in, 1 out', { role: 'enum', symbols: { '0': 'KVM_EXIT_IO_IN', '1': 'KVM_EXIT_IO_OUT' } }),
  size: u8('bytes of one access', { role: 'bytes' }),
  port: u16('port'),
  count: u32('accesses, more than one for a string instruction', { role: 'count' }),
  data_offset: u64('where the data is, in bytes from the start of kvm_run', { role: 'bytes' }),
});

export const msr = member('msr', 'an access to a model-specific register that user space shall carry out', {
  error: u8('set by user space: 1 lets the guest take #GP', { role: 'bool' }),
  pad: bytes(7, 'padding'),
  reason: u32('why user space is asked', {
    role: 'flags',
    flagNames: { '0': 'KVM_MSR_EXIT_REASON_INVAL', '1': 'KVM_MSR_EXIT_REASON_UNKNOWN', '2': 'KVM_MSR_EXIT_REASON_FILTER' },
  }),
  index: u32('number of the register', { role: 'opaque' }),
  data: word('value: written by the guest, or set by user space for a read'),
});

const hypervSynic = member('hyperv.u.synic', 'a change of the synthetic interrupt controller', {
  msr: u32('register written', { role: 'opaque' }),
  pad2: u32('padding', { role: 'reserved' }),
  control: word('SCONTROL'),
  evt_page: word('SIEFP: event page'),
  msg_page: word('SIMP: message page'),
});
const hypervHcall = member('hyperv.u.hcall', 'a Hyper-V hypercall', {
  input: word('input value'),
  result: word('result; set by user space'),
  params: array(word('parameter'), 2, 'parameters'),
});
const hypervSyndbg = member('hyperv.u.syndbg', 'the synthetic debugger', {
  msr: u32('register written', { role: 'opaque' }),
  pad2: u32('padding', { role: 'reserved' }),
  control: word('control'),
  status: word('status'),
  send_page: word('page to send'),
  recv_page: word('page to receive into'),
  pending_page: word('pending page'),
});

export const hyperv = struct({
  name: 'kvm_hyperv_exit',
  meaning: 'something of the Hyper-V interface',
  source: KVM_H,
  packed: false,
  fields: {
    type: u32('which', { role: 'enum', symbols: { '1': 'KVM_EXIT_HYPERV_SYNIC', '2': 'KVM_EXIT_HYPERV_HCALL', '3': 'KVM_EXIT_HYPERV_SYNDBG' } }),
    pad1: u32('padding', { role: 'reserved' }),
    u: union({ synic: hypervSynic, hcall: hypervHcall, syndbg: hypervSyndbg }, 48, 'by type'),
  },
});

const xenHcall = member('xen.u.hcall', 'a Xen hypercall', {
  longmode: u32('1 in 64-bit mode', { role: 'bool' }),
  cpl: u32('privilege level of the caller'),
  input: word('number of the hypercall'),
  result: word('result; set by user space'),
  params: array(word('parameter'), 6, 'parameters'),
});

export const xen = struct({
  name: 'kvm_xen_exit',
  meaning: 'something of the Xen interface',
  source: KVM_H,
  packed: false,
  fields: {
    type: u32('which', { role: 'enum', symbols: { '1': 'KVM_EXIT_XEN_HCALL' } }),
    u: union({ hcall: xenHcall }, 72, 'by type'),
  },
});

const tdxUnknown = member('tdx.unknown', 'a TDVMCALL without a form of its own', {
  ret: word('result; set by user space'),
  data: array(word('register'), 5, 'registers R11 to R15'),
});
const tdxGetQuote = member('tdx.get_quote', 'TDVMCALL_GET_QUOTE', {
  ret: word('result; set by user space'),
  gpa: guestPhysical('shared buffer of the guest'),
  size: u64('its length', { role: 'bytes' }),
});
const tdxInfo = member('tdx.get_tdvmcall_info', 'TDVMCALL_GET_TD_VM_CALL_INFO', {
  ret: word('result; set by user space'),
  leaf: word('leaf asked for'),
  r11: word('R11; set by user space'),
  r12: word('R12; set by user space'),
  r13: word('R13; set by user space'),
  r14: word('R14; set by user space'),
});
const tdxNotify = member('tdx.setup_event_notify', 'TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT', {
  ret: word('result; set by user space'),
  vector: u64('vector the guest wants to be notified by'),
});

/** Which form holds is told by nr. */
export const tdx = member('tdx', 'a TDVMCALL that user space shall answer', {
  flags: u64('none is defined', { role: 'flags' }),
  nr: u64('number of the call', {
    role: 'enum',
    symbols: {
      '65536': 'TDVMCALL_GET_TD_VM_CALL_INFO',
      '65538': 'TDVMCALL_GET_QUOTE',
      '65539': 'TDVMCALL_REPORT_FATAL_ERROR',
      '65540': 'TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT',
    },
  }),
  u: union({ unknown: tdxUnknown, get_quote: tdxGetQuote, get_tdvmcall_info: tdxInfo, setup_event_notify: tdxNotify }, 48, 'by nr; anonymous in C'),
});

/** Members of the exit union by the kernel's names, without `debug`, which is the architecture's own. */
export const payloads = {
  hw: member('hw', 'exit reason 0: KVM did not know what to make of it', {
    hardware_exit_reason: word("the processor's own exit code"),
  }),
  fail_entry: member('fail_entry', 'the processor refused to enter the guest', {
    hardware_entry_failure_reason: word("the processor's own code"),
    cpu: u32('host CPU the entry failed on'),
  }),
  ex: member('ex', 'an exception of the guest', {
    exception: u32('vector'),
    error_code: u32('error code', { role: 'opaque' }),
  }),
  io,
  mmio,
  iocsr_io: member('iocsr_io', 'an access to an I/O control and status register', {
    phys_addr: word('number of the register'),
    data: bytes(8, 'what is written; for a read, what user space puts there'),
    len: u32('bytes of the access', { role: 'bytes' }),
    is_write: u8('1 for a write', { role: 'bool' }),
  }),
  hypercall,
  /* Members of kvm_run's exit union that x86 alone uses. Source: 7.3 include/uapi/linux/kvm.h. */
  tpr_access: member('tpr_access', 'an access to the task priority register', {
    rip: word('address of the instruction'),
    is_write: u32('1 for a write', { role: 'bool' }),
    pad: u32('padding', { role: 'reserved' }),
  }),
  /* Members of kvm_run's exit union that one architecture other than x86 uses. Source: 7.3 include/uapi/linux/kvm.h. */
  s390_sieic: member('s390_sieic', 'an instruction of the guest was intercepted', {
    icptcode: u8('interception code', { role: 'opaque' }),
    ipa: u16('instruction, first half', { role: 'opaque' }),
    ipb: u32('instruction, second half', { role: 'opaque' }),
  }),
  s390_reset_flags: member('s390_reset_flags', 'the guest asked for a reset', {
    s390_reset_flags: u64('which', {
      role: 'flags',
      flagNames: {
        '0': 'KVM_S390_RESET_POR',
        '1': 'KVM_S390_RESET_CLEAR',
        '2': 'KVM_S390_RESET_SUBSYSTEM',
        '3': 'KVM_S390_RESET_CPU_INIT',
        '4': 'KVM_S390_RESET_IPL',
      },
    }),
  }),
  s390_ucontrol: member('s390_ucontrol', 'a translation of a user-controlled VM failed', {
    trans_exc_code: word('translation exception code: holds the address'),
    pgm_code: u32('program interruption code', { role: 'opaque' }),
  }),
  dcr: member('dcr', 'an access to a device control register (deprecated)', {
    dcrn: u32('number of the register', { role: 'opaque' }),
    data: u32('value', { role: 'opaque' }),
    is_write: u8('1 for a write', { role: 'bool' }),
  }),
  internal,
  emulation_failure: emulationFailure,
  osi: member('osi', 'a call of the Mac-on-Linux interface', { gprs: array(word('register'), 32, 'general purpose registers') }),
  papr_hcall: member('papr_hcall', 'a hypercall of a pseries guest', {
    nr: u64('number of the hypercall', { role: 'enum' }),
    ret: word('result; set by user space'),
    args: array(word('argument'), 9, 'arguments'),
  }),
  s390_tsch: member('s390_tsch', 'TEST SUBCHANNEL', {
    subchannel_id: u16('subsystem identification', { role: 'opaque' }),
    subchannel_nr: u16('number of the subchannel', { role: 'opaque' }),
    io_int_parm: u32('interruption parameter', { role: 'opaque' }),
    io_int_word: u32('interruption identification word', { role: 'opaque' }),
    ipb: u32('instruction, second half', { role: 'opaque' }),
    dequeued: u8('1: an interrupt was taken off the queue', { role: 'bool' }),
  }),
  epr: member('epr', 'the external proxy facility asks for an interrupt', { epr: u32('vector; set by user space', { role: 'opaque' }) }),
  system_event: systemEvent,
  s390_stsi: member('s390_stsi', 'STORE SYSTEM INFORMATION', {
    addr: word('where the guest wants it'),
    ar: u8('access register'),
    reserved: u8('padding', { role: 'reserved' }),
    fc: u8('function code'),
    sel1: u8('selector 1'),
    sel2: u16('selector 2'),
  }),
  eoi: member('eoi', 'an interrupt of the I/O APIC was acknowledged', { vector: u8('vector') }),
  hyperv,
  arm_nisv: member('arm_nisv', 'an access without a valid syndrome', {
    esr_iss: word('instruction specific syndrome of ESR_EL2'),
    fault_ipa: guestPhysical('faulting guest physical address'),
  }),
  msr,
  xen,
  riscv_sbi: member('riscv_sbi', 'an SBI call', {
    extension_id: word('extension'),
    function_id: word('function'),
    args: array(word('argument'), 6, 'arguments'),
    ret: array(word('result'), 2, 'results; set by user space'),
  }),
  riscv_csr: member('riscv_csr', 'an access to a control and status register', {
    csr_num: word('number of the register'),
    new_value: word('value to write'),
    write_mask: word('bits to write'),
    ret_value: word('value the guest gets; set by user space'),
  }),
  notify: member('notify', 'the guest kept event windows closed for too long', {
    flags: u32('state of the guest', { role: 'flags', flagNames: { '0': 'KVM_NOTIFY_CONTEXT_INVALID' } }),
  }),
  memory_fault: memoryFault,
  tdx,
  arm_sea: member('arm_sea', 'a synchronous external abort that user space shall handle', {
    flags: u64('which fields hold', { role: 'flags', flagNames: { '0': 'KVM_EXIT_ARM_SEA_FLAG_GPA_VALID' } }),
    esr: word('ESR_EL2'),
    gva: word('guest virtual address'),
    gpa: guestPhysical('guest physical address, where flags say that it holds'),
  }),
  snp_req_certs: struct({
    name: 'kvm_exit_snp_req_certs',
    meaning: 'an SEV-SNP guest asks for certificates',
    source: KVM_H,
    packed: false,
    fields: {
      gpa: guestPhysical('where the guest wants them'),
      npages: u64('pages the guest has there', { role: 'pages' }),
      ret: word('0, or an errno; set by user space'),
    },
  }),
} as const satisfies Readonly<Record<string, Struct>>;
