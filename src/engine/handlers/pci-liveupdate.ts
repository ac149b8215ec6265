/**
 * The PCI core's own part in a live update: an FLB `pci-v2` that lists the devices whose files are preserved, so that the next kernel
 * knows them when it enumerates, and takes the bus numbers over. Source: mail series "PCI: liveupdate" (v3 to v7, 2026), as the capture
 * of a kernel with it behaves.
 */
import { pciDevSer, pciSer, pciV2 } from '../../../abi/pci/mails.js';
import type { SimulatedPciDevice } from '../../device/simulated/pci-device.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { Flb, FlbOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { FlbRegistry } from '../luo/flb.js';
import type { Steps } from '../machine.js';
import type { PciCore } from './pci-core.js';

/** A pci_ser in memory. */
interface DeviceList {
  /** physical */
  readonly address: number;
  readonly slots: number;
}

/** What drivers and the PCI platform ask of it, in any version. */
export interface PciLiveupdateCore extends Flb {
  /** preserved by this kernel for the next */
  isOutgoing(device: SimulatedPciDevice): boolean;
  /** preserved by the previous kernel and not finished */
  isIncoming(device: SimulatedPciDevice): boolean;
  /** below a bridge that has lost its bus numbers: not enumerated */
  isHidden(device: SimulatedPciDevice): boolean;
  /** shutdown leaves it a bus master, whatever the driver does */
  keepsRunning(device: SimulatedPciDevice): boolean;
  /** shutdown begins: from here on nothing is preserved or given back */
  freeze(): void;
  preserveDevice(device: SimulatedPciDevice): Steps<number>;
  unpreserveDevice(device: SimulatedPciDevice): Steps<void>;
  finishDevice(device: SimulatedPciDevice, flbs: FlbRegistry): Steps<void>;
  enumerate(flbs: FlbRegistry): Steps<void>;
}

export class PciLiveupdate implements PciLiveupdateCore {
  readonly compatible = pciV2.compatible;
  readonly #pci: PciCore;
  readonly #kho: Kho;
  readonly #singletonGroups: boolean;
  #outgoing: DeviceList | null = null;
  #incoming: DeviceList | null = null;
  readonly #incomingDevices = new Set<SimulatedPciDevice>();
  /** this kernel keeps the bus numbers it found */
  inheritsBusNumbers = false;

  /** @param singletonGroups refuses devices that share their IOMMU group */
  constructor(pci: PciCore, kho: Kho, singletonGroups: boolean) {
    this.#pci = pci;
    this.#kho = kho;
    this.#singletonGroups = singletonGroups;
  }

  isOutgoing(device: SimulatedPciDevice): boolean {
    return this.#findOutgoing(device) !== null;
  }

  isHidden(): boolean {
    return false;
  }

  keepsRunning(): boolean {
    return false;
  }

  freeze(): void {
    // None of the versions before the queued one does.
  }

  isIncoming(device: SimulatedPciDevice): boolean {
    return this.#incomingDevices.has(device);
  }

  /** Room for every device of the machine, empty slots. */
  *preserve(args: FlbOpArgs): Steps<number> {
    const { machine } = this.#kho;
    const slots = this.#pci.topology.devices.length + this.#pci.topology.bridges.length;
    const address = yield* this.#kho.allocPreserve(this.#offsetOf(slots));
    if (address < 0) return address;
    machine.writeStruct(pciSer, address, { max_nr_devices: slots, nr_devices: 0 });
    this.#outgoing = { address, slots };
    args.data = BigInt(address);
    args.obj = this.#outgoing;
    yield machine.event('kernel', 'pci_flb_preserve', { address, slots });
    return 0;
  }

  *unpreserve(args: FlbOpArgs): Steps<void> {
    this.#outgoing = null;
    yield* this.#kho.unpreserveFree(Number(args.data));
  }

