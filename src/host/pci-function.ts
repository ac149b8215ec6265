/** A PCI function as sysfs tells of it: identity, driver, configuration space, interrupts, power, reset, group, bridges above. Source: Documentation/ABI/testing/sysfs-bus-pci. */
import {
  PCI_CAP_ID,
  PCI_CFG_SPACE_SIZE,
  PCI_COMMAND,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_PM_CTRL_STATE_MASK,
  pciBridgeHeader,
  pciHeader,
  pciMsiCap,
  pciMsixCap,
  pciPmCap,
} from '../../abi/pci/config-space.js';
import type { Struct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type HostTree, textOf } from './host-tree.js';
import { PCI_FOLDER } from './recorded.js';

/** What `vfio_pci_is_enabled` comes down to; null where the tree does not tell. */
type Interrupts = 'none' | 'intx' | 'msi' | 'msix' | null;

export interface PciFunction {
  /** `0000:00:05.0` */
  readonly address: string;
  readonly vendor: number | null;
  readonly device: number | null;
  /** 24 bits: base class, subclass, programming interface */
  readonly classCode: number | null;
  /** null where none is bound; undefined where the tree does not tell */
  readonly driver: string | null | undefined;
  /** configuration space as far as it could be read: 64 bytes without root */
  readonly config: Uint8Array | null;
  readonly interrupts: Interrupts;
  /** `D0` to `D3cold` */
  readonly power: string | null;
  /** methods the kernel would try, in order; null where the tree does not tell */
  readonly resetMethods: readonly string[] | null;
  readonly iommuGroup: string | null;
  /** a physical function is named above it */
  readonly isVf: boolean;
  /** names below vfio-dev: `vfio0`; null where the folder is not there */
  readonly cdev: string | null;
  /** secondary and subordinate bus of a bridge; null for an endpoint, or without configuration space */
  readonly bridgeTo: { readonly secondary: number; readonly subordinate: number } | null;
}

/** Functions of one machine; more than any has. */
const MOST_FUNCTIONS = 8192;

/** Every function of the tree, by address. */
export function pciFunctions(tree: HostTree): readonly PciFunction[] {
  const vfio = interruptsInUse(textOf(tree, 'proc/interrupts'));
  return tree
    .list(PCI_FOLDER)
    .filter((name) => ADDRESS.test(name))
    .slice(0, MOST_FUNCTIONS)
    .map((address) => pciFunction(tree, address, vfio));
}

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$/;

