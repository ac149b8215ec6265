/** The top of a scenario: machine, kernels, devices, handlers, reserve_mem. Tables like the verbs'. */
import { PAGE_SIZES } from '../../codec/layout-table.js';
import type { ErrnoName } from '../../../abi/errno.js';
import { luoFileSer } from '../../../abi/luo/entries.js';
import type { Cursor } from './cursor.js';
import { type KeyTable, optional, readKeys, required, schemaOfKeys, type ValuesOf, withDefault } from './keys.js';
import { FD_KINDS, HANDLER_CALLBACKS, type HandlerCallback, plainKernel, type SourcePosition, VFIO_VARIANTS } from './terms.js';
import { payload, type Payload } from './payload.js';
import { bool, errno, label, listOf, number, oneOf, pciAddress, size, text, type ValueType } from './values.js';

export const SCENARIO_SCHEMA = 'luo-inspect.scenario/1';

const MIB = 1024 * 1024;
const SCRATCH: readonly number[] = [32 * MIB, 4 * MIB, 4 * MIB];

export const machineKeys = {
  arch: withDefault(oneOf(['x86_64', 'aarch64']), 'architecture', 'x86_64', 'x86_64'),
  memory: withDefault(size(64 * MIB), 'how much, at least 64MiB', 256 * MIB, '256MiB'),
  pageSize: withDefault(number(4096, 65536), '4096, 16384 or 65536', 4096, '4096'),
  scratch: withDefault(listOf(size(MIB)), 'the three scratch areas: lowmem, global, one of the node', SCRATCH, '[32MiB, 4MiB, 4MiB]'),
  testFlbs: withDefault(bool, "the kernels carry the kernel tree's own live update test: three FLBs on every handler", true, 'true'),
};

/** A machine; the `scratch` areas are lowmem, global, one node's, in bytes as all its sizes. */
export type ScenarioMachine = Omit<ValuesOf<typeof machineKeys>, 'scratch'> & { readonly scratch: readonly [number, number, number] };

export function readMachine(cursor: Cursor): ScenarioMachine {
  const values = readKeys(cursor, machineKeys, 'machine');
  if (!PAGE_SIZES.includes(values.pageSize)) throw cursor.error(`${values.pageSize} is no page size of these machines; use 4096, 16384 or 65536`);
  if (values.arch === 'x86_64' && values.pageSize !== 4096) throw cursor.error('x86_64 has pages of 4096 bytes; leave pageSize out, or choose aarch64');
  if (values.memory % values.pageSize !== 0) throw cursor.error('memory is not a whole number of pages; round it');
  return { ...values, scratch: threeAreas(values.scratch, values, cursor) };
}

function threeAreas(areas: readonly number[], machine: { memory: number; pageSize: number }, cursor: Cursor): [number, number, number] {
  const [lowmem, global, node] = areas;
  if (lowmem === undefined || global === undefined || node === undefined || areas.length !== 3)
    throw cursor.error('scratch needs three sizes: lowmem, global, one of the node');
  if (areas.some((one) => one % machine.pageSize !== 0)) throw cursor.error('scratch areas are whole pages; round their sizes');
  if ((lowmem + global + node) * 2 > machine.memory) throw cursor.error('scratch takes more than half of the memory; make it smaller, or memory larger');
  return [lowmem, global, node];
}

/** The machine of a scenario that says nothing about it. */
export const DEFAULT_MACHINE: ScenarioMachine = {
  arch: 'x86_64',
  memory: 256 * MIB,
  pageSize: 4096,
  scratch: [32 * MIB, 4 * MIB, 4 * MIB],
  testFlbs: true,
};

export const kernelKeys = {
  release: required(text, 'what it speaks, like 7.3'),
  kho: withDefault(bool, 'kho= of its command line', true, 'true'),
  liveupdate: withDefault(bool, 'liveupdate= of its command line', true, 'true'),
  without: withDefault(listOf(text, 64), 'file handlers it was built without: `memfd`, `vfio-pci` or a compatible string', [], '[]'),
  vfio: optional(oneOf(VFIO_VARIANTS), 'which VFIO patches it has, where not those of the scenario'),
  speaks: withDefault(listOf(text, 16), "contracts it speaks in place of its release's, by id: `luo-features`", [], '[]'),
  zdevKvm: withDefault(bool, 'CONFIG_VFIO_PCI_ZDEV_KVM, with which no device is preserved', false, 'false'),
};

/** One kernel of the run. */
export type ScenarioKernel = ValuesOf<typeof kernelKeys> & { readonly position: SourcePosition };

export function readKernel(cursor: Cursor): ScenarioKernel {
  if (cursor.text !== null) return plainKernel(cursor.text, cursor.position);
  return { ...readKeys(cursor, kernelKeys, 'a kernel'), position: cursor.position };
}

const irqMode = oneOf(['none', 'intx', 'msi', 'msix']);

