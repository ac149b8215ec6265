/**
 * vfio-pci in a running kernel: devices bound to it, files of them, and what user space does through those files. Which of the
 * later patches are there is the scenario's `vfio`. Source: drivers/vfio/pci/vfio_pci_core.c and device_cdev.c, 7.3, with mail
 * "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update"; v5 as the capture of a kernel with it behaves.
 */
import { PCI_COMMAND } from '../../../abi/pci/config-space.js';
import type { IrqMode, PowerState, SimulatedPciDevice } from '../../device/simulated/pci-device.js';
import { negative } from '../faults.js';
import type { FileBody, OpenFile } from '../fs/open-file.js';
import { PanicError, type Steps } from '../machine.js';
import type { PciCore, PciSavedState } from './pci-core.js';
import type { VfioVariant } from '../scenario/types.js';

/** How the VFIO of a kernel was built: which patches, which options. */
export interface VfioConfig {
  readonly variant: VfioVariant;
  /** CONFIG_VFIO_PCI_ZDEV_KVM */
  readonly zdevKvm: boolean;
  /** the PCI core preserves no device that shares its IOMMU group */
  readonly singletonGroups: boolean;
}

/** struct vfio_pci_core_device: a device while it is bound to vfio-pci. */
export class VfioPciCoreDevice {
  readonly device: SimulatedPciDevice;
  /** the driver whose vfio_device_ops it has: vfio-pci, or a variant of it */
  readonly driver: string;
  /** irq_type; `none` is VFIO_PCI_NUM_IRQS */
  irqType: IrqMode = 'none';
  pciSavedState: PciSavedState | null = null;
  resetWorks = false;
  needsReset = false;
  /** dev_set->lock is held, by this kernel's own code */
  devSetHeld = false;
  /** files that have it open: bound to an iommufd, or of a group */
  openCount = 0;
  /** opened through the character device: vfio_device_cdev_opened */
  cdevOpened = false;
  /** v5: freeze was done; nothing clears it but the next kernel */
  liveupdateFrozen = false;
  /** user space has BARs mapped */
  barMappings = 0;
  /** open files of any kind, in the order of opening */
  readonly files = new Set<VfioDeviceFile>();

  constructor(device: SimulatedPciDevice, driver: string) {
    this.device = device;
    this.driver = driver;
  }
}

/** vfio-pci itself and the drivers built on its core, like mlx5-vfio-pci. */
const isVfioDriver = (name: string): boolean => /(^|[-_])vfio[-_]pci$/.test(name);

/** A file of a VFIO device: of the character device, of a group, or retrieved from LUO. */
export class VfioDeviceFile implements FileBody {
  readonly kind = 'vfio-device';
  readonly core: VfioPciCoreDevice;
  readonly via: 'cdev' | 'group' | 'liveupdate';
  /** df->access_granted */
  accessGranted = false;
  readonly #vfio: VfioPci;

  constructor(vfio: VfioPci, core: VfioPciCoreDevice, via: VfioDeviceFile['via']) {
    this.#vfio = vfio;
    this.core = core;
    this.via = via;
    core.files.add(this);
  }

  release(_file: OpenFile): Steps<number> {
    return this.#vfio.release(this);
  }

  /** open(2) of the same character device. */
  openAgain(): Steps<VfioDeviceFile | number> {
    return this.#vfio.open(this.core.device, false);
  }
}

/** How user space leaves a device it opens for the first time. */
export interface FirstUse {
  readonly interrupts: IrqMode;
  readonly power: PowerState;
}

export class VfioPci {
  readonly pci: PciCore;
  readonly config: VfioConfig;
  readonly #bound = new Map<SimulatedPciDevice, VfioPciCoreDevice>();
  readonly #drivers = new Map<SimulatedPciDevice, string>();
  readonly #firstUse: Map<SimulatedPciDevice, FirstUse>;
  /** v5: devices that came from the previous kernel and are not finished; none in other variants */
  readonly #isIncoming: (device: SimulatedPciDevice) => boolean;

  /** @param firstUse entries are taken out as devices are used; it outlives kernels */
  constructor(pci: PciCore, config: VfioConfig, firstUse: Map<SimulatedPciDevice, FirstUse>, isIncoming: (device: SimulatedPciDevice) => boolean) {
    this.pci = pci;
    this.config = config;
    this.#firstUse = firstUse;
    this.#isIncoming = isIncoming;
  }

