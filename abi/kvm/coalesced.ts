/** The ring of coalesced MMIO and port writes, in a page of the vCPU's mapping. Source: 7.3 include/uapi/linux/kvm.h. */
import { array, bytes, nested, struct, u32 } from '../layout.js';
import { guestPhysical, KVM_H } from './payloads-common.js';

export const kvmCoalescedMmio = struct({
  name: 'kvm_coalesced_mmio',
  meaning: 'one write that KVM did not exit for',
  source: KVM_H,
  packed: false,
  fields: {
    phys_addr: guestPhysical('guest physical address, or the port'),
    len: u32('bytes', { role: 'bytes' }),
    pio: u32('1 for a port; shares its bytes with pad', { role: 'bool' }),
    data: bytes(8, 'what was written'),
  },
});

/** KVM_COALESCED_MMIO_MAX is the number of entries that fit a page. */
export const kvmCoalescedMmioRing = struct({
  name: 'kvm_coalesced_mmio_ring',
  meaning: 'ring: KVM adds at last, user space takes at first; empty where they are equal',
  source: KVM_H,
  packed: false,
  fields: {
    first: u32('next entry user space takes', { role: 'index' }),
    last: u32('next entry KVM writes', { role: 'index' }),
    coalesced_mmio: array(nested(kvmCoalescedMmio, 'entry'), 'page', 'entries'),
  },
});