export const deviceKeys = {
  name: required(label, 'what steps call it'),
  bdf: required(pciAddress, 'its address'),
  driver: withDefault(text, 'the driver bound once a kernel has booted; `none`', 'vfio-pci', 'vfio-pci'),
  interrupts: withDefault(irqMode, 'what user space has on when it first opens it', 'none', 'none'),
  power: withDefault(oneOf(['D0', 'D1', 'D2', 'D3hot', 'D3cold']), 'its power state', 'D0', 'D0'),
  reset: withDefault(oneOf(['flr', 'pm', 'bus', 'none']), 'how it can be reset', 'flr', 'flr'),
  vendor: withDefault(number(0, 0xffff), 'vendor ID', 0x8086, '0x8086'),
  device: withDefault(number(0, 0xffff), 'device ID', 0x10d3, '0x10d3'),
  class: withDefault(number(0, 0xff_ffff), 'class code; 0x030000 is a display', 0x02_0000, '0x020000'),
  bridge: optional(pciAddress, 'the bridge above it, where it is not on a root bus'),
  vf: withDefault(bool, 'it is a virtual function', false, 'false'),
  iommuGroup: optional(number(0, 0xffff), 'its IOMMU group, where it shares one'),
  acsQuirk: withDefault(
    oneOf(['none', 'device', 'bridge']),
    'which of them needs a quirk of its own to enable ACS: it, or the bridge above it',
    'none',
    'none',
  ),
  stubborn: withDefault(bool, 'broken: it goes on writing without being a bus master, until a reset', false, 'false'),
};

export type ScenarioDevice = Omit<ValuesOf<typeof deviceKeys>, 'bdf' | 'driver' | 'class' | 'bridge' | 'acsQuirk'> & {
  readonly domain: number;
  /** bus << 8 | device << 3 | function */
  readonly bdf: number;
  /** the driver bound when a kernel has booted; null for none */
  readonly driver: string | null;
  /** PCI class code, 24 bits; 0x030000 is a display */
  readonly classCode: number;
  /** the bridge above: bus << 8 | devfn, in the same domain; null on the root bus */
  readonly bridge: number | null;
  /** bridges above that one, upward; absent: by the buses that other devices' bridges lead to */
  readonly above?: readonly number[];
  readonly acsQuirk?: 'none' | 'device' | 'bridge';
  /** configuration space of a real function that it starts from; absent for one of the engine's own */
  readonly recorded?: Uint8Array | null;
  /** with `recorded`: INTx was in use */
  readonly intx?: boolean;
  readonly position: SourcePosition;
};

export function readDevice(cursor: Cursor): ScenarioDevice {
  const { class: classCode, ...values } = readKeys(cursor, deviceKeys, 'a device');
  const { domain, bdf } = values.bdf;
  if (values.bridge !== null && values.bridge.domain !== domain) throw cursor.error('the bridge is in another domain than the device; use the same');
  const driver = values.driver === 'none' ? null : values.driver;
  return { ...values, domain, bdf, driver, classCode, bridge: values.bridge?.bdf ?? null, position: cursor.position };
}

export const reserveMemKeys = {
  name: required(text, 'its name'),
  size: required(size(1), 'how much'),
  align: withDefault(size(1), 'alignment', 4096, '4096'),
};

export type ReserveMem = ValuesOf<typeof reserveMemKeys> & { readonly position: SourcePosition };

const subtreeKeys = {
  name: required(text, 'its name'),
  payload: required(payload, 'what is handed over under it'),
};

/** A subtree of the root FDT, or an FLB, that the scenario itself defines. */
export type ScenarioSubtree = ValuesOf<typeof subtreeKeys>;

export const subtree: ValueType<ScenarioSubtree> = {
  label: '`{ name, payload }`',
  schema: schemaOfKeys(subtreeKeys),
  read: (cursor) => readKeys(cursor, subtreeKeys, 'a subtree or FLB'),
};

const callbackKeys = {
  can_preserve: optional(errno, 'any errno: it says no'),
  preserve: optional(errno, 'what it answers'),
  unpreserve: optional(errno, 'what it answers (nobody looks)'),
  freeze: optional(errno, 'what it answers'),
  unfreeze: optional(errno, 'what it answers (nobody looks)'),
  retrieve: optional(errno, 'what it answers'),
  can_finish: optional(errno, 'any errno: it says no'),
  finish: optional(errno, 'what it answers (nobody looks)'),
};

export const handlerKeys = {
  compatible: required(text, 'its compatible string'),
  accepts: required(listOf(oneOf(FD_KINDS)), 'the kinds of descriptor that its can_preserve accepts'),
  payload: withDefault<Payload>(payload, 'what its preserve writes into preserved memory', [], ''),
  flb: optional(subtree, 'an FLB that its files keep: `{ name, payload }`'),
  canFinish: withDefault(oneOf(['always', 'retrieved']), 'when can_finish says yes', 'always', 'always'),
  ...callbackKeys,
} satisfies KeyTable;

/** Bytes of the field of a compatible string, its NUL included: the longest name of a handler. */
const COMPATIBLE_BYTES = luoFileSer.fields.compatible.bytes;

/** A file handler that the scenario itself defines. `answers`: what a callback answers; absent: 0 (can_preserve, can_finish: true). */
export type ScenarioHandler = Omit<ValuesOf<typeof handlerKeys>, HandlerCallback> & {
  readonly answers: Readonly<Partial<Record<HandlerCallback, ErrnoName>>>;
  readonly position: SourcePosition;
};

export function readHandler(cursor: Cursor): ScenarioHandler {
  const values = readKeys(cursor, handlerKeys, 'a handler');
  if (new TextEncoder().encode(values.compatible).length >= COMPATIBLE_BYTES)
    throw cursor.error(`a compatible string has at most ${COMPATIBLE_BYTES - 1} bytes`);
  const answers: Partial<Record<HandlerCallback, ErrnoName>> = {};
  for (const callback of HANDLER_CALLBACKS) {
    const answer = values[callback];
    if (answer !== null) answers[callback] = answer;
  }
  const { compatible, accepts, payload, flb, canFinish } = values;
  return { compatible, accepts, payload, flb, canFinish, answers, position: cursor.position };
}
