/**
 * The PCI side of a machine: devices that outlive kernels, and what each kernel makes of them. A kernel registers the vfio-pci handler
 * where the scenario has devices at all: no release has it, only the mail series.
 */
import type { SimulatedPciDevice } from '../../device/simulated/pci-device.js';
import { PciTopology } from '../../device/simulated/pci-topology.js';
import type { FileHandler } from '../handler.js';
import type { Kho } from '../kho/kho.js';
import type { FlbRegistry } from '../luo/flb.js';
import type { Machine, Steps } from '../machine.js';
import type { ScenarioDevice } from '../scenario/types.js';
import { PciCore } from './pci-core.js';
import { assignBusNumbers, PciLiveupdate, type PciLiveupdateCore } from './pci-liveupdate.js';
import { PciPreservation } from './pci-preservation.js';
import { type FirstUse, type VfioConfig, VfioPci } from './vfio-pci-core.js';
import { VfioPciSeedHandler, VfioPciV5Handler } from './vfio-pci.js';

/** Made once for a machine. */
export class PciPlatform {
  readonly topology: PciTopology;
  readonly firstUse: Map<SimulatedPciDevice, FirstUse>;
  readonly #drivers: Map<SimulatedPciDevice, string>;

  constructor(devices: readonly ScenarioDevice[]) {
    this.topology = new PciTopology(devices);
    const made = (options: ScenarioDevice): SimulatedPciDevice[] => this.topology.devices.filter((device) => device.name === options.name);
    this.firstUse = new Map(devices.flatMap((options) => made(options).map((device) => [device, { interrupts: options.interrupts, power: options.power }])));
    this.#drivers = new Map(
      devices.flatMap((options) =>
        options.driver === null ? [] : made(options).map((device): [SimulatedPciDevice, string] => [device, options.driver ?? '']),
      ),
    );
  }

  get empty(): boolean {
    return this.topology.devices.length === 0;
  }

  /** The driver a booting kernel binds to the device, or null. */
  driverAtBoot(device: SimulatedPciDevice): string | null {
    return this.#drivers.get(device) ?? null;
  }
}

/** Made by every kernel that boots: `register` when handlers are registered, `boot` once LUO has looked at what it was handed. */
export class KernelPci {
  readonly platform: PciPlatform;
  readonly core: PciCore;
  readonly vfio: VfioPci;
  readonly handler: FileHandler;
  /** the PCI core's FLB: of the series with v5, of the kernel where it has one */
  readonly liveupdate: PciLiveupdateCore | null;
  readonly #flbs: FlbRegistry;
  #registered = false;

  constructor(machine: Machine, kho: Kho, flbs: FlbRegistry, platform: PciPlatform, config: VfioConfig) {
    this.platform = platform;
    this.#flbs = flbs;
    this.core = new PciCore(machine, platform.topology);
    const own = kho.spec.pci === null ? null : new PciPreservation(this.core, kho, kho.spec.pci);
    const liveupdate = own ?? (config.variant === 'seed' ? null : new PciLiveupdate(this.core, kho, config.singletonGroups));
    // Patch 07/24 alone asks nothing of the PCI core.
    const series = config.variant === 'seed' ? null : liveupdate;
    this.liveupdate = liveupdate;
    this.vfio = new VfioPci(this.core, config, platform.firstUse, (device) => this.#registered && (liveupdate?.isIncoming(device) ?? false));
    this.handler = series === null ? new VfioPciSeedHandler(this.vfio, kho) : new VfioPciV5Handler(this.vfio, kho, series, flbs);
  }

  /** LUO has the handler: vfio-pci is built with live update. Registers the PCI core's FLB on it, after those registered on it already. @returns 0 or a negative errno */
  registerFlb(): number {
    this.#registered = true;
    return this.liveupdate === null || this.vfio.config.variant === 'seed' ? 0 : this.#flbs.register(this.handler, this.liveupdate);
  }

  /** device_shutdown, on the way into the next kernel. */
  *shutdown(): Steps<void> {
    this.liveupdate?.freeze();
    for (const device of this.platform.topology.devices) if (!this.#keepsRunning(device)) yield* this.core.shutdown(device);
  }

  // Upstream's goal: what is preserved stays a bus master across the kexec.
  #keepsRunning(device: SimulatedPciDevice): boolean {
    const { liveupdate } = this;
    return liveupdate !== null && (liveupdate.keepsRunning(device) || (this.vfio.config.variant === 'running' && liveupdate.isOutgoing(device)));
  }

  /** Enumeration, then the drivers that bind by themselves. */
  *boot(): Steps<void> {
    if (this.platform.empty) return;
    if (this.liveupdate !== null) yield* this.liveupdate.enumerate(this.#flbs);
    else yield* assignBusNumbers(this.core);
    for (const device of this.platform.topology.devices) {
      const driver = this.platform.driverAtBoot(device);
      if (driver !== null && this.liveupdate?.isHidden(device) !== true) yield* this.vfio.bindDriver(device, driver);
    }
  }
}