/** A full address for what a user types: `00:05.0` is in domain 0. Null where it is no address. */
export function pciAddress(text: string): string | null {
  const full = /^[0-9a-f]{1,2}:[0-9a-f]{1,2}\.[0-7]$/i.test(text) ? `0000:${text}` : text;
  const match = /^([0-9a-f]{1,8}):([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i.exec(full);
  if (match === null) return null;
  const [, domain = '', bus = '', slot = '', fn = ''] = match;
  const address = `${domain.padStart(4, '0')}:${bus.padStart(2, '0')}:${slot.padStart(2, '0')}.${fn}`.toLowerCase();
  return ADDRESS.test(address) ? address : null;
}

function pciFunction(tree: HostTree, address: string, vfio: ReadonlyMap<string, Interrupts> | null): PciFunction {
  const at = (name: string): string => `${PCI_FOLDER}/${address}/${name}`;
  const hex = (name: string): number | null => hexOf(textOf(tree, at(name)));
  const bytes = tree.read(at('config'));
  const config = typeof bytes === 'string' || bytes.length < sizeOf(pciHeader) ? null : bytes;
  const header = config === null ? null : decodeStruct(pciHeader, config);
  const reset = textOf(tree, at('reset_method'));
  const told = tree.list(`${PCI_FOLDER}/${address}`);
  const driver = tree.link(at('driver'));
  return {
    address,
    vendor: hex('vendor') ?? header?.vendor_id ?? null,
    device: hex('device') ?? header?.device_id ?? null,
    classCode: hex('class') ?? (header === null ? null : (header.base_class << 16) | (header.subclass << 8) | header.prog_if),
    driver: driver ?? (told.length === 0 ? undefined : null),
    config,
    interrupts: vfio?.get(address) ?? interruptsOf(config, header),
    power: textOf(tree, at('power_state')) ?? powerOf(config, header),
    resetMethods: reset === null ? null : reset.split(/\s+/).filter((word) => word !== ''),
    iommuGroup: tree.link(at('iommu_group')),
    isVf: tree.has(at('physfn')) || tree.link(at('physfn')) !== null,
    cdev: tree.list(at('vfio-dev')).find((name) => /^vfio\d+$/.test(name)) ?? null,
    bridgeTo: config === null || header === null ? null : bridgeOf(config, header.header_type),
  };
}

const hexOf = (text: string | null): number | null => (text !== null && /^0x[0-9a-f]{1,8}$/i.test(text.trim()) ? Number(text.trim()) : null);

/** What VFIO has asked for, by the names it gives its interrupts: `vfio-msix[3](0000:00:05.0)`. */
function interruptsInUse(text: string | null): ReadonlyMap<string, Interrupts> | null {
  if (text === null) return null;
  const found = new Map<string, Interrupts>();
  for (const match of text.matchAll(/vfio-(intx|msix|msi)(?:\[\d+\])?\(([0-9a-f:.]+)\)/g)) {
    const [, kind, address] = match;
    if (address !== undefined && (kind === 'intx' || kind === 'msi' || kind === 'msix')) found.set(address, kind);
  }
  return found;
}

type Header = { readonly command: bigint | number; readonly interrupt_pin: number; readonly header_type: bigint | number; readonly capability_list: number };

/** MSI and MSI-X have an enable bit. INTx has none: a pin that is not disabled may be in use, or never have been asked for. */
function interruptsOf(config: Uint8Array | null, header: Header | null): Interrupts {
  if (config === null || header === null) return null;
  const msix = capability(config, header, PCI_CAP_ID.MSIX, pciMsixCap);
  if (msix !== null && (Number(msix.flags) & PCI_MSIX_FLAGS_ENABLE) !== 0) return 'msix';
  const msi = capability(config, header, PCI_CAP_ID.MSI, pciMsiCap);
  if (msi !== null && (Number(msi.flags) & PCI_MSI_FLAGS_ENABLE) !== 0) return 'msi';
  if (config.length < PCI_CFG_SPACE_SIZE && header.capability_list !== 0) return null;
  return header.interrupt_pin === 0 || (Number(header.command) & PCI_COMMAND.INTX_DISABLE) !== 0 ? 'none' : null;
}

function powerOf(config: Uint8Array | null, header: Header | null): string | null {
  const pm = config === null || header === null ? null : capability(config, header, PCI_CAP_ID.PM, pciPmCap);
  return pm === null ? null : (['D0', 'D1', 'D2', 'D3hot'][Number(pm.ctrl) & PCI_PM_CTRL_STATE_MASK] ?? null);
}

/** The space holds no more capabilities than this: a longer chain goes in a circle. */
const MOST_CAPABILITIES = 48;

function capability<S extends Struct>(config: Uint8Array, header: Header, id: number, layout: S): ReturnType<typeof decodeStruct<S>> | null {
  let at = header.capability_list & ~3;
  for (let hop = 0; hop < MOST_CAPABILITIES && at >= sizeOf(pciHeader) && at + 2 <= config.length; hop++) {
    if (config[at] === id) return at + sizeOf(layout) <= config.length ? decodeStruct(layout, config, at) : null;
    at = (config[at + 1] ?? 0) & ~3;
  }
  return null;
}

const HEADER_TYPE_MASK = 0x7f;
const HEADER_TYPE_BRIDGE = 1;

function bridgeOf(config: Uint8Array, headerType: bigint | number): PciFunction['bridgeTo'] {
  if ((Number(headerType) & HEADER_TYPE_MASK) !== HEADER_TYPE_BRIDGE) return null;
  const { secondary_bus, subordinate_bus } = decodeStruct(pciBridgeHeader, config);
  return { secondary: secondary_bus, subordinate: subordinate_bus };
}

const domainOf = (address: string): string => address.slice(0, address.indexOf(':'));
const busOf = (address: string): number => Number.parseInt(address.slice(-7, -5), 16);

/** Bridges between a function and its root bus, the nearest first. */
export function bridgesAbove(fn: PciFunction, all: readonly PciFunction[]): readonly PciFunction[] {
  const found: PciFunction[] = [];
  let bus = busOf(fn.address);
  for (;;) {
    const bridge = all.find(
      (one) => one.bridgeTo?.secondary === bus && domainOf(one.address) === domainOf(fn.address) && !found.includes(one) && one.address !== fn.address,
    );
    if (bridge === undefined) return found;
    found.push(bridge);
    bus = busOf(bridge.address);
  }
}
