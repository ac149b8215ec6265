/** The same steps on the simulated KVM and on this machine's, where there is one. */
import { describe, expect, it } from 'vitest';
import { type CapabilityAnswers, type KvmStepResult, NO_VM, type OpenBackend, compareKvmResults, lackOf, runKvmSteps } from '../../../src/engine/vcpu/steps.js';
import { kvmStepsOf } from '../../../src/engine/vcpu/kvm-agent.js';
import { SimulatedKvm } from '../../../src/engine/vcpu/simulated-kvm.js';
import { readScenario } from '../../../src/engine/scenario/parse.js';
import { type KvmCapabilities, kvmCapabilitiesHere, openKvm } from '../../../src/device/kvm/real-kvm.js';

const stepsOf = async (name: string) => {
  const file = `samples/scenarios/${name}.yaml`;
  return kvmStepsOf(file, (await readScenario(file)).steps);
};
const simulated: OpenBackend = (options) => new SimulatedKvm(options);

async function gather(name: string, open: OpenBackend, answers: CapabilityAnswers | null): Promise<readonly KvmStepResult[]> {
  const out: KvmStepResult[] = [];
  for await (const result of runKvmSteps(await stepsOf(name), open, (step) => (answers === null ? null : lackOf(step, answers)))) out.push(result);
  return out;
}

const here: KvmCapabilities | string = await kvmCapabilitiesHere().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));

if (typeof here === 'string') {
  it(`the scenarios did NOT run on /dev/kvm here: ${here}`, async () => {
    await expect(openKvm({ type: 'default' })).rejects.toThrow();
  });
} else {
  describe('/dev/kvm and the simulation', () => {
    it('agree on every step of kvm-exits', async () => {
      const real = await gather('kvm-exits', openKvm, here);
      expect(real.map(({ refused }) => refused).filter((refused) => refused !== null)).toEqual([]);
      expect(compareKvmResults(await gather('kvm-exits', simulated, null), real)).toEqual([]);
    });

    it('a step this kernel cannot do is named before it is tried', async () => {
      const steps = await stepsOf('kvm-memory-faults');
      const lacking = steps.filter((step) => lackOf(step, here) !== null).map((step) => step.do);
      expect(lacking).toContain('poison');
      const real = await gather('kvm-memory-faults', openKvm, here);
      expect(real.filter(({ refused }) => refused !== null && refused !== NO_VM).length).toBeGreaterThan(0);
      if (here.KVM_CAP_MEMORY_ATTRIBUTES === 0) expect(lacking).toContain('attributes');
    });
  });
}

describe('what a kernel lacks', () => {
  const nothing: CapabilityAnswers = {
    KVM_CAP_USER_MEMORY: 0,
    KVM_CAP_EXT_CPUID: 0,
    KVM_CAP_SYNC_MMU: 0,
    KVM_CAP_READONLY_MEM: 0,
    KVM_CAP_IMMEDIATE_EXIT: 0,
    KVM_CAP_SYNC_REGS: 0,
    KVM_CAP_X86_USER_SPACE_MSR: 0,
    KVM_CAP_EXIT_HYPERCALL: 0,
    KVM_CAP_EXIT_ON_EMULATION_FAILURE: 0,
    KVM_CAP_USER_MEMORY2: 0,
    KVM_CAP_MEMORY_FAULT_INFO: 0,
    KVM_CAP_MEMORY_ATTRIBUTES: 0,
    KVM_CAP_GUEST_MEMFD: 0,
    KVM_CAP_VM_TYPES: 0,
    KVM_CAP_PRE_FAULT_MEMORY: 0,
    KVM_CAP_GUEST_MEMFD_FLAGS: 0,
    KVM_CAP_ARM_SEA_TO_USER: 0,
    KVM_CAP_S390_USER_OPEREXEC: 0,
    KVM_CAP_S390_KEYOP: 0,
    KVM_CAP_S390_VSIE_ESAMODE: 0,
    KVM_CAP_S390_HPAGE_2G: 0,
    KVM_CAP_PPC_COMPAT_CAPS: 0,
    KVM_CAP_ARM_PMU_V3_STRICT: 0,
  };

  it('is said with the capability and its number', async () => {
    const reasons = (await stepsOf('kvm-memory-faults')).map((step) => [step.do, lackOf(step, nothing)] as const);
    expect(reasons.find(([verb]) => verb === 'vm')?.[1]).toContain('KVM_X86_SW_PROTECTED_VM');
    expect(reasons.find(([verb]) => verb === 'attributes')?.[1]).toContain('KVM_CAP_MEMORY_ATTRIBUTES (233)');
    expect(reasons.find(([verb]) => verb === 'guest-memfd')?.[1]).toContain('KVM_CAP_GUEST_MEMFD (234)');
    expect(reasons.find(([verb]) => verb === 'pre-fault')?.[1]).toContain('KVM_CAP_PRE_FAULT_MEMORY (236)');
  });

  it('a scenario with other steps is refused, with its line', async () => {
    await expect(stepsOf('kvm-live-update')).rejects.toThrow(/kvm-live-update\.yaml:\d+:\d+: open has nothing to do with \/dev\/kvm/);
  });

  it('steps without a VM are not tried', async () => {
    const results = await gather('kvm-memory-faults', simulated, nothing);
    expect(results[0]?.refused).toContain('KVM_X86_SW_PROTECTED_VM');
    expect(new Set(results.slice(1).map(({ refused }) => refused))).toEqual(new Set([NO_VM]));
  });
});
