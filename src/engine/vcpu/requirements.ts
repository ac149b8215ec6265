/** What a step needs of a KVM that is not the simulated one, so that it can be said before it is tried. */
import { kvmCapabilities, type KvmCapability } from '../../../abi/kvm/ioctls.js';
import type { KvmStep } from '../scenario/steps.js';

/** Answers of KVM_CHECK_EXTENSION. */
export type CapabilityAnswers = Readonly<Record<KvmCapability, number>>;

/** KVM_X86_SW_PROTECTED_VM as a bit of KVM_CAP_VM_TYPES */
const SW_PROTECTED = 1 << 1;

/** Why a kernel with these capabilities can't do `step`; null where nothing is known against it. */
export function lackOf(step: KvmStep, answers: CapabilityAnswers): string | null {
  const without = (capability: KvmCapability, what: string): string | null =>
    answers[capability] > 0 ? null : `this kernel lacks ${capability} (${kvmCapabilities[capability]}): ${what}`;
  switch (step.do) {
    case 'vm':
      return step.type === 'sw-protected' && (answers.KVM_CAP_VM_TYPES & SW_PROTECTED) === 0
        ? `this kernel has no VMs of type KVM_X86_SW_PROTECTED_VM (KVM_CAP_VM_TYPES is ${answers.KVM_CAP_VM_TYPES}), so no private memory`
        : null;
    case 'attributes':
      return without('KVM_CAP_MEMORY_ATTRIBUTES', 'no memory can be made private, so there are no faults of private memory');
    case 'file-attributes':
      return 'KVM_SET_MEMORY_ATTRIBUTES2 is proposed, and its numbers are not settled';
    case 'guest-memfd':
    case 'guest-memfd-punch':
    case 'guest-memfd-close':
      return without('KVM_CAP_GUEST_MEMFD', 'there is no guest_memfd');
    case 'memslot':
      if (step.fd !== undefined) return 'a memfd of the scenario is in the embedded machine, not in this one';
      if (step.readOnly === true) return without('KVM_CAP_READONLY_MEM', 'there are no read-only memslots');
      return step.guestMemfd === undefined ? null : without('KVM_CAP_USER_MEMORY2', 'a memslot cannot have a guest_memfd');
    case 'pre-fault':
      return without('KVM_CAP_PRE_FAULT_MEMORY', 'guest memory cannot be mapped in advance');
    case 'poison':
      return 'broken memory is not made on a real machine: it would take a page out of use';
    case 'guest':
      return step.program.some((access) => access.op === 'hypercall' && access.longMode === true)
        ? 'the guest runs 32-bit code; hypercalls in long mode are for the simulated device'
        : null;
    case 'vcpu-run':
      return step.race === undefined ? null : 'a race between a fault and a conversion cannot be timed on a real machine';
    default:
      return null;
  }
}
