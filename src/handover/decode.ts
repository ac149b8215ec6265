/**
 * From memory to everything that was handed over: finds the handovers, tells their roles, decodes each. The result is what
 * report, diagnosis, compat and the terminal look at.
 */
import type { Contract } from '../../abi/contract.js';
import { contractsOf } from '../../abi/registry.js';
import { type Fdt, type FdtNode, fdtProperty, fdtStrings, fdtTotalSize, hasFdtMagic } from '../codec/fdt.js';
import { decodeStruct, decodeValue } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { fdtHeader } from '../../abi/fdt/header.js';
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { type Struct, u64 } from '../../abi/layout.js';
import { luoSer } from '../../abi/luo/v5.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { type Context, DEFAULT_LIMITS, type Limits, type Reference, isOffMachine, refer } from './context.js';
import { addFdt } from './fdt-node.js';
import { type BlobFile, type Candidate, type FdtFile, type FindResult, findHandovers } from './find.js';
import type { Luo } from './luo.js';
import { type Blob, child, luoSerSize, readLuo } from './luo-root.js';
import { escapeForWhy, formatBytes, hex } from './meaning.js';
import { Node, addRestOfPage } from './node.js';
import { type Observation, Observations } from './observe.js';
import { readChunkMap } from './preserved/chunks.js';
import type { PreservedMap } from './preserved/preserved-map.js';
import { readRadixMap } from './preserved/radix.js';
import { type Role, type Scratch, type Writer, readScratch, tellRoles } from './roles.js';
import { type KexecMetadata, type ReserveMem, readKexecMetadata, readMemblock, readOtherFdt } from './small-subtrees.js';
import { readKhoTest } from './kho-test.js';
import { uniquePart } from './tree.js';

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

export interface Handover {
  /** `incoming`, or `incoming@0x…` where the role is not unique */
  readonly path: string;
  readonly role: Role;
  readonly roleEvidence: string;
  readonly candidate: Candidate;
  readonly compatible: string | null;
  /** the KHO contract it is read by; null where nothing could be read */
  readonly contract: Contract | null;
  readonly scratch: Scratch;
  readonly map: PreservedMap | null;
  /** the kernel that received it may have freed and reused its pages */
  readonly released: boolean;
  readonly subtrees: readonly Subtree[];
  readonly hasLuo: boolean;
  readonly luo: Luo | null;
  readonly memblock: readonly ReserveMem[] | null;
  readonly kexecMetadata: KexecMetadata | null;
  readonly observations: readonly Observation[];
  readonly references: readonly Reference[];
  readonly node: Node;
}

export interface DecodeInput {
  readonly memory: PhysicalMemory;
  readonly files?: readonly FdtFile[];
  /** physical address named by the user */
  readonly khoFdt?: number | null;
  /** utsname release of the kernel that runs in the dump, if known */
  readonly runningRelease?: string | null;
  readonly limits?: Partial<Limits>;
  /** look for setup_data nodes? True unless given; without them roles can hardly be told */
  readonly searchSetupData?: boolean;
  /** look for what kernels leave of themselves? False unless given; `runningKernel` reads it */
  readonly searchKernels?: boolean;
  /** of an earlier decoding of the same memory, so that it is not searched twice */
  readonly find?: FindResult;
}

export interface DecodedDump {
  readonly memory: PhysicalMemory;
  readonly find: FindResult;
  /** the one a reader most likely asks about first: with sessions, then the incoming */
  readonly handovers: readonly Handover[];
}

/** Decodes all handovers of a dump. An empty list means that none was found; `find.searched` says where. */
export function decodeHandovers(input: DecodeInput): DecodedDump {
  const { memory } = input;
  const find = input.find ?? findHandovers(memory, input.files ?? [], input.khoFdt ?? null, input.searchSetupData ?? true, input.searchKernels ?? false);
  const scratches = find.candidates.map((candidate) => readScratch(memory, candidate));
  const verdicts = tellRoles(
    find.candidates.map((candidate, index) => ({ candidate, scratch: scratches[index] ?? NO_SCRATCH, writer: peekWriter(memory, candidate) })),
    input.runningRelease ?? null,
    find.searchedSetupData,
  );
  const handovers = find.candidates.map((candidate, index) => {
    const verdict = verdicts[index] ?? { role: 'unknown' as const, evidence: '' };
    const same = verdicts.filter((other) => other.role === verdict.role).length;
    const path = same === 1 || candidate.fdtAddress === null ? verdict.role : `${verdict.role}@${hex(candidate.fdtAddress)}`;
    const afterBoot = verdict.role === 'incoming' && verdicts.some((other) => other.role === 'outgoing');
    return decodeOne(memory, candidate, scratches[index] ?? NO_SCRATCH, { path, ...verdict, afterBoot }, { ...DEFAULT_LIMITS, ...input.limits });
  });
  return { memory, find, handovers: handovers.sort((a, b) => interest(b) - interest(a)) };
}

