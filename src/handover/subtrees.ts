/** The subtrees that the root FDT names: where each blob is, how large it is, its bytes. Source: kho_retrieve_subtree(), 6.16 to 7.3. */
import { fdtHeader } from '../../abi/fdt/header.js';
import { hwpoisonKhoSer } from '../../abi/hwpoison/v1.js';
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import type { Contract } from '../../abi/contract.js';
import { type Struct, u64 } from '../../abi/layout.js';
import { luoSer } from '../../abi/luo/v5.js';
import { decodeValue } from '../codec/decode.js';
import { type Fdt, type FdtNode, fdtProperty, fdtTotalSize, hasFdtMagic } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { type Context, isOffMachine, refer } from './context.js';
import type { BlobFile, Candidate } from './find.js';
import { type Blob, child, luoSerSize } from './luo-root.js';
import { counted, escapeForWhy, hex } from '../tree/words.js';
import { Node } from '../tree/node.js';
import { uniquePart } from '../tree/tree.js';

export interface Subtree {
  readonly name: string;
  /** physical; null where the property is missing or no address */
  readonly address: number | null;
  /** bytes; null where no blob-size is recorded (up to 7.0) and the blob does not tell */
  readonly size: number | bigint | null;
  readonly format: 'fdt' | 'struct' | 'unknown';
  /** bytes the blob itself says it has, or its structure; null where nothing tells */
  readonly ownSize: number | null;
  readonly node: Node;
}

/** All subtrees in the FDT's order, and the bytes of each, by name. */
export function readSubtrees(
  context: Context,
  fdt: Fdt | null,
  candidate: Candidate,
  contract: Contract | null,
  kho: Node,
): { subtrees: readonly Subtree[]; blobs: ReadonlyMap<string, Blob> } {
  const subtrees: Subtree[] = [];
  const blobs = new Map<string, Blob>();
  const group = kho.group('subtrees', { description: 'users of KHO' });
  const rootNode = child(kho, '/') ?? kho;
  if (candidate.fdtAddress !== null) refer(context, { address: candidate.fdtAddress, order: 0, what: 'root FDT', node: rootNode, from: rootNode });
  const files = new Map(candidate.blobFiles.map((file) => [file.name, file]));
  const names = new Map<string, number>();
  // In the order of the FDT's own nodes.
  const treeNodes = rootNode.children().filter((node): node is Node => node instanceof Node && node.type === 'fdt node');
  for (const [index, node] of (fdt?.root?.children ?? []).entries()) {
    const from = treeNodes[index] ?? rootNode;
    const path = `${group.path}/${uniquePart(names, node.name)}`;
    const file = files.get(node.name);
    files.delete(node.name);
    const { subtree, blob } = file === undefined ? readSubtree(context, node, contract, group, path, from) : fromBlobFile(file, group);
    subtrees.push(subtree);
    if (blob !== null && !blobs.has(node.name)) blobs.set(node.name, blob);
  }
  for (const file of files.values()) {
    const { subtree, blob } = fromBlobFile(file, group);
    subtrees.push(subtree);
    blobs.set(file.name, blob);
  }
  group.meaning = counted(subtrees.length, 'subtree');
  return { subtrees, blobs };
}

function fromBlobFile(file: BlobFile, group: Node): { subtree: Subtree; blob: Blob } {
  const node = group.group(file.name, { address: file.address, type: 'subtree', meaning: `${file.bytes.length} bytes, from a file` });
  return {
    subtree: { name: file.name, address: file.address, size: file.bytes.length, format: formatOf(file.name, file.bytes), ownSize: null, node },
    blob: { bytes: file.bytes, address: file.address, node },
  };
}

const formatOf = (name: string, bytes: Uint8Array): Subtree['format'] => (hasFdtMagic(bytes) ? 'fdt' : STRUCT_SUBTREES.has(name) ? 'struct' : 'unknown');

/** As a number where it holds it exactly. */
const exact = (value: bigint): number | bigint => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);

/** Larger blobs than this are not read whole. */
const MAX_BLOB = 1 << 20;

