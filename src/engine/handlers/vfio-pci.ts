/**
 * The vfio-pci file handler exactly as mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update" (23 Mar
 * 2026) has it: no retrieve yet, a finish that does nothing, no can_finish.
 */
import { PCI_VENDOR_ID_INTEL, PCI_BASE_CLASS_DISPLAY } from '../../../abi/vfio-pci/restrictions.js';
import { vfioPciCoreDeviceSer, vfioPciV1 } from '../../../abi/vfio-pci/v1.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import { OpenFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';
import { VfioDeviceFile, type VfioPci, type VfioPciCoreDevice } from './vfio-pci-core.js';
import { PCI_COMMAND } from '../../../abi/pci/config-space.js';
import type { FlbRegistry } from '../luo/flb.js';
import type { PciLiveupdateCore } from './pci-liveupdate.js';

export class VfioPciSeedHandler implements FileHandler {
  readonly name: string = 'vfio-pci';
  readonly compatible: string = vfioPciV1.compatible;
  protected readonly vfio: VfioPci;
  protected readonly kho: Kho;

  constructor(vfio: VfioPci, kho: Kho) {
    this.vfio = vfio;
    this.kho = kho;
  }

  canPreserve(file: OpenFile): boolean {
    const body = file.body;
    if (!(body instanceof VfioDeviceFile)) return false;
    // Limited to files of the character device that have been bound to an iommufd.
    if (!body.core.cdevOpened || body.via === 'group') return false;
    const { device, driver } = body.core;
    // device->ops must be vfio_pci_ops
    if (driver !== this.name) return false;
    return !this.vfio.config.zdevKvm && !(device.vendor === PCI_VENDOR_ID_INTEL && device.classCode >> 16 === PCI_BASE_CLASS_DISPLAY);
  }

  *preserve(args: FileOpArgs): Steps<number> {
    const body = this.bodyOf(args);
    const size = sizeOf(vfioPciCoreDeviceSer, this.kho.machine.pageSize);
    const ser = yield* this.kho.allocPreserve(size);
    if (ser < 0) return ser;
    const { device } = body.core;
    this.kho.machine.writeStruct(vfioPciCoreDeviceSer, ser, { domain: device.domain, bdf: device.bdf });
    args.serializedData = BigInt(ser);
    yield this.kho.machine.event('handler', 'vfio_pci_core_device_ser', { address: ser, domain: device.domain, bdf: device.bdf });
    return 0;
  }

  *unpreserve(args: FileOpArgs): Steps<void> {
    yield* this.kho.unpreserveFree(Number(args.serializedData));
  }

  *freeze(args: FileOpArgs): Steps<number> {
    const { core } = this.bodyOf(args);
    yield* this.vfio.lockDevSet(core);
    const error = yield* this.freezeLocked(core);
    yield* this.vfio.unlockDevSet(core);
    return error;
  }

  /** What freeze does under dev_set->lock. */
  protected *freezeLocked(core: VfioPciCoreDevice): Steps<number> {
    const { pci } = this.vfio;
    if (core.irqType !== 'none') {
      yield pci.printk(core.device, 'Freeze failed! Interrupts are still enabled.');
      return negative('EINVAL');
    }
    const error = yield* pci.loadSavedState(core.device, core.pciSavedState);
    if (error !== 0) return error;
    yield* this.vfio.tryReset(core);
    yield* pci.restoreState(core.device);
    return 0;
  }

  *retrieve(args: FileOpArgs): Steps<number> {
    yield this.kho.machine.event('handler', 'vfio_pci_liveupdate_retrieve', { data: args.serializedData }, negative('EOPNOTSUPP'));
    return negative('EOPNOTSUPP');
  }

  /** Does nothing: what was preserved stays where it is. */
  *finish(args: FileOpArgs): Steps<void> {
    yield this.kho.machine.event('handler', 'vfio_pci_liveupdate_finish', { data: args.serializedData });
  }

  protected bodyOf(args: FileOpArgs): VfioDeviceFile {
    const body = args.file?.body;
    if (!(body instanceof VfioDeviceFile)) throw new Error('LUO called the vfio-pci handler for a file that it did not accept');
    return body;
  }
}

