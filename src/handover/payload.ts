/** What the opaque value of a handler or an FLB leads to: which decoder a compatible string chooses. */
import type { Contract, Layer } from '../../abi/contract.js';
import type { CStringValue, Struct } from '../../abi/layout.js';
import { sizeOf } from '../codec/layout-table.js';
import { describeState, physicalAddress, type PhysicalMemory, readBytes } from '../memory/memory.js';
import { type Context, contractsNamed, isOffMachine, refer } from './context.js';
import { hex } from '../tree/words.js';
import { type Memfd, memfdLayout, readMemfd } from './memfd.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';
import { type PciDevices, readPciDevices } from './pci.js';
import { followPointers } from './follow.js';
import type { VmallocArea } from './vmalloc.js';
import { variantOf } from './variants.js';
import { decodeStruct } from '../codec/decode.js';
import { integer } from './pci-variant.js';

/** A structure of a known contract, decoded by its layout alone. */
export interface StructPayload {
  readonly kind: 'struct';
  readonly struct: string;
  readonly contract: Contract;
  readonly reading: Reading;
  readonly node: Node;
  /** vmalloc areas that hang on it, by field */
  readonly areas: ReadonlyMap<string, VmallocArea>;
}

export type Payload = Memfd | PciDevices | StructPayload;

/** Decodes what `data` of a file or FLB points to. `node` is the entry's node, `dataNode` the pointer's. Null where it can't be. */
export function readPayload(context: Context, compatible: CStringValue, data: bigint, node: Node, dataNode: Node): Payload | null {
  const candidates = contractsNamed(context, compatible.text);
  const first = candidates[0];
  if (first === undefined || first.status === 'test' || first.structs.length === 0) return null;
  const address = physicalAddress(data);
  if (address === null || address === 0 || isOffMachine(context, address)) {
    const nature = context.released ? 'reused' : 'wrong';
    context.observations.add('data-pointer', dataNode, `data is ${hex(data)}, where ${compatible.text} has the address of its structure`, nature);
    return null;
  }
  if (address % context.memory.pageSize !== 0) {
    context.observations.add('data-pointer', dataNode, `data is ${hex(data)}, but its structure starts a page`, context.released ? 'reused' : 'wrong');
  }
  dataNode.pointer = address;
  const decode = decoders[first.layer] ?? readAsStruct;
  const payload = onceFor(context, `${first.id} ${address}`, dataNode, () => decode(context, candidates, address, node, dataNode));
  if (payload !== null) {
    dataNode.pointsTo(payload.node);
    refer(context, { address, order: orderOf(payload.reading, context.memory.pageSize), what: `struct ${payload.struct}`, node: payload.node, from: dataNode });
  } else if (context.memory.stateOf(address) === 'excluded') {
    // Whether its page is in the dump or not, it has to be preserved.
    refer(context, { address: address - (address % context.memory.pageSize), order: null, what: `data of ${compatible.text}`, node: dataNode, from: dataNode });
  }
  return payload;
}

/** So many files may lead to one structure (a kernel writes one for each); those past the limit are not shown with it. */
const MOST_SHARED = 16;

const decoded = new WeakMap<Context, Map<string, { readonly payload: Payload | null; users: number }>>();

/** A structure is decoded once, however many entries lead to it. */
function onceFor(context: Context, key: string, from: Node, decode: () => Payload | null): Payload | null {
  const known = decoded.get(context) ?? new Map<string, { readonly payload: Payload | null; users: number }>();
  decoded.set(context, known);
  const before = known.get(key);
  if (before === undefined) {
    const payload = decode();
    known.set(key, { payload, users: 1 });
    return payload;
  }
  if (before.payload === null) return null;
  const text = `data is that of ${before.payload.node.path}: one structure can't be both`;
  context.observations.add('data-shared', from, text, context.released ? 'reused' : 'wrong');
  before.users++;
  return before.users > MOST_SHARED ? null : before.payload;
}

/** Order of the block a structure was allocated in. */
const orderOf = ({ struct }: Reading, pageSize: number): number => Math.max(0, Math.ceil(Math.log2(sizeOf(struct, pageSize) / pageSize)));

type Decoder = (context: Context, candidates: readonly Contract[], address: number, node: Node, dataNode: Node) => Payload | null;

