/**
 * What a scenario says, checked and typed: the one form that parser, engine, explorer and views share. The text form is
 * described in docs/scenarios.md and in samples/scenario.schema.json; parse.ts makes this of it.
 */
import type { ErrnoName } from '../../../abi/errno.js';
import type { Payload } from './payload.js';
import type { ScenarioStep } from './steps.js';
import type { FdKind, HandlerCallback, IrqMode, PowerState, ResetMethod, SourcePosition, VfioVariant } from './terms.js';

export * from './terms.js';
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
  /** its interrupt mode once user space has opened it the first time */
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
