/** The vCPU interface of 7.3 as one contract. No string names it in memory: user space and kernel agree on KVM_API_VERSION 12. */
import { contract } from '../contract.js';
import { kvmCoalescedMmio, kvmCoalescedMmioRing, kvmRunX86 } from './run.js';
import { payloads } from './payloads.js';
import { kvmCreateGuestMemfd, kvmEnableCap, kvmMemoryAttributes, kvmPreFaultMemory, kvmUserspaceMemoryRegion, kvmUserspaceMemoryRegion2 } from './ioctls.js';
import { kvmSyncRegsX86 } from './sync-regs.js';

export const kvmV73 = contract({
  layer: 'kvm-run',
  id: 'kvm-run-7.3',
  compatible: null,
  format: 'struct',
  structs: [
    kvmRunX86,
    ...Object.values(payloads),
    kvmSyncRegsX86,
    kvmCoalescedMmio,
    kvmCoalescedMmioRing,
    kvmUserspaceMemoryRegion,
    kvmUserspaceMemoryRegion2,
    kvmMemoryAttributes,
    kvmCreateGuestMemfd,
    kvmPreFaultMemory,
    kvmEnableCap,
  ],
  since: '7.3',
  status: 'released',
  source: 'include/uapi/linux/kvm.h, 7.3',
  notes: [
    'exit_reason holds only if KVM_RUN returned 0, or failed with EFAULT or EHWPOISON and left 39, or failed with EINTR and left 10.',
    'EFAULT with exit_reason 0 is a page of the memslot without a usable mapping.',
    'The v13 patches of 2023 numbered the memory fault 38 and its capability 231; released kernels 39 and 232.',
    's390 puts psw_mask and psw_addr before the exit union, which moves everything after it by 16 bytes.',
  ],
});