const NO_SCRATCH: Scratch = { state: 'not-named', areas: null, address: null, size: 0, why: '' };

const ROLE_INTEREST: Readonly<Record<Role, number>> = { incoming: 3, outgoing: 2, stale: 1, unknown: 0 };
const interest = (handover: Handover): number => ((handover.luo?.sessions?.length ?? 0) > 0 ? 10 : 0) + ROLE_INTEREST[handover.role];

interface Named {
  readonly path: string;
  readonly role: Role;
  readonly evidence: string;
  /** has the kernel that received it come far enough to write a handover of its own? */
  readonly afterBoot: boolean;
}

function decodeOne(memory: PhysicalMemory, candidate: Candidate, scratch: Scratch, named: Named, limits: Limits): Handover {
  const root = new Node(named.path, named.path, { type: 'handover', address: candidate.fdtAddress, description: named.evidence });
  const observations = new Observations();
  const context: Context = { memory, observations, limits, prefix: named.path, root, map: null, released: false, references: [] };
  const kho = root.group('kho', { address: candidate.fdtAddress, description: 'Kexec Handover' });
  observeScratch(observations, kho, scratch);
  const base = { path: named.path, role: named.role, roleEvidence: named.evidence, candidate, scratch, node: root, references: context.references };
  const { fdt } = candidate;
  if (fdt === null && candidate.blobFiles.length === 0) {
    observations.add('fdt-missing', kho, `the root FDT at ${hex(candidate.fdtAddress ?? 0)} is ${describeState(candidate.pageState)}`, 'absent');
    const nothing = {
      compatible: null,
      contract: null,
      map: null,
      released: false,
      subtrees: [],
      hasLuo: false,
      luo: null,
      memblock: null,
      kexecMetadata: null,
    };
    return { ...base, ...nothing, observations: observations.all };
  }
  if (fdt === null) observations.add('fdt-missing', kho, 'this folder has no fdt file, so only the blobs beside it can be read', 'absent');
  const { compatible, contract } = fdt === null ? { compatible: null, contract: null } : readRoot(context, fdt, candidate, kho);
  const map = fdt === null ? null : readMap(context, fdt, candidate, contract, kho);
  context.map = map;
  // An intact map is freed early in boot: where it is gone, so may be everything else. A kernel done with a handover frees it too.
  context.released =
    named.role === 'stale' || named.afterBoot || observations.count('map-reused') > 0 || (named.role !== 'outgoing' && observations.count('map-missing') > 0);
  const { subtrees, blobs } = readSubtrees(context, fdt, candidate, contract, kho);
  const luoBlob = blobs.get('LUO');
  const luo = luoBlob === undefined ? null : readLuo(context, luoBlob, root);
  const memblockBlob = blobs.get('memblock');
  const memblock = memblockBlob === undefined ? null : readMemblock(context, memblockBlob, root);
  const metadataBlob = blobs.get('kexec-metadata');
  const kexecMetadata = metadataBlob === undefined ? null : readKexecMetadata(context, metadataBlob, root);
  for (const [name, blob] of blobs) {
    if (name === 'kho_test') readKhoTest(context, blob, root);
    else if (!KNOWN_SUBTREES.has(name)) readOtherFdt(context, blob, kho, `${name} contents`, null);
  }
  root.meaning = [compatible ?? 'no version', luo === null ? 'no LUO' : `${luo.sessions?.length ?? '?'} sessions`].join(', ');
  return {
    ...base,
    compatible,
    contract,
    map,
    released: context.released,
    subtrees,
    hasLuo: luoBlob !== undefined,
    luo,
    memblock,
    kexecMetadata,
    observations: observations.all,
  };
}

const KNOWN_SUBTREES = new Set(['LUO', 'memblock', 'kexec-metadata', 'kho_test']);

