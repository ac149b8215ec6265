/** The steps of a scenario, typed: a union told apart by `do`, made of the table of verbs. The text form is described in docs/scenarios.md. */
import type { StepBase } from './terms.js';
import type { VerbSpec } from './verb.js';
import { deviceVerbs } from './verbs-device.js';
import type { kvmVerbs } from './verbs-kvm.js';
import type { VERBS } from './verbs.js';

type Verbs = typeof VERBS;
type Verb = keyof Verbs;

type FieldsOf<S> = S extends VerbSpec<infer T> ? T : never;

/** The step of a verb: what every step has, and what the verb's keys say. */
export type Step<V extends Verb> = { readonly [N in V]: StepBase & { readonly do: N } & FieldsOf<Verbs[N]> }[V];
export type ScenarioStep = Step<Verb>;

/** Steps on a PCI device, or on a file of one. */
export type DeviceStep = Step<keyof typeof deviceVerbs>;
/** A step on a virtual machine, with or without a scenario around it. Addresses are guest physical, sizes bytes. */
export type KvmStep = { readonly [N in keyof typeof kvmVerbs]: { readonly do: N } & FieldsOf<(typeof kvmVerbs)[N]> }[keyof typeof kvmVerbs];
export type KvmScenarioStep = KvmStep & StepBase;

export const isDeviceStep = (step: ScenarioStep): step is DeviceStep => Object.hasOwn(deviceVerbs, step.do);
