/** kvm_vm_luo_v1 of a branch that adds a list of folios. Source: a branch of the guest_memfd series, 2026 (RFC level). */
import { contract } from '../contract.js';
import { phys, struct } from '../layout.js';
import { kvmVmType } from './v1.js';

export const kvmLuoSerFolios = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM and the folios KVM itself uses for it',
  source: 'a branch of the guest_memfd series, 2026',
  btfName: null,
  fields: { type: kvmVmType, kho_folios: phys('folios preserved for the VM') },
});

export const kvmVmV1Folios = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1-folios',
  compatible: 'kvm_vm_luo_v1',
  format: 'struct',
  structs: [kvmLuoSerFolios],
  status: 'list',
  source: 'a branch of the guest_memfd series, 2026',
  discriminates: 'Bytes 8-15 are the address of a preserved page.',
  notes: ['No release speaks it.'],
});
