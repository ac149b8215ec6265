/**
 * What a scenario says, checked and typed: the one form that parser, engine, explorer and views share. The text form is
 * described in docs/scenarios.md and in samples/scenario.schema.json; parse.ts makes this of it.
 */
import type { ErrnoName } from '../../../abi/errno.js';
import type { ScenarioStep } from './steps.js';
import type { HandlerCallback, SourcePosition, VfioVariant } from './terms.js';

import type { ReserveMem, ScenarioDevice, ScenarioHandler, ScenarioKernel, ScenarioMachine, ScenarioSubtree } from './document.js';

export type { ReserveMem, ScenarioDevice, ScenarioHandler, ScenarioKernel, ScenarioMachine, ScenarioSubtree } from './document.js';
export * from './terms.js';
export * from './steps.js';

/** How the whole run ends: `cold-boot` means the last kernel took nothing over. */
export type ScenarioEnd = 'finished' | 'panic' | 'cold-boot';

export interface Scenario {
  /** path of the file, as given; for messages */
  readonly file: string;
  readonly title: string;
  readonly machine: ScenarioMachine;
  /** the first boots cold; each kexec enters the next; the last repeats; at least one */
  readonly kernels: readonly ScenarioKernel[];
  readonly vfio: VfioVariant;
  /** the PCI core preserves no device that shares its IOMMU group */
  readonly singletonGroups: boolean;
  readonly devices: readonly ScenarioDevice[];
  readonly handlers: readonly ScenarioHandler[];
  /** every kernel hands them over beside its own */
  readonly subtrees: readonly ScenarioSubtree[];
  readonly reserveMem: readonly ReserveMem[];
  readonly faults: readonly Fault[];
  readonly steps: readonly ScenarioStep[];
  readonly end: ScenarioEnd;
}

/** The kernel entered by the `jump`th successful kexec (0: the first boot), the scenario's `kernel` faults applied. */
export function kernelOf(scenario: Scenario, jump: number): ScenarioKernel {
  const listed = scenario.kernels[Math.min(jump, scenario.kernels.length - 1)];
  if (listed === undefined) throw new Error('a scenario lists at least one kernel');
  let kernel = listed;
  for (const fault of scenario.faults) {
    if (fault.kind !== 'kernel' || fault.nth !== jump) continue;
    kernel = {
      ...kernel,
      release: fault.release ?? kernel.release,
      kho: fault.kho ?? kernel.kho,
      liveupdate: fault.liveupdate ?? kernel.liveupdate,
    };
  }
  return kernel;
}

/** The faults a scenario can inject, typed. The text form is described in docs/scenarios.md. */
interface FaultBase {
  /** `at` as written */
  readonly at: string;
  /** the nth time this point is reached in the whole run, counted from 1 */
  readonly nth: number;
  readonly position: SourcePosition;
}

/** `memfd.freeze`, `vfio-pci.preserve`, `<compatible>.retrieve`: the handler's callback answers `errno`. */
interface CallbackFault extends FaultBase {
  readonly kind: 'callback';
  /** `memfd`, `vfio-pci`, or a compatible string */
  readonly handler: string;
  readonly callback: HandlerCallback;
  readonly errno: ErrnoName;
}

/** `flb.preserve`, `flb.retrieve`: the nth such call over all FLBs, or over the one named. */
interface FlbFault extends FaultBase {
  readonly kind: 'flb';
  readonly callback: 'preserve' | 'retrieve';
  readonly flb: string | null;
  readonly errno: ErrnoName;
}

/** `alloc`: the nth allocation of a kernel fails. `kho.preserve`, `kho.restore`: the nth such call answers `errno`. */
interface KernelCallFault extends FaultBase {
  readonly kind: 'alloc' | 'kho.preserve' | 'kho.restore' | 'kexec.jump';
  readonly errno: ErrnoName;
}

/** `kho.forget`: the nth kho_preserve says 0 and preserves nothing. */
interface ForgetFault extends FaultBase {
  readonly kind: 'kho.forget';
}

/** `lock.device`, `lock.bridge`: somebody else holds the lock whenever a trylock is tried, from the nth try on. `lock.dev_set`: whoever waits for it waits for ever. */
interface LockFault extends FaultBase {
  readonly kind: 'lock';
  readonly lock: 'device' | 'bridge' | 'dev_set';
  readonly device: string;
}

/** `pci.reset`, `pci.load-saved-state`: the nth such call answers `errno`. `pci.bridge-reset`: the bridge above comes up without bus numbers. */
export interface PciFault extends FaultBase {
  readonly kind: 'pci.reset' | 'pci.load-saved-state' | 'pci.bridge-reset';
  readonly device: string | null;
  readonly errno: ErrnoName;
}

/**
 * `flip`: memory changes at a moment: the field of the nth structure of that name which the engine wrote (in the order of
 * writing), or the bytes at a physical address.
 */
export interface FlipFault extends FaultBase {
  readonly kind: 'flip';
  readonly moment: 'frozen' | 'early';
  /** which jump, counted from 1 */
  readonly jump: number;
  /** after this step of the run, in place of a moment; null for none */
  readonly step: number | null;
  readonly where: { readonly struct: string; readonly field: string } | { readonly address: number };
  /** one bit inverted (counted from the first byte's lowest), a number stored in host order, or bytes stored */
  readonly change: { readonly bit: number } | { readonly value: bigint } | { readonly bytes: Uint8Array };
}

/** `kernel`: the nth next kernel is not the one the scenario lists. Absent keys stay as listed. */
interface KernelFault extends FaultBase {
  readonly kind: 'kernel';
  readonly release: string | null;
  readonly kho: boolean | null;
  readonly liveupdate: boolean | null;
}

export type Fault = CallbackFault | FlbFault | KernelCallFault | ForgetFault | LockFault | PciFault | FlipFault | KernelFault;
