/** The steps of a scenario, typed: a union told apart by `do`. The text form is described in docs/scenarios.md. */
import type { ErrnoName } from '../../../abi/errno.js';
import type { KvmStep } from '../vcpu/steps.js';
import type { FdKind, FdRef, IrqMode, MemfdFlag, PowerState, SealName, SourcePosition } from './terms.js';

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
  /** the memory that the argument pointer leads to: none (NULL, or not mapped), or memory that the answer can't be stored in */
  readonly memory: 'writable' | 'read-only' | 'unmapped' | 'null';
  /** bytes of it that are mapped; null: as many as anybody asks for */
  readonly mapped: number | null;
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
  readonly mode: 'rw' | 'ro' | 'wo' | 'append' | 'path';
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

/** Steps on a PCI device, or on a file of one. */
export type DeviceStep = VfioOpenStep | VfioFdStep | DriverStep | IrqStep | PowerStep | DmaStep | CheckDeviceStep;

const DEVICE_VERBS: ReadonlySet<string> = new Set<DeviceStep['do']>([
  'vfio',
  'vfio-open',
  'vfio-bind',
  'vfio-info',
  'vfio-region',
  'vfio-mmap',
  'vfio-unbind',
  'driver',
  'irq',
  'power',
  'dma',
  'check-device',
]);

export const isDeviceStep = (step: ScenarioStep): step is DeviceStep => DEVICE_VERBS.has(step.do);
