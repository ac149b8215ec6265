/**
 * The PCI core's own part in a live update as it is queued (expected in 7.4): an FLB `pci` whose blocks list the preserved devices and the
 * bridges above them, with counts; adopted bus numbers, ACS and ARI; panics on what it cannot trust. Source: drivers/pci/liveupdate.c at
 * f6590754926e (branch lu-pci-preservation of liveupdate.git, Sep 2026); version 1 is that of its first four commits, without bridges.
 */
import type { Area, Contract } from '../../../abi/contract.js';
import { pciDevSer } from '../../../abi/pci/mails.js';
import { pciDeviceBlocks, pciSerVersion1 } from '../../../abi/pci/version.js';
import { type SimulatedPciBridge, SimulatedPciDevice, pciAddress } from '../../device/simulated/pci-device.js';
import { areaOf } from '../../codec/area.js';
import { sizeOf } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import type { FlbOpArgs } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import { BlockSet } from '../luo/entry-store.js';
import type { FlbRegistry } from '../luo/flb.js';
import { PanicError, type Steps } from '../machine.js';
import type { PciCore } from './pci-core.js';
import { assignBusNumbers, type PciLiveupdateCore } from './pci-liveupdate.js';

/** A device or a bridge: struct pci_dev. */
type Function = SimulatedPciDevice | SimulatedPciBridge;

/** struct pci_flb_outgoing and pci_flb_incoming. */
interface DeviceBlocks {
  /** physical, of struct pci_ser */
  readonly address: number;
  readonly blocks: BlockSet;
}

/** What the PCI core takes for "nothing comes in"; anything else is a panic. */
const NOTHING_COMES: readonly number[] = (['EOPNOTSUPP', 'ENODATA', 'ENOENT'] as const).map(negative);

const MAX_U16 = 0xffff;

export class PciPreservation implements PciLiveupdateCore {
  readonly compatible: string;
  readonly #pci: PciCore;
  readonly #kho: Kho;
  readonly #version: number;
  readonly #area: Area;
  #outgoing: DeviceBlocks | null = null;
  #incoming: DeviceBlocks | null = null;
  /** dev->liveupdate.outgoing and .incoming: the entry, physical */
  readonly #out = new Map<Function, number>();
  readonly #in = new Map<Function, number>();
  /** entries by domain << 16 | bdf */
  readonly #handedOver = new Map<number, number>();
  readonly #wasIncoming = new Set<Function>();
  readonly #frozen = new Set<Function>();
  readonly #hidden = new Set<SimulatedPciDevice>();
  inheritsBusNumbers = false;

  constructor(pci: PciCore, kho: Kho, contract: Contract) {
    this.#pci = pci;
    this.#kho = kho;
    this.compatible = contract.compatible ?? '';
    const version = contract.structs[0]?.fields.version;
    this.#version = version?.kind === 'int' ? (version.mustBe?.[0] ?? 0) : 0;
    this.#area = areaOf(contract, 'devices') ?? pciDeviceBlocks;
  }

  isOutgoing(device: SimulatedPciDevice): boolean {
    return this.#out.has(device);
  }

  isIncoming(device: SimulatedPciDevice): boolean {
    return this.#in.has(device);
  }

  isHidden(device: SimulatedPciDevice): boolean {
    return this.#hidden.has(device);
  }

  keepsRunning(device: SimulatedPciDevice): boolean {
    return this.#out.has(device);
  }

