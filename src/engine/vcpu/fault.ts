/**
 * What KVM's MMU makes of one access to one page of guest memory. Source: 7.3 arch/x86/kvm/mmu/mmu.c (kvm_mmu_faultin_pfn,
 * kvm_handle_noslot_fault, kvm_handle_error_pfn) and virt/kvm/guest_memfd.c (kvm_gmem_get_pfn).
 */
import { ERRNO } from '../../../abi/errno.js';
import { KVM_MEMORY_ATTRIBUTE_PRIVATE } from '../../../abi/kvm/ioctls.js';
import type { GuestBytes } from './guest-memory.js';
import { GUEST_MEMFD_MMAP, type Memslots } from './memslots.js';

export type AccessKind = 'read' | 'write' | 'fetch';

/**
 * `memory`: bytes at `offset`. `emulate`: no RAM there, the access is emulated (MMIO). `memory-fault`: KVM_EXIT_MEMORY_FAULT with
 * `errno`. `error`: KVM_RUN fails with `errno` and says no more. `sigbus`: the memory is broken, the thread gets SIGBUS.
 */
export type PageOutcome =
  | { readonly kind: 'memory'; readonly memory: GuestBytes; readonly offset: number }
  | { readonly kind: 'emulate' }
  | { readonly kind: 'memory-fault'; readonly errno: number; readonly isPrivate: boolean }
  | { readonly kind: 'error'; readonly errno: number }
  | { readonly kind: 'sigbus' };

/** Attributes of guest memory, by guest physical address; 0 is shared. */
type AttributesAt = (gpa: number) => bigint;

/**
 * @param gpa guest physical, in bytes
 * @param duringFault what another thread does after the fault was classified and before KVM looks at the attributes again
 */
export function faultIn(slots: Memslots, attributesAt: AttributesAt, gpa: number, kind: AccessKind, duringFault: () => void = () => undefined): PageOutcome {
  const look = (): boolean => (attributesAt(gpa) & KVM_MEMORY_ATTRIBUTE_PRIVATE) !== 0n;
  const isPrivate = look();
  duringFault();
  const refused = (errno: number): PageOutcome => ({ kind: 'memory-fault', errno, isPrivate });
  if (isPrivate !== look()) return refused(ERRNO.EFAULT);
  const slot = slots.find(gpa);
  if (slot === null) return isPrivate ? refused(ERRNO.EFAULT) : { kind: 'emulate' };
  if (kind === 'write' && slot.readOnly) return { kind: 'emulate' };
  const inSlot = gpa - slot.gpa;
  const file = slot.guestMemfd;
  if (isPrivate || (file !== null && (file.flags & GUEST_MEMFD_MMAP) !== 0)) {
    if (file === null || file.closed) return refused(ERRNO.EFAULT);
    const offset = slot.guestMemfdOffset + inSlot;
    return file.memory.isPoisoned(offset) ? refused(ERRNO.EHWPOISON) : { kind: 'memory', memory: file.memory, offset };
  }
  const { host } = slot;
  const mapping = host.state(inSlot);
  // Behind the end of a mapped file no page can be had.
  if (inSlot >= host.memory.size) return { kind: 'error', errno: ERRNO.EFAULT };
  if (mapping === 'missing' || mapping === 'prot-none' || (mapping === 'read-only' && kind === 'write')) return { kind: 'error', errno: ERRNO.EFAULT };
  return host.memory.isPoisoned(inSlot) ? { kind: 'sigbus' } : { kind: 'memory', memory: host.memory, offset: inSlot };
}
