/**
 * Which role a handover has in a dump, told by evidence: the scratch array that its setup_data node names, and who wrote it.
 * A node alone proves nothing (the old kernel's memory holds it too, in the image loaded for kexec).
 */
import { khoKexecMetadata } from '../../abi/kexec-metadata/v1.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import { u64 } from '../../abi/layout.js';
import { decodeStruct, decodeValue, toCString } from '../codec/decode.js';
import { type FdtNode, fdtProperty, hasFdtMagic } from '../codec/fdt.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { type Candidate, type FindResult, isKhoRoot, type KnownPlaces } from './find.js';
import { hex } from '../tree/words.js';
import { SCRATCH_UNIT, type SetupDataNode } from './scan.js';

export type Role = 'outgoing' | 'incoming' | 'stale' | 'unknown';

export interface ScratchArea {
  /** physical */
  readonly start: number;
  /** bytes */
  readonly size: number;
}

export interface Scratch {
  /** `filled`: the array that a setup_data node names, or a debugfs folder lists; `own`: one that the jump copies there, the running kernel's or its image's */
  readonly state: 'filled' | 'own' | 'empty' | 'implausible' | 'missing' | 'not-named';
  /** null unless `filled` or `own` */
  readonly areas: readonly ScratchArea[] | null;
  /** physical address of the array; null if nothing names it */
  readonly address: number | null;
  readonly size: number;
  readonly why: string;
}

/** What a candidate says of who wrote it. */
export interface Writer {
  /** utsname release in its kexec-metadata; null without one, or where nobody knows its version */
  readonly release: string | null;
  readonly kexecCount: number | null;
  /** is there a devicetree that names a preserved memory map? */
  readonly isRoot: boolean;
  /** is the address of that map set? null where it can't be read. Up to 7.0 it is 0 until the kernel that writes the handover is about to load the next */
  readonly finalised: boolean | null;
  /** blobs of its subtrees that start as their users write them, and that hold something else by now */
  readonly intactBlobs: number;
  readonly reusedBlobs: number;
}

/** What the root FDT of a candidate says of who wrote it: its kexec-metadata, whether its map was finalised, and what its blobs hold by now. */
export function peekWriter(memory: PhysicalMemory, candidate: Candidate): Writer {
  const root = candidate.fdt?.root ?? null;
  const map = root === null ? null : wide(root, 'preserved-memory-map');
  const blobs = root?.children.map((node) => blobState(memory, node)) ?? [];
  const node = root?.children.find((subtree) => subtree.name === 'kexec-metadata');
  const pointer = node === undefined ? null : wide(node, 'preserved-data');
  const address = pointer === null ? null : physicalAddress(pointer);
  const read = address === null ? null : readBytes(memory, address, sizeOf(khoKexecMetadata));
  const metadata = read?.ok === true ? decodeStruct(khoKexecMetadata, read.bytes) : null;
  const known = metadata?.version === 1 ? metadata : null;
  return {
    release: known?.previous_release.text ?? null,
    kexecCount: known?.kexec_count ?? null,
    isRoot: root !== null && map !== null,
    finalised: map === null ? null : map !== 0n,
    intactBlobs: blobs.filter((blob) => blob === 'intact').length,
    reusedBlobs: blobs.filter((blob) => blob === 'reused').length,
  };
}

function wide(node: FdtNode, name: string): bigint | null {
  const property = fdtProperty(node, name);
  return property?.value.length === 8 ? decodeValue(u64(name), property.value) : null;
}

/** Enough for a version string, an FDT's magic or a version number. */
const START_OF_BLOB = 16;

/** Does a subtree's blob start as its users write it? `unknown` where it is not in the dump, or nobody known writes it. */
function blobState(memory: PhysicalMemory, node: FdtNode): 'intact' | 'reused' | 'unknown' {
  const pointer = wide(node, 'preserved-data') ?? wide(node, 'fdt');
  const address = pointer === null ? null : physicalAddress(pointer);
  if (address === null) return 'unknown';
  const read = readBytes(memory, address, START_OF_BLOB);
  if (!read.ok) return 'unknown';
  if (hasFdtMagic(read.bytes)) return 'intact';
  if (node.name === 'LUO') return /^([\w.-]+;)*luo-v\d/.test(toCString(read.bytes).text) ? 'intact' : 'reused';
  if (node.name === 'kexec-metadata') return read.bytes[0] === 1 && read.bytes[1] === 0 && read.bytes[2] === 0 && read.bytes[3] === 0 ? 'intact' : 'reused';
  return node.name === 'memblock' || node.name === 'kho_test' ? 'reused' : 'unknown';
}