  *preserve(args: FlbOpArgs): Steps<number> {
    const { machine } = this.#kho;
    if (!this.#kho.pages.kmalloc()) return negative('ENOMEM');
    const address = yield* this.#kho.allocPreserve(sizeOf(pciSerVersion1));
    if (address < 0) return address;
    machine.writeStruct(pciSerVersion1, address, { version: this.#version });
    this.#outgoing = { address, blocks: new BlockSet(this.#kho, this.#area) };
    args.data = BigInt(address);
    args.obj = this.#outgoing;
    yield machine.event('kernel', 'pci_flb_preserve', { address, version: this.#version });
    return 0;
  }

  *unpreserve(args: FlbOpArgs): Steps<void> {
    const outgoing = this.#outgoing;
    this.#outgoing = null;
    if (outgoing === null) return;
    if (this.#devices(outgoing) !== 0) yield* this.#kho.warn('pci_flb_unpreserve');
    yield* outgoing.blocks.destroy();
    yield* this.#kho.unpreserveFree(Number(args.data));
  }

  /** Every failure here is a panic: devices that came over are writing, and this kernel cannot tell which. */
  *retrieve(args: FlbOpArgs): Steps<number> {
    const { machine } = this.#kho;
    const address = Number(args.data);
    const { version, devices } = machine.readStruct(pciSerVersion1, address);
    if (version !== this.#version) throw new PanicError(`Incoming PCI FLB version (v${version}) is incompatible with this kernel (v${this.#version})`);
    if (!this.#kho.pages.kmalloc()) throw new PanicError('Failed to allocate struct pci_flb_incoming');
    const blocks = new BlockSet(this.#kho, this.#area);
    const error = yield* blocks.restore(Number(devices));
    if (error !== 0) throw new PanicError(`Failed to restore devices KHO block set (${error})`);
    for (const entry of blocks.entries()) {
      const { domain, bdf, refcount } = machine.readStruct(pciDevSer, entry);
      if (refcount === 0) continue;
      const key = keyOf(domain, bdf);
      const failed = this.#handedOver.has(key) ? negative('EBUSY') : this.#kho.pages.kmalloc() ? 0 : negative('ENOMEM');
      if (failed !== 0) throw new PanicError(`Failed to insert PCI device ${pciAddress(domain, bdf)} into xarray (${failed})`);
      this.#handedOver.set(key, entry);
    }
    this.inheritsBusNumbers ||= this.#handedOver.size > 0;
    this.#incoming = { address, blocks };
    args.obj = this.#incoming;
    yield machine.event('kernel', 'pci_flb_retrieve', { address, devices: this.#handedOver.size });
    return 0;
  }

  *finish(args: FlbOpArgs): Steps<void> {
    const { machine } = this.#kho;
    const incoming = this.#incoming;
    this.#incoming = null;
    if (incoming === null) return;
    const left = this.#devices(incoming);
    if (left !== 0) {
      for (const entry of this.#handedOver.values()) {
        const { domain, bdf, refcount } = machine.readStruct(pciDevSer, entry);
        if (refcount !== 0) yield machine.printk(`PCI: liveupdate: ${pciAddress(domain, bdf)} was never finished!`);
      }
      throw new PanicError(`${left} preserved device(s) were never finished!`);
    }
    this.#handedOver.clear();
    yield* incoming.blocks.destroy();
    yield* this.#kho.restoreFree(Number(args.data));
    yield machine.event('kernel', 'pci_flb_finish', { address: Number(args.data) });
  }

  #devices({ address }: DeviceBlocks): number {
    return this.#kho.machine.readStruct(pciSerVersion1, address).nr_devices;
  }

  *#count(list: DeviceBlocks, by: number): Steps<void> {
    this.#kho.machine.writeField(pciSerVersion1, list.address, 'nr_devices', (this.#devices(list) + by) >>> 0);
    yield this.#kho.machine.event('kernel', 'write pci_ser', { address: list.address, nr_devices: this.#devices(list) });
  }

  /** The device, then the bridges above it up to the root port. */
  #path(device: SimulatedPciDevice): readonly Function[] {
    const path: Function[] = [device];
    for (let bridge = this.#pci.topology.bridgeOf(device); bridge !== null && !path.includes(bridge); bridge = this.#pci.topology.bridgeAbove(bridge))
      path.push(bridge);
    return path;
  }

  *#say(one: Function, text: string): Steps<void> {
    yield this.#kho.machine.printk(`${one instanceof SimulatedPciDevice ? 'vfio-pci' : 'pcieport'} ${one.address}: ${text}`);
  }

  /** pci_liveupdate_preserve: the device and every bridge above it, or none of them. @returns 0 or a negative errno */
  *preserveDevice(device: SimulatedPciDevice): Steps<number> {
    const outgoing = this.#outgoing;
    if (outgoing === null) return negative('ENOENT');
    if (this.#version === 1 && this.#pci.topology.bridgeOf(device) !== null) {
      yield* this.#say(device, 'Cannot preserve devices behind bridges');
      return negative('EINVAL');
    }
    const done: Function[] = [];
    for (const one of this.#path(device)) {
      const error = yield* this.#preserveOne(outgoing, one);
      if (error !== 0) {
        for (const before of done) if ((yield* this.#unpreserveOne(outgoing, before)) !== 0) break;
        return error;
      }
      done.push(one);
    }
    return 0;
  }

  *#preserveOne(outgoing: DeviceBlocks, one: Function): Steps<number> {
    const { machine } = this.#kho;
    const refuse = function* (this: PciPreservation, errno: 'EINVAL' | 'EBUSY', text: string): Steps<number> {
      yield* this.#say(one, text);
      return negative(errno);
    }.bind(this);
    const isDevice = one instanceof SimulatedPciDevice;
    if (isDevice && one.vf) return yield* refuse('EINVAL', 'Cannot preserve Virtual Functions');
    if (this.#pci.topology.needsAcsQuirk(one)) return yield* refuse('EINVAL', 'Refusing to preserve device that relies on ACS quirks');
    let entry = this.#out.get(one);
    if (entry !== undefined && isDevice) return yield* refuse('EBUSY', 'Device is already preserved');
    if (entry !== undefined && machine.readStruct(pciDevSer, entry).refcount === 0) {
      yield* this.#kho.warn('pci_liveupdate_preserve_device');
      return yield* refuse('EINVAL', 'Preserved device with 0 refcount!');
    }
    if (this.#frozen.has(one)) return yield* refuse('EINVAL', 'Cannot preserve device after it is frozen!');
    if (entry === undefined) {
      const made = yield* this.#newEntry(outgoing);
      if (made < 0) return made;
      entry = made;
      yield* this.#say(one, 'Device will be preserved across next Live Update');
      yield* this.#count(outgoing, 1);
      machine.writeField(pciSerVersion1, outgoing.address, 'devices', outgoing.blocks.head);
      machine.writeStruct(pciDevSer, entry, { domain: one.domain, bdf: one.bdf });
      this.#out.set(one, entry);
    }
    // Nothing keeps a u16 from overflowing.
    yield* this.#setRefcount(entry, (machine.readStruct(pciDevSer, entry).refcount + 1) & MAX_U16);
    return 0;
  }

  *#setRefcount(entry: number, refcount: number): Steps<void> {
    this.#kho.machine.writeField(pciDevSer, entry, 'refcount', refcount);
    yield this.#kho.machine.event('kernel', 'write pci_dev_ser', { address: entry, refcount });
  }

  /** An entry that was given back, or a new one. @returns its physical address or a negative errno */
  *#newEntry({ blocks }: DeviceBlocks): Steps<number> {
    let used = 0;
    for (const entry of blocks.entries()) {
      if (this.#kho.machine.readStruct(pciDevSer, entry).refcount === 0) return entry;
      used++;
    }
    const error = yield* blocks.grow(used + 1);
    if (error !== 0) return error;
    const entry = blocks.append();
    if (entry === null) yield* this.#kho.warn('pci_flb_alloc_dev_ser');
    return entry ?? negative('ENOSPC');
  }

  *unpreserveDevice(device: SimulatedPciDevice): Steps<void> {
    const outgoing = this.#outgoing;
    if (outgoing === null) yield* this.#say(device, 'Cannot unpreserve device without outgoing Live Update state');
    else for (const one of this.#path(device)) if ((yield* this.#unpreserveOne(outgoing, one)) !== 0) return;
  }

  *#unpreserveOne(outgoing: DeviceBlocks, one: Function): Steps<number> {
    const { machine } = this.#kho;
    const entry = this.#out.get(one);
    if (this.#frozen.has(one)) {
      yield* this.#say(one, 'Cannot unpreserve device after it is frozen!');
      return negative('EINVAL');
    }
    if (entry === undefined) {
      yield* this.#say(one, 'Cannot unpreserve device that is not preserved');
      return negative('EINVAL');
    }
    const { refcount } = machine.readStruct(pciDevSer, entry);
    if (refcount === 0) {
      yield* this.#kho.warn('pci_liveupdate_unpreserve_device');
      yield* this.#say(one, 'Preserved device has a 0 refcount!');
      return negative('EINVAL');
    }
    yield* this.#setRefcount(entry, refcount - 1);
    if (refcount > 1) return 0;
    yield* this.#say(one, 'Device will no longer be preserved across next Live Update');
    yield* this.#count(outgoing, -1);
    machine.writeStruct(pciDevSer, entry, {});
    this.#out.delete(one);
    return 0;
  }

  /** pci_liveupdate_finish: one reference less up to the root. The counts are in preserved memory, and shrink there. */
  *finishDevice(device: SimulatedPciDevice, flbs: FlbRegistry): Steps<void> {
    const incoming = yield* this.#getIncoming(flbs);
    if (incoming === null) {
      yield* this.#say(device, 'Cannot finish preserving device without incoming FLB');
      return;
    }
    for (const one of this.#path(device)) if ((yield* this.#finishOne(incoming, one)) !== 0) break;
    yield* flbs.putIncoming(this);
  }

  *#finishOne(incoming: DeviceBlocks, one: Function): Steps<number> {
    const entry = this.#in.get(one);
    if (entry === undefined) {
      yield* this.#say(one, 'Cannot finish preserving an unpreserved device');
      return negative('EINVAL');
    }
    const { refcount } = this.#kho.machine.readStruct(pciDevSer, entry);
    if (refcount === 0) {
      yield* this.#kho.warn('pci_liveupdate_finish_device');
      yield* this.#say(one, 'Preserved device has a 0 refcount!');
      return negative('EINVAL');
    }
    yield* this.#setRefcount(entry, refcount - 1);
    if (refcount > 1) return 0;
    yield* this.#say(one, 'Device is finished participating in Live Update');
    this.#in.delete(one);
    yield* this.#count(incoming, -1);
    return 0;
  }

  *#getIncoming(flbs: FlbRegistry): Steps<DeviceBlocks | null> {
    const got = yield* flbs.getIncoming(this);
    if (typeof got !== 'number') return this.#incoming;
    if (NOTHING_COMES.includes(got)) return null;
    throw new PanicError(`Failed to retrieve incoming FLB data (${got})`);
  }

  /** pci_scan: what came in is known again; with any of it the numbers found in hardware stay, on all bridges. */
  *enumerate(flbs: FlbRegistry): Steps<void> {
    const { machine } = this.#kho;
    const { topology } = this.#pci;
    yield machine.enter('kernel', 'pci_scan');
    for (const device of topology.devices)
      if (machine.kernel > 0 && machine.faults.pci('pci.bridge-reset', device.name) !== 0) topology.bridgeOf(device)?.setSecondary(0);
    for (const bridge of topology.bridges) yield* this.#setUp(bridge, flbs);
    if (!this.inheritsBusNumbers && topology.bridges.length > 0) yield* assignBusNumbers(this.#pci);
    const lost = topology.bridges.filter((bridge) => bridge.secondary === 0 && this.#wasIncoming.has(bridge));
    const told = new Set<SimulatedPciBridge>();
    for (const device of topology.devices) {
      const bridge = topology.bridgeOf(device);
      if (bridge !== null && bridge.secondary === 0) {
        const failed = lost.find((one) => one.domain === bridge.domain && one.bdf >> 8 === bridge.bdf >> 8);
        if (failed === undefined) bridge.setSecondary(device.bdf >> 8);
        else {
          if (!told.has(bridge)) yield* this.#say(bridge, `Not assigning bus numbers, preserved bridge ${failed.address} lost its bus number configuration`);
          told.add(bridge);
          this.#hidden.add(device);
          continue;
        }
      }
      this.#pci.show(device);
      yield* this.#setUp(device, flbs);
    }
    yield machine.exit(0, { incoming: this.#wasIncoming.size });
  }

  *#setUp(one: Function, flbs: FlbRegistry): Steps<void> {
    const { machine } = this.#kho;
    if ((yield* this.#getIncoming(flbs)) === null) return;
    const entry = this.#handedOver.get(keyOf(one.domain, one.bdf));
    if (entry !== undefined && machine.readStruct(pciDevSer, entry).refcount !== 0) {
      yield machine.printk(`pci ${one.address}: Device was preserved by previous kernel across Live Update`);
      this.#in.set(one, entry);
      this.#wasIncoming.add(one);
      if (this.#pci.topology.needsAcsQuirk(one)) {
        yield machine.printk(`pci ${one.address}: Device-specific quirk required to enable ACS!`);
        yield* this.#kho.warn('pci_liveupdate_adopt_acs');
      } else yield machine.event('kernel', 'pci_liveupdate_adopt_acs', { device: one.address });
      if (!(one instanceof SimulatedPciDevice)) yield machine.event('kernel', 'pci_liveupdate_adopt_ari', { device: one.address });
    }
    yield* flbs.putIncoming(this);
  }

  /** pci_liveupdate_freeze, at the start of every device's shutdown; nothing takes the mark away again. */
  freeze(): void {
    const { devices, bridges } = this.#pci.topology;
    for (const one of [...devices, ...bridges]) this.#frozen.add(one);
  }
}

const keyOf = (domain: number, bdf: number): number => domain * 2 ** 16 + bdf;
