/**
 * The vfio-pci file handler exactly as mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update" (23 Mar
 * 2026) has it: no retrieve yet, a finish that does nothing, no can_finish.
 */
import { vfioPciCoreDeviceSer, vfioPciV1 } from '../../../abi/vfio-pci/v1.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { OpenFile } from '../fs/open-file.js';
import type { FileHandler, FileOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { Steps } from '../machine.js';
import { VfioDeviceFile, type VfioPci, type VfioPciCoreDevice } from './vfio-pci-core.js';

const INTEL = 0x8086;
/** Base class of display controllers. */
const DISPLAY = 0x03;

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
    return !this.vfio.config.zdevKvm && !(device.vendor === INTEL && device.classCode >> 16 === DISPLAY);
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
