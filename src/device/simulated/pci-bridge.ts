/** A PCI-to-PCI bridge in small: bus numbers in its registers, and the lock that a reset below it needs. */
import { PCI_COMMAND, pciBridgeHeader } from '../../../abi/pci/config-space.js';
import { ConfigSpace } from './config-space.js';
import { pciAddress } from './pci-device.js';
import { PciLock } from './pci-lock.js';

export class SimulatedPciBridge {
  readonly domain: number;
  /** bus << 8 | device << 3 | function */
  readonly bdf: number;
  readonly config = new ConfigSpace();
  readonly lock = new PciLock();

  constructor(domain: number, bdf: number, secondary: number) {
    this.domain = domain;
    this.bdf = bdf;
    this.config.write(pciBridgeHeader, {
      vendor_id: 0x1b36,
      device_id: 0x000c,
      command: PCI_COMMAND.MEMORY | PCI_COMMAND.MASTER,
      base_class: 6,
      subclass: 4,
      header_type: 1,
      primary_bus: bdf >> 8,
    });
    this.setSecondary(secondary);
  }

  /** dddd:bb:dd.f */
  get address(): string {
    return pciAddress(this.domain, this.bdf);
  }

  /** the bus below, 0 where none was configured */
  get secondary(): number {
    return this.config.read(pciBridgeHeader).secondary_bus;
  }

  setSecondary(bus: number): void {
    this.config.write(pciBridgeHeader, { secondary_bus: bus, subordinate_bus: bus });
  }
}