function readSubtree(
  context: Context,
  node: FdtNode,
  contract: Contract | null,
  group: Node,
  path: string,
  from: Node,
): { subtree: Subtree; blob: Blob | null } {
  const { memory, observations } = context;
  const property = fdtProperty(node, 'preserved-data') ?? fdtProperty(node, 'fdt');
  const sizeProperty = fdtProperty(node, 'blob-size');
  const pointerNode = property === null ? from : (child(from, property.name) ?? from);
  const address = property === null || property.value.length !== 8 ? null : physicalAddress(decodeValue(u64('address'), property.value));
  const recorded = sizeProperty === null || sizeProperty.value.length !== 8 ? null : exact(decodeValue(u64('size'), sizeProperty.value));
  const made = group.add(new Node(path, node.name, { address, type: 'subtree' }));
  const fail = (
    kind: 'subtree-property' | 'subtree-missing',
    at: Node,
    text: string,
    nature: 'wrong' | 'absent' = 'wrong',
  ): { subtree: Subtree; blob: Blob } => {
    observations.add(kind, at, text, nature);
    if (nature === 'absent') made.mark('excluded-page', text);
    return { subtree: { name: node.name, address, size: recorded, format: 'unknown', ownSize: null, node: made }, blob: { bytes: null, address, node: made } };
  };
  const name = JSON.stringify(node.name);
  if (property === null) return fail('subtree-property', from, `subtree ${name} has neither preserved-data nor fdt`);
  if (property.value.length !== 8)
    return fail('subtree-property', pointerNode, `${property.name} of subtree ${name} has ${property.value.length} bytes, not 8`);
  if (address === null || address === 0) return fail('subtree-property', pointerNode, `${property.name} of subtree ${name} is not a physical address`);
  pointerNode.pointsTo(made);
  refer(context, { address, order: null, what: `subtree ${node.name}`, node: made, from: pointerNode });
  // kho-v1 and kho-v2 record no size: there every blob is an FDT.
  const sized = contract?.fdt?.children.some(({ properties }) => 'blob-size' in properties) ?? property.name !== 'fdt';
  if (sized && recorded === null)
    return fail('subtree-property', sizeProperty === null ? from : (child(from, 'blob-size') ?? from), `subtree ${name} has no blob-size of 8 bytes`);
  const state = memory.stateOf(address);
  if (state !== 'present' && state !== 'zero') {
    return fail(
      'subtree-missing',
      pointerNode,
      `the blob of subtree ${name} at ${hex(address)} is ${describeState(state)}`,
      isOffMachine(context, address) ? 'wrong' : 'absent',
    );
  }
  // Who reads an FDT goes by its own size, whatever was recorded.
  const sizes = [fdtSize(memory, address), recorded].filter((size): size is number => typeof size === 'number' && size > 0 && size <= MAX_BLOB);
  const wanted = sizes.length === 0 ? recorded : Math.max(...sizes);
  if (typeof wanted !== 'number' || wanted <= 0 || wanted > MAX_BLOB) {
    const at = child(from, 'blob-size') ?? from;
    observations.add(
      'subtree-size',
      at,
      recorded === null ? `what is at ${hex(address)} is not an FDT` : `blob-size of subtree ${name} is ${recorded}`,
      context.released && recorded === null ? 'reused' : 'wrong',
      recorded === null ? address : at.address,
    );
    return { subtree: { name: node.name, address, size: recorded, format: 'unknown', ownSize: null, node: made }, blob: { bytes: null, address, node: made } };
  }
  const read = readBytes(memory, address, wanted);
  if (!read.ok)
    observations.add('subtree-missing', made, `the blob of subtree ${name} goes on at ${hex(read.at)}, which is ${describeState(read.state)}`, 'absent');
  made.meaning = `${wanted} bytes, starts with ${escapeForWhy(read.bytes.subarray(0, 8))}`;
  return {
    subtree: {
      name: node.name,
      address,
      size: recorded,
      format: formatOf(node.name, read.bytes),
      ownSize: ownSizeOf(context, node.name, read.bytes),
      node: made,
    },
    blob: { bytes: read.bytes, address, node: made },
  };
}

/** Subtrees that are known to be structs where they are no FDTs. */
const STRUCT_SUBTREES = new Map<string, Struct>([
  ['LUO', luoSer],
  ['kexec-metadata', khoKexecMetadata],
  ['hwpoison', hwpoisonKhoSer],
]);

function ownSizeOf(context: Context, name: string, bytes: Uint8Array): number | null {
  if (hasFdtMagic(bytes)) return fdtTotalSize(bytes);
  if (name === 'LUO') return luoSerSize(context, bytes);
  const struct = STRUCT_SUBTREES.get(name);
  return struct === undefined ? null : sizeOf(context.contracts.struct(struct), context.memory.pageSize);
}

function fdtSize(memory: PhysicalMemory, address: number): number | null {
  const read = readBytes(memory, address, sizeOf(fdtHeader));
  return read.ok && hasFdtMagic(read.bytes) ? fdtTotalSize(read.bytes) : null;
}
