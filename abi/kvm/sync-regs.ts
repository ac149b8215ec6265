/**
 * struct kvm_sync_regs: registers that travel in kvm_run itself. Source: 7.3 arch/x86, arch/arm64 and arch/s390
 * include/uapi/asm/kvm.h; powerpc, riscv and loongarch have an empty one.
 */
import { array, bytes, nested, struct, u8, u16, u32, u64 } from '../layout.js';
import { word } from './payloads.js';

const X86 = '7.3 arch/x86/include/uapi/asm/kvm.h';

export const kvmRegs = struct({
  name: 'kvm_regs',
  meaning: 'general purpose registers',
  source: X86,
  packed: false,
  fields: {
    rax: word('RAX'),
    rbx: word('RBX'),
    rcx: word('RCX'),
    rdx: word('RDX'),
    rsi: word('RSI'),
    rdi: word('RDI'),
    rsp: word('RSP'),
    rbp: word('RBP'),
    r8: word('R8'),
    r9: word('R9'),
    r10: word('R10'),
    r11: word('R11'),
    r12: word('R12'),
    r13: word('R13'),
    r14: word('R14'),
    r15: word('R15'),
    rip: word('RIP'),
    rflags: word('RFLAGS'),
  },
});

const kvmSegment = struct({
  name: 'kvm_segment',
  meaning: 'a segment register with its hidden part',
  source: X86,
  packed: false,
  fields: {
    base: word('base'),
    limit: u32('limit', { role: 'opaque' }),
    selector: u16('selector', { role: 'opaque' }),
    type: u8('type'),
    present: u8('present', { role: 'bool' }),
    dpl: u8('privilege level'),
    db: u8('default size', { role: 'bool' }),
    s: u8('code or data', { role: 'bool' }),
    l: u8('64-bit code', { role: 'bool' }),
    g: u8('granularity', { role: 'bool' }),
    avl: u8('available', { role: 'bool' }),
    unusable: u8('unusable', { role: 'bool' }),
    padding: u8('padding', { role: 'reserved' }),
  },
});

const kvmDtable = struct({
  name: 'kvm_dtable',
  meaning: 'a descriptor table register',
  source: X86,
  packed: false,
  fields: { base: word('base'), limit: u16('limit', { role: 'opaque' }), padding: array(u16('padding', { role: 'reserved' }), 3, 'padding') },
});

const segment = (meaning: string) => nested(kvmSegment, meaning);

export const kvmSregs = struct({
  name: 'kvm_sregs',
  meaning: 'special registers',
  source: X86,
  packed: false,
  fields: {
    cs: segment('CS'),
    ds: segment('DS'),
    es: segment('ES'),
    fs: segment('FS'),
    gs: segment('GS'),
    ss: segment('SS'),
    tr: segment('TR'),
    ldt: segment('LDTR'),
    gdt: nested(kvmDtable, 'GDTR'),
    idt: nested(kvmDtable, 'IDTR'),
    cr0: word('CR0'),
    cr2: word('CR2'),
    cr3: word('CR3'),
    cr4: word('CR4'),
    cr8: word('CR8'),
    efer: word('EFER'),
    apic_base: word('APIC base'),
    interrupt_bitmap: array(word('64 vectors'), 4, 'pending external interrupts, at most one bit'),
  },
});

const anonymous = { packed: false, btfName: null, source: `${X86}, struct kvm_vcpu_events` } as const;

const kvmVcpuEvents = struct({
  name: 'kvm_vcpu_events',
  meaning: 'pending exceptions, interrupts and NMIs',
  source: X86,
  packed: false,
  fields: {
    exception: nested(
      struct({
        name: 'kvm_vcpu_events.exception',
        meaning: 'exception',
        ...anonymous,
        fields: {
          injected: u8('injected', { role: 'bool' }),
          nr: u8('vector'),
          has_error_code: u8('has an error code', { role: 'bool' }),
          pending: u8('pending', { role: 'bool' }),
          error_code: u32('error code', { role: 'opaque' }),
        },
      }),
      'exception',
    ),
    interrupt: nested(
      struct({
        name: 'kvm_vcpu_events.interrupt',
        meaning: 'interrupt',
        ...anonymous,
        fields: { injected: u8('injected', { role: 'bool' }), nr: u8('vector'), soft: u8('by INT n', { role: 'bool' }), shadow: u8('shadow of STI or MOV SS') },
      }),
      'interrupt',
    ),
    nmi: nested(
      struct({
        name: 'kvm_vcpu_events.nmi',
        meaning: 'NMI',
        ...anonymous,
        fields: {
          injected: u8('injected', { role: 'bool' }),
          pending: u8('pending'),
          masked: u8('masked', { role: 'bool' }),
          pad: u8('padding', { role: 'reserved' }),
        },
      }),
      'NMI',
    ),
    sipi_vector: u32('start-up vector'),
    flags: u32('which parts hold', {
      role: 'flags',
      flagNames: {
        '0': 'KVM_VCPUEVENT_VALID_NMI_PENDING',
        '1': 'KVM_VCPUEVENT_VALID_SIPI_VECTOR',
        '2': 'KVM_VCPUEVENT_VALID_SHADOW',
        '3': 'KVM_VCPUEVENT_VALID_SMM',
        '4': 'KVM_VCPUEVENT_VALID_PAYLOAD',
        '5': 'KVM_VCPUEVENT_VALID_TRIPLE_FAULT',
      },
    }),
    smi: nested(
      struct({
        name: 'kvm_vcpu_events.smi',
        meaning: 'SMI',
        ...anonymous,
        fields: {
          smm: u8('in system management mode', { role: 'bool' }),
          pending: u8('pending', { role: 'bool' }),
          smm_inside_nmi: u8('entered from an NMI', { role: 'bool' }),
          latched_init: u8('INIT latched', { role: 'bool' }),
        },
      }),
      'SMI',
    ),
    triple_fault: nested(
      struct({
        name: 'kvm_vcpu_events.triple_fault',
        meaning: 'triple fault',
        ...anonymous,
        fields: { pending: u8('pending', { role: 'bool' }) },
      }),
      'triple fault',
    ),
    reserved: bytes(26, 'padding'),
    exception_has_payload: u8('exception_payload holds', { role: 'bool' }),
    exception_payload: word('CR2 or DR6 of a pending exception'),
  },
});