/** Reads the scratch array that a node names, or that a debugfs folder lists. */
export function readScratch(memory: PhysicalMemory, candidate: Candidate): Scratch {
  if (candidate.scratchFromFiles !== null) {
    return { state: 'filled', areas: candidate.scratchFromFiles, address: null, size: 0, why: 'listed by scratch_phys and scratch_len' };
  }
  let best: Scratch | null = null;
  for (const node of candidate.namedBy) {
    const scratch = scratchOf(memory, node);
    if (best === null || rank(scratch) < rank(best)) best = scratch;
  }
  return (
    best ?? { state: 'not-named', areas: null, address: null, size: 0, why: 'no setup_data node names this FDT, so nothing tells where its scratch array is' }
  );
}

/** Pages looked at that start like an array; an image has one, the kernel its own. */
const MOST_ARRAYS = 64;

/**
 * The array that the jump copies, in place of one that is not filled yet, or that nothing names: the running kernel's own where its variables
 * name it, else where all that look like one say the same. Scratch never changes along a chain of kernels. `told` where neither is so.
 */
export function orOwnScratch(memory: PhysicalMemory, told: Scratch, { ownScratch: own, scratchArrays }: FindResult): Scratch {
  if (told.areas !== null) return told;
  const named = own === null ? null : scratchAreas(memory, own.address, own.size);
  if (own !== null && named !== null)
    return {
      ...own,
      state: 'own',
      areas: named,
      why: `${own.symbol} of the running kernel names the array at ${hex(own.address)}${told.state === 'not-named' ? '' : `; ${told.why}`}`,
    };
  if (told.size < 2 * sizeOf(khoScratch) || told.size > memory.pageSize) return told;
  const alike = scratchArrays.slice(0, MOST_ARRAYS).flatMap((address) => {
    const areas = address === told.address ? null : scratchAreas(memory, address, told.size);
    return areas !== null && areAsReserved(areas) ? [{ address, areas }] : [];
  });
  const [first] = alike;
  if (first === undefined || new Set(alike.map(({ areas }) => JSON.stringify(areas))).size > 1) return told;
  return {
    ...first,
    state: 'own',
    size: told.size,
    why: `an array of ${first.areas.length} areas, as a kernel reserves them, is at ${hex(first.address)}; ${told.why}`,
  };
}

/** Are they all whole, and apart from each other, as kho_reserve_scratch() makes them? */
function areAsReserved(areas: readonly ScratchArea[]): boolean {
  const sorted = [...areas].sort((a, b) => a.start - b.start);
  return sorted.every(({ start, size }, index) => {
    const before = sorted[index - 1];
    return start > 0 && size > 0 && start % SCRATCH_UNIT === 0 && size % SCRATCH_UNIT === 0 && (before === undefined || before.start + before.size <= start);
  });
}

const rank = (scratch: Scratch): number => ['filled', 'empty', 'implausible', 'missing', 'not-named'].indexOf(scratch.state);

function scratchOf(memory: PhysicalMemory, node: SetupDataNode): Scratch {
  const at = { address: node.scratchAddress, size: node.scratchSize, areas: null };
  const read = readBytes(memory, node.scratchAddress, node.scratchSize);
  if (!read.ok) return { ...at, state: 'missing', why: `the scratch array at ${hex(node.scratchAddress)} is ${describeState(read.state)}` };
  if (read.bytes.every((byte) => byte === 0)) {
    return { ...at, state: 'empty', why: `the scratch array at ${hex(node.scratchAddress)} is still empty: it is filled at the jump` };
  }
  const areas = scratchAreas(memory, node.scratchAddress, node.scratchSize);
  if (areas === null) return { ...at, state: 'implausible', why: `what is at ${hex(node.scratchAddress)} is not a scratch array` };
  return { ...at, state: 'filled', areas, why: `the scratch array at ${hex(node.scratchAddress)} is filled` };
}