/** Layers whose structures lead on to others; every other layer is shown by the fields of its first structure. */
const decoders: Readonly<Partial<Record<Layer, Decoder>>> = {
  memfd: (context, candidates, address, node, dataNode) => {
    const layout = memfdLayout(candidates, context.memory.pageSize);
    // A version without the fields that lead to its pages is shown as its fields.
    return layout === null ? readAsStruct(context, candidates, address, node, dataNode) : readMemfd(context, layout, address, node, dataNode);
  },
  pci: readPciDevices,
  'vfio-pci': (context, candidates, address, node, dataNode) => {
    const variant = vfioVariant(context.memory, candidates, address);
    return variant === null ? null : readAsStruct(context, [variant], address, node, dataNode);
  },
};

function readAsStruct(context: Context, candidates: readonly Contract[], address: number, node: Node, dataNode: Node): StructPayload | null {
  const contract = variantOf(context, candidates, address);
  const struct = contract?.structs[0];
  if (contract === null || struct === undefined) return null;
  const reading = readStruct(context.memory, struct, address, { path: `${node.path}/${struct.name}`, name: struct.name });
  node.add(reading.node);
  if (reading.values === null) {
    const at = reading.node.why ?? describeState(context.memory.stateOf(address));
    context.observations.add('data-missing', dataNode, `${struct.name} at ${hex(address)}: ${at}`, 'absent');
    return null;
  }
  reading.node.meaning = contract.id;
  addRestOfPage(context.memory, reading.node, address, sizeOf(struct, context.memory.pageSize));
  const areas = followPointers(context, contract, reading);
  return { kind: 'struct', struct: struct.name, contract, reading, node: reading.node, areas };
}

/* Which of the layouts that share a string a preserved VFIO device has: told by what its bytes would mean in each (abi/vfio-pci). */

/** Bytes after every candidate that are looked at: zeros of a fresh page. */
const LOOK_AFTER = 8;
/** PCI domains are few and small, or start at 0x10000 where an operating system made them up. */
const MANY_DOMAINS = 0x100;
const MADE_UP_DOMAINS = 0x10000;

/**
 * Chooses among `candidates` by the bytes at `address` (physical). The usual one, whose id is the string itself, holds unless
 * what it reads is no device and another form is.
 */
function vfioVariant(memory: PhysicalMemory, candidates: readonly Contract[], address: number): Contract | null {
  const usual = candidates.find((contract) => contract.id === contract.compatible) ?? candidates[0] ?? null;
  const others = candidates.filter((contract) => contract !== usual);
  if (usual === null || others.length === 0) return usual;
  const largest = Math.max(...candidates.map((contract) => structSize(contract)));
  const { bytes } = readBytes(memory, address, largest + LOOK_AFTER);
  const readings = candidates.map((contract) => ({ contract, device: deviceOf(contract, bytes) }));
  if (readings.find(({ contract }) => contract === usual)?.device === 'plausible') return usual;
  const fitting = readings.filter(({ contract, device }) => contract !== usual && device !== 'none');
  fitting.sort((a, b) => structSize(a.contract) - structSize(b.contract));
  return fitting[0]?.contract ?? usual;
}

const structSize = (contract: Contract): number => (contract.structs[0] === undefined ? 0 : sizeOf(contract.structs[0]));

/** What `contract` would read: no device, one, or one where devices usually are. */
function deviceOf(contract: Contract, bytes: Uint8Array): 'none' | 'possible' | 'plausible' {
  const [struct] = contract.structs;
  if (struct === undefined || bytes.length < sizeOf(struct)) return 'none';
  const values = decodeStruct(struct, bytes);
  const [bdf, domain, reset] = [integer(values, 'bdf') ?? 0n, integer(values, 'domain') ?? 0n, integer(values, 'reset_works') ?? 0n];
  const zerosAfter = bytes.subarray(sizeOf(struct), sizeOf(struct) + LOOK_AFTER).every((byte) => byte === 0);
  if (bdf === 0n || reset > 1n || !zerosAfter) return 'none';
  if (isWide(struct) && domain !== 0n && bdf === 1n) return 'possible';
  const known = domain < MANY_DOMAINS || (domain >= MADE_UP_DOMAINS && domain % BigInt(MADE_UP_DOMAINS) < MANY_DOMAINS);
  return known ? 'plausible' : 'possible';
}

/** Is the domain the first field, of 32 bits? There a bdf and a flag of the older forms read as a large domain and a bdf of 1. */
const isWide = (struct: Struct): boolean => struct.fields.domain?.kind === 'int' && struct.fields.domain.bytes === 4;
