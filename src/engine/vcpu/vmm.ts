/**
 * A VMM in small: it runs the vCPU, looks at each exit, and does what its policy says, until the guest halts or the policy gives
 * up. Works on either device.
 */
import { ERRNO } from '../../../abi/errno.js';
import { KVM_HC_MAP_GPA_RANGE, KVM_MAP_GPA_RANGE_ENCRYPTED, KVM_MEMORY_ATTRIBUTE_PRIVATE, KVM_MEMORY_EXIT_FLAG_PRIVATE } from '../../../abi/kvm/ioctls.js';
import { hypercall, memoryFault } from '../../../abi/kvm/payloads.js';
import { MEMORY_FAULT, SEED_MEMORY_FAULT } from '../../../abi/kvm/seed-v13.js';
import { exitReasonIn, payloadIn, type KvmBackend, type KvmCall, type KvmRunResult } from '../../device/kvm/backend.js';
import { exitPayload } from './exit-fields.js';
import { PAGE } from './guest-memory.js';

/**
 * On a memory fault: `convert` changes the range to what the access wanted and runs again; `guard` does so too, but stops at the
 * same fault again; `ignore` runs again and changes nothing; `kill` stops.
 */
export const VMM_POLICIES = ['convert', 'guard', 'ignore', 'kill'] as const;
type VmmPolicy = (typeof VMM_POLICIES)[number];

/** What a policy written out says to do about one kind of exit. */
export const VMM_REACTIONS = ['convert', 'convert-once', 'retry', 'answer', 'deny', 'stop'] as const;
export type VmmReaction = (typeof VMM_REACTIONS)[number];

export interface VmmRules {
  readonly memoryFault: VmmReaction;
  /** explicit conversion: KVM_HC_MAP_GPA_RANGE */
  readonly mapGpaRange: VmmReaction;
  /** EFAULT that says nothing more */
  readonly plainFault: VmmReaction;
  /** port and MMIO accesses, and others that only want an answer */
  readonly device: VmmReaction;
}

export const VMM_RULES: Readonly<Record<VmmPolicy, VmmRules>> = {
  convert: { memoryFault: 'convert', mapGpaRange: 'convert', plainFault: 'stop', device: 'answer' },
  guard: { memoryFault: 'convert-once', mapGpaRange: 'convert', plainFault: 'stop', device: 'answer' },
  ignore: { memoryFault: 'retry', mapGpaRange: 'deny', plainFault: 'retry', device: 'answer' },
  kill: { memoryFault: 'stop', mapGpaRange: 'deny', plainFault: 'stop', device: 'answer' },
};

/**
 * `halted`: the guest came to HLT. `killed`: the rules said stop. `no-progress`: the same memory fault again. `endless`: as many
 * runs as allowed. `ended`: an exit no VMM goes on from.
 */
export const VMM_OUTCOMES = ['halted', 'killed', 'no-progress', 'endless', 'ended'] as const;
export type VmmOutcome = (typeof VMM_OUTCOMES)[number];

interface VmmEvent {
  readonly run: KvmRunResult;
  readonly reaction: VmmReaction | 'halt' | 'end' | 'signal';
}

interface VmmRun {
  readonly outcome: VmmOutcome;
  readonly events: readonly VmmEvent[];
}

export interface VmmOptions {
  /** the name of the policy the rules were made of, for the trace */
  readonly policy?: VmmPolicy;
  readonly rules: VmmRules;
  /** KVM_RUNs at most; 64 unless given */
  readonly runs?: number;
  /** what reads of ports and MMIO give the guest; 0 unless given */
  readonly answer?: bigint;
  /** milliseconds until a guest that does not exit is interrupted */
  readonly interruptAfter?: number;
}

const DEFAULT_RUNS = 64;
/** -KVM_EPERM, as a VMM refuses a conversion */
const REFUSED = -1n;