export const kvmSyncRegsX86 = struct({
  name: 'kvm_sync_regs',
  meaning: 'registers shared with user space; each part holds where kvm_valid_regs has its bit',
  source: X86,
  packed: false,
  fields: { regs: nested(kvmRegs, 'KVM_SYNC_X86_REGS'), sregs: nested(kvmSregs, 'KVM_SYNC_X86_SREGS'), events: nested(kvmVcpuEvents, 'KVM_SYNC_X86_EVENTS') },
});

export const kvmSyncRegsArm64 = struct({
  name: 'kvm_sync_regs',
  meaning: 'interrupt lines of devices inside KVM, with KVM_CAP_ARM_USER_IRQ',
  source: '7.3 arch/arm64/include/uapi/asm/kvm.h',
  packed: false,
  btfName: null,
  fields: {
    device_irq_level: u64('lines that are up', {
      role: 'flags',
      flagNames: { '0': 'KVM_ARM_DEV_EL1_VTIMER', '1': 'KVM_ARM_DEV_EL1_PTIMER', '2': 'KVM_ARM_DEV_PMU' },
    }),
  },
});

export const kvmSyncRegsS390 = struct({
  name: 'kvm_sync_regs',
  meaning: 'registers shared with user space; each part holds where kvm_valid_regs has its bit',
  source: '7.3 arch/s390/include/uapi/asm/kvm.h',
  packed: false,
  endian: 'big',
  btfName: null,
  fields: {
    prefix: word('prefix register'),
    gprs: array(word('register'), 16, 'general purpose registers'),
    acrs: array(u32('register', { role: 'opaque' }), 16, 'access registers'),
    crs: array(word('register'), 16, 'control registers'),
    todpr: word('TOD programmable register'),
    cputm: word('CPU timer'),
    ckc: word('clock comparator'),
    pp: word('program parameter'),
    gbea: word('guest breaking-event address'),
    pft: word('pfault token'),
    pfs: word('pfault select'),
    pfc: word('pfault compare'),
    vrs: array(word('half of a vector register'), 64, 'vector registers; with KVM_SYNC_FPRS alone, 16 floating point registers'),
    reserved: bytes(512, 'for future vector registers'),
    fpc: u32('floating point control', { role: 'opaque' }),
    bpbc: u8('bit 0 (the highest): branch prediction blocking', { role: 'opaque' }),
    padding1: bytes(51, 'padding'),
    riccb: bytes(64, 'runtime instrumentation controls'),
    diag318: word('diagnose 0x318 information'),
    padding2: bytes(184, 'padding'),
    sdnx: bytes(256, 'state description annex: 16 reserved bytes, four words of gscb, etoken, etoken_extension'),
  },
});

/** A bit of kvm_valid_regs and kvm_dirty_regs, and the fields of kvm_sync_regs it stands for. */
export interface SyncClass {
  readonly bit: number;
  readonly name: string;
  readonly fields: readonly string[];
}

export const syncClassesX86: readonly SyncClass[] = [
  { bit: 0, name: 'KVM_SYNC_X86_REGS', fields: ['regs'] },
  { bit: 1, name: 'KVM_SYNC_X86_SREGS', fields: ['sregs'] },
  { bit: 2, name: 'KVM_SYNC_X86_EVENTS', fields: ['events'] },
];

export const syncClassesS390: readonly SyncClass[] = [
  { bit: 0, name: 'KVM_SYNC_PREFIX', fields: ['prefix'] },
  { bit: 1, name: 'KVM_SYNC_GPRS', fields: ['gprs'] },
  { bit: 2, name: 'KVM_SYNC_ACRS', fields: ['acrs'] },
  { bit: 3, name: 'KVM_SYNC_CRS', fields: ['crs'] },
  { bit: 4, name: 'KVM_SYNC_ARCH0', fields: ['todpr', 'cputm', 'ckc', 'pp', 'gbea'] },
  { bit: 5, name: 'KVM_SYNC_PFAULT', fields: ['pft', 'pfs', 'pfc'] },
  { bit: 6, name: 'KVM_SYNC_VRS', fields: ['vrs', 'fpc'] },
  { bit: 7, name: 'KVM_SYNC_RICCB', fields: ['riccb'] },
  { bit: 8, name: 'KVM_SYNC_FPRS', fields: ['vrs', 'fpc'] },
  { bit: 9, name: 'KVM_SYNC_GSCB', fields: ['sdnx'] },
  { bit: 10, name: 'KVM_SYNC_BPBC', fields: ['bpbc'] },
  { bit: 11, name: 'KVM_SYNC_ETOKEN', fields: ['sdnx'] },
  { bit: 12, name: 'KVM_SYNC_DIAG318', fields: ['diag318'] },
];