/**
 * The areas of an array of `size` bytes at `address` (physical), those that make no sense included; null where fewer than all but one do:
 * start and end at pages, in the machine's memory. A size of 0 is legal. Whether they overlap is for the rules.
 */
export function scratchAreas(memory: PhysicalMemory, address: number, size: number): readonly ScratchArea[] | null {
  const each = sizeOf(khoScratch);
  const read = readBytes(memory, address, size);
  if (!read.ok) return null;
  const last = memory.readable.at(-1)?.end ?? 0;
  const areas = Array.from({ length: size / each }, (_, index) => decodeStruct(khoScratch, read.bytes, index * each)).map((entry) => ({
    start: physicalAddress(entry.addr) ?? Number(entry.addr),
    size: physicalAddress(entry.size) ?? Number(entry.size),
  }));
  const good = areas.filter((area) => area.start % memory.pageSize === 0 && area.size % memory.pageSize === 0 && area.size > 0 && area.start < last);
  return good.length === 0 || good.length < areas.filter((area) => area.size > 0).length - 1 ? null : areas;
}

interface RoleInput {
  readonly candidate: Candidate;
  readonly scratch: Scratch;
  readonly writer: Writer;
}

interface RoleVerdict {
  readonly role: Role;
  readonly evidence: string;
}

/** The role of each handover. `running`: release of the kernel that runs in the dump, or null; `searched`: were nodes looked for? */
export function tellRoles(inputs: readonly RoleInput[], running: string | null, searched: boolean): readonly RoleVerdict[] {
  return inputs.map((input) => tellRole(input, inputs, running, searched));
}

/**
 * Are the handovers in `places` those that the kernel's objects name, in the roles that they name them in? Where not, the objects are of another
 * moment than the memory (VMCOREINFO may still be that of the kernel before), or damaged: then all memory has to be searched.
 */
export function areAsNamed(inputs: readonly RoleInput[], roles: readonly RoleVerdict[], { incoming, outgoing }: KnownPlaces): boolean {
  return (
    inputs.length === [incoming, outgoing].filter((address) => address !== null).length &&
    inputs.every(({ candidate: { fdtAddress, fdt }, scratch }, index) => {
      const role = fdtAddress === null ? null : fdtAddress === incoming ? 'incoming' : fdtAddress === outgoing ? 'outgoing' : null;
      return role !== null && roles[index]?.role === role && fdt !== null && isKhoRoot(fdt) && (role === 'outgoing' || scratch.state === 'filled');
    })
  );
}

function tellRole(input: RoleInput, all: readonly RoleInput[], running: string | null, searched: boolean): RoleVerdict {
  const { candidate, scratch } = input;
  if (candidate.roleFromFolder !== null)
    return { role: candidate.roleFromFolder, evidence: `the folder it was copied from: ${candidate.roleFromFolder === 'incoming' ? 'in' : 'out'}/` };
  const named = candidate.namedBy.length > 0;
  if (named && scratch.state === 'filled') return tellFilled(input, all);
  if (named && scratch.state === 'empty') return { role: 'outgoing', evidence: `${nodes(candidate)}, but ${scratch.why}` };
  const written = wroteIt(input, running);
  if (named) return tellNamed(input, all, running, written);
  if (!searched)
    return { role: 'unknown', evidence: 'no setup_data node below 4 GiB names it, and memory above was not searched because its address was given' };
  if (written !== null) {
    // The running kernel's own counts one kexec more than the one it came from: whatever counts fewer than any other is older than both.
    const newer = all.find((other) => other !== input && (other.writer.kexecCount ?? 0) > (input.writer.kexecCount ?? 0));
    if (newer !== undefined) return { role: 'stale', evidence: `no setup_data node names it, and the one at ${place(newer.candidate)} was written later` };
    return { role: 'outgoing', evidence: `no setup_data node names it, and ${written}` };
  }
  // Whoever hands over has finalised first: an address of 0 is that of the handover the running kernel has not given yet.
  if (input.writer.finalised === false && all.some((other) => other !== input && isNamedFromScratch(other)))
    return { role: 'outgoing', evidence: 'no setup_data node names it, and it is not finalised: the running kernel writes it' };
  return {
    role: 'unknown',
    evidence: `no setup_data node names it, and nothing tells which kernel wrote it${running === null ? '' : ` (running is ${running})`}`,
  };
}

