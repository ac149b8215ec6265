/** kvm_vcpu_luo_v1 of RFCv1: a preserved vCPU file, arch_state before cb. Source: include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026, Pasha Tatashin. */
import { contract } from '../contract.js';
import { phys, struct, u32, u64 } from '../layout.js';
import { caretakerArm64Ser, caretakerCbSerA, caretakerTelemetrySer, sysregsSer } from './caretaker.js';
import { kvmVcpuArchSerX86A } from './x86-state.js';

const source = 'include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026';

const kvmVcpuSerA = struct({
  name: 'kvm_vcpu_ser',
  meaning: 'A preserved vCPU',
  source,
  fields: {
    vcpu_id: u32('id of the vCPU in its VM', { role: 'number' }),
    flags: u32('what comes with it', { role: 'flags', flagNames: { 0: 'KVM_VCPU_HAS_CARETAKER' } }),
    vm_token: u64('token of its VM in the session', { role: 'opaque' }),
    arch_state: phys('registers, by architecture', 'kvm_vcpu_arch_ser'),
    cb: phys('control block of its caretaker, 0 = none', 'kvm_caretaker_cb_ser'),
  },
});

export const kvmVcpuV1 = contract({
  layer: 'kvm-vcpu',
  id: 'kvm_vcpu_luo_v1',
  structs: [kvmVcpuSerA, caretakerCbSerA, caretakerTelemetrySer, kvmVcpuArchSerX86A, caretakerArm64Ser, sysregsSer],
  status: 'rfc',
  date: '2026-09-20',
  source: 'mail series "OrphanVM" RFCv1, 20 Sep 2026 (20260920193650.3373435-1), Pasha Tatashin',
  discriminates: 'Bytes 24-31 lead to a page that starts with a state up to 4, a CPU and this vCPU’s id; in later work bytes 16-23 do.',
  notes: [
    'While the state of the control block is RUNNING or STOPPING the saved registers are old: they are not the guest’s state.',
    'A vCPU pulls its VM by vm_token when it is retrieved; the VM must be in the same session.',
  ],
});
