/**
 * Members of kvm_run's exit union that several architectures share. Source: 7.3 include/uapi/linux/kvm.h, struct kvm_run
 * (the members are anonymous structures there, so no kernel's BTF has these names).
 */
import { array, bytes, type StructOptions, type Fields, type Struct, struct, u8, u16, u32, u64 } from '../layout.js';

export const KVM_H = '7.3 include/uapi/linux/kvm.h';

/** A member of the exit union: C's own alignment, no type of its own. */
export const member = <const F extends Fields>(name: string, meaning: string, fields: F): Struct<F> => {
  const options: StructOptions<F> = { name: `kvm_run.${name}`, meaning, source: `${KVM_H}, struct kvm_run`, packed: false, btfName: null, fields };
  return struct(options);
};

export const word = (meaning: string) => u64(meaning, { role: 'opaque' });
/** An address of the guest: nothing of the host's memory is there. */
export const guestPhysical = (meaning: string) => u64(meaning, { role: 'opaque' });

export const hw = member('hw', 'exit reason 0: KVM did not know what to make of it', {
  hardware_exit_reason: word("the processor's own exit code"),
});

export const failEntry = member('fail_entry', 'the processor refused to enter the guest', {
  hardware_entry_failure_reason: word("the processor's own code"),
  cpu: u32('host CPU the entry failed on'),
});

export const ex = member('ex', 'an exception of the guest', {
  exception: u32('vector'),
  error_code: u32('error code', { role: 'opaque' }),
});

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

export const s390Reset = member('s390_reset_flags', 'the guest asked for a reset', {
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
});

export const io = member('io', 'an access to an I/O port', {
  direction: u8('0 in, 1 out', { role: 'enum', symbols: { '0': 'KVM_EXIT_IO_IN', '1': 'KVM_EXIT_IO_OUT' } }),
  size: u8('bytes of one access', { role: 'bytes' }),
  port: u16('port'),
  count: u32('accesses, more than one for a string instruction', { role: 'count' }),
  data_offset: u64('where the data is, in bytes from the start of kvm_run', { role: 'bytes' }),
});