  *retrieve(args: FlbOpArgs): Steps<number> {
    const address = Number(args.data);
    if ((yield* this.#kho.restoreFolio(address)) === null) return negative('EIO');
    const { max_nr_devices } = this.#kho.machine.readStruct(pciSer, address);
    this.#incoming = { address, slots: max_nr_devices };
    args.obj = this.#incoming;
    return 0;
  }

  *finish(args: FlbOpArgs): Steps<void> {
    this.#incoming = null;
    this.#incomingDevices.clear();
    this.#kho.pages.free(Number(args.data));
    yield this.#kho.machine.event('kernel', 'pci_flb_finish', { address: Number(args.data) });
  }

  /**
   * pci_liveupdate_preserve: writes the device into a free slot.
   * @returns 0, EINVAL (a virtual function, or it shares its IOMMU group), EBUSY (already listed) or ENOSPC
   */
  *preserveDevice(device: SimulatedPciDevice): Steps<number> {
    const { machine } = this.#kho;
    const shared = this.#singletonGroups && this.#pci.topology.groupOf(device).length > 1;
    const error = device.vf || shared ? negative('EINVAL') : this.#findOutgoing(device) !== null ? negative('EBUSY') : this.#add(device);
    if (error === 0) yield this.#pci.printk(device, 'Device will be preserved across next Live Update');
    else yield machine.event('kernel', 'pci_liveupdate_preserve', { device: device.name }, error);
    return error;
  }

  /** pci_liveupdate_unpreserve: empties the slot. */
  *unpreserveDevice(device: SimulatedPciDevice): Steps<void> {
    const { machine } = this.#kho;
    const slot = this.#findOutgoing(device);
    const list = this.#outgoing;
    if (slot !== null && list !== null) {
      machine.writeStruct(pciDevSer, list.address + this.#offsetOf(slot), {});
      this.#count(list, -1);
    }
    yield machine.event('kernel', 'pci_liveupdate_unpreserve', { device: device.name });
  }

  /** pci_liveupdate_finish: the device is an ordinary one again. */
  *finishDevice(device: SimulatedPciDevice, flbs: FlbRegistry): Steps<void> {
    const { machine } = this.#kho;
    const list = this.#incoming;
    const slot = list === null ? null : this.#find(list, device);
    if (list !== null && slot !== null) machine.writeField(pciDevSer, list.address + this.#offsetOf(slot), 'refcount', 0);
    yield this.#pci.printk(device, 'Device is finished participating in Live Update');
    if (this.#incomingDevices.delete(device)) yield* flbs.putIncoming(this);
  }

  /**
   * Enumeration in a booting kernel: devices that the previous kernel preserved are known again, and their bus numbers stay as they
   * are. Where nothing came, arm64 counts the buses anew and x86 keeps what firmware gave.
   */
  *enumerate(flbs: FlbRegistry): Steps<void> {
    const { machine } = this.#kho;
    yield machine.enter('kernel', 'pci_scan');
    for (const device of this.#pci.topology.devices) yield* this.#setUp(device, flbs);
    this.inheritsBusNumbers = this.#incomingDevices.size > 0;
    if (this.inheritsBusNumbers) yield machine.event('kernel', 'pci_liveupdate_inherit_buses', { devices: this.#incomingDevices.size });
    else yield* assignBusNumbers(this.#pci);
    yield machine.exit();
  }

  /** pci_liveupdate_setup_device: an incoming device keeps a reference to the FLB until it is finished. */
  *#setUp(device: SimulatedPciDevice, flbs: FlbRegistry): Steps<void> {
    this.#pci.show(device);
    const got = yield* flbs.getIncoming(this);
    if (typeof got === 'number') return;
    if (this.#incoming !== null && this.#find(this.#incoming, device) !== null) {
      this.#incomingDevices.add(device);
      yield this.#pci.printk(device, 'Device was preserved by previous kernel across Live Update', 'pci');
    } else yield* flbs.putIncoming(this);
  }

  #add(device: SimulatedPciDevice): number {
    const list = this.#outgoing;
    if (list === null) return negative('EOPNOTSUPP');
    const { machine } = this.#kho;
    for (let slot = 0; slot < list.slots; slot++) {
      const address = list.address + this.#offsetOf(slot);
      if (machine.readStruct(pciDevSer, address).refcount !== 0) continue;
      machine.writeStruct(pciDevSer, address, { domain: device.domain, bdf: device.bdf, refcount: 1 });
      this.#count(list, 1);
      return 0;
    }
    return negative('ENOSPC');
  }

  #count(list: DeviceList, by: number): void {
    const { nr_devices } = this.#kho.machine.readStruct(pciSer, list.address);
    this.#kho.machine.writeField(pciSer, list.address, 'nr_devices', nr_devices + by);
  }

  #findOutgoing(device: SimulatedPciDevice): number | null {
    return this.#outgoing === null ? null : this.#find(this.#outgoing, device);
  }

  /** The slot of the device, or null. A list from memory is as long as one page at most: its count is not believed. */
  #find(list: DeviceList, device: SimulatedPciDevice): number | null {
    const { machine } = this.#kho;
    const room = Math.floor((machine.pageSize - this.#offsetOf(0)) / sizeOf(pciDevSer, machine.pageSize));
    for (let slot = 0; slot < Math.min(list.slots, room); slot++) {
      const entry = machine.readStruct(pciDevSer, list.address + this.#offsetOf(slot));
      if (entry.refcount !== 0 && entry.domain === device.domain && entry.bdf === device.bdf) return slot;
    }
    return null;
  }

  /** Bytes before slot `slot`; of the whole list for slot = number of slots. */
  #offsetOf(slot: number): number {
    const { pageSize } = this.#kho.machine;
    return sizeOf(pciSer, pageSize) + slot * sizeOf(pciDevSer, pageSize);
  }
}

/** Bus numbers where nothing is inherited: arm64 counts them anew, x86 keeps firmware's. */
export function* assignBusNumbers(pci: PciCore): Steps<void> {
  if (pci.machine.arch !== 'aarch64') return;
  for (const bridge of pci.topology.assignBusNumbers()) yield pci.machine.event('kernel', 'pci_assign_bus', { bridge: bridge.bdf, bus: bridge.secondary });
}
