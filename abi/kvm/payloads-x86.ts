/** Members of kvm_run's exit union that x86 alone uses. Source: 7.3 include/uapi/linux/kvm.h. */
import { array, bytes, struct, u8, u32, u64, union } from '../layout.js';
import { guestPhysical, KVM_H, member, word } from './payloads-common.js';

export const tprAccess = member('tpr_access', 'an access to the task priority register', {
  rip: word('address of the instruction'),
  is_write: u32('1 for a write', { role: 'bool' }),
  pad: u32('padding', { role: 'reserved' }),
});

export const eoi = member('eoi', 'an interrupt of the I/O APIC was acknowledged', { vector: u8('vector') });

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

export const notify = member('notify', 'the guest kept event windows closed for too long', {
  flags: u32('state of the guest', { role: 'flags', flagNames: { '0': 'KVM_NOTIFY_CONTEXT_INVALID' } }),
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

export const snpReqCerts = struct({
  name: 'kvm_exit_snp_req_certs',
  meaning: 'an SEV-SNP guest asks for certificates',
  source: KVM_H,
  packed: false,
  fields: {
    gpa: guestPhysical('where the guest wants them'),
    npages: u64('pages the guest has there', { role: 'pages' }),
    ret: word('0, or an errno; set by user space'),
  },
});
