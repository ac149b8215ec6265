/** Simulated PCI devices: registers say what was done to them; only what stops DMA stops it. */
import { describe, expect, it } from 'vitest';
import { PCI_CAP_ID, PCI_COMMAND, pciHeader } from '../../abi/pci/config-space.js';
import { pciAddress, type PciDeviceOptions, SimulatedPciDevice } from '../../src/device/simulated/pci-device.js';
import { PciTopology } from '../../src/device/simulated/pci-topology.js';

const nic: PciDeviceOptions = {
  name: 'nic',
  domain: 0,
  bdf: 0x28,
  vendor: 0x8086,
  device: 0x10d3,
  classCode: 0x020000,
  reset: 'flr',
  vf: false,
  stubborn: false,
};

/** Walks the capability list as a kernel does: from the header's pointer, by each one's next pointer. */
function capabilities(device: SimulatedPciDevice): number[] {
  const found: number[] = [];
  for (let at = device.config.read(pciHeader).capability_list; at !== 0 && found.length < 48; at = device.config.bytes[at + 1] ?? 0)
    found.push(device.config.bytes[at] ?? 0);
  return found;
}

describe('a simulated PCI device', () => {
  it('has a header and a capability list that walks to its end', () => {
    const device = new SimulatedPciDevice(nic);
    expect([...device.config.bytes.subarray(0, 4)]).toEqual([0x86, 0x80, 0xd3, 0x10]);
    expect([...device.config.bytes.subarray(9, 12)]).toEqual([0x00, 0x00, 0x02]);
    expect(capabilities(device)).toEqual([PCI_CAP_ID.PM, PCI_CAP_ID.MSI, PCI_CAP_ID.EXP, PCI_CAP_ID.MSIX]);
    expect(device.address).toBe('0000:00:05.0');
    expect(device.classCode).toBe(0x020000);
  });

  it.each(['none', 'intx', 'msi', 'msix'] as const)('programs %s interrupts and no other', (mode) => {
    const device = new SimulatedPciDevice(nic);
    device.setInterrupts('msix');
    device.setInterrupts(mode);
    expect(device.interrupts).toBe(mode);
    expect((device.command & PCI_COMMAND.INTX_DISABLE) === 0).toBe(mode === 'intx');
  });

  it('loses what software programmed at a reset, and keeps it where none is possible', () => {
    for (const reset of ['flr', 'none'] as const) {
      const device = new SimulatedPciDevice({ ...nic, reset });
      device.command = PCI_COMMAND.MEMORY | PCI_COMMAND.MASTER;
      device.setInterrupts('msix');
      expect(device.reset()).toBe(reset === 'flr');
      expect(device.busMaster).toBe(reset === 'none');
      expect(device.interrupts).toBe(reset === 'none' ? 'msix' : 'none');
      expect(device.resets).toBe(reset === 'flr' ? 1 : 0);
    }
  });

  it('comes back from D3hot as after a reset', () => {
    const device = new SimulatedPciDevice(nic);
    device.command = PCI_COMMAND.MEMORY;
    device.setPower('D3hot');
    expect(device.power).toBe('D3hot');
    expect(device.memoryDecode).toBe(true);
    device.setPower('D0');
    expect(device.power).toBe('D0');
    expect(device.memoryDecode).toBe(false);
  });

  it('writes on, round and round, until bus mastership, D0, a reset or a stop ends it', () => {
    const ends: ((device: SimulatedPciDevice) => void)[] = [
      (device) => {
        device.command = 0;
      },
      (device) => device.setPower('D3hot'),
      (device) => {
        device.reset();
      },
      (device) => device.dma.stop(),
    ];
    for (const end of ends) {
      const device = new SimulatedPciDevice(nic);
      device.dma.start({ addresses: [0x1000, 0x2000] });
      expect(device.tick()).toBeNull();
      device.command = PCI_COMMAND.MASTER;
      const written = [device.tick(), device.tick(), device.tick()];
      expect(written.map((write) => write?.address)).toEqual([0x1000, 0x2000, 0x1000]);
      expect(written[0]?.bytes).not.toEqual(written[2]?.bytes);
      end(device);
      expect(device.tick()).toBeNull();
    }
  });

  it('that is stubborn writes without being a bus master, until it is reset', () => {
    const device = new SimulatedPciDevice({ ...nic, stubborn: true });
    device.dma.start({ addresses: [0x1000] });
    expect(device.busMaster).toBe(false);
    expect(device.tick()?.address).toBe(0x1000);
    device.reset();
    expect(device.tick()).toBeNull();
  });

  it('has a lock that one holder at a time takes', () => {
    const device = new SimulatedPciDevice(nic);
    expect(device.lock.tryLock('a')).toBe(true);
    expect(device.lock.tryLock('b')).toBe(false);
    device.lock.unlock();
    expect(device.lock.tryLock('b')).toBe(true);
  });
});

describe('the PCI topology', () => {
  it('finds devices, and moves them when their bridge gets another bus number', () => {
    const topology = new PciTopology([
      { ...nic, bridge: null },
      { ...nic, name: 'below', bdf: 0x700, bridge: 0x10 },
    ]);
    const below = topology.byName('below');
    expect(below && topology.bridgeOf(below)?.secondary).toBe(7);
    expect(topology.byAddress(0, 0x700)).toBe(below);
    expect(topology.assignBusNumbers().map((bridge) => bridge.secondary)).toEqual([1]);
    expect(below?.address).toBe('0000:01:00.0');
    expect(topology.byAddress(0, 0x700)).toBeNull();
    expect(topology.byName('nic')?.address).toBe('0000:00:05.0');
  });

  it('writes addresses as the kernel does', () => {
    expect(pciAddress(0x10001, 0xfffe)).toBe('10001:ff:1f.6');
  });
});
