/**
 * What a scenario says, checked and typed: the one form that parser, engine, explorer and views share. The text form is
 * described in docs/scenarios.md and in samples/scenario.schema.json; parse.ts makes this of it.
 */
import type { ErrnoName } from '../../../abi/errno.js';
import type { KvmStep } from '../vcpu/steps.js';

/** Where something stands in the scenario's file, both counted from 1. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** A descriptor: the name an earlier step gave it (`as`), or a bare number (`-1`, `999`). */
export type FdRef = string | number;

export type VfioVariant = 'seed' | 'v5';
export type IrqMode = 'none' | 'intx' | 'msi' | 'msix';
export type PowerState = 'D0' | 'D1' | 'D2' | 'D3hot' | 'D3cold';
export type ResetMethod = 'flr' | 'pm' | 'bus' | 'none';
export type SealName = 'SEAL' | 'SHRINK' | 'GROW' | 'WRITE' | 'FUTURE_WRITE' | 'EXEC';
export type MemfdFlag = 'ALLOW_SEALING' | 'NOEXEC_SEAL' | 'EXEC' | 'HUGETLB' | 'CLOEXEC';

/** Kinds of descriptor that `fd` makes. `session` and `device` give another descriptor of what is open. */
export const FD_KINDS = [
  'eventfd',
  'epoll',
  'timerfd',
  'signalfd',
  'inotify',
  'pipe',
  'socket',
  'secretmem',
  'pidfd',
  'dev-null',
  'dev-zero',
  'dev-mem',
  'dev-kvm',
  'dev-vfio',
  'iommufd',
  'proc',
  'file',
  'tmpfs',
  'tmpfs-unlinked',
  'o-tmpfile',
  'session',
  'device',
] as const;
export type FdKind = (typeof FD_KINDS)[number];

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
  /** a virtual function */
  readonly vf: boolean;
  /** broken: it goes on writing without being a bus master, until a reset */
  readonly stubborn: boolean;
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

export const HANDLER_CALLBACKS = ['can_preserve', 'preserve', 'unpreserve', 'freeze', 'unfreeze', 'retrieve', 'can_finish', 'finish'] as const;
export type HandlerCallback = (typeof HANDLER_CALLBACKS)[number];

/** A file handler that the scenario itself defines, for people designing one. */
export interface ScenarioHandler {
  readonly compatible: string;
  /** the kinds of descriptor its can_preserve accepts */
  readonly accepts: readonly FdKind[];
  /** what its preserve writes into preserved memory; empty: it hands over 0 */
  readonly payload: Uint8Array;
  /** what a callback answers; absent: 0 (can_preserve, can_finish: true) */
  readonly answers: Readonly<Partial<Record<HandlerCallback, ErrnoName>>>;
  /** can_finish: whatever happened, or only after a retrieve that succeeded */
  readonly canFinish: 'always' | 'retrieved';
  readonly position: SourcePosition;
}

/** The moments a run passes; `--until` and damage name them. */
export const MOMENTS = ['preserved', 'frozen', 'early', 'booted'] as const;
export type Moment = (typeof MOMENTS)[number];

interface FaultBase {
  /** `at` as written */
  readonly at: string;
  /** the nth time this point is reached in the whole run, counted from 1 */
  readonly nth: number;
  readonly position: SourcePosition;
}

/** `memfd.freeze`, `vfio-pci.preserve`, `<compatible>.retrieve`: the handler's callback answers `errno`. */
export interface CallbackFault extends FaultBase {
  readonly kind: 'callback';
  /** `memfd`, `vfio-pci`, or a compatible string */
  readonly handler: string;
  readonly callback: HandlerCallback;
  readonly errno: ErrnoName;
}

/** `flb.preserve`, `flb.retrieve`: the nth such call over all FLBs, or over the one named. */
export interface FlbFault extends FaultBase {
  readonly kind: 'flb';
  readonly callback: 'preserve' | 'retrieve';
  readonly flb: string | null;
  readonly errno: ErrnoName;
}

/** `alloc`: the nth allocation of a kernel fails. `kho.preserve`, `kho.restore`: the nth such call answers `errno`. */
export interface KernelCallFault extends FaultBase {
  readonly kind: 'alloc' | 'kho.preserve' | 'kho.restore';
  readonly errno: ErrnoName;
}

/** `kho.forget`: the nth kho_preserve says 0 and preserves nothing. */
export interface ForgetFault extends FaultBase {
  readonly kind: 'kho.forget';
}

/** `lock.device`, `lock.bridge`: somebody else holds the lock whenever a trylock is tried, from the nth try on. */
export interface LockFault extends FaultBase {
  readonly kind: 'lock';
  readonly lock: 'device' | 'bridge';
  readonly device: string;
}

/** `pci.reset`, `pci.load-saved-state`: the nth such call answers `errno`. */
export interface PciFault extends FaultBase {
  readonly kind: 'pci.reset' | 'pci.load-saved-state';
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
  readonly where: { readonly struct: string; readonly field: string } | { readonly address: number };
  /** one bit inverted (counted from the first byte's lowest), a number stored in host order, or bytes stored */
  readonly change: { readonly bit: number } | { readonly value: bigint } | { readonly bytes: Uint8Array };
}

