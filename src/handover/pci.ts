/** The PCI core's FLB: which devices were preserved, in any version of the mail series "PCI: liveupdate" (abi/pci). */
import type { Contract } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { currentBudget } from '../codec/budget.js';
import { sizeOf } from '../codec/layout-table.js';
import { readBytes } from '../memory/memory.js';
import { readEntries } from './entries.js';
import { areaOf } from '../codec/area.js';
import { type Context, nonsense } from './context.js';
import { hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { MAX_SLOTS, integer, pciVariant } from './pci-variant.js';

export { integer };

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

/** `dddd:bb:dd.f` of a domain and a bdf. */
export function pciAddress(domain: number, bdf: number): string {
  const part = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${part(domain, 4)}:${part(bdf >> 8, 2)}:${part((bdf >> 3) & 31, 2)}.${bdf & 7}`;
}

/** Reads the FLB at `address` (physical). `candidates`: the contracts its name may mean. */
export function readPciDevices(context: Context, candidates: readonly Contract[], address: number, parent: Node, from: Node): PciDevices | null {
  const contract = pciVariant(context.memory, candidates, address);
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
  const places = integer(reading.values, 'devices') === null ? inline(context, reading, header, entry, address, slots) : chained(context, reading, contract);
  const devices: PciDevice[] = [];
  const budget = currentBudget();
  let isCut = false;
  for (const [index, at] of places.entries()) {
    isCut = !budget.spend('entries', 1, reading.node.path);
    if (isCut) break;
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
  if (!isCut && BigInt(devices.length) !== claimed) {
    nonsense(context, 'device', reading.field('nr_devices'), `nr_devices is ${claimed}, but ${devices.length} slots are in use`);
  }
  reading.node.meaning = `${devices.length} devices`;
  return { kind: 'pci', struct: 'pci_ser', contract, reading, node: reading.node, devices, claimed };
}

function inline(context: Context, reading: Reading, header: Struct, entry: Struct, address: number, slots: bigint): readonly number[] {
  let count = slots;
  if (slots > BigInt(MAX_SLOTS)) {
    nonsense(context, 'device', reading.node, `room for ${slots} devices is more than any machine has`);
    count = 0n;
  }
  return filledSlots(context, address + sizeOf(header), sizeOf(entry), Number(count));
}

function chained(context: Context, reading: Reading, contract: Contract): readonly number[] {
  const area = areaOf(contract, 'devices');
  const first = reading.integer('devices');
  if (area === null || first === null) return [];
  return readEntries(context, area, first, { parent: reading.node, from: reading.field('devices'), what: 'PCI device' }).places;
}

/** Addresses of the slots that are not all zeros; an empty slot is. Where the array is cut short, the first slot that is missing is the last. */
function filledSlots(context: Context, first: number, size: number, count: number): readonly number[] {
  const places: number[] = [];
  for (let done = 0; done < count; done += SLOTS_A_PIECE) {
    const wanted = Math.min(SLOTS_A_PIECE, count - done);
    const { bytes } = readBytes(context.memory, first + done * size, wanted * size);
    const whole = Math.floor(bytes.length / size);
    for (let at = 0; at < whole * size; at += size) {
      let used = at;
      while (used < at + size && bytes[used] === 0) used++;
      if (used < at + size) places.push(first + done * size + at);
    }
    if (whole < wanted) return [...places, first + (done + whole) * size];
  }
  return places;
}

const SLOTS_A_PIECE = 4096;
