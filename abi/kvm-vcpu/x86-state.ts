/** Registers of a preserved x86 vCPU: the fixed part, in both generations. Source: the x86 headers of "OrphanVM" RFCv1 and of the work on RFCv2, Sep 2026; offsets by the uapi sizes of 7.3, not run. */
import { bytes, padding, phys, struct, u32 } from '../layout.js';

const regs = bytes(144, 'struct kvm_regs');
const xcrs = bytes(392, 'struct kvm_xcrs');
const lapic = bytes(1024, 'struct kvm_lapic_state');
const xsave = bytes(4096, 'struct kvm_xsave, on 64 bytes');
const events = bytes(64, 'struct kvm_vcpu_events');
const debugregs = bytes(128, 'struct kvm_debugregs');
const mpState = u32('KVM_MP_STATE_*', { role: 'number' });

export const kvmVcpuArchSerX86A = struct({
  name: 'kvm_vcpu_arch_ser',
  meaning: 'Registers of an x86 vCPU; MSRs and CPUID entries follow inline',
  source: 'x86 header of "OrphanVM" RFCv1, 20 Sep 2026',
  fields: {
    regs,
    sregs: bytes(312, 'struct kvm_sregs'),
    mp_state: mpState,
    pad0: padding(4),
    xcrs,
    lapic,
    pad1: padding(40),
    xsave,
    events,
    debugregs,
    nr_msrs: u32('MSRs of 16 bytes each, from byte 6216', { role: 'count' }),
    nr_cpuid: u32('CPUID entries of 40 bytes each, after the MSRs', { role: 'count' }),
  },
});

export const kvmVcpuArchSerX86B = struct({
  name: 'kvm_vcpu_arch_ser',
  meaning: 'Registers of an x86 vCPU; MSRs and CPUID are elsewhere',
  source: 'x86 header of the branch for "OrphanVM" RFCv2, Sep 2026',
  fields: {
    regs,
    sregs: bytes(320, 'struct kvm_sregs2'),
    mp_state: mpState,
    pad0: padding(4),
    xcrs,
    lapic,
    pad1: padding(32),
    xsave,
    events,
    debugregs,
    clock: bytes(48, 'struct kvm_clock_data'),
    msrs: phys('struct kvm_msrs, at most 512'),
    cpuid: phys('struct kvm_cpuid2'),
  },
});
