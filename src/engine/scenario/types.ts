/**
 * What a scenario says, checked and typed: the one form that parser, engine, explorer and views share. The text form is
 * described in docs/scenarios.md and in samples/scenario.schema.json; parse.ts makes this of it.
 */
import type { Fault } from './faults.js';
import type { ScenarioStep } from './steps.js';
import type { VfioVariant } from './terms.js';

import type { ReserveMem, ScenarioDevice, ScenarioHandler, ScenarioKernel, ScenarioMachine, ScenarioSubtree } from './document.js';

export type { ReserveMem, ScenarioDevice, ScenarioHandler, ScenarioKernel, ScenarioMachine, ScenarioSubtree } from './document.js';
export type { Fault, FlipFault, PciFault } from './faults.js';
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
