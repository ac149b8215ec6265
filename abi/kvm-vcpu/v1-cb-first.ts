/** kvm_vcpu_luo_v1 of the work on RFCv2: the two pointers changed places under one string. Source: include/linux/kho/abi/kvm.h, branch for "OrphanVM" RFCv2, Sep 2026, Pasha Tatashin. */
import { contract } from '../contract.js';
import { phys, struct, u32, u64 } from '../layout.js';
import { caretakerCbSerB } from './caretaker.js';
import { kvmVcpuArchSerX86B } from './x86-state.js';

const source = 'include/linux/kho/abi/kvm.h, branch for "OrphanVM" RFCv2, Sep 2026';

const kvmVcpuSerB = struct({
  name: 'kvm_vcpu_ser',
  meaning: 'A preserved vCPU',
  source,
  fields: {
    vcpu_id: u32('id of the vCPU in its VM', { role: 'number' }),
    reserved: u32('0', { role: 'reserved' }),
    vm_token: u64('token of its VM in the session; 0 until it is frozen', { role: 'opaque' }),
    cb: phys('control block of its caretaker, 0 = none', 'kvm_caretaker_cb_ser'),
    arch_state: phys('registers, by architecture', 'kvm_vcpu_arch_ser'),
  },
});

const common = {
  layer: 'kvm-vcpu',
  structs: [kvmVcpuSerB, caretakerCbSerB, kvmVcpuArchSerX86B],
  status: 'rfc',
  date: '2026-09-28',
} as const;

export const kvmVcpuV1CbFirst = contract({
  ...common,
  id: 'kvm_vcpu_luo_v1-cb-first',
  compatible: 'kvm_vcpu_luo_v1',
  source: 'branch for "OrphanVM" RFCv2, Sep 2026, Pasha Tatashin',
  discriminates: 'Bytes 16-23 lead to a page that starts with a state up to 4, a CPU and this vCPU’s id; in RFCv1 bytes 24-31 do.',
  notes: ['Any state may go to FAILED: retrieve and unpreserve fail then, and the VM is marked bugged.'],
});

/** The documentation of RFCv2 names the architecture in the string. */
export const kvmVcpuX86V1 = contract({
  ...common,
  id: 'kvm_vcpu_luo_x86_v1',
  source: 'documentation of "OrphanVM" RFCv2, draft of 28 Sep 2026, Pasha Tatashin',
  notes: ['Named by the documentation; its bytes are taken to be those of the branch.'],
});

export const kvmVcpuArm64V1 = contract({
  ...common,
  id: 'kvm_vcpu_luo_arm64_v1',
  structs: [kvmVcpuSerB, caretakerCbSerB],
  source: 'documentation of "OrphanVM" RFCv2, draft of 28 Sep 2026, Pasha Tatashin',
  notes: ['Named by the documentation; its bytes are taken to be those of the branch. Its registers are not described.'],
});
