/**
 * A PCI endpoint in small, for the engine: configuration space, interrupts, power, reset, locks, and DMA that goes on until something
 * stops it. It outlives kernels: a kexec leaves it as it is. Source: the registers of abi/pci/config-space.ts and what resetting or
 * powering down a function does to them (PCI Express Base 4.0, 6.6.2; PCI Power Management 1.2, 5.4).
 */
import {
  PCI_CAP_ID,
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_COMMAND,
  PCI_EXP_DEVCAP_FLR,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSI_FLAGS_ENABLE,
  PCI_PM_CTRL_STATE_MASK,
  pciBridgeHeader,
  pciExpressCap,
  pciHeader,
  pciMsiCap,
  pciMsixCap,
  pciPmCap,
} from '../../../abi/pci/config-space.js';
import type { DecodedStruct, Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { type EncodableStruct, encodeInto } from '../../codec/encode.js';
import { sizeOf } from '../../codec/layout-table.js';

export type IrqMode = 'none' | 'intx' | 'msi' | 'msix';
const POWER_STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold'] as const;
export type PowerState = (typeof POWER_STATES)[number];
type ResetMethod = 'flr' | 'pm' | 'bus' | 'none';

export interface PciDeviceOptions {
  readonly name: string;
  readonly domain: number;
  /** bus << 8 | device << 3 | function */
  readonly bdf: number;
  readonly vendor: number;
  readonly device: number;
  /** 24 bits */
  readonly classCode: number;
  readonly reset: ResetMethod;
  readonly vf: boolean;
  /** broken: it goes on writing without being a bus master; only a reset or a loss of power stops it */
  readonly stubborn: boolean;
  /** configuration space of a real function (64 to 4096 bytes), which this one starts from; identity, registers and capabilities are then its */
  readonly recorded?: Uint8Array | null;
  /** with `recorded`: its INTx was in use */
  readonly intx?: boolean;
}

/** Offsets at which a device that is nobody's copy has its capabilities. */
const CAPABILITIES = { pm: 0xc8, msi: 0xd0, express: 0xe0, msix: 0xa0 } as const;
/** What firmware programmed into the base address registers. */
const BARS = [0xfeb8_0000, 0xfeba_0000, 0xc061, 0xfebc_0000, 0, 0] as const;
const VECTORS = 5;
/** Message address of an x86 local APIC; any address would do. */
const MSI_ADDRESS = 0xfee0_0000;

export class SimulatedPciDevice {
  readonly name: string;
  readonly domain: number;
  readonly vf: boolean;
  readonly resetMethod: ResetMethod;
  readonly config = new ConfigSpace();
  readonly lock = new PciLock();
  readonly dma = new DmaEngine();
  readonly #options: PciDeviceOptions;
  #bdf: number;
  #cold = false;
  #resets = 0;
  /** the function's own interrupt cause for INTx is enabled */
  #intx = false;

  constructor(options: PciDeviceOptions) {
    this.#options = options;
    this.name = options.name;
    this.domain = options.domain;
    this.vf = options.vf;
    this.resetMethod = options.reset;
    this.#bdf = options.bdf;
    this.#powerOn();
    const { recorded } = options;
    if (recorded == null)
      // Firmware switches decoding on before it starts a kernel.
      this.command = PCI_COMMAND.IO | PCI_COMMAND.MEMORY;
    else {
      this.config.bytes.set(recorded.subarray(0, this.config.bytes.length));
      this.#intx = this.config.read(pciHeader).interrupt_pin !== 0 && (this.command & PCI_COMMAND.INTX_DISABLE) === 0 && options.intx === true;
    }
  }

  /** bus << 8 | device << 3 | function, as the bridges route it now */
  get bdf(): number {
    return this.#bdf;
  }

  /** The bridge above got another bus number. */
  moveToBus(bus: number): void {
    this.#bdf = (bus << 8) | (this.#bdf & 0xff);
  }

  get address(): string {
    return pciAddress(this.domain, this.#bdf);
  }

  get classCode(): number {
    const { base_class, subclass, prog_if } = this.config.read(pciHeader);
    return (base_class << 16) | (subclass << 8) | prog_if;
  }

  get vendor(): number {
    return this.config.read(pciHeader).vendor_id;
  }

  get deviceId(): number {
    return this.config.read(pciHeader).device_id;
  }

  get command(): number {
    return this.config.read(pciHeader).command;
  }

  set command(value: number) {
    this.config.write(pciHeader, { command: value });
  }

  get busMaster(): boolean {
    return (this.command & PCI_COMMAND.MASTER) !== 0;
  }

  get memoryDecode(): boolean {
    return (this.command & PCI_COMMAND.MEMORY) !== 0;
  }

  /** function resets since the machine was switched on */
  get resets(): number {
    return this.#resets;
  }

  get power(): PowerState {
    if (this.#cold) return 'D3cold';
    const pm = this.config.capability(PCI_CAP_ID.PM);
    return pm === null ? 'D0' : (POWER_STATES[this.config.read(pciPmCap, pm).ctrl & PCI_PM_CTRL_STATE_MASK] ?? 'D0');
  }

  /** Coming back from D3 the function starts as after a reset: it does not keep its state (No_Soft_Reset is 0). */
  setPower(state: PowerState): void {
    const before = this.power;
    this.#cold = state === 'D3cold';
    if ((before === 'D3hot' || before === 'D3cold') && state === 'D0') this.#powerOn();
    const level = Math.min(POWER_STATES.indexOf(state), PCI_PM_CTRL_STATE_MASK);
    const pm = this.config.capability(PCI_CAP_ID.PM);
    // Without the capability there is nothing to program: it stays in D0.
    if (pm !== null) this.config.write(pciPmCap, { ctrl: (this.config.read(pciPmCap, pm).ctrl & ~PCI_PM_CTRL_STATE_MASK) | level }, pm);
    if (state !== 'D0') this.dma.stop();
  }

  /** Which interrupts the function is programmed to send; INTx only where its cause is enabled and PCI_COMMAND does not disable it. */
  get interrupts(): IrqMode {
    const [msix, msi] = [this.config.capability(PCI_CAP_ID.MSIX), this.config.capability(PCI_CAP_ID.MSI)];
    if (msix !== null && (this.config.read(pciMsixCap, msix).flags & PCI_MSIX_FLAGS_ENABLE) !== 0) return 'msix';
    if (msi !== null && (this.config.read(pciMsiCap, msi).flags & PCI_MSI_FLAGS_ENABLE) !== 0) return 'msi';
    return this.#intx && (this.command & PCI_COMMAND.INTX_DISABLE) === 0 ? 'intx' : 'none';
  }

  setInterrupts(mode: IrqMode): void {
    const [msix, msi] = [this.config.capability(PCI_CAP_ID.MSIX), this.config.capability(PCI_CAP_ID.MSI)];
    if (msix !== null) {
      const { flags } = this.config.read(pciMsixCap, msix);
      this.config.write(pciMsixCap, { flags: mode === 'msix' ? flags | PCI_MSIX_FLAGS_ENABLE : flags & ~PCI_MSIX_FLAGS_ENABLE }, msix);
    }
    if (msi !== null) {
      const { flags } = this.config.read(pciMsiCap, msi);
      this.config.write(
        pciMsiCap,
        { flags: mode === 'msi' ? flags | PCI_MSI_FLAGS_ENABLE : flags & ~PCI_MSI_FLAGS_ENABLE, address_lo: mode === 'msi' ? MSI_ADDRESS : 0 },
        msi,
      );
    }
    this.#intx = mode === 'intx';
    this.command = mode === 'intx' ? this.command & ~PCI_COMMAND.INTX_DISABLE : this.command | PCI_COMMAND.INTX_DISABLE;
  }

  /**
   * Resets the function: all that software had programmed is gone, DMA stops.
   * @returns false where the function has no way to be reset
   */
  reset(): boolean {
    if (this.resetMethod === 'none') return false;
    this.#resets++;
    this.#powerOn();
    return true;
  }

  /** Is it writing into memory by itself? A function that is no bus master, or not in D0, can't. */
  get writing(): boolean {
    return this.dma.running && (this.busMaster || this.#options.stubborn) && this.power === 'D0';
  }

  /** One tick of the device's own doing; null where it writes nothing. */
  tick(): DmaWrite | null {
    return this.writing ? this.dma.next() : null;
  }

  /** What a reset takes from a function that was recorded in use: decoding and bus mastering, interrupts, its power state. Base addresses are programmed again. */
  #clearProgrammed(): void {
    this.command = 0;
    for (const [id, layout, enable] of [
      [PCI_CAP_ID.MSIX, pciMsixCap, PCI_MSIX_FLAGS_ENABLE],
      [PCI_CAP_ID.MSI, pciMsiCap, PCI_MSI_FLAGS_ENABLE],
    ] as const) {
      const at = this.config.capability(id);
      if (at !== null) this.config.write(layout, { flags: this.config.read(layout, at).flags & ~enable }, at);
    }
    const pm = this.config.capability(PCI_CAP_ID.PM);
    if (pm !== null) this.config.write(pciPmCap, { ctrl: this.config.read(pciPmCap, pm).ctrl & ~PCI_PM_CTRL_STATE_MASK }, pm);
  }

  /** Registers as they are after a reset, the base addresses as firmware would program them again. */
  #powerOn(): void {
    this.dma.stop();
    this.#intx = false;
    const { vendor, device, classCode, recorded } = this.#options;
    this.config.bytes.fill(0);
    if (recorded != null) {
      this.config.bytes.set(recorded.subarray(0, this.config.bytes.length));
      this.config.findCapabilities();
      this.#clearProgrammed();
      return;
    }
    this.config.write(pciHeader, {
      vendor_id: vendor,
      device_id: device,
      status: 0x10,
      base_class: classCode >> 16,
      subclass: (classCode >> 8) & 0xff,
      prog_if: classCode & 0xff,
      bar: [...BARS],
      capability_list: CAPABILITIES.pm,
      interrupt_pin: 1,
    });
    const { pm, msi, express, msix } = CAPABILITIES;
    this.config.addCapability(PCI_CAP_ID.PM, pciPmCap, pm, { cap_id: PCI_CAP_ID.PM, next: msi });
    this.config.addCapability(PCI_CAP_ID.MSI, pciMsiCap, msi, { cap_id: PCI_CAP_ID.MSI, next: express, flags: 0x80 });
    const devcap = this.resetMethod === 'flr' ? PCI_EXP_DEVCAP_FLR : 0;
    this.config.addCapability(PCI_CAP_ID.EXP, pciExpressCap, express, { cap_id: PCI_CAP_ID.EXP, next: msix, flags: 0x1, devcap });
    this.config.addCapability(PCI_CAP_ID.MSIX, pciMsixCap, msix, { cap_id: PCI_CAP_ID.MSIX, next: 0, flags: VECTORS - 1, table: 3, pba: 0x2003 });
  }
}

/** `dddd:bb:dd.f` */
export function pciAddress(domain: number, bdf: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bdf >> 8, 2)}:${hex((bdf >> 3) & 0x1f, 2)}.${bdf & 7}`;
}

/** Configuration space of a simulated PCI function: bytes, read and written through the layouts of abi/pci/config-space.ts. */

/** The space holds no more: a longer list goes in a circle. */
const MOST_CAPABILITIES = 48;

class ConfigSpace {
  readonly bytes = new Uint8Array(PCI_CFG_SPACE_EXP_SIZE);
  /** offset of each capability by its ID */
  readonly #capabilities = new Map<number, number>();

  /** Offset of the capability, or null where the function has none of that ID. */
  capability(id: number): number | null {
    return this.#capabilities.get(id) ?? null;
  }

  /** Adds a capability; they are walked in the order in which they were added. */
  addCapability<S extends Struct>(id: number, struct: S, offset: number, values: EncodableStruct<S>): void {
    encodeInto(struct, values, this.bytes, offset);
    this.#capabilities.set(id, offset);
  }

  /** Walks the list that the header begins: of each ID the first counts, as for pci_find_capability(). */
  findCapabilities(): void {
    this.#capabilities.clear();
    let at = this.read(pciHeader).capability_list & ~3;
    for (let hop = 0; hop < MOST_CAPABILITIES && at >= sizeOf(pciHeader) && at + 2 <= PCI_CFG_SPACE_SIZE; hop++) {
      const id = this.bytes[at] ?? 0;
      if (!this.#capabilities.has(id)) this.#capabilities.set(id, at);
      at = (this.bytes[at + 1] ?? 0) & ~3;
    }
  }

  read<S extends Struct>(struct: S, offset = 0): DecodedStruct<S> {
    return decodeStruct(struct, this.bytes, offset);
  }

  write<S extends Struct>(struct: S, values: EncodableStruct<S>, offset = 0): void {
    encodeInto(struct, values, this.bytes, offset);
  }

  /** A copy of all bytes: what pci_save_state keeps. */
  save(): Uint8Array {
    return this.bytes.slice();
  }

  restore(saved: Uint8Array): void {
    this.bytes.set(saved.subarray(0, this.bytes.length));
  }
}

/** pci_dev_lock of a simulated device or bridge: taken or not, and by whom. */

class PciLock {
  #holder: string | null = null;

  /** @returns false where somebody holds it */
  tryLock(by: string): boolean {
    if (this.#holder !== null) return false;
    this.#holder = by;
    return true;
  }

  unlock(): void {
    this.#holder = null;
  }
}

/**
 * What a device goes on doing by itself: writing into physical memory, one page a tick, until it loses bus mastership, is reset,
 * leaves D0 or is told to stop. Deterministic: the nth write of a run of DMA holds n.
 */

/** Where the device writes; addresses are physical, in bytes. */
interface DmaTarget {
  readonly addresses: readonly number[];
}

interface DmaWrite {
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Bytes of one write. */
const BURST = 64;

class DmaEngine {
  #target: DmaTarget | null = null;
  #writes = 0;

  /** writes made since the machine was switched on */
  get writes(): number {
    return this.#writes;
  }

  get running(): boolean {
    return this.#target !== null;
  }

  start(target: DmaTarget): void {
    this.#target = target.addresses.length === 0 ? null : target;
  }

  stop(): void {
    this.#target = null;
  }

  /** The next write, round and round over the target's pages; null where the engine is stopped. */
  next(): DmaWrite | null {
    if (this.#target === null) return null;
    const address = this.#target.addresses[this.#writes % this.#target.addresses.length];
    if (address === undefined) return null;
    this.#writes++;
    const text = new TextEncoder().encode(`DMA ${String(this.#writes).padStart(12, '0')} `);
    const bytes = new Uint8Array(BURST);
    for (let at = 0; at < BURST; at++) bytes[at] = text[at % text.length] ?? 0;
    return { address, bytes };
  }
}

/** A PCI-to-PCI bridge in small: bus numbers in its registers, and the lock that a reset below it needs. */

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
