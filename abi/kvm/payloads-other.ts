/** Members of kvm_run's exit union that one architecture other than x86 uses. Source: 7.3 include/uapi/linux/kvm.h. */
import { array, bytes, u8, u16, u32, u64 } from '../layout.js';
import { guestPhysical, member, word } from './payloads-common.js';

export const s390Sieic = member('s390_sieic', 'an instruction of the guest was intercepted', {
  icptcode: u8('interception code', { role: 'opaque' }),
  ipa: u16('instruction, first half', { role: 'opaque' }),
  ipb: u32('instruction, second half', { role: 'opaque' }),
});

export const s390Ucontrol = member('s390_ucontrol', 'a translation of a user-controlled VM failed', {
  trans_exc_code: word('translation exception code: holds the address'),
  pgm_code: u32('program interruption code', { role: 'opaque' }),
});

export const s390Tsch = member('s390_tsch', 'TEST SUBCHANNEL', {
  subchannel_id: u16('subsystem identification', { role: 'opaque' }),
  subchannel_nr: u16('number of the subchannel', { role: 'opaque' }),
  io_int_parm: u32('interruption parameter', { role: 'opaque' }),
  io_int_word: u32('interruption identification word', { role: 'opaque' }),
  ipb: u32('instruction, second half', { role: 'opaque' }),
  dequeued: u8('1: an interrupt was taken off the queue', { role: 'bool' }),
});

export const s390Stsi = member('s390_stsi', 'STORE SYSTEM INFORMATION', {
  addr: word('where the guest wants it'),
  ar: u8('access register'),
  reserved: u8('padding', { role: 'reserved' }),
  fc: u8('function code'),
  sel1: u8('selector 1'),
  sel2: u16('selector 2'),
});

export const dcr = member('dcr', 'an access to a device control register (deprecated)', {
  dcrn: u32('number of the register', { role: 'opaque' }),
  data: u32('value', { role: 'opaque' }),
  is_write: u8('1 for a write', { role: 'bool' }),
});

export const osi = member('osi', 'a call of the Mac-on-Linux interface', { gprs: array(word('register'), 32, 'general purpose registers') });

export const paprHcall = member('papr_hcall', 'a hypercall of a pseries guest', {
  nr: u64('number of the hypercall', { role: 'enum' }),
  ret: word('result; set by user space'),
  args: array(word('argument'), 9, 'arguments'),
});

export const epr = member('epr', 'the external proxy facility asks for an interrupt', { epr: u32('vector; set by user space', { role: 'opaque' }) });

export const armNisv = member('arm_nisv', 'an access without a valid syndrome', {
  esr_iss: word('instruction specific syndrome of ESR_EL2'),
  fault_ipa: guestPhysical('faulting guest physical address'),
});

export const armSea = member('arm_sea', 'a synchronous external abort that user space shall handle', {
  flags: u64('which fields hold', { role: 'flags', flagNames: { '0': 'KVM_EXIT_ARM_SEA_FLAG_GPA_VALID' } }),
  esr: word('ESR_EL2'),
  gva: word('guest virtual address'),
  gpa: guestPhysical('guest physical address, where flags say that it holds'),
});

export const riscvSbi = member('riscv_sbi', 'an SBI call', {
  extension_id: word('extension'),
  function_id: word('function'),
  args: array(word('argument'), 6, 'arguments'),
  ret: array(word('result'), 2, 'results; set by user space'),
});

export const riscvCsr = member('riscv_csr', 'an access to a control and status register', {
  csr_num: word('number of the register'),
  new_value: word('value to write'),
  write_mask: word('bits to write'),
  ret_value: word('value the guest gets; set by user space'),
});

export const iocsrIo = member('iocsr_io', 'an access to an I/O control and status register', {
  phys_addr: word('number of the register'),
  data: bytes(8, 'what is written; for a read, what user space puts there'),
  len: u32('bytes of the access', { role: 'bytes' }),
  is_write: u8('1 for a write', { role: 'bool' }),
});
