/**
 * The memslots of a VM, with the checks of KVM_SET_USER_MEMORY_REGION2. Source: 7.3 virt/kvm/kvm_main.c
 * (kvm_set_memory_region) and virt/kvm/guest_memfd.c (kvm_gmem_bind).
 */
import { ERRNO } from '../../../abi/errno.js';
import type { MemoryRegion } from '../../device/kvm/backend.js';
import { type GuestBytes, type GuestMemfd, GuestMemory, HostRange, PAGE } from './guest-memory.js';
import { KVM_MEMORY_ATTRIBUTE_PRIVATE } from '../../../abi/kvm/ioctls.js';

interface Memslot {
  readonly id: number;
  /** guest physical, in bytes */
  readonly gpa: number;
  /** in bytes */
  readonly size: number;
  readonly readOnly: boolean;
  readonly host: HostRange;
  readonly guestMemfd: GuestMemfd | null;
  /** in bytes */
  readonly guestMemfdOffset: number;
}

/** KVM_USER_MEM_SLOTS of x86 */
const MOST_SLOTS = 32764;
/** GUEST_MEMFD_FLAG_MMAP: the file backs shared memory too, userspace_addr is not used for faults */
const GUEST_MEMFD_MMAP = 1;

export class Memslots {
  readonly #slots = new Map<number, Memslot>();

  /** @param guestMemfds by the names they were created under @param file what backs it, in place of anonymous memory @returns 0 or an errno */
  set(region: MemoryRegion, guestMemfds: ReadonlyMap<string, GuestMemfd>, file: GuestBytes | null): number {
    const { slot: id, gpa, size, readOnly = false, guestMemfd: name, guestMemfdOffset = 0 } = region;
    if (gpa % PAGE !== 0 || size % PAGE !== 0 || size < 0 || gpa < 0 || id < 0 || id >= MOST_SLOTS) return ERRNO.EINVAL;
    // A read-only slot cannot have a guest_memfd.
    if (name !== undefined && (readOnly || guestMemfdOffset % PAGE !== 0)) return ERRNO.EINVAL;
    const old = this.#slots.get(id);
    if (size === 0) return this.#slots.delete(id) ? 0 : ERRNO.EINVAL;
    // A slot with guest_memfd never changes; of the others only the place may.
    if (old !== undefined && (name !== undefined || old.guestMemfd !== null || old.size !== size || old.readOnly !== readOnly)) return ERRNO.EINVAL;
    if ([...this.#slots.values()].some((slot) => slot.id !== id && gpa < slot.gpa + slot.size && slot.gpa < gpa + size)) return ERRNO.EEXIST;
    let guestMemfd: GuestMemfd | null = null;
    if (name !== undefined) {
      guestMemfd = guestMemfds.get(name) ?? null;
      if (guestMemfd === null) return ERRNO.EBADF;
      if (guestMemfdOffset + size > guestMemfd.memory.size) return ERRNO.EINVAL;
      if (this.#isBound(guestMemfd, guestMemfdOffset, size)) return ERRNO.EEXIST;
    }
    this.#slots.set(id, {
      id,
      gpa,
      size,
      readOnly,
      host: old?.host ?? new HostRange(file ?? new GuestMemory(size, region.fill)),
      guestMemfd,
      guestMemfdOffset,
    });
    return 0;
  }

  get(id: number): Memslot | null {
    return this.#slots.get(id) ?? null;
  }

  /** The slot that holds guest physical address `gpa`. */
  find(gpa: number): Memslot | null {
    for (const slot of this.#slots.values()) if (gpa >= slot.gpa && gpa < slot.gpa + slot.size) return slot;
    return null;
  }

  #isBound(file: GuestMemfd, offset: number, size: number): boolean {
    return [...this.#slots.values()].some(
      (slot) => slot.guestMemfd === file && offset < slot.guestMemfdOffset + slot.size && slot.guestMemfdOffset < offset + size,
    );
  }
}

/**
 * What KVM's MMU makes of one access to one page of guest memory. Source: 7.3 arch/x86/kvm/mmu/mmu.c (kvm_mmu_faultin_pfn,
 * kvm_handle_noslot_fault, kvm_handle_error_pfn) and virt/kvm/guest_memfd.c (kvm_gmem_get_pfn).
 */
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
  // After the end of a mapped file no page can be had.
  if (inSlot >= host.memory.size) return { kind: 'error', errno: ERRNO.EFAULT };
  if (mapping === 'missing' || mapping === 'prot-none' || (mapping === 'read-only' && kind === 'write')) return { kind: 'error', errno: ERRNO.EFAULT };
  return host.memory.isPoisoned(inSlot) ? { kind: 'sigbus' } : { kind: 'memory', memory: host.memory, offset: inSlot };
}
