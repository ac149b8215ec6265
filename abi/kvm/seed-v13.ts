/**
 * What the mailing-list patch "KVM: Add KVM_EXIT_MEMORY_FAULT exit to report faults to userspace" (v13 09/35, 27 October 2023)
 * numbers differently from the kernels that ship. The payload is the same three words. Source: the patch's
 * include/uapi/linux/kvm.h and Documentation/virt/kvm/api.rst.
 */
import { type ExitReason, exitReasons } from './exits.js';

/** Its KVM_EXIT_MEMORY_FAULT; mainline gave 38 to LOONGARCH_IOCSR. */
export const SEED_MEMORY_FAULT = 38;
/** Its KVM_CAP_MEMORY_FAULT_INFO; mainline's is 232. */
export const SEED_CAP_MEMORY_FAULT_INFO = 231;

/** Capabilities that the patch's series numbers otherwise than mainline: 230 went to KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES. */
export const seedCapabilities: Readonly<Record<string, number>> = {
  KVM_CAP_USER_MEMORY2: 230,
  KVM_CAP_MEMORY_FAULT_INFO: SEED_CAP_MEMORY_FAULT_INFO,
  KVM_CAP_MEMORY_ATTRIBUTES: 232,
  KVM_CAP_GUEST_MEMFD: 233,
  KVM_CAP_VM_TYPES: 234,
};

export const MEMORY_FAULT = 39;
export const LOONGARCH_IOCSR = 38;

/** Exit reasons as that patch's header has them: nothing after 38, and 38 is the memory fault. */
export const seedExitReasons: readonly ExitReason[] = exitReasons
  .filter((reason) => reason.number < SEED_MEMORY_FAULT || reason.number === MEMORY_FAULT)
  .map((reason) => (reason.number === MEMORY_FAULT ? { ...reason, number: SEED_MEMORY_FAULT, archs: ['x86_64'] } : reason));