function observeScratch(observations: Observations, kho: Node, scratch: Scratch): void {
  const node = kho.group('scratch', { address: scratch.address, bits: scratch.size * 8, description: 'memory the next kernel boots in' });
  for (const [index, area] of (scratch.areas ?? []).entries()) {
    node.group(`${index}`, { address: area.start, bits: area.size * 8, meaning: `${formatBytes(area.size)} at ${hex(area.start)}` }, `[${index}]`);
  }
  if (scratch.state === 'filled') return;
  const kind = scratch.state === 'empty' ? 'scratch-empty' : scratch.state === 'implausible' ? 'scratch-implausible' : 'scratch-missing';
  observations.add(kind, node, scratch.why, scratch.state === 'missing' ? 'absent' : 'note');
}

/** The root's own properties: its version, and the contract it is read by. */
function readRoot(context: Context, fdt: Fdt, candidate: Candidate, kho: Node): { compatible: string | null; contract: Contract | null } {
  const { observations, memory } = context;
  const at = (offset: number): number | null => (candidate.fdtAddress === null ? null : candidate.fdtAddress + offset);
  const strings = fdt.root === null ? [] : rootStrings(fdt.root, candidate.cutInCopy);
  const compatible = strings.find((text) => text.startsWith('kho-')) ?? strings[0] ?? null;
  const known = strings.flatMap((text) => text.split(';')).flatMap((text) => contractsOf(text).filter((contract) => contract.layer === 'kho'));
  const contract = known[0] ?? nearest(fdt.root);
  const root = addFdt(kho, fdt, candidate.fdtAddress, contract?.fdt ?? null, memory.pageSize);
  if (candidate.fdtAddress !== null && fdt.header.totalsize < memory.pageSize) addRestOfPage(memory, kho, candidate.fdtAddress, fdt.header.totalsize);
  if (candidate.cutInCopy) {
    observations.add(
      'fdt-invalid',
      kho,
      `only ${fdt.bytes.length} of the root FDT's ${fdt.header.totalsize} bytes were copied: names and what follows are lost`,
      'absent',
      at(0),
    );
  }
  for (const problem of candidate.cutInCopy ? [] : fdt.problems)
    observations.add('fdt-invalid', kho, `the root FDT: ${problem.text} (libfdt ${problem.code})`, 'wrong', at(problem.offset));
  if (fdt.header.totalsize > memory.pageSize)
    observations.add('fdt-oversized', kho, `totalsize is ${fdt.header.totalsize}, a KHO FDT has one page`, 'wrong', at(0));
  kho.meaning = compatible ?? 'no compatible string';
  if (fdt.root === null) return { compatible: null, contract: null };
  const node = child(root, 'compatible') ?? root;
  if (candidate.cutInCopy) return { compatible, contract };
  if (compatible === null) observations.add('kho-compatible', root, 'the root has no compatible string');
  else if (known.length === 0) {
    node.mark('unknown-version', `no contract known is called ${JSON.stringify(compatible)}`);
    const nearestText = contract === null ? '' : `; the rest is read as ${contract.id} has it`;
    observations.add('kho-unknown-version', node, `compatible is ${JSON.stringify(compatible)}, which no release up to 7.3 knows${nearestText}`);
  }
  return { compatible, contract };
}

/** The version strings. In a copy that lost its names, the property is known by its value. */
function rootStrings(root: FdtNode, cutInCopy: boolean): readonly string[] {
  const named = fdtStrings(fdtProperty(root, 'compatible'));
  if (named.length > 0 || !cutInCopy) return named;
  return (
    root.properties
      .filter((property) => property.name.startsWith('?'))
      .map(fdtStrings)
      .find(([text]) => text?.startsWith('kho-v')) ?? []
  );
}

/** For a version nobody knows: the contract whose property names it uses. */
function nearest(root: FdtNode | null): Contract | null {
  const properties = new Set(root?.children.flatMap((node) => node.properties.map((property) => property.name)));
  const id = properties.has('blob-size') ? 'kho-v4' : properties.has('preserved-data') ? 'kho-v2' : properties.has('fdt') ? 'kho-v1' : null;
  return id === null ? null : (contractsOf(id)[0] ?? null);
}