/** Runs the vCPU until the guest halts, the rules end it, a fault comes back although its pages were converted, or `runs` are used up. */
export function runVmm(backend: KvmBackend, options: VmmOptions): VmmRun {
  const { rules, runs = DEFAULT_RUNS, answer = 0n, interruptAfter } = options;
  const events: VmmEvent[] = [];
  let lastFault = '';
  for (let count = 0; count < runs; count++) {
    const run = backend.run(interruptAfter === undefined ? {} : { interruptAfter });
    const reaction = decide(run, rules);
    events.push({ run, reaction });
    if (reaction === 'halt') return { outcome: 'halted', events };
    if (reaction === 'end' || reaction === 'signal') return { outcome: 'ended', events };
    if (reaction === 'stop') return { outcome: 'killed', events };
    if (reaction === 'convert-once') {
      const { flags, gpa } = exitPayload(run.page, memoryFault);
      const fault = `${flags}/${gpa}`;
      if (fault === lastFault) return { outcome: 'no-progress', events };
      lastFault = fault;
    }
    if (!react(backend, run, reaction, answer)) return { outcome: 'ended', events };
  }
  return { outcome: 'endless', events };
}

function decide({ ret, errno, page, signal }: KvmRunResult, rules: VmmRules): VmmEvent['reaction'] {
  if (signal !== undefined && signal !== null) return 'signal';
  const payload = payloadIn(page);
  if (ret === -1) {
    const failed = errno === ERRNO.EFAULT || errno === ERRNO.EHWPOISON;
    // Broken memory is not mended by converting it.
    if (failed && isMemoryFault(page)) return errno === ERRNO.EHWPOISON ? 'stop' : rules.memoryFault;
    return failed ? rules.plainFault : 'end';
  }
  if (payload === 'hypercall' && exitPayload(page, hypercall).nr === KVM_HC_MAP_GPA_RANGE) return rules.mapGpaRange;
  if (payload === 'io' || payload === 'mmio' || payload === 'msr' || payload === 'hypercall') return rules.device;
  return payload === null && exitReasonIn(page) === HLT ? 'halt' : 'end';
}

/** KVM_EXIT_HLT */
const HLT = 5;

/** By either numbering: on x86 nothing else has the seed's number. */
const isMemoryFault = (page: Uint8Array): boolean => exitReasonIn(page) === MEMORY_FAULT || exitReasonIn(page) === SEED_MEMORY_FAULT;

/** @returns false where the device refused what the rules wanted */
function react(backend: KvmBackend, { page }: KvmRunResult, reaction: VmmReaction, answer: bigint): boolean {
  switch (reaction) {
    case 'convert':
    case 'convert-once':
      return isMemoryFault(page) ? convertFault(backend, page) : convertRange(backend, page);
    case 'deny':
      backend.answer(REFUSED);
      return true;
    case 'answer':
      backend.answer(answer);
      return true;
    case 'retry':
      return true;
    case 'stop':
      return false;
  }
}

/** On the guest_memfd that backs the address where the kernel converts in place, else on the VM. */
function convert(backend: KvmBackend, gpa: number, size: number, attributes: number): KvmCall {
  const file = backend.convertsIn(gpa);
  return file === null ? backend.setAttributes(gpa, size, attributes) : backend.setFileAttributes(file.name, file.offset, size, attributes);
}

function convertFault(backend: KvmBackend, page: Uint8Array): boolean {
  const { flags, gpa, size } = exitPayload(page, memoryFault);
  const attributes = (flags & KVM_MEMORY_EXIT_FLAG_PRIVATE) === 0n ? 0n : KVM_MEMORY_ATTRIBUTE_PRIVATE;
  return convert(backend, Number(gpa), Number(size), Number(attributes)).ret === 0;
}

function convertRange(backend: KvmBackend, page: Uint8Array): boolean {
  const [gpa = 0n, pages = 0n, wanted = 0n] = exitPayload(page, hypercall).args;
  const attributes = (wanted & KVM_MAP_GPA_RANGE_ENCRYPTED) === 0n ? 0n : KVM_MEMORY_ATTRIBUTE_PRIVATE;
  const { ret, errno } = convert(backend, Number(gpa), Number(pages) * PAGE, Number(attributes));
  backend.answer(ret === 0 ? 0n : -BigInt(errno));
  return true;
}