/**
 * A filled array of scratch areas is what a kernel was given, unless it is the one that the running kernel was given itself: in a chain
 * of kexecs the image for the next jump names the same place. Its node is then still outside of scratch, where images are loaded;
 * the node that a kernel finds was put into scratch by the jump.
 */
function tellFilled(input: RoleInput, all: readonly RoleInput[]): RoleVerdict {
  const { candidate, scratch } = input;
  const taken = all.find((rival) => rival !== input && rival.scratch.state === 'filled' && isNamedFromScratch(rival));
  const past = taken === undefined || isNamedFromScratch(input) ? null : whyPast(input, taken, all);
  if (taken !== undefined && past !== null)
    return { role: 'stale', evidence: `${nodes(candidate)}, outside of scratch, but ${past}: left over from a kexec before` };
  if (taken !== undefined && !isNamedFromScratch(input))
    return {
      role: 'outgoing',
      evidence: `${nodes(candidate)}, outside of scratch: in an image for the next kexec; the running kernel was given ${place(taken.candidate)}`,
    };
  return { role: 'incoming', evidence: `${nodes(candidate)} and ${scratch.why} with plausible areas` };
}

/**
 * The node of a jump long past is in freed memory just as one of a loaded image is. An image that is loaded holds the running
 * kernel's own handover: it counts one kexec more than the one that kernel was given, and nothing of it has been reused.
 * @returns words, or null where nothing speaks against it
 */
function whyPast(input: RoleInput, taken: RoleInput, all: readonly RoleInput[]): string | null {
  const count = input.writer.kexecCount;
  const given = taken.writer.kexecCount;
  if (count !== null && given !== null) return count > given ? null : `it counts ${count} kexecs, the one that the running kernel was given ${given}`;
  if (!input.writer.isRoot && all.some((other) => other !== input && other !== taken && isOwn(other, taken)))
    return 'its devicetree is gone, and the running kernel has another of its own';
  if (!input.writer.isRoot && given !== null && given > 1) return 'its devicetree is gone';
  if (input.writer.reusedBlobs > input.writer.intactBlobs) return `${input.writer.reusedBlobs} of the blobs it names hold something else by now`;
  return null;
}

/** Was it written by the kernel that was given `taken`? */
const isOwn = (input: RoleInput, taken: RoleInput): boolean =>
  input.writer.finalised === false || (taken.writer.kexecCount !== null && input.writer.kexecCount === taken.writer.kexecCount + 1);

const isNamedFromScratch = ({ candidate, scratch }: RoleInput): boolean =>
  candidate.namedBy.some((node) => scratch.areas?.some((area) => node.address >= area.start && node.address < area.start + area.size) === true);

function tellNamed(input: RoleInput, all: readonly RoleInput[], running: string | null, written: string | null): RoleVerdict {
  const { candidate, scratch } = input;
  const other = all.find((rival) => rival !== input && rival.candidate.namedBy.length === 0 && wroteIt(rival, running) !== null);
  if (other !== undefined) {
    return {
      role: 'stale',
      evidence: `${nodes(candidate)}, but ${scratch.why}, and the running kernel wrote its own at ${place(other.candidate)}: it refused this one, or is done with it`,
    };
  }
  if (written !== null) return { role: 'outgoing', evidence: `${nodes(candidate)}, but ${scratch.why}, and ${written}` };
  return { role: 'unknown', evidence: `${nodes(candidate)}, but ${scratch.why}` };
}

/** arm64 names the handover in /chosen of the devicetree that the kernel was given; x86 in a setup_data node. */
const nodes = (candidate: Candidate): string =>
  candidate.foundBy === 'devicetree'
    ? `named by /chosen of the devicetree at ${candidate.namedBy.map((node) => hex(node.address)).join(', ')}`
    : `named by ${candidate.namedBy.length === 1 ? 'the setup_data node' : `${candidate.namedBy.length} setup_data nodes`} at ${candidate.namedBy.map((node) => hex(node.address)).join(', ')}`;

const place = (candidate: Candidate): string => (candidate.fdtAddress === null ? 'an unknown address' : hex(candidate.fdtAddress));

/** Words for "the running kernel wrote it", or null if nothing says so. */
function wroteIt(input: RoleInput, running: string | null): string | null {
  const { release } = input.writer;
  return running !== null && release === running ? `its kexec-metadata names the running kernel, ${running}` : null;
}
