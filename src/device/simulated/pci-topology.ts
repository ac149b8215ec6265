/**
 * All simulated PCI functions of a machine: who is below which bridge, and which bus numbers the bridges route. Bus numbers are
 * registers of the bridges: they outlive a kernel, until one assigns them anew.
 */
import { type PciDeviceOptions, SimulatedPciBridge, SimulatedPciDevice } from './pci-device.js';

interface PlacedDevice extends PciDeviceOptions {
  /** the bridge above: bus << 8 | devfn, in the same domain; null on a root bus */
  readonly bridge: number | null;
  /** bridges above that one, upward */
  readonly above?: readonly number[];
  /** number of its IOMMU group; null or absent: one of its own */
  readonly iommuGroup?: number | null;
  /** ACS has to be enabled in a way of its own: for the device, or for the bridge above it */
  readonly acsQuirk?: 'none' | 'device' | 'bridge';
}

export class PciTopology {
  readonly devices: readonly SimulatedPciDevice[];
  readonly bridges: readonly SimulatedPciBridge[];
  readonly #groups = new Map<SimulatedPciDevice, number>();
  readonly #above = new Map<SimulatedPciDevice, SimulatedPciBridge>();
  readonly #acsQuirks = new Set<SimulatedPciDevice | SimulatedPciBridge>();

  constructor(placed: readonly PlacedDevice[]) {
    const bridges = new Map<string, SimulatedPciBridge>();
    const devices: SimulatedPciDevice[] = [];
    for (const options of placed) {
      const device = new SimulatedPciDevice(options);
      devices.push(device);
      if (options.iommuGroup !== undefined && options.iommuGroup !== null) this.#groups.set(device, options.iommuGroup);
      if (options.acsQuirk === 'device') this.#acsQuirks.add(device);
      if (options.bridge === null) continue;
      const key = `${options.domain}/${options.bridge}`;
      const bridge = bridges.get(key) ?? new SimulatedPciBridge(options.domain, options.bridge, options.bdf >> 8);
      bridges.set(key, bridge);
      let below = options.bridge;
      for (const bdf of options.above ?? []) {
        const own = `${options.domain}/${bdf}`;
        if (!bridges.has(own)) bridges.set(own, new SimulatedPciBridge(options.domain, bdf, below >> 8));
        below = bdf;
      }
      this.#above.set(device, bridge);
      if (options.acsQuirk === 'bridge') this.#acsQuirks.add(bridge);
    }
    this.devices = devices;
    this.bridges = [...bridges.values()];
  }

  /** pci_upstream_bridge; null on a root bus */
  bridgeOf(device: SimulatedPciDevice): SimulatedPciBridge | null {
    return this.#above.get(device) ?? null;
  }

  /** The bridge above a bridge, by the bus that it is on. */
  bridgeAbove(bridge: SimulatedPciBridge): SimulatedPciBridge | null {
    return this.bridges.find((one) => one !== bridge && one.domain === bridge.domain && one.secondary !== 0 && one.secondary === bridge.bdf >> 8) ?? null;
  }

  /** pci_need_dev_specific_enable_acs */
  needsAcsQuirk(one: SimulatedPciDevice | SimulatedPciBridge): boolean {
    return this.#acsQuirks.has(one);
  }

  /** The devices of its IOMMU group, itself among them. */
  groupOf(device: SimulatedPciDevice): readonly SimulatedPciDevice[] {
    const group = this.#groups.get(device);
    return group === undefined ? [device] : this.devices.filter((other) => this.#groups.get(other) === group);
  }

  byName(name: string): SimulatedPciDevice | null {
    return this.devices.find((device) => device.name === name) ?? null;
  }

  byAddress(domain: number, bdf: number): SimulatedPciDevice | null {
    return this.devices.find((device) => device.domain === domain && device.bdf === bdf) ?? null;
  }

  /**
   * A kernel that does not inherit bus numbers counts the buses below the bridges anew, from 1 in each domain, in the order of the bridges.
   * @returns the bridges whose number changed
   */
  assignBusNumbers(): readonly SimulatedPciBridge[] {
    const next = new Map<number, number>();
    const changed: SimulatedPciBridge[] = [];
    for (const bridge of [...this.bridges].sort((a, b) => a.domain - b.domain || a.bdf - b.bdf)) {
      const bus = next.get(bridge.domain) ?? 1;
      next.set(bridge.domain, bus + 1);
      if (bridge.secondary === bus) continue;
      bridge.setSecondary(bus);
      changed.push(bridge);
      for (const device of this.devices) if (this.#above.get(device) === bridge) device.moveToBus(bus);
    }
    return changed;
  }
}
