/**
 * Steps of a scenario that concern a virtual machine: what each does to a device, and what came of it. The same steps run on the
 * simulated KVM and on /dev/kvm.
 */
import { UserError } from '../../codec/user-error.js';
import type { KvmBackend, KvmCall, KvmOptions, KvmRunResult } from '../../device/kvm/backend.js';
import type { KvmStep } from '../scenario/steps.js';
import { type ExitFields, exitFields } from './exit-fields.js';
import { type VmmOutcome, runVmm } from './vmm.js';
import { type KvmCapability, kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import { atEnd } from '../../codec/at-end.js';

/** Every verb of them, without the tables that read its keys: a dump's memory is run on without any. */
const VERBS = {
  vm: true,
  'vm-check': true,
  'vm-enable': true,
  'guest-memfd': true,
  'guest-memfd-punch': true,
  'guest-memfd-close': true,
  memslot: true,
  attributes: true,
  'file-attributes': true,
  mapping: true,
  poison: true,
  'pre-fault': true,
  guest: true,
  'vcpu-run': true,
  'vcpu-answer': true,
  vmm: true,
} satisfies Readonly<Record<KvmStep['do'], true>>;

/** Is this the verb of a step of this kind? */
export const isKvmVerb = (verb: string): verb is KvmStep['do'] => Object.hasOwn(VERBS, verb);

/** What came of a step. Exactly one of `refused` and the others is there. */
export interface KvmStepResult {
  /** of the list, from 0 */
  readonly index: number;
  readonly step: KvmStep;
  /** what the request or the last KVM_RUN answered */
  readonly call: KvmCall | null;
  /** every KVM_RUN of the step */
  readonly runs: readonly KvmRunResult[];
  readonly outcome: VmmOutcome | null;
  /** why the device could not do it at all: one line */
  readonly refused: string | null;
}

/** Why a step was not tried: the `vm` step before it could not be done, and says why. */
export const NO_VM = 'there is no VM to do it in';

/** Makes the device for a `vm` step. */
export type OpenBackend = (options: KvmOptions) => KvmBackend | Promise<KvmBackend>;

/**
 * Runs the steps one by one; a step the device can't do is noted, and the next is tried. Before the first `vm` there is a VM of the
 * default type; where a VM can't be had, the steps up to the next `vm` are not tried. Whatever was opened is closed, however this ends.
 * @param lacks why the device can't do a step, known before it is tried
 */
export async function* runKvmSteps(
  steps: readonly KvmStep[],
  open: OpenBackend,
  lacks: (step: KvmStep) => string | null = () => null,
): AsyncGenerator<KvmStepResult, void, undefined> {
  let backend: KvmBackend | null = null;
  let noVm: string | null = null;
  using _backend = atEnd(() => backend?.close());
  for (const [index, step] of steps.entries()) {
    if (step.do === 'vm') noVm = null;
    const known = noVm ?? lacks(step);
    try {
      if (known !== null) throw new UserError(known);
      if (step.do === 'vm' || backend === null) {
        backend?.close();
        backend = null;
        backend = await open(step.do === 'vm' ? step : { type: 'default' });
      }
      yield performKvmStep(backend, index, step);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      yield { ...nothing(index, step), refused: error.message };
      if (step.do === 'vm') noVm = NO_VM;
    }
  }
}

const nothing = (index: number, step: KvmStep): KvmStepResult => ({ index, step, call: null, runs: [], outcome: null, refused: null });

/** One step on an open device; what the device can't do is noted in `refused`. A `vm` step has been done by opening it. */
export function performKvmStep(backend: KvmBackend, index: number, step: KvmStep): KvmStepResult {
  try {
    return { ...nothing(index, step), ...(step.do === 'vm' ? { call: { ret: 0, errno: 0 } } : carryOut(backend, step)) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...nothing(index, step), refused: error.message };
  }
}

type Done = Partial<Pick<KvmStepResult, 'call' | 'runs' | 'outcome'>>;

function carryOut(backend: KvmBackend, step: Exclude<KvmStep, { readonly do: 'vm' }>): Done {
  switch (step.do) {
    case 'vm-check':
      return { call: backend.checkExtension(step.capability) };
    case 'vm-enable':
      return { call: backend.enableCapability(step.capability, step.args) };
    case 'guest-memfd':
      return { call: backend.createGuestMemfd(step.name, step.size, step.flags) };
    case 'guest-memfd-punch':
      return { call: backend.punchHole(step.name, step.offset, step.size) };
    case 'guest-memfd-close':
      return { call: backend.closeGuestMemfd(step.name) };
    case 'memslot':
      return { call: backend.setMemoryRegion(step) };
    case 'attributes':
      return { call: backend.setAttributes(step.gpa, step.size, step.attributes) };
    case 'file-attributes':
      return { call: backend.setFileAttributes(step.name, step.offset, step.size, step.attributes, step.pinned) };
    case 'mapping':
      return { call: backend.setMapping(step.slot, step.offset, step.size, step.state, step.fill) };
    case 'poison':
      return { call: backend.poison(step.slot, step.offset) };
    case 'pre-fault':
      return { call: backend.preFault(step.gpa, step.size) };
    case 'guest':
      backend.load(step.program);
      return {};
    case 'vcpu-answer':
      backend.answer(step.value);
      return {};
    case 'vcpu-run': {
      const run = backend.run(step);
      return { call: { ret: run.ret, errno: run.errno }, runs: [run] };
    }
    case 'vmm': {
      const { outcome, events } = runVmm(backend, step);
      return { outcome, runs: events.map(({ run }) => run), call: { ret: 0, errno: 0 } };
    }
  }
}

/** Why the last run of a step is not what the scenario wants, null where it is. */
export function missedBy({ step, runs, outcome }: KvmStepResult): string | null {
  if (step.do !== 'vcpu-run' && step.do !== 'vmm') return null;
  if (step.do === 'vmm' && step.outcome !== null && step.outcome !== outcome) return `outcome ${outcome}, not ${step.outcome}`;
  const run = runs.at(-1);
  if (run === undefined) return null;
  const { reason, fields } = exitFields(run);
  const { exit, gpa, private: isPrivate, rax } = step.wanted;
  if (exit !== undefined && exit !== reason) return `${reason}, not ${exit}`;
  const at = fields.gpa ?? fields.phys_addr;
  if (gpa !== undefined && at !== `0x${gpa.toString(16)}`) return `gpa ${at ?? 'none'}, not 0x${gpa.toString(16)}`;
  if (isPrivate !== undefined && (fields.flags === '0x8') !== isPrivate)
    return `a ${fields.flags === '0x8' ? 'private' : 'shared'} access, not a ${isPrivate ? 'private' : 'shared'} one`;
  if (rax !== undefined && run.rax !== rax) return `rax 0x${(run.rax ?? 0n).toString(16)}, not 0x${rax.toString(16)}`;
  return null;
}

/** One thing in which two devices differ at a step. */
interface KvmDifference {
  readonly index: number;
  readonly step: KvmStep;
  /** `errno`, `exit gpa`, `runs` … */
  readonly what: string;
  readonly left: string;
  readonly right: string;
}

/** Where the results of the same steps differ. What a vCPU's mapping holds from earlier exits is not compared, nor are steps without a VM. */
export function compareKvmResults(left: readonly KvmStepResult[], right: readonly KvmStepResult[]): readonly KvmDifference[] {
  return left.flatMap((one, index) => {
    const other = right[index];
    return other === undefined || one.refused === NO_VM || other.refused === NO_VM ? [] : differences(one, other);
  });
}

function differences(left: KvmStepResult, right: KvmStepResult): readonly KvmDifference[] {
  const out: KvmDifference[] = [];
  const differ = (what: string, a: string, b: string): void => {
    if (a !== b) out.push({ index: left.index, step: left.step, what, left: a, right: b });
  };
  if (left.refused !== null || right.refused !== null) {
    differ('done', left.refused ?? 'yes', right.refused ?? 'yes');
    return out;
  }
  if (left.runs.length === 0) {
    differ('return', String(left.call?.ret ?? ''), String(right.call?.ret ?? ''));
    differ('errno', String(left.call?.errno ?? ''), String(right.call?.errno ?? ''));
  }
  differ('outcome', left.outcome ?? '', right.outcome ?? '');
  differ('runs', String(left.runs.length), String(right.runs.length));
  for (const [nth, run] of left.runs.entries()) {
    const other = right.runs[nth];
    if (other === undefined) break;
    const name = left.runs.length === 1 ? '' : `run ${nth + 1}: `;
    compareExits(exitFields(run), exitFields(other), (what, a, b) => differ(`${name}${what}`, a, b));
  }
  return out;
}

function compareExits(left: ExitFields, right: ExitFields, differ: (what: string, a: string, b: string) => void): void {
  differ('return', String(left.ret), String(right.ret));
  differ('errno', String(left.errno), String(right.errno));
  differ('exit_reason', left.reason, right.reason);
  for (const field of new Set([...Object.keys(left.fields), ...Object.keys(right.fields)]))
    differ(`exit ${field}`, left.fields[field] ?? '', right.fields[field] ?? '');
}

/** What a step needs of a KVM that is not the simulated one, so that it can be said before it is tried. */

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