/** `kernel`: the nth next kernel is not the one the scenario lists. Absent keys stay as listed. */
export interface KernelFault extends FaultBase {
  readonly kind: 'kernel';
  readonly release: string | null;
  readonly kho: boolean | null;
  readonly liveupdate: boolean | null;
}

export type Fault = CallbackFault | FlbFault | KernelCallFault | ForgetFault | LockFault | PciFault | FlipFault | KernelFault;

/** What a step must answer. `errno` null: it must succeed. */
export interface Expectation {
  readonly errno: ErrnoName | null;
  /** the exact return value, where given (-1 with an errno) */
  readonly ret: number | null;
  /** the new descriptor must be of the same file as this one */
  readonly same: string | null;
  /** get-name: the name that must come back */
  readonly name: Uint8Array | null;
}

/** Pages of the content pattern (docs/scenarios.md): page p of seed s. */
export interface Fill {
  /** first page of the file */
  readonly page: number;
  readonly pages: number;
  readonly seed: number;
}

/** How the argument structure of an ioctl departs from the well-formed one. */
export interface IoctlShape {
  /** the `size` field; null: the structure's own */
  readonly size: number | null;
  /** the bytes behind the structure, repeated up to `size`; null: zeros */
  readonly tail: Uint8Array | null;
  /** the argument pointer is NULL */
  readonly nullArgument: boolean;
}

export interface StepBase {
  /** 0-based place among the scenario's steps */
  readonly index: number;
  readonly position: SourcePosition;
  readonly expect: Expectation;
}

interface OpensFd {
  /** the name later steps call the new descriptor by */
  readonly as: string | null;
}

