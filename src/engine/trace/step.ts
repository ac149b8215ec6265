/**
 * What a step is: something an engineer would set a breakpoint on. Steps are numbered from 1 over the whole run; step 0 is the
 * machine before it is switched on.
 */
import { type ErrnoName, errnoName } from '../../../abi/errno.js';

/** Whose lane the step is in. `kernel` is the rest of the running kernel, `next-kernel` one that is booting on a handover. */
export type Actor = 'agent' | 'luo' | 'handler' | 'kho' | 'kernel' | 'device' | 'next-kernel';
export const ACTORS: readonly Actor[] = ['agent', 'luo', 'handler', 'kho', 'kernel', 'device', 'next-kernel'];

/** `enter` and `exit` enclose a call; an `event` is a single step. */
export type StepPhase = 'event' | 'enter' | 'exit';

/** bigint: shown in hexadecimal; so are numbers under a key of ADDRESS_KEYS */
export type ArgValue = string | number | bigint | boolean | null;
export type StepArgs = Readonly<Record<string, ArgValue>>;

export interface StepWrite {
  /** physical, in bytes */
  readonly address: number;
  readonly length: number;
  /** the kernel's name of the structure that starts at the written address, or holds the written field; null where it is not known */
  readonly struct: string | null;
  readonly field: string | null;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface Step {
  readonly step: number;
  /** how many jumps the machine has made */
  readonly kernel: number;
  readonly actor: Actor;
  readonly phase: StepPhase;
  /** what is called: the kernel's name of the function, ioctl or callback (`PRESERVE_FD`, `memfd.freeze`), or the agent's verb */
  readonly op: string;
  readonly args: StepArgs;
  /** 0 or a negative errno; null where it can't be known (a page that is missing from a dump) */
  readonly result: number | null;
  readonly errno: ErrnoName | null;
  /** console lines, without time */
  readonly log: readonly string[];
  readonly writes: readonly StepWrite[];
  /** the step that entered the call this one is in; 0 for none */
  readonly parent: number;
  /** calls around this step */
  readonly depth: number;
  /** 0-based place of the scenario's step being carried out; null outside of any */
  readonly action: number | null;
  /** fields and structures read from memory since the step before; bulk tables are not listed */
  readonly reads: readonly StepRead[];
  /** the scenario's fault that made this step answer as it does; null for none */
  readonly injected: string | null;
}

/** Bytes that the kernel looked at. */
export interface StepRead {
  /** physical, in bytes */
  readonly address: number;
  readonly length: number;
}

/** Arguments that are addresses, flags or opaque values whatever their type. */
const ADDRESS_KEYS = new Set([
  'address',
  'phys',
  'fdt',
  'data',
  'token',
  'flags',
  'seals',
  'scratch',
  'start',
  'first',
  'sessions_pa',
  'flbs_pa',
  'root',
  'pfn',
  'gpa',
  'attributes',
  'request',
]);

/** An argument as JSON and views show it. */
export function shownArg(key: string, value: ArgValue): string | number | boolean | null {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return typeof value === 'number' && ADDRESS_KEYS.has(key) ? `0x${value.toString(16)}` : value;
}

export const errnoOf = (result: number | null): ErrnoName | null => (result === null || result >= 0 ? null : errnoName(-result));

/** One line of `sim --json`. */
export function stepToJson(step: Step): Record<string, unknown> {
  return {
    step: step.step,
    kernel: step.kernel,
    actor: step.actor,
    op: step.op,
    phase: step.phase,
    args: Object.fromEntries(Object.entries(step.args).map(([key, value]) => [key, shownArg(key, value)])),
    result: step.result,
    errno: step.errno,
    log: step.log,
    action: step.action,
    ...(step.injected === null ? {} : { injected: step.injected }),
  };
}
