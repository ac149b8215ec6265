/** The caretaker of a vCPU that runs on through the kexec: its control block and telemetry. Source: include/linux/kho/abi/kvm.h of RFCv1 (20 Sep 2026) and of the work on RFCv2, Pasha Tatashin. */
import { array, nested, phys, struct, u32, u64 } from '../layout.js';

const rfcV1 = 'include/linux/kho/abi/kvm.h, "OrphanVM" RFCv1, 20 Sep 2026';
const rfcV2 = 'include/linux/kho/abi/kvm.h, branch for "OrphanVM" RFCv2, Sep 2026';

/** States of a control block: which may follow, and whether the saved registers are the guest's. */
export const caretakerStates = [
  { value: 0, name: 'PAUSED', registers: true, next: [1, 3] },
  { value: 1, name: 'RUNNING', registers: false, next: [0, 2] },
  { value: 2, name: 'STOPPING', registers: false, next: [3] },
  { value: 3, name: 'STOPPED', registers: true, next: [] },
  { value: 4, name: 'FAILED', registers: false, next: [] },
] as const;

/** May a caretaker in state `from` be found in state `to` later, after any number of steps? In the work on RFCv2 any state may fail. */
export function canLeadTo(from: number, to: number): boolean {
  const reached = new Set<number>();
  const visit = (value: number): void => {
    if (reached.has(value)) return;
    reached.add(value);
    for (const next of caretakerStates.find((state) => state.value === value)?.next ?? []) visit(next);
  };
  visit(from);
  return reached.has(to) || to === FAILED;
}

const FAILED = 4;

/** No physical CPU runs the vCPU. */
export const NO_PCPU = 0xffffffff;

const state = u32('what the caretaker does', { role: 'enum', symbols: Object.fromEntries(caretakerStates.map(({ value, name }) => [value, name])) });
const pcpuId = u32('physical CPU it runs on, 0xffffffff = none', { role: 'number', symbols: { [NO_PCPU]: 'none' } });
const vcpuId = u32('id of the vCPU', { role: 'number' });
const reserved = u32('0', { role: 'reserved' });

export const caretakerTelemetrySer = struct({
  name: 'kvm_caretaker_telemetry_ser',
  meaning: 'What the caretaker counted while no kernel was there',
  source: rfcV1,
  fields: {
    total_runs: u64('quanta the vCPU ran', { role: 'count' }),
    total_exits: u64('exits', { role: 'count' }),
    stall_count: u64('times it could not go on', { role: 'count' }),
    last_exit_reason: u64('reason of the last exit', { role: 'opaque' }),
    last_exit_rip: u64('where the guest was then', { role: 'opaque' }),
    stall_exit_reason: u64('reason of the exit it stalled at', { role: 'opaque' }),
    stall_exit_rip: u64('where the guest was then', { role: 'opaque' }),
  },
});

export const caretakerCbSerA = struct({
  name: 'kvm_caretaker_cb_ser',
  meaning: 'Control block of a vCPU’s caretaker, at the start of a page of its own',
  source: rfcV1,
  fields: { state, pcpu_id: pcpuId, vcpu_id: vcpuId, reserved, telemetry: phys('telemetry, 0 = none', 'kvm_caretaker_telemetry_ser') },
});

export const caretakerCbSerB = struct({
  name: 'kvm_caretaker_cb_ser',
  meaning: 'Control block of a vCPU’s caretaker, at the start of a page of its own',
  source: rfcV2,
  fields: { state, pcpu_id: pcpuId, vcpu_id: vcpuId, reserved },
});

/** arm64: what the caretaker itself needs, after a control block of 24 bytes (8 less after one of 16). */
export const caretakerArm64Ser = struct({
  name: 'kvm_caretaker_arm64_ser',
  meaning: 'Control block of an arm64 vCPU’s caretaker, with its interrupt controller’s registers',
  source: 'arm64 header of "OrphanVM" RFCv1, 20 Sep 2026',
  fields: {
    cb: nested(caretakerCbSerA, 'the control block'),
    vgic_initialized: u32('is there an interrupt controller?', { role: 'bool' }),
    cflags: u32('flags', { role: 'flags' }),
    cntvoff: u64('offset of the virtual counter', { role: 'opaque' }),
    hcr: u64('HCR_EL2', { role: 'opaque' }),
    mdcr: u64('MDCR_EL2', { role: 'opaque' }),
    used_lrs: u32('list registers in use', { role: 'count' }),
    vgic_hcr: u32('ICH_HCR_EL2', { role: 'opaque' }),
    vgic_vmcr: u32('ICH_VMCR_EL2', { role: 'opaque' }),
    vmid: u32('VMID', { role: 'number' }),
    ap0r: array(u32('ICH_AP0Rn_EL2', { role: 'opaque' }), 4, 'active priorities, group 0'),
    ap1r: array(u32('ICH_AP1Rn_EL2', { role: 'opaque' }), 4, 'active priorities, group 1'),
    lr: array(u64('ICH_LRn_EL2', { role: 'opaque' }), 16, 'list registers'),
  },
});

export const sysregsSer = struct({
  name: 'kvm_vcpu_sysregs_ser',
  meaning: 'System registers of an arm64 vCPU; kvm_one_reg[count] of 16 bytes follow',
  source: 'arm64 header of "OrphanVM" RFCv1, 20 Sep 2026',
  fields: { count: u32('registers that follow, at most 2048', { role: 'count' }), reserved },
});