  /** The device's vfio-pci side, or null where another driver or none is bound. */
  coreOf(device: SimulatedPciDevice): VfioPciCoreDevice | null {
    return this.#bound.get(device) ?? null;
  }

  /** The file of the device that was opened or retrieved last and is still open, or null. */
  latestFile(device: SimulatedPciDevice): VfioDeviceFile | null {
    return [...(this.coreOf(device)?.files ?? [])].at(-1) ?? null;
  }

  driverOf(device: SimulatedPciDevice): string | null {
    return this.#drivers.get(device) ?? null;
  }

  /** Binds a driver through sysfs. @returns 0 or EBUSY */
  *bindDriver(device: SimulatedPciDevice, driver: string): Steps<number> {
    const error = this.#drivers.has(device) ? negative('EBUSY') : 0;
    if (error === 0) {
      this.#drivers.set(device, driver);
      if (isVfioDriver(driver)) this.#bound.set(device, new VfioPciCoreDevice(device, driver));
      this.#show(device);
    }
    yield this.pci.machine.event('kernel', 'driver_bind', { device: device.name, driver }, error);
    return error;
  }

  /** Is a file of any device open? Its module then can't go. */
  get inUse(): boolean {
    return [...this.#bound.values()].some((core) => core.files.size > 0);
  }

  /** The module goes: every device it is bound to is without a driver. */
  *remove(): Steps<void> {
    for (const [device, driver] of [...this.#drivers]) if (driver === 'vfio-pci') yield* this.unbindDriver(device);
  }

  /** Takes the driver away. @returns 0, ENODEV where none is bound, EBUSY where a file is open: the real call would wait for it */
  *unbindDriver(device: SimulatedPciDevice): Steps<number> {
    const core = this.coreOf(device);
    let error = 0;
    if (!this.#drivers.has(device)) error = negative('ENODEV');
    else if (core !== null && core.files.size > 0) {
      yield this.pci.printk(device, 'Device is currently in use, task "agent" (1) blocked until device is released');
      error = negative('EBUSY');
    } else {
      this.#bound.delete(device);
      this.#drivers.delete(device);
      this.#show(device);
    }
    yield this.pci.machine.event('kernel', 'driver_unbind', { device: device.name }, error);
    return error;
  }

  /**
   * open("/dev/vfio/devices/vfioN"), or with `group` VFIO_GROUP_GET_DEVICE_FD.
   * @returns the file, or ENOENT (no vfio-pci: no such node), EBUSY (v5: it came from the previous kernel and must be retrieved),
   * or what opening through the group answers
   */
  open(device: SimulatedPciDevice, group: boolean): Steps<VfioDeviceFile | number> {
    const op = group ? 'VFIO_GROUP_GET_DEVICE_FD' : 'vfio_device_fops_cdev_open';
    return this.pci.machine.call('kernel', op, { device: device.name }, this.#open(device, group));
  }

  *#open(device: SimulatedPciDevice, group: boolean): Steps<VfioDeviceFile | number> {
    const core = this.coreOf(device);
    if (core === null) return negative('ENOENT');
    if (this.#isIncoming(device)) return negative('EBUSY');
    const file = new VfioDeviceFile(this, core, group ? 'group' : 'cdev');
    const error = group ? yield* this.#grant(file) : 0;
    if (error === 0) return file;
    core.files.delete(file);
    return error;
  }

  /** VFIO_DEVICE_BIND_IOMMUFD. @returns 0, EINVAL (bound already, or another file has the device), EAGAIN (a lock is held) */
  *bindIommufd(file: VfioDeviceFile): Steps<number> {
    const { machine } = this.pci;
    const { core } = file;
    yield machine.enter('kernel', 'VFIO_DEVICE_BIND_IOMMUFD', { device: core.device.name });
    let error = 0;
    if (core.liveupdateFrozen) error = negative('EIO');
    else if (file.accessGranted || file.via === 'group' || core.openCount > 0) error = negative('EINVAL');
    else error = yield* this.#grant(file);
    if (error === 0) core.cdevOpened = true;
    this.#show(core.device);
    yield machine.exit(error);
    return error;
  }

  /** vfio_df_open: the first one enables the device. */
  *#grant(file: VfioDeviceFile): Steps<number> {
    const { core } = file;
    if (core.openCount === 0) {
      const error = yield* this.#enable(core);
      if (error !== 0) return error;
    }
    core.openCount++;
    file.accessGranted = true;
    const first = this.#firstUse.get(core.device);
    this.#firstUse.delete(core.device);
    if (first !== undefined && first.interrupts !== 'none') yield* this.setIrqs(file, first.interrupts);
    if (first !== undefined && first.power !== 'D0') yield* this.pci.setPower(core.device, first.power);
    this.#show(core.device);
    return 0;
  }

  /** vfio_pci_core_enable. @returns 0, or EAGAIN where the reset could not get its locks */
  *#enable(core: VfioPciCoreDevice): Steps<number> {
    const { pci } = this;
    const { device } = core;
    yield pci.machine.enter('kernel', 'vfio_pci_core_enable', { device: device.name });
    // A device that came over running is taken as it is.
    const running = this.config.variant === 'running' && this.#isIncoming(device);
    if (!running) pci.clearMaster(device);
    yield* pci.enable(device);
    const reset = running ? negative('ENOTTY') : yield* pci.tryResetFunction(device);
    if (reset === negative('EAGAIN')) {
      yield* pci.disable(device);
      yield pci.machine.exit(reset);
      return reset;
    }
    core.resetWorks = reset === 0;
    core.pciSavedState = yield* pci.saveAndStoreState(device);
    yield pci.machine.exit(0, { reset_works: core.resetWorks });
    return 0;
  }

  /** vfio_pci_core_disable: interrupts off, saved state back, reset tried. */
  *#disable(core: VfioPciCoreDevice): Steps<void> {
    const { pci } = this;
    const { device } = core;
    yield pci.machine.enter('kernel', 'vfio_pci_core_disable', { device: device.name });
    pci.clearMaster(device);
    device.setInterrupts('none');
    core.irqType = 'none';
    core.barMappings = 0;
    core.needsReset = true;
    yield* pci.loadSavedState(device, core.pciSavedState);
    core.pciSavedState = null;
    pci.setCommand(device, PCI_COMMAND.INTX_DISABLE);
    yield* this.tryReset(core);
    yield* pci.restoreState(device);
    yield* pci.disable(device);
    yield pci.machine.exit();
  }

  /** mutex_lock(&device->dev_set->lock). @throws PanicError where whoever holds it never lets go: the caller hangs */
  *lockDevSet(core: VfioPciCoreDevice): Steps<void> {
    const { machine } = this.pci;
    const held = machine.faults.lockHeld('dev_set', core.device.name);
    yield machine.event('kernel', 'mutex_lock', { lock: 'dev_set->lock', device: core.device.name, got: !held });
    if (held) {
      yield machine.printk('INFO: task agent:1 blocked for more than 122 seconds.');
      throw new PanicError(`hung: dev_set->lock of ${core.device.address} is held and never released`);
    }
    core.devSetHeld = true;
  }

  *unlockDevSet(core: VfioPciCoreDevice): Steps<void> {
    core.devSetHeld = false;
    yield this.pci.machine.event('kernel', 'mutex_unlock', { lock: 'dev_set->lock', device: core.device.name });
  }

  /** vfio_pci_core_try_reset: only where a reset works, and only with the locks of bridge and device. The caller holds dev_set->lock. */
  *tryReset(core: VfioPciCoreDevice): Steps<void> {
    const { machine } = this.pci;
    // lockdep_assert_held
    if (!core.devSetHeld) yield machine.printk('WARNING: drivers/vfio/pci/vfio_pci_core.c at vfio_pci_core_try_reset');
    yield machine.enter('handler', 'vfio_pci_core_try_reset', { device: core.device.name, reset_works: core.resetWorks });
    if (core.resetWorks && (yield* this.pci.trylock(core.device))) {
      if ((yield* this.pci.resetFunctionLocked(core.device)) === 0) core.needsReset = false;
      yield* this.pci.unlock(core.device);
    }
    this.#show(core.device);
    yield machine.exit(0, { needs_reset: core.needsReset });
  }

  /** What every call through the file is asked first. @returns EINVAL before it is bound, EIO once it is frozen */
  #access(file: VfioDeviceFile): number {
    if (!file.accessGranted) return negative('EINVAL');
    return file.core.liveupdateFrozen ? negative('EIO') : 0;
  }

  /** VFIO_DEVICE_GET_INFO. */
  *getInfo(file: VfioDeviceFile): Steps<number> {
    const error = this.#access(file);
    yield this.pci.machine.event('kernel', 'VFIO_DEVICE_GET_INFO', { device: file.core.device.name }, error);
    return error;
  }

  /** A read of the configuration region. */
  *readRegion(file: VfioDeviceFile): Steps<number> {
    const error = this.#access(file);
    yield this.pci.machine.event('kernel', 'vfio_pci_rw', { device: file.core.device.name }, error);
    return error;
  }

  /** mmap of BAR 0. */
  *mmapBar(file: VfioDeviceFile): Steps<number> {
    const error = this.#access(file);
    if (error === 0) file.core.barMappings++;
    this.#show(file.core.device);
    yield this.pci.machine.event('kernel', 'vfio_pci_mmap', { device: file.core.device.name }, error);
    return error;
  }

  /** VFIO_DEVICE_SET_IRQS: one kind at a time; `none` switches off what is on. */
  *setIrqs(file: VfioDeviceFile, mode: IrqMode): Steps<number> {
    const { core } = file;
    let error = this.#access(file);
    if (error === 0 && mode !== 'none' && core.irqType !== 'none' && core.irqType !== mode) error = negative('EINVAL');
    if (error === 0) {
      core.irqType = mode;
      core.device.setInterrupts(mode);
    }
    this.#show(core.device);
    yield this.pci.machine.event('kernel', 'VFIO_DEVICE_SET_IRQS', { device: core.device.name, mode }, error);
    return error;
  }

  /** VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY and the like. */
  *setPower(file: VfioDeviceFile, state: PowerState): Steps<number> {
    const error = this.#access(file);
    if (error === 0) yield* this.pci.setPower(file.core.device, state);
    yield this.pci.machine.event('kernel', 'VFIO_DEVICE_FEATURE', { device: file.core.device.name, state }, error);
    return error;
  }

  /** User space makes the function a bus master and has it write to `addresses` (physical), or stops it. */
  *dma(file: VfioDeviceFile, addresses: readonly number[] | null): Steps<number> {
    const { device } = file.core;
    const error = this.#access(file);
    if (error === 0 && addresses === null) device.dma.stop();
    if (error === 0 && addresses !== null) {
      this.pci.setCommand(device, device.command | PCI_COMMAND.MASTER);
      device.dma.start({ addresses });
    }
    this.pci.show(device);
    yield this.pci.machine.event('kernel', 'vfio_pci_rw', { device: device.name, dma: addresses !== null }, error);
    return error;
  }

  /** The file's last reference is gone. */
  *release(file: VfioDeviceFile): Steps<number> {
    const { core } = file;
    core.files.delete(file);
    if (!file.accessGranted) return 0;
    file.accessGranted = false;
    core.openCount--;
    if (core.openCount === 0) {
      if (!core.liveupdateFrozen) {
        yield* this.lockDevSet(core);
        yield* this.#disable(core);
        yield* this.unlockDevSet(core);
      }
      core.cdevOpened = false;
    }
    this.#show(core.device);
    return 0;
  }

  #show(device: SimulatedPciDevice): void {
    const at = `devices/${device.name}`;
    const { state } = this.pci.machine;
    const core = this.coreOf(device);
    this.pci.show(device);
    state.set(`${at}/driver`, this.driverOf(device));
    state.set(`${at}/needs_reset`, core?.needsReset ?? null);
    state.set(`${at}/irq_type`, core?.irqType ?? null);
    state.set(`${at}/cdev_opened`, core?.cdevOpened ?? null);
    state.set(`${at}/frozen`, core?.liveupdateFrozen ?? false);
    state.set(`${at}/incoming`, this.#isIncoming(device));
  }

  /** After a change that a file handler made. */
  show(device: SimulatedPciDevice): void {
    this.#show(device);
  }
}