/**
 * The vfio-pci file handler with the series' later parts: retrieve, finish, can_finish, the D0 rule, the frozen state, the PCI core
 * told of preserved devices. Source: v5 of the series (14 Jul 2026), as the capture of a 7.3.4 kernel with it behaves.
 */
export class VfioPciV5Handler extends VfioPciSeedHandler {
  readonly #pciLiveupdate: PciLiveupdateCore;
  readonly #flbs: FlbRegistry;

  constructor(vfio: VfioPci, kho: Kho, pciLiveupdate: PciLiveupdateCore, flbs: FlbRegistry) {
    super(vfio, kho);
    this.#pciLiveupdate = pciLiveupdate;
    this.#flbs = flbs;
  }

  override canPreserve(file: OpenFile): boolean {
    return super.canPreserve(file) && file.body instanceof VfioDeviceFile && !file.body.core.device.vf;
  }

  override *preserve(args: FileOpArgs): Steps<number> {
    const { device } = this.bodyOf(args).core;
    const error = yield* this.#pciLiveupdate.preserveDevice(device);
    if (error !== 0) return error;
    const result = yield* super.preserve(args);
    if (result !== 0) yield* this.#pciLiveupdate.unpreserveDevice(device);
    return result;
  }

  override *unpreserve(args: FileOpArgs): Steps<void> {
    yield* this.#pciLiveupdate.unpreserveDevice(this.bodyOf(args).core.device);
    yield* super.unpreserve(args);
  }

  /** There is no unfreeze: a device that was frozen stays so even if the reboot is given up. */
  protected override *freezeLocked(core: VfioPciCoreDevice): Steps<number> {
    const { pci } = this.vfio;
    const { device } = core;
    if (core.irqType !== 'none') {
      yield pci.printk(device, 'Freeze failed! Interrupts are still enabled.');
      return negative('EINVAL');
    }
    if (device.power !== 'D0') {
      yield pci.printk(device, 'Freeze failed! Device not in D0 state.');
      return negative('EINVAL');
    }
    core.barMappings = 0;
    yield pci.machine.event('handler', 'vfio_pci_zap_bars', { device: device.name });
    if (this.vfio.config.variant !== 'running') {
      yield* this.vfio.tryReset(core);
      pci.setCommand(device, PCI_COMMAND.INTX_DISABLE);
    }
    core.liveupdateFrozen = true;
    this.vfio.show(device);
    yield pci.machine.event('handler', 'liveupdate_frozen', { device: device.name });
    return 0;
  }

  /** @returns 0, or ENODEV where no such device is bound to vfio-pci */
  override *retrieve(args: FileOpArgs): Steps<number> {
    const core = this.#incomingCore(args);
    if (core === null) {
      yield this.kho.machine.event('handler', 'vfio_pci_liveupdate_retrieve', { data: args.serializedData }, negative('ENODEV'));
      return negative('ENODEV');
    }
    args.file = new OpenFile(new VfioDeviceFile(this.vfio, core, 'liveupdate'));
    yield this.kho.machine.event('handler', 'vfio_pci_liveupdate_retrieve', { data: args.serializedData, device: core.device.name });
    return 0;
  }

  canFinish(args: FileOpArgs): boolean {
    return args.retrieveStatus > 0 && args.file?.body instanceof VfioDeviceFile && args.file.body.core.cdevOpened;
  }

  override *finish(args: FileOpArgs): Steps<void> {
    const core = this.#incomingCore(args);
    if (core !== null) {
      yield* this.#pciLiveupdate.finishDevice(core.device, this.#flbs);
      this.vfio.show(core.device);
    }
    yield* this.kho.restoreFree(Number(args.serializedData));
  }

  /** The device that the handed-over structure names, if it is there and bound. */
  #incomingCore(args: FileOpArgs) {
    const { domain, bdf } = this.kho.machine.readStruct(vfioPciCoreDeviceSer, Number(args.serializedData));
    const device = this.vfio.pci.topology.byAddress(domain, bdf);
    return device === null ? null : this.vfio.coreOf(device);
  }
}
