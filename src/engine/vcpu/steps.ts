/**
 * Steps of a scenario that concern a virtual machine: what each does to a device, and what came of it. The same steps run on the
 * simulated KVM and on /dev/kvm.
 */
import { UserError } from '../../codec/user-error.js';
import type { GuestAccess, HostMapping, KvmBackend, KvmCall, KvmOptions, KvmRunResult, MemoryRegion, RunOptions } from '../../device/kvm/backend.js';
import { type ExitFields, exitFields } from './exit-fields.js';
import { runVmm, type VmmOptions, type VmmOutcome } from './vmm.js';

/** Addresses are guest physical, sizes bytes. */
export type KvmStep =
  | { readonly do: 'kvm-vm'; readonly type: KvmOptions['type'] }
  | { readonly do: 'kvm-check'; readonly capability: number }
  | { readonly do: 'kvm-enable'; readonly capability: number; readonly args: readonly number[] }
  | { readonly do: 'guest-memfd'; readonly as: string; readonly size: number; readonly flags: number }
  | { readonly do: 'guest-memfd-punch'; readonly file: string; readonly offset: number; readonly size: number }
  | { readonly do: 'guest-memfd-close'; readonly file: string }
  | ({ readonly do: 'memslot' } & MemoryRegion)
  | { readonly do: 'attributes'; readonly gpa: number; readonly size: number; readonly attributes: number }
  | { readonly do: 'mapping'; readonly slot: number; readonly offset: number; readonly size: number; readonly state: HostMapping; readonly fill?: number }
  | { readonly do: 'poison'; readonly slot: number; readonly offset: number }
  | { readonly do: 'pre-fault'; readonly gpa: number; readonly size: number }
  | { readonly do: 'guest'; readonly program: readonly GuestAccess[] }
  | { readonly do: 'kvm-answer'; readonly value: bigint }
  | ({ readonly do: 'kvm-run' } & RunOptions)
  | ({ readonly do: 'vmm' } & VmmOptions);

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

/** Makes the device for a `kvm-vm` step. */
export type OpenBackend = (options: KvmOptions) => KvmBackend | Promise<KvmBackend>;

/**
 * Runs the steps one by one; a step the device can't do is noted, and the next is tried. Before the first `kvm-vm` there is a VM of
 * the default type. Whatever was opened is closed, however this ends.
 */
export async function* runKvmSteps(steps: readonly KvmStep[], open: OpenBackend): AsyncGenerator<KvmStepResult, void, undefined> {
  let backend: KvmBackend | null = null;
  try {
    for (const [index, step] of steps.entries()) {
      const nothing = { index, step, call: null, runs: [], outcome: null, refused: null };
      try {
        if (step.do === 'kvm-vm') {
          backend?.close();
          backend = null;
          backend = await open({ type: step.type });
          yield { ...nothing, call: { ret: 0, errno: 0 } };
          continue;
        }
        backend ??= await open({ type: 'default' });
        yield { ...nothing, ...carryOut(backend, step) };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        yield { ...nothing, refused: error.message };
      }
    }
  } finally {
    backend?.close();
  }
}

type Done = Partial<Pick<KvmStepResult, 'call' | 'runs' | 'outcome'>>;

function carryOut(backend: KvmBackend, step: Exclude<KvmStep, { readonly do: 'kvm-vm' }>): Done {
  switch (step.do) {
    case 'kvm-check':
      return { call: backend.checkExtension(step.capability) };
    case 'kvm-enable':
      return { call: backend.enableCapability(step.capability, step.args) };
    case 'guest-memfd':
      return { call: backend.createGuestMemfd(step.as, step.size, step.flags) };
    case 'guest-memfd-punch':
      return { call: backend.punchHole(step.file, step.offset, step.size) };
    case 'guest-memfd-close':
      return { call: backend.closeGuestMemfd(step.file) };
    case 'memslot':
      return { call: backend.setMemoryRegion(step) };
    case 'attributes':
      return { call: backend.setAttributes(step.gpa, step.size, step.attributes) };
    case 'mapping':
      return { call: backend.setMapping(step.slot, step.offset, step.size, step.state, step.fill ?? 0) };
    case 'poison':
      return { call: backend.poison(step.slot, step.offset) };
    case 'pre-fault':
      return { call: backend.preFault(step.gpa, step.size) };
    case 'guest':
      backend.load(step.program);
      return {};
    case 'kvm-answer':
      backend.answer(step.value);
      return {};
    case 'kvm-run': {
      const run = backend.run(step);
      return { call: { ret: run.ret, errno: run.errno }, runs: [run] };
    }
    case 'vmm': {
      const { outcome, events } = runVmm(backend, step);
      return { outcome, runs: events.map(({ run }) => run) };
    }
  }
}

/** One thing in which two devices differ at a step. */
export interface KvmDifference {
  readonly index: number;
  readonly step: KvmStep;
  /** `errno`, `exit gpa`, `runs` … */
  readonly what: string;
  readonly left: string;
  readonly right: string;
}

/** Where the results of the same steps differ. What a vCPU's mapping holds from earlier exits is not compared. */
export function compareKvmResults(left: readonly KvmStepResult[], right: readonly KvmStepResult[]): readonly KvmDifference[] {
  return left.flatMap((one, index) => {
    const other = right[index];
    return other === undefined ? [] : differences(one, other);
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
