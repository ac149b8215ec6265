/** The PCI core's FLB: which devices were preserved, in any version of the mail series "PCI: liveupdate" (abi/pci). */
import type { Contract } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { sizeOf } from '../codec/layout-table.js';
import { physicalAddress, readBytes } from '../memory/memory.js';
import { readBlocks } from './blocks.js';
import { type Context, natureOfNonsense } from './context.js';
import { hex } from './meaning.js';
import { type Node, type Reading, readStruct } from './node.js';

export interface PciDevice {
  readonly domain: number;
  readonly bdf: number;
  /** null in versions without one */
  readonly refcount: number | null;
  readonly reading: Reading;
}

export interface PciDevices {
  readonly kind: 'pci';
  readonly struct: 'pci_ser';
  readonly contract: Contract;
  readonly reading: Reading;
  readonly node: Node;
  /** slots in use */
  readonly devices: readonly PciDevice[];
  /** what the header says */
  readonly claimed: bigint;
}

/** More slots than a machine has PCI functions in all its domains. */
const MAX_SLOTS = 1 << 20;

/** `dddd:bb:dd.f` of a domain and a bdf. */
export function pciAddress(domain: number, bdf: number): string {
  const part = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${part(domain, 4)}:${part(bdf >> 8, 2)}:${part((bdf >> 3) & 31, 2)}.${bdf & 7}`;
}

/** Reads the FLB at `address` (physical). `candidates`: the contracts its name may stand for. */
export function readPciDevices(context: Context, candidates: readonly Contract[], address: number, parent: Node, from: Node): PciDevices | null {
  const contract = variant(context, candidates, address);
  const [header, entry] = contract?.structs ?? [];
  if (contract === null || header === undefined || entry === undefined) return null;
  const reading = readStruct(context.memory, header, address, { path: `${parent.path}/pci_ser`, name: 'pci_ser' });
  parent.add(reading.node);
  from.pointsTo(reading.node);
  if (reading.values === null) {
    context.observations.add('data-missing', from, `pci_ser at ${hex(address)}: ${reading.node.why ?? 'its page is not there'}`, 'absent');
    return null;
  }
  const claimed = integer(reading.values, 'nr_devices') ?? 0n;
  const slots = integer(reading.values, 'max_nr_devices') ?? claimed;
  const places = integer(reading.values, 'devices') === null ? inline(context, reading, header, entry, address, slots) : chained(context, reading, entry);
  const devices: PciDevice[] = [];
  for (const [index, at] of places.entries()) {
    const device = readStruct(context.memory, entry, at, { path: `${reading.node.path}/devices/${index}`, name: `device ${index}` });
    if (device.values === null) {
      context.observations.add('data-missing', reading.node, `pci_dev_ser at ${hex(at)}: ${device.node.why ?? 'its page is not there'}`, 'absent', at);
      break;
    }
    reading.node.add(device.node);
    const refcount = integer(device.values, 'refcount');
    const domain = Number(integer(device.values, 'domain') ?? 0n);
    const bdf = Number(integer(device.values, 'bdf') ?? 0n);
    if (refcount === 0n) {
      device.node.meaning = 'empty slot';
      continue;
    }
    device.node.meaning = pciAddress(domain, bdf);
    devices.push({ domain, bdf, refcount: refcount === null ? null : Number(refcount), reading: device });
  }
  if (BigInt(devices.length) !== claimed) {
    context.observations.add(
      'device',
      reading.field('nr_devices'),
      `nr_devices is ${claimed}, but ${devices.length} slots are in use`,
      natureOfNonsense(context),
    );
  }
  reading.node.meaning = `${devices.length} devices`;
  return { kind: 'pci', struct: 'pci_ser', contract, reading, node: reading.node, devices, claimed };
}

/** An integer field by name, or null where this version has none of that name. */
export function integer(values: Readonly<Record<string, unknown>>, name: string): bigint | null {
  const value = values[name];
  return typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(value) : null;
}

function inline(context: Context, reading: Reading, header: Struct, entry: Struct, address: number, slots: bigint): readonly number[] {
  let count = slots;
  if (slots > BigInt(MAX_SLOTS)) {
    context.observations.add('device', reading.node, `room for ${slots} devices is more than any machine has`, natureOfNonsense(context));
    count = 0n;
  }
  return Array.from({ length: Number(count) }, (_, index) => address + sizeOf(header) + index * sizeOf(entry));
}

function chained(context: Context, reading: Reading, entry: Struct): readonly number[] {
  const first = reading.values === null ? null : integer(reading.values, 'devices');
  return first === null ? [] : readBlocks(context, first, entry, reading.node, reading.field('devices'), 'PCI device').blocks.flatMap((block) => block.entries);
}

/** "pci-v1" was used for three shapes: two counts of 4 bytes, one of 8, two of 8. Two small counts read as one u64 are huge. */
function variant(context: Context, candidates: readonly Contract[], address: number): Contract | null {
  const narrow = candidates.find((contract) => contract.id === contract.compatible) ?? candidates[0] ?? null;
  if (candidates.length < 2) return narrow;
  const read = readBytes(context.memory, address, 16);
  if (!read.ok) return narrow;
  const view = new DataView(read.bytes.buffer);
  const [first, second] = [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  if (first >= 1n << 32n) return narrow;
  const wide = candidates.filter((contract) => contract !== narrow);
  const twoCounts = wide.find((contract) => contract.structs[0] !== undefined && 'max_nr_devices' in contract.structs[0].fields);
  const oneCount = wide.find((contract) => contract !== twoCounts);
  return (second <= first && twoCounts !== undefined && physicalAddress(second) !== null ? twoCounts : oneCount) ?? narrow;
}
