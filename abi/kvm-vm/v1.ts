/**
 * kvm_vm_luo_v1: a preserved VM file; three layouts under one string. Source: guest_memfd series, v4 of 28 Jul 2026 (RFC level); a copy in
 * linux-mm, which adds the VM's memory attributes; "OrphanVM" RFCv1, 20 Sep 2026, which adds the folios KVM itself uses.
 */
import { contract } from '../contract.js';
import { nested, ownPage, phys, struct, u64 } from '../layout.js';
import { khoVmalloc } from '../kho/vmalloc.js';

const kvmVmType = u64('type of the VM, as KVM_CREATE_VM takes it', { role: 'number' });

const kvmLuoSer = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM',
  source: 'guest_memfd series, v4, 28 Jul 2026',
  fields: { type: kvmVmType },
});

export const kvmVmV1 = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1',
  structs: [kvmLuoSer],
  status: 'review',
  date: '2026-07-28',
  source: 'guest_memfd series, v4, 28 Jul 2026',
  discriminates: 'Bytes 8-15 are 0; in the branch with kho_folios they are an address.',
  notes: ['No release speaks it.', 'Branches of the series have put other things after the type without changing the string.'],
});

const sourceAttributes = 'include/linux/kho/abi/kvm.h, a copy in linux-mm, 2026';

const kvmMemAttrSer = struct({
  name: 'kvm_mem_attr_ser',
  meaning: 'Attributes of one guest page',
  source: sourceAttributes,
  fields: { gfn: u64('guest page frame', { role: 'opaque' }), attributes: u64('KVM_MEMORY_ATTRIBUTE_*', { role: 'flags', flagNames: { 3: 'PRIVATE' } }) },
});

const kvmLuoSerAttributes = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM and its memory attributes',
  source: sourceAttributes,
  fields: {
    type: kvmVmType,
    nr_mem_attrs: u64('entries of the list', { role: 'count' }),
    mem_attrs: nested(khoVmalloc, 'area of kvm_mem_attr_ser[nr_mem_attrs]', { of: kvmMemAttrSer, count: 'nr_mem_attrs' }),
  },
});

export const kvmVmV1Attributes = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1-attributes',
  compatible: 'kvm_vm_luo_v1',
  structs: [kvmLuoSerAttributes, kvmMemAttrSer],
  status: 'rfc',
  date: '2026',
  source: sourceAttributes,
  discriminates: 'Bytes 8-15 are a count, 0 for no list, and bytes 16-31 describe a vmalloc area.',
  notes: ['No release speaks it.'],
});

const sourceFolios = 'include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026';

const kvmLuoSerFolios = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM and the folios KVM itself uses for it',
  source: sourceFolios,
  fields: { type: kvmVmType, kho_folios: phys('folios preserved for the VM', 'kvm_kho_folios_ser') },
});

const kvmKhoFoliosSer = struct({
  name: 'kvm_kho_folios_ser',
  meaning: 'Pages of a VM’s page tables (x86: TDP roots and tables; arm64: stage 2); addresses, not page frames, follow as u64[nr_folios]',
  source: sourceFolios,
  tail: { name: 'folios', of: ownPage('page of a page table'), count: 'nr_folios' },
  fields: { nr_folios: u64('addresses that follow; a page may be listed twice', { role: 'count' }) },
});

export const kvmVmV1Folios = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1-folios',
  compatible: 'kvm_vm_luo_v1',
  structs: [kvmLuoSerFolios, kvmKhoFoliosSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 8-15 are the address of a preserved page.',
  notes: ['No release speaks it.', 'The field was once called arch_state.'],
});
