/** Steps of a scenario that are about devices: opened and bound through VFIO, set going, and looked at. */
import { ERRNO } from '../../../abi/errno.js';
import type { SimulatedPciDevice } from '../../device/simulated/pci-device.js';
import { negative } from '../faults.js';
import { OpenFile } from '../fs/open-file.js';
import { ShmemInode } from '../fs/shmem.js';
import type { KernelPci } from '../handlers/pci-platform.js';
import { VfioDeviceFile } from '../handlers/vfio-pci-core.js';
import type { Steps } from '../machine.js';
import type { DeviceStep, FdRef, Step } from '../scenario/types.js';

type VfioOpenStep = Step<'vfio' | 'vfio-open'>;
type VfioFdStep = Step<'vfio-bind' | 'vfio-info' | 'vfio-region' | 'vfio-mmap'>;

/** What the verbs need of the running kernel. */
interface DeviceHost {
  readonly pci: KernelPci;
  /** the open file that a descriptor of the scenario stands for, or null */
  fileOf(fd: FdRef): OpenFile | null;
  /** delete_module(2) of vfio-pci. @returns 0, or EAGAIN where somebody uses it */
  removeModule(): Steps<number>;
}

/** `result`: 0 or a negative errno; `file`: what was opened, its reference passing to the caller. */
interface DeviceAnswer {
  readonly result: number;
  readonly file: OpenFile | null;
  /** what differed, where the step looks at something */
  readonly why?: string | null;
}

/** Carries out one verb. A device that is not there answers ENODEV; a descriptor that is not open, EBADF. */
export function* runDeviceStep(host: DeviceHost, step: DeviceStep): Steps<DeviceAnswer> {
  if ('group' in step) return yield* open(host, step);
  if (step.do !== 'check-device') return { result: yield* act(host, step), file: null };
  const device = deviceOf(host, step.device);
  return device === null ? { result: negative('ENODEV'), file: null } : yield* check(host, step, device);
}

const deviceOf = (host: DeviceHost, name: string): SimulatedPciDevice | null => host.pci.platform.topology.byName(name);

function* open(host: DeviceHost, step: VfioOpenStep): Steps<DeviceAnswer> {
  const device = deviceOf(host, step.device);
  if (device === null) return { result: negative('ENODEV'), file: null };
  const opened = yield* host.pci.vfio.open(device, step.group);
  if (typeof opened === 'number') return { result: opened, file: null };
  const file = new OpenFile(opened);
  if (step.do === 'vfio-open' || step.group) return { result: 0, file };
  const error = yield* host.pci.vfio.bindIommufd(opened);
  if (error === 0) return { result: 0, file };
  yield* file.put();
  return { result: error, file: null };
}

function* act(host: DeviceHost, step: Exclude<DeviceStep, VfioOpenStep | Step<'check-device'>>): Steps<number> {
  const { vfio } = host.pci;
  if (step.do === 'rmmod') return yield* host.removeModule();
  if (step.do === 'driver' || step.do === 'vfio-unbind') {
    const device = deviceOf(host, step.device);
    if (device === null) return negative('ENODEV');
    return step.do === 'driver' ? yield* vfio.bindDriver(device, step.driver) : yield* vfio.unbindDriver(device);
  }
  const file = step.do === 'irq' || step.do === 'power' || step.do === 'dma' ? latest(host, step.device) : named(host, step);
  if (file === null) return negative('EBADF');
  switch (step.do) {
    case 'vfio-bind':
      return yield* vfio.bindIommufd(file);
    case 'vfio-info':
      return yield* vfio.getInfo(file);
    case 'vfio-region':
      return yield* vfio.readRegion(file);
    case 'vfio-mmap':
      return yield* vfio.mmapBar(file);
    case 'irq':
      return yield* vfio.setIrqs(file, step.mode);
    case 'power':
      return yield* vfio.setPower(file, step.state);
    case 'dma':
      return yield* dma(host, step, file);
  }
}

function latest(host: DeviceHost, name: string): VfioDeviceFile | null {
  const device = deviceOf(host, name);
  return device === null ? null : host.pci.vfio.latestFile(device);
}

function named(host: DeviceHost, step: VfioFdStep): VfioDeviceFile | null {
  if (step.fd === null) return step.device === null ? null : latest(host, step.device);
  const body = host.fileOf(step.fd)?.body;
  return body instanceof VfioDeviceFile ? body : null;
}

function* dma(host: DeviceHost, step: Step<'dma'>, file: VfioDeviceFile): Steps<number> {
  if (step.mode === 'stop' || step.fd === null) return yield* host.pci.vfio.dma(file, null);
  const inode = host.fileOf(step.fd)?.body;
  if (!(inode instanceof ShmemInode)) return negative('EBADF');
  const addresses: number[] = [];
  const { pageSize } = host.pci.core.machine;
  for (let page = step.page; page < step.page + step.pages; page++) {
    const folio = inode.fillHole(page);
    if (typeof folio === 'number') return folio;
    addresses.push(folio.address + (page - folio.index) * pageSize);
  }
  return yield* host.pci.vfio.dma(file, addresses);
}

/** Where something differs the step fails with EILSEQ, and its arguments say what was found. */
function* check(host: DeviceHost, step: Step<'check-device'>, device: SimulatedPciDevice): Steps<DeviceAnswer> {
  const core = host.pci.vfio.coreOf(device);
  const found = {
    power: device.power,
    interrupts: core?.irqType ?? device.interrupts,
    busMaster: device.busMaster,
    memoryDecode: device.memoryDecode,
    frozen: core?.liveupdateFrozen ?? false,
    resets: device.resets,
    needsReset: core?.needsReset ?? false,
    dma: device.writing,
    driver: host.pci.vfio.driverOf(device) ?? 'none',
  };
  const differing = Object.entries(found).filter(([key, value]) => expected(step, key) !== null && expected(step, key) !== value);
  const error = differing.length > 0 ? -ERRNO.EILSEQ : 0;
  yield host.pci.core.machine.event('device', 'registers', { device: device.name, ...found }, error);
  const why = differing.map(([key, value]) => `${key} is ${value}, not ${String(expected(step, key))}`).join('; ');
  return { result: error, file: null, why: why === '' ? null : why };
}

function expected(step: Step<'check-device'>, key: string): unknown {
  return Object.entries(step).find(([name]) => name === key)?.[1] ?? null;
}
