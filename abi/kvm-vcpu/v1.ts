/** kvm_vcpu_luo_v1: a preserved vCPU file. RFC only: its fields differ between branches, so its bytes are not described. Source: branches of the guest_memfd series, 2026. */
import { contract } from '../contract.js';

export const kvmVcpuV1 = contract({
  layer: 'kvm-vcpu',
  id: 'kvm_vcpu_luo_v1',
  compatible: 'kvm_vcpu_luo_v1',
  format: 'opaque',
  structs: [],
  status: 'list',
  source: 'branches of the guest_memfd series, 2026 (RFC)',
  notes: ['No release speaks it.', 'Its layout is not settled: not decoded.'],
});
