/**
 * The PCI core of a running kernel, as far as a live update touches it: saved configuration, function resets under locks, power.
 * The devices themselves outlive the kernel (src/device/simulated). Source: drivers/pci/pci.c, 7.3.
 */
import { PCI_COMMAND } from '../../../abi/pci/config-space.js';
import type { PowerState, SimulatedPciDevice } from '../../device/simulated/pci-device.js';
import type { PciTopology } from '../../device/simulated/pci-topology.js';
import { negative } from '../faults.js';
import type { Machine, Steps } from '../machine.js';

/** struct pci_saved_state: what pci_store_saved_state hands out. */
export interface PciSavedState {
  readonly config: Uint8Array;
}

/** What one kernel knows of one device: struct pci_dev. */
interface PciDev {
  saved: Uint8Array | null;
  /** dev->state_saved */
  stateSaved: boolean;
}

const LOCK_HOLDER = 'kernel';

export class PciCore {
  readonly machine: Machine;
  readonly topology: PciTopology;
  readonly #devs = new Map<SimulatedPciDevice, PciDev>();

  constructor(machine: Machine, topology: PciTopology) {
    this.machine = machine;
    this.topology = topology;
  }

  #dev(device: SimulatedPciDevice): PciDev {
    let dev = this.#devs.get(device);
    if (dev === undefined) {
      dev = { saved: null, stateSaved: false };
      this.#devs.set(device, dev);
    }
    return dev;
  }

  /** pci_save_state, then pci_store_saved_state. */
  *saveAndStoreState(device: SimulatedPciDevice): Steps<PciSavedState> {
    const dev = this.#dev(device);
    dev.saved = device.config.save();
    dev.stateSaved = true;
    yield this.machine.event('kernel', 'pci_store_saved_state', { device: device.name });
    return { config: dev.saved.slice() };
  }

  /** pci_load_saved_state: the next pci_restore_state writes `state`. @returns 0 or a negative errno */
  *loadSavedState(device: SimulatedPciDevice, state: PciSavedState | null): Steps<number> {
    const dev = this.#dev(device);
    dev.stateSaved = false;
    const error = this.machine.faults.pci('pci.load-saved-state', device.name);
    if (error === 0 && state !== null) {
      dev.saved = state.config.slice();
      dev.stateSaved = true;
    }
    yield this.machine.event('kernel', 'pci_load_saved_state', { device: device.name }, error);
    return error;
  }

  /** pci_restore_state: does nothing where nothing is saved. */
  *restoreState(device: SimulatedPciDevice): Steps<void> {
    const dev = this.#dev(device);
    if (dev.stateSaved && dev.saved !== null) device.config.restore(dev.saved);
    dev.stateSaved = false;
    this.show(device);
    yield this.machine.event('kernel', 'pci_restore_state', { device: device.name });
  }

  /** pci_enable_device: decoding on, D0. */
  *enable(device: SimulatedPciDevice): Steps<void> {
    if (device.power !== 'D0') device.setPower('D0');
    const before = device.command;
    device.command = before | PCI_COMMAND.IO | PCI_COMMAND.MEMORY;
    this.show(device);
    if (device.command !== before) yield this.printk(device, `enabling device (${hex4(before)} -> ${hex4(device.command)})`);
    else yield this.machine.event('kernel', 'pci_enable_device', { device: device.name });
  }

  /** pci_disable_device: bus mastering off. */
  *disable(device: SimulatedPciDevice): Steps<void> {
    this.clearMaster(device);
    yield this.machine.event('kernel', 'pci_disable_device', { device: device.name });
  }

  clearMaster(device: SimulatedPciDevice): void {
    device.command = device.command & ~PCI_COMMAND.MASTER;
    this.show(device);
  }

  setCommand(device: SimulatedPciDevice, command: number): void {
    device.command = command;
    this.show(device);
  }

  *setPower(device: SimulatedPciDevice, state: PowerState): Steps<void> {
    device.setPower(state);
    this.show(device);
    yield this.machine.event('kernel', 'pci_set_power_state', { device: device.name, state });
  }

  /** pci_dev_trylock of the bridge above, then of the device. @returns whether both are held now; true where there is no bridge to lock */
  *trylock(device: SimulatedPciDevice): Steps<boolean> {
    const bridge = this.topology.bridgeOf(device);
    if (bridge !== null) {
      const got = !this.machine.faults.lockHeld('bridge', device.name) && bridge.lock.tryLock(LOCK_HOLDER);
      yield this.machine.event('kernel', 'pci_dev_trylock', { bridge: bridge.address, got });
      if (!got) return false;
    }
    const got = !this.machine.faults.lockHeld('device', device.name) && device.lock.tryLock(LOCK_HOLDER);
    yield this.machine.event('kernel', 'pci_dev_trylock', { device: device.name, got });
    if (!got) yield* this.#unlockBridge(device);
    return got;
  }

  /** pci_dev_unlock of the device, then of the bridge above. */
  *unlock(device: SimulatedPciDevice): Steps<void> {
    device.lock.unlock();
    yield this.machine.event('kernel', 'pci_dev_unlock', { device: device.name });
    yield* this.#unlockBridge(device);
  }

  *#unlockBridge(device: SimulatedPciDevice): Steps<void> {
    const bridge = this.topology.bridgeOf(device);
    if (bridge === null) return;
    bridge.lock.unlock();
    yield this.machine.event('kernel', 'pci_dev_unlock', { bridge: bridge.address });
  }

  /** __pci_reset_function_locked. @returns 0, or ENOTTY where the function can't be reset */
  *resetFunctionLocked(device: SimulatedPciDevice): Steps<number> {
    const injected = this.machine.faults.pci('pci.reset', device.name);
    const error = injected !== 0 ? injected : device.reset() ? 0 : negative('ENOTTY');
    this.show(device);
    yield this.machine.event('device', '__pci_reset_function_locked', { device: device.name, method: device.resetMethod }, error);
    return error;
  }

  /** pci_try_reset_function: with the configuration saved before and restored after. @returns 0, ENOTTY, or EAGAIN where a lock is held */
  *tryResetFunction(device: SimulatedPciDevice): Steps<number> {
    if (device.resetMethod === 'none') {
      yield this.machine.event('kernel', 'pci_try_reset_function', { device: device.name }, negative('ENOTTY'));
      return negative('ENOTTY');
    }
    return yield* this.machine.call('kernel', 'pci_try_reset_function', { device: device.name }, this.#resetLocked(device));
  }

  *#resetLocked(device: SimulatedPciDevice): Steps<number> {
    if (!(yield* this.trylock(device))) return negative('EAGAIN');
    const config = device.config.save();
    yield this.printk(device, 'resetting');
    const error = yield* this.resetFunctionLocked(device);
    device.config.restore(config);
    this.show(device);
    yield this.printk(device, 'reset done');
    yield* this.unlock(device);
    return error;
  }

  /** pci_device_shutdown at a kexec: no function stays a bus master. */
  *shutdown(device: SimulatedPciDevice): Steps<void> {
    if (!device.busMaster || device.power === 'D3cold') return;
    this.clearMaster(device);
    yield this.machine.event('kernel', 'pci_device_shutdown', { device: device.name });
  }

  /** A line of the device's driver. */
  printk(device: SimulatedPciDevice, text: string, driver = 'vfio-pci'): undefined {
    return this.machine.printk(`${driver} ${device.address}: ${text}`);
  }

  /** What views show of the device's registers. */
  show(device: SimulatedPciDevice): void {
    const at = `devices/${device.name}`;
    const { state } = this.machine;
    state.set(`${at}/address`, device.address);
    state.set(`${at}/power`, device.power);
    state.set(`${at}/command`, `0x${device.command.toString(16)}`);
    state.set(`${at}/interrupts`, device.interrupts);
    state.set(`${at}/resets`, device.resets);
    state.set(`${at}/dma`, device.writing);
  }
}

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');

/** What every device does by itself in one tick: at most one write into memory each. */
export function* deviceTick(machine: Machine, topology: PciTopology): Steps<void> {
  for (const device of topology.devices) {
    const write = device.tick();
    if (write === null) continue;
    machine.memory.write(write.address, write.bytes, 'dma', device.name);
    yield machine.event('device', 'dma', { device: device.name, address: write.address, write: device.dma.writes });
  }
}
