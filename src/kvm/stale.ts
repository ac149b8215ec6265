/**
 * Can exit_reason be believed? KVM_RUN leaves the reason of an earlier run wherever it fails before or without setting
 * one. Source: Documentation/virt/kvm/api.rst, KVM_EXIT_MEMORY_FAULT and KVM_CAP_MEMORY_FAULT_INFO; what 7.3 does.
 */
import { ERRNO } from '../../abi/errno.js';
import { MEMORY_FAULT } from '../../abi/kvm/seed-v13.js';

/** KVM_EXIT_INTR: set where a signal ends a run that had begun. */
const EXIT_INTR = 10;

/**
 * @param errno 0 where KVM_RUN returned 0, null where nobody says
 * @param memoryFault the number of KVM_EXIT_MEMORY_FAULT
 * @returns null where it can't be told
 */
export function isStale(errno: number | null, exitReason: number | null, memoryFault = MEMORY_FAULT): boolean | null {
  if (errno === null || exitReason === null) return null;
  if (errno === 0) return false;
  if (errno === ERRNO.EFAULT || errno === ERRNO.EHWPOISON) return exitReason !== memoryFault;
  if (errno === ERRNO.EINTR) return exitReason !== EXIT_INTR;
  return true;
}
