/** kvm_vm_luo_v1 of OrphanVM, which adds a list of folios KVM itself uses for the VM. Source: include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin. */
import { contract } from '../contract.js';
import { ownPage, phys, struct, u64 } from '../layout.js';
import { kvmVmType } from './v1.js';

const source = 'include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026';

const kvmLuoSerFolios = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM and the folios KVM itself uses for it',
  source,
  btfName: null,
  fields: { type: kvmVmType, kho_folios: phys('folios preserved for the VM', 'kvm_kho_folios_ser') },
});

const kvmKhoFoliosSer = struct({
  name: 'kvm_kho_folios_ser',
  meaning: 'Pages of a VM’s page tables (x86: TDP roots and tables; arm64: stage 2); addresses, not page frames, follow as u64[nr_folios]',
  source,
  btfName: null,
  tail: { name: 'folios', of: ownPage('page of a page table'), count: 'nr_folios' },
  fields: { nr_folios: u64('addresses that follow; a page may be listed twice', { role: 'count' }) },
});

export const kvmVmV1Folios = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1-folios',
  compatible: 'kvm_vm_luo_v1',
  format: 'struct',
  structs: [kvmLuoSerFolios, kvmKhoFoliosSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 8-15 are the address of a preserved page.',
  notes: ['No release speaks it.', 'The field was once called arch_state.'],
});
