/** kvm_vm_luo_v1: a preserved VM file. Source: guest_memfd series, v4 of 28 Jul 2026 (RFC level). */
import { contract } from '../contract.js';
import { struct, u64 } from '../layout.js';

export const kvmVmType = u64('type of the VM, as KVM_CREATE_VM takes it', { role: 'number' });

const kvmLuoSer = struct({
  name: 'kvm_luo_ser',
  meaning: 'A preserved VM',
  source: 'guest_memfd series, v4, 28 Jul 2026',
  btfName: null,
  fields: { type: kvmVmType },
});

export const kvmVmV1 = contract({
  layer: 'kvm-vm',
  id: 'kvm_vm_luo_v1',
  compatible: 'kvm_vm_luo_v1',
  format: 'struct',
  structs: [kvmLuoSer],
  status: 'review',
  date: '2026-07-28',
  source: 'guest_memfd series, v4, 28 Jul 2026',
  discriminates: 'Bytes 8-15 are 0; in the branch with kho_folios they are an address.',
  notes: ['No release speaks it.', 'Branches of the series have put other things behind the type without changing the string.'],
});
