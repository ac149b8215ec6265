/**
 * What a scenario says, checked and typed: the one form that parser, engine, explorer and views share. The text form is
 * described in docs/scenarios.md and in samples/scenario.schema.json; parse.ts makes this of it.
 */
import type { ErrnoName } from '../../../abi/errno.js';
import type { Fault } from './fault-types.js';
import type { Payload } from './payload.js';
import type { ScenarioStep } from './steps.js';
import type { FdKind, HandlerCallback, IrqMode, PowerState, ResetMethod, SourcePosition, VfioVariant } from './terms.js';

export * from './terms.js';
export type * from './fault-types.js';
export * from './steps.js';

export interface ScenarioMachine {
  readonly arch: 'x86_64' | 'aarch64';
  /** bytes */
  readonly memory: number;
  /** bytes */
  readonly pageSize: number;
  /** bytes of each scratch area: lowmem, global, one node's */
  readonly scratch: readonly [number, number, number];
  /** the kernels carry the kernel tree's own live update test (three FLBs on every handler), as those of the captures do */
  readonly testFlbs: boolean;
}

/** One kernel of the run. `release` is what it speaks (`7.3`). */
export interface ScenarioKernel {
  readonly release: string;
  /** `kho=` of its command line */
  readonly kho: boolean;
  /** `liveupdate=` of its command line */
  readonly liveupdate: boolean;
  /** file handlers it was built without: their short names or compatible strings */
  readonly without: readonly string[];
  /** which VFIO patches it has; null: those of the scenario */
  readonly vfio: VfioVariant | null;
  /** CONFIG_VFIO_PCI_ZDEV_KVM */
  readonly zdevKvm: boolean;
  /** contracts, by id, that it speaks in place of its release's */
  readonly speaks: readonly string[];
  readonly position: SourcePosition;
}

export interface ScenarioDevice {
  readonly name: string;
  readonly domain: number;
  /** bus << 8 | device << 3 | function */
  readonly bdf: number;
  /** the driver bound when a kernel has booted; null for none */
  readonly driver: string | null;
  /** how its interrupts stand when user space has opened it the first time */
  readonly interrupts: IrqMode;
  readonly power: PowerState;
  readonly reset: ResetMethod;
  readonly vendor: number;
  readonly device: number;
  /** PCI class code, 24 bits; 0x030000 is a display */
  readonly classCode: number;
  /** the bridge above: bus << 8 | devfn, in the same domain; null on the root bus */
  readonly bridge: number | null;
  /** bridges above that one, upward; absent: by the buses that other devices' bridges lead to */
  readonly above?: readonly number[];
  /** a virtual function */
  readonly vf: boolean;
  /** number of its IOMMU group; null: one of its own */
  readonly iommuGroup: number | null;
  /** which of them needs a quirk of its own to enable ACS */
  readonly acsQuirk?: 'none' | 'device' | 'bridge';
  /** broken: it goes on writing without being a bus master, until a reset */
  readonly stubborn: boolean;
  /** configuration space of a real function that it starts from; absent for one of the engine's own */
  readonly recorded?: Uint8Array | null;
  /** with `recorded`: INTx was in use */
  readonly intx?: boolean;
  readonly position: SourcePosition;
}

export interface ReserveMem {
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** bytes */
  readonly align: number;
  readonly position: SourcePosition;
}

/** A subtree of the root FDT, or an FLB, that the scenario itself defines. */
export interface ScenarioSubtree {
  readonly name: string;
  readonly payload: Payload;
}

/** A file handler that the scenario itself defines, for people designing one. */
export interface ScenarioHandler {
  readonly compatible: string;
  /** the kinds of descriptor its can_preserve accepts */
  readonly accepts: readonly FdKind[];
  /** what its preserve writes into preserved memory; empty: it hands over 0 */
  readonly payload: Payload;
  /** an FLB that its files keep */
  readonly flb: ScenarioSubtree | null;
  /** what a callback answers; absent: 0 (can_preserve, can_finish: true) */
  readonly answers: Readonly<Partial<Record<HandlerCallback, ErrnoName>>>;
  /** can_finish: whatever happened, or only after a retrieve that succeeded */
  readonly canFinish: 'always' | 'retrieved';
  readonly position: SourcePosition;
}

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

/** A kernel of which only the release is said. */
export const plainKernel = (release: string, position: SourcePosition): ScenarioKernel => ({
  release,
  kho: true,
  liveupdate: true,
  without: [],
  vfio: null,
  zdevKvm: false,
  speaks: [],
  position,
});

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
