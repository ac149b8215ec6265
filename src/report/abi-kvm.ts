/** Numbers of KVM's interface for `abi show`: exit reasons and capabilities by name or number, mainline's beside those of the patch of October 2023. */
import { exitReasons } from '../../abi/kvm/exits.js';
import { kvmCapabilities } from '../../abi/kvm/ioctls.js';
import { seedCapabilities, seedExitReasons } from '../../abi/kvm/seed-v13.js';
import type { JsonObject } from './json-value.js';

interface KvmNumber {
  readonly name: string;
  /** in mainline */
  readonly number: number;
  /** in v13 09/35, where that differs; null where it is the same, or the patch does not have it */
  readonly seed: number | null;
  /** the member of kvm_run that holds the payload of an exit; null for none */
  readonly payload: string | null;
}

const capabilities: readonly KvmNumber[] = Object.entries(kvmCapabilities).map(([name, number]) => ({
  name,
  number,
  seed: seedCapabilities[name] ?? null,
  payload: null,
}));

const exits: readonly KvmNumber[] = exitReasons.map(({ name, number, payload }) => {
  const seed = seedExitReasons.find((reason) => reason.name === name)?.number ?? null;
  return { name, number, seed: seed === number ? null : seed, payload };
});

/**
 * What `wanted` names: KVM_CAP_MEMORY_FAULT_INFO, KVM_EXIT_MEMORY_FAULT; KVM_CAP or KVM_EXIT for all; KVM_CAP_232, KVM_EXIT_39 by number,
 * mainline's or the patch's. None is an empty list.
 */
export function kvmNumbers(wanted: string): readonly KvmNumber[] {
  const match = /^KVM_(CAP|EXIT)(?:_(\w+))?$/.exec(wanted.trim().toUpperCase());
  if (match === null) return [];
  const all = match[1] === 'CAP' ? capabilities : exits;
  const rest = match[2];
  if (rest === undefined) return all;
  if (/^\d+$/.test(rest)) return all.filter(({ number, seed }) => number === Number(rest) || seed === Number(rest));
  return all.filter(({ name }) => name === `KVM_${match[1]}_${rest}`);
}

export const kvmNumberText = ({ name, number, seed, payload }: KvmNumber): string =>
  `${name} = ${number}${seed === null ? '' : `; ${seed} in v13 09/35 of October 2023`}${payload === null ? '' : `; payload kvm_run.${payload}`}`;

export const kvmNumberJson = ({ name, number, seed, payload }: KvmNumber): JsonObject => ({ name, number, seedV13: seed, payload });