export interface OpenStep extends StepBase, OpensFd {
  readonly do: 'open';
  readonly mode: 'rw' | 'ro';
}
/** `device`: the /dev/liveupdate descriptor; null: the one opened last in this kernel. */
export interface CreateSessionStep extends StepBase, OpensFd {
  readonly do: 'create-session';
  readonly device: FdRef | null;
  readonly name: Uint8Array;
  readonly shape: IoctlShape;
}
export interface RetrieveSessionStep extends StepBase, OpensFd {
  readonly do: 'retrieve-session';
  readonly device: FdRef | null;
  readonly name: Uint8Array;
  readonly shape: IoctlShape;
}
export interface GetNameStep extends StepBase {
  readonly do: 'get-name';
  readonly session: FdRef;
  readonly reserved: number;
  readonly shape: IoctlShape;
}
export interface MemfdStep extends StepBase, OpensFd {
  readonly do: 'memfd';
  /** the name given to memfd_create */
  readonly name: string;
  /** bytes */
  readonly size: number;
  readonly flags: readonly MemfdFlag[];
  readonly fill: readonly Fill[];
  /** written after `fill` */
  readonly writes: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** fallocate(2), before `fill`; bytes */
  readonly fallocate: { readonly offset: number; readonly size: number } | null;
  readonly seals: readonly SealName[];
  readonly pos: bigint;
  /** made with huge folios (shmem_enabled=always) */
  readonly huge: boolean;
}
export interface FdStep extends StepBase, OpensFd {
  readonly do: 'fd';
  readonly kind: FdKind | 'number';
  /** kind `number`: the number itself, open or not */
  readonly number: number;
  /** kind `session`: which; null: the one created or retrieved last */
  readonly session: FdRef | null;
  /** tmpfs kinds: bytes */
  readonly size: number;
  readonly fill: readonly Fill[];
}
export interface DupStep extends StepBase, OpensFd {
  readonly do: 'dup';
  readonly fd: FdRef;
}
export interface ReopenStep extends StepBase, OpensFd {
  readonly do: 'reopen';
  readonly fd: FdRef;
  readonly mode: 'rw' | 'ro';
}
/** `vfio` opens the character device (or, with `group`, asks VFIO_GROUP_GET_DEVICE_FD) and binds it to an iommufd; `vfio-open` only opens. */
export interface VfioOpenStep extends StepBase, OpensFd {
  readonly do: 'vfio' | 'vfio-open';
  readonly device: string;
  readonly group: boolean;
}
/** `fd`: the device's descriptor; null: the one of `device` opened or retrieved last. */
export interface VfioFdStep extends StepBase {
  readonly do: 'vfio-bind' | 'vfio-info' | 'vfio-region' | 'vfio-mmap';
  readonly fd: FdRef | null;
  readonly device: string | null;
}
/** `vfio-unbind` takes the driver away; `driver` binds one. */
export interface DriverStep extends StepBase {
  readonly do: 'vfio-unbind' | 'driver';
  readonly device: string;
  readonly driver: string;
}
/** VFIO_DEVICE_SET_IRQS through the descriptor of the device opened or retrieved last. */
export interface IrqStep extends StepBase {
  readonly do: 'irq';
  readonly device: string;
  readonly mode: IrqMode;
}
export interface PowerStep extends StepBase {
  readonly do: 'power';
  readonly device: string;
  readonly state: PowerState;
}
/** The device is told to write into a file's pages, again and again, or to stop. */
export interface DmaStep extends StepBase {
  readonly do: 'dma';
  readonly device: string;
  readonly mode: 'start' | 'stop';
  readonly fd: FdRef | null;
  readonly page: number;
  readonly pages: number;
}
export interface PreserveStep extends StepBase {
  readonly do: 'preserve';
  readonly session: FdRef;
  readonly fd: FdRef;
  readonly token: bigint;
  readonly shape: IoctlShape;
}
export interface RetrieveStep extends StepBase, OpensFd {
  readonly do: 'retrieve';
  readonly session: FdRef;
  readonly token: bigint;
  readonly shape: IoctlShape;
}
export interface FinishStep extends StepBase {
  readonly do: 'finish';
  readonly session: FdRef;
  readonly reserved: number;
  readonly shape: IoctlShape;
}
/** Any ioctl. Fields of the argument that the step leaves out hold something valid: a name of its own, the token 0. */
export interface IoctlStep extends StepBase, OpensFd {
  readonly do: 'ioctl';
  readonly target: FdRef;
  /** the whole request number (0xba40); a number below 0x100 stands for _IO(0xBA, nr) */
  readonly request: number;
  readonly name: Uint8Array;
  readonly fd: FdRef;
  readonly token: bigint;
  readonly reserved: number;
  readonly shape: IoctlShape;
}
/** pwrite(2): the pages of `fill`, then `bytes` at `offset` where it is not empty */
export interface WriteStep extends StepBase {
  readonly do: 'write';
  readonly fd: FdRef;
  readonly fill: readonly Fill[];
  readonly offset: number;
  readonly bytes: Uint8Array;
}
/** A mapping of the whole file; shared unless `private`; where `bytes` is not empty, they are stored through it at `offset`. */
export interface MmapStep extends StepBase {
  readonly do: 'mmap';
  readonly fd: FdRef;
  readonly write: boolean;
  readonly shared: boolean;
  readonly offset: number;
  readonly bytes: Uint8Array;
}
export interface TruncateStep extends StepBase {
  readonly do: 'truncate';
  readonly fd: FdRef;
  /** bytes */
  readonly size: number;
}
export interface FallocateStep extends StepBase {
  readonly do: 'fallocate';
  readonly fd: FdRef;
  readonly mode: 'allocate' | 'keep-size' | 'punch-hole';
  readonly offset: number;
  /** bytes */
  readonly size: number;
}
export interface SealStep extends StepBase {
  readonly do: 'seal';
  readonly fd: FdRef;
  readonly seals: readonly SealName[];
}
/** lseek(2) to an absolute position */
export interface SeekStep extends StepBase {
  readonly do: 'seek';
  readonly fd: FdRef;
  readonly pos: bigint;
}
/** What user space can see of a file (fstat, F_GET_SEALS, lseek, its bytes); a null key is not looked at. */
export interface CheckStep extends StepBase {
  readonly do: 'check';
  readonly fd: FdRef;
  /** bytes */
  readonly size: number | null;
  readonly seals: readonly SealName[] | null;
  readonly pos: bigint | null;
  readonly mode: number | null;
  /** these pages hold the pattern */
  readonly fill: readonly Fill[] | null;
  readonly sha256: string | null;
}
/** What the simulated device's registers say; a null key is not looked at. */
export interface CheckDeviceStep extends StepBase {
  readonly do: 'check-device';
  readonly device: string;
  readonly power: PowerState | null;
  readonly interrupts: IrqMode | null;
  readonly busMaster: boolean | null;
  readonly memoryDecode: boolean | null;
  readonly frozen: boolean | null;
  /** resets the device has seen since the machine was switched on */
  readonly resets: number | null;
  readonly driver: string | null;
}
export interface CloseStep extends StepBase {
  readonly do: 'close';
  readonly fd: FdRef;
}
export interface KexecLoadStep extends StepBase {
  readonly do: 'kexec-load';
}
/** reboot(LINUX_REBOOT_CMD_KEXEC); loads an image first unless one is loaded or `image` says none */
export interface KexecStep extends StepBase {
  readonly do: 'kexec';
  readonly image: 'load' | 'none';
}

/** A step on a virtual machine. */
export type KvmScenarioStep = KvmStep & StepBase;

export type ScenarioStep =
  | KvmScenarioStep
  | OpenStep
  | CreateSessionStep
  | RetrieveSessionStep
  | GetNameStep
  | MemfdStep
  | FdStep
  | DupStep
  | ReopenStep
  | VfioOpenStep
  | VfioFdStep
  | DriverStep
  | IrqStep
  | PowerStep
  | DmaStep
  | PreserveStep
  | RetrieveStep
  | FinishStep
  | IoctlStep
  | WriteStep
  | MmapStep
  | TruncateStep
  | FallocateStep
  | SealStep
  | SeekStep
  | CheckStep
  | CheckDeviceStep
  | CloseStep
  | KexecLoadStep
  | KexecStep;

export type Verb = ScenarioStep['do'];
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
  readonly devices: readonly ScenarioDevice[];
  readonly handlers: readonly ScenarioHandler[];
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