function readMap(context: Context, fdt: Fdt, candidate: Candidate, contract: Contract | null, kho: Node): PreservedMap | null {
  const { memory, observations, limits } = context;
  if (fdt.root === null) return null;
  const node = kho.group('preserved', { description: 'which pages the next kernel must leave alone' });
  const root = child(kho, '/') ?? kho;
  const property = fdtProperty(fdt.root, 'preserved-memory-map');
  const propertyNode = child(root, 'preserved-memory-map') ?? root;
  if (property === null || property.value.length !== 8) {
    const text = property === null ? 'the root has no preserved-memory-map' : `preserved-memory-map has ${property.value.length} bytes, not 8`;
    if (!candidate.cutInCopy) observations.add('kho-property', propertyNode, text);
    return null;
  }
  const value = decodeValue(u64('preserved-memory-map'), property.value);
  const address = physicalAddress(value);
  if (value === 0n) {
    observations.add('map-none', propertyNode, 'preserved-memory-map is 0: nothing is preserved, or it has not been finalised', 'note');
    return null;
  }
  if (address === null || address % memory.pageSize !== 0 || (candidate.foundBy !== 'debugfs' && memory.stateOf(address) === 'out-of-range')) {
    observations.add('map-pointer', propertyNode, `preserved-memory-map is ${hex(value)}, no page of this machine`);
    return null;
  }
  if (contract === null) return null;
  const chunks = contract.compatible === 'kho-v1';
  const map = chunks
    ? readChunkMap(memory, address, node, observations, limits.mapNodes)
    : readRadixMap(memory, address, node, observations, limits.mapNodes, contract.id === 'kho-v2' ? 'kho-v2' : 'fixed');
  const first = node.children()[0];
  if (first !== undefined) propertyNode.pointsTo(first);
  return map;
}

function readSubtrees(
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
  group.meaning = `${subtrees.length} subtrees`;
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
  if (address === null || address === 0) return fail('subtree-property', pointerNode, `${property.name} of subtree ${name} is no physical address`);
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
  const wanted = recorded ?? fdtSize(memory, address);
  if (typeof wanted !== 'number' || wanted <= 0 || wanted > MAX_BLOB) {
    const at = child(from, 'blob-size') ?? from;
    observations.add(
      'subtree-size',
      at,
      recorded === null ? `what stands at ${hex(address)} is no FDT` : `blob-size of subtree ${name} is ${recorded}`,
      context.released && recorded === null ? 'reused' : 'wrong',
    );
    return { subtree: { name: node.name, address, size: recorded, format: 'unknown', ownSize: null, node: made }, blob: { bytes: null, address, node: made } };
  }
  const read = readBytes(memory, address, wanted);
  if (!read.ok)
    observations.add('subtree-missing', made, `the blob of subtree ${name} goes on at ${hex(read.at)}, which is ${describeState(read.state)}`, 'absent');
  made.meaning = `${wanted} bytes, starts with ${escapeForWhy(read.bytes.subarray(0, 8))}`;
  return {
    subtree: { name: node.name, address, size: recorded, format: formatOf(node.name, read.bytes), ownSize: ownSizeOf(node.name, read.bytes), node: made },
    blob: { bytes: read.bytes, address, node: made },
  };
}

/** Subtrees that are known to be structs where they are no FDTs. */
const STRUCT_SUBTREES = new Map<string, Struct>([
  ['LUO', luoSer],
  ['kexec-metadata', khoKexecMetadata],
]);

function ownSizeOf(name: string, bytes: Uint8Array): number | null {
  if (hasFdtMagic(bytes)) return fdtTotalSize(bytes);
  if (name === 'LUO') return luoSerSize(bytes);
  const struct = STRUCT_SUBTREES.get(name);
  return struct === undefined ? null : sizeOf(struct);
}

function fdtSize(memory: PhysicalMemory, address: number): number | null {
  const read = readBytes(memory, address, sizeOf(fdtHeader));
  return read.ok && hasFdtMagic(read.bytes) ? fdtTotalSize(read.bytes) : null;
}

/** kexec-metadata alone, to tell who wrote a handover before it is decoded. */
function peekWriter(memory: PhysicalMemory, candidate: Candidate): Writer {
  const node = candidate.fdt?.root?.children.find((subtree) => subtree.name === 'kexec-metadata');
  const property = node === undefined ? null : fdtProperty(node, 'preserved-data');
  const address = property?.value.length === 8 ? physicalAddress(decodeValue(u64('address'), property.value)) : null;
  const read = address === null ? null : readBytes(memory, address, sizeOf(khoKexecMetadata));
  if (read === null || !read.ok) return { release: null, kexecCount: null };
  const values = decodeStruct(khoKexecMetadata, read.bytes);
  return values.version === 1 ? { release: values.previous_release.text, kexecCount: values.kexec_count } : { release: null, kexecCount: null };
}
