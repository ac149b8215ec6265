/**
 * What differs between the architectures that have KVM, as far as the vCPU's mapping shows it: byte order, the pages after
 * struct kvm_run, the two words that s390 inserts. Source: 7.3 arch/<arch>/include/uapi/asm/kvm.h and include/uapi/linux/kvm.h.
 */
import type { Endian } from '../layout.js';

export type KvmArch = 'x86_64' | 'arm64' | 's390' | 'powerpc' | 'riscv' | 'loongarch';

interface KvmArchFacts {
  /** `host`: little-endian, or big-endian on a host of that kind */
  readonly endian: Endian | 'host';
  /** page of the mapping (counted in pages of the host) that holds the port I/O data, null where there are no ports */
  readonly pioPage: number | null;
  /** page of the mapping that holds the coalesced MMIO ring (KVM_COALESCED_MMIO_PAGE_OFFSET), null where KVM has none */
  readonly coalescedPage: number | null;
  /** pages KVM_GET_VCPU_MMAP_SIZE counts */
  readonly mappedPages: number;
  /** do cr8 and apic_base mean anything? */
  readonly hasApic: boolean;
  /** does 7.3 report memory faults here? The text says from where; null where no code of 7.3 does */
  readonly memoryFaults: string | null;
}

export const kvmArches: Readonly<Record<KvmArch, KvmArchFacts>> = {
  x86_64: { endian: 'little', pioPage: 1, coalescedPage: 2, mappedPages: 3, hasApic: true, memoryFaults: 'arch/x86/kvm/mmu/mmu.c' },
  arm64: { endian: 'little', pioPage: null, coalescedPage: 1, mappedPages: 2, hasApic: false, memoryFaults: 'arch/arm64/kvm/mmu.c and nested.c' },
  s390: { endian: 'big', pioPage: null, coalescedPage: null, mappedPages: 1, hasApic: false, memoryFaults: null },
  powerpc: { endian: 'host', pioPage: null, coalescedPage: 1, mappedPages: 2, hasApic: false, memoryFaults: null },
  riscv: { endian: 'little', pioPage: null, coalescedPage: 1, mappedPages: 2, hasApic: false, memoryFaults: null },
  loongarch: { endian: 'little', pioPage: null, coalescedPage: 1, mappedPages: 2, hasApic: false, memoryFaults: null },
};

export const isKvmArch = (text: string): text is KvmArch => Object.hasOwn(kvmArches, text);
