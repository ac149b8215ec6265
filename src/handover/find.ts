/**
 * Which handovers a dump holds, and by what they were found: the objects of the running kernel, setup_data nodes, debugfs files, a scan for
 * FDTs whose root compatible starts with `kho-v`, arm64's /chosen, or an address the user gave.
 */
import { scratchNames } from '../../abi/boot/scratch-names.js';
import { type Fdt, type FdtNode, fdtProperty, fdtStrings, fdtTotalSize, hasFdtMagic, parseFdt } from '../codec/fdt.js';
import { type MemoryRange, type PageState, type PhysicalMemory, isReadable, readBytes } from '../memory/memory.js';
import { hex } from '../tree/words.js';
import { type KernelTraces, type SetupDataNode, plausibleNode, scanMemory } from './scan.js';

type FoundBy = 'setup_data' | 'devicetree' | 'debugfs' | 'scan' | 'given' | 'kernel-objects';

export interface Candidate {
  /** physical address of the root FDT; null where it came as a file */
  readonly fdtAddress: number | null;
  readonly foundBy: FoundBy;
  /** null where nothing like an FDT is there, or its page is not in the dump (`pageState`) */
  readonly fdt: Fdt | null;
  readonly pageState: PageState;
  /** the setup_data nodes (or arm64's /chosen) that name it */
  readonly namedBy: readonly SetupDataNode[];
  /** scratch as a debugfs folder lists it */
  readonly scratchFromFiles: readonly { readonly start: number; readonly size: number }[] | null;
  readonly roleFromFolder: 'incoming' | 'outgoing' | null;
  /** blobs of subtrees that came as files beside it */
  readonly blobFiles: readonly BlobFile[];
  /** the FDT's file was shorter than the FDT: what is missing was lost in copying, not in the handover */
  readonly cutInCopy: boolean;
}

export interface BlobFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** physical, if known */
  readonly address: number | null;
}

/** Where the objects of the running kernel say that its handovers are: looked at instead of all memory. */
export interface KnownPlaces {
  /** physical address of the root FDT that the kernel was given; null where it was given none */
  readonly incoming: number | null;
  /** of the one that it writes */
  readonly outgoing: number | null;
  /** physical: the running kernel's own array of scratch areas, by the variable that points to it; size in bytes, 0 where not known */
  readonly scratch: { readonly address: number; readonly size: number; readonly symbol: string } | null;
  /** whole pages of both, of the setup_data nodes that name them, and of scratch arrays; ascending, not overlapping */
  readonly ranges: readonly MemoryRange[];
}

interface FindOptions {
  /** a physical address that the user named; nothing else is then decoded */
  readonly given?: number | null;
  /** look for setup_data nodes? True unless given */
  readonly searchSetupData?: boolean | undefined;
  /** look for what kernels leave of themselves, too? */
  readonly searchKernels?: boolean | undefined;
  readonly places?: KnownPlaces | null;
  readonly ownScratch?: KnownPlaces['scratch'] | undefined;
}

export interface FindResult {
  readonly candidates: readonly Candidate[];
  /** found beside the one that the user named: not decoded, but its role is told by theirs */
  readonly others: readonly Candidate[];
  /** were setup_data nodes looked for? Without them, roles can hardly be told. */
  readonly searchedSetupData: boolean;
  /** empty unless they were asked for */
  readonly kernels: KernelTraces;
  /** physical addresses of pages that start like a scratch array */
  readonly scratchArrays: readonly number[];
  /** where the running kernel's variables say that its own is; null where they could not be read */
  readonly ownScratch: KnownPlaces['scratch'];
  /** what was searched, for the error message and --verbose */
  readonly searched: readonly string[];
  /** what was not searched, because objects of the kernel name the handovers, and what does; null where all of it was */
  readonly notSearched: string | null;
}

/** A root FDT that came as a file of its own (src/container), with the blobs beside it; `fdt` is empty where only they were copied. */
export interface FdtFile {
  readonly role: 'incoming' | 'outgoing' | null;
  readonly fdt: Uint8Array;
  readonly fdtAddress: number | null;
  readonly scratch: readonly { readonly start: number; readonly size: number }[] | null;
  readonly subtrees: readonly BlobFile[];
  readonly truncated: boolean;
}

/** An FDT bigger than this is no handover's; arm64's machine description may be larger than a page. */
const MAX_MACHINE_FDT = 2 << 20;
/**
 * Where the node that names a given FDT is looked for. The jump copies it into the first scratch area with room, and the first of all
 * lies below 4 GiB. Source: kho_locate_mem_hole() and kho_reserve_scratch(), kernel/liveupdate/kexec_handover.c, 6.16 to 7.3.
 */
const NODE_BELOW = 2 ** 32;

/** Is this the root of a handover, of whatever version? */
export const isKhoRoot = (fdt: Fdt): boolean => fdt.root !== null && fdtStrings(fdtProperty(fdt.root, 'compatible')).some((text) => /(^|;)kho-v/.test(text));

/** Finds every handover in `memory` and `files`: in `places` alone, where they are given. */
export function findHandovers(
  memory: PhysicalMemory,
  files: readonly FdtFile[],
  { given = null, searchSetupData = true, searchKernels = false, places = null, ownScratch = null }: FindOptions = {},
): FindResult {
  const isWhole = given === null || places !== null || (memory.readable.at(-1)?.end ?? 0) <= NODE_BELOW;
  const scan = scanMemory(memory, {
    setupData: searchSetupData,
    devicetrees: true,
    kernels: searchKernels,
    ...(isWhole ? {} : { below: NODE_BELOW }),
    ...(places === null ? {} : { within: places.ranges }),
    ...(given === null || searchKernels ? {} : { until: (node) => node.fdtAddress === given && isUnfilled(memory, node) }),
  });
  const { scratchArrays, kernels } = scan;
  const found = fromScan(memory, scan.setupData, scan.devicetrees, places === null ? 'scan' : 'kernel-objects');
  const rest = {
    searchedSetupData: searchSetupData && isWhole,
    kernels,
    scratchArrays,
    ownScratch,
    searched: [
      `${scan.scanned} bytes of memory${places === null ? (isWhole ? '' : ' below 4 GiB') : ' that kho_in, kho_out, boot_params and kexec_image name'} for setup_data nodes of type SETUP_KEXEC_KHO: ${scan.setupData.length} found`,
      `the start of every page ${places === null ? '' : 'of them '}for an FDT whose root compatible starts with kho-v: ${scan.devicetrees.length} devicetrees found`,
    ],
    notSearched: places === null ? null : notSearchedText(places),
  };
  const fromFiles = filesOf(files);
  if (given !== null) {
    const namedBy = found.find(({ fdtAddress }) => fdtAddress === given)?.namedBy ?? [];
    return {
      candidates: [...fromFiles, candidateAt(memory, given, 'given', namedBy)],
      others: found.filter(({ fdtAddress }) => fdtAddress !== given),
      ...rest,
    };
  }
  const placed = new Set(fromFiles.map((candidate) => candidate.fdtAddress));
  return { candidates: [...fromFiles, ...found.filter((candidate) => !placed.has(candidate.fdtAddress))], others: [], ...rest };
}

function notSearchedText({ incoming, outgoing }: KnownPlaces): string {
  const named = [incoming === null ? [] : [`kho_in: ${hex(incoming)}`], outgoing === null ? [] : [`kho_out: ${hex(outgoing)}`]].flat().join(', ');
  return `memory was not searched for other handovers: the running kernel's objects name its own (${named}); --scan searches all of it`;
}

/** The scratch array that the node names is all zeros: whatever else is found, the jump that fills it has not been. */
function isUnfilled(memory: PhysicalMemory, { scratchAddress, scratchSize }: SetupDataNode): boolean {
  const read = readBytes(memory, scratchAddress, scratchSize);
  return read.ok && read.bytes.every((byte) => byte === 0);
}

function fromScan(memory: PhysicalMemory, nodes: readonly SetupDataNode[], devicetrees: readonly number[], unnamed: FoundBy): readonly Candidate[] {
  const chosen: SetupDataNode[] = [];
  const found = new Map<number, Candidate>();
  for (const address of devicetrees) {
    const fdt = readFdt(memory, address);
    if (fdt === null) continue;
    if (isKhoRoot(fdt)) found.set(address, candidateAt(memory, address, namedAt(nodes, address).length > 0 ? 'setup_data' : unnamed, namedAt(nodes, address)));
    else chosen.push(...namedByChosen(fdt, address));
  }
  for (const node of nodes)
    if (!found.has(node.fdtAddress) && node.fdtSize === memory.pageSize)
      found.set(node.fdtAddress, candidateAt(memory, node.fdtAddress, 'setup_data', namedAt(nodes, node.fdtAddress)));
  for (const node of chosen) {
    const known = found.get(node.fdtAddress);
    found.set(node.fdtAddress, candidateAt(memory, node.fdtAddress, 'devicetree', [...(known?.namedBy ?? []), node]));
  }
  return [...found.values()];
}

const namedAt = (nodes: readonly SetupDataNode[], address: number): readonly SetupDataNode[] => nodes.filter((node) => node.fdtAddress === address);

function candidateAt(memory: PhysicalMemory, address: number, foundBy: FoundBy, namedBy: readonly SetupDataNode[]): Candidate {
  return {
    fdtAddress: address,
    foundBy,
    fdt: readFdt(memory, address),
    pageState: memory.stateOf(address),
    namedBy,
    scratchFromFiles: null,
    roleFromFolder: null,
    blobFiles: [],
    cutInCopy: false,
  };
}

/** One candidate a side. Scratch never changes along a chain of kernels: what `out/` lists is what the incoming side was given. */
function filesOf(files: readonly FdtFile[]): Candidate[] {
  const scratch = files.find((file) => file.scratch !== null)?.scratch ?? null;
  const sides = files.filter((file) => file.fdt.length > 0 || file.subtrees.length > 0);
  return sides.map((file) => fromFile(file.role === 'incoming' ? { ...file, scratch: file.scratch ?? scratch } : file));
}

function fromFile(file: FdtFile): Candidate {
  return {
    fdtAddress: file.fdtAddress,
    foundBy: file.role === null && file.subtrees.length === 0 ? 'given' : 'debugfs',
    fdt: hasFdtMagic(file.fdt) && fdtTotalSize(file.fdt) !== null ? parseFdt(file.fdt) : null,
    pageState: 'present',
    namedBy: [],
    scratchFromFiles: file.scratch,
    roleFromFolder: file.role,
    blobFiles: file.subtrees,
    cutInCopy: file.truncated,
  };
}

/** The FDT at `address`, or null if its first page is missing or starts with no header. A damaged magic still gives an FDT, with problems. */
function readFdt(memory: PhysicalMemory, address: number): Fdt | null {
  if (!isReadable(memory, address)) return null;
  const page = readBytes(memory, address, memory.pageSize - (address % memory.pageSize));
  if (page.bytes.length < 64) return null;
  const claimed = fdtTotalSize(page.bytes) ?? 0;
  if (!hasFdtMagic(page.bytes) || claimed <= page.bytes.length || claimed > MAX_MACHINE_FDT) return parseFdt(page.bytes);
  return parseFdt(readBytes(memory, address, claimed).bytes);
}

/** arm64: /chosen names the handover in real (big-endian) cells. Source: drivers/of/fdt.c, 6.16 to 7.3. */
function namedByChosen(fdt: Fdt, address: number): readonly SetupDataNode[] {
  const chosen = fdt.root?.children.find((node) => node.name === 'chosen');
  if (chosen === undefined || fdt.root === null) return [];
  const kho = cells(fdt.root, chosen, 'linux,kho-fdt');
  if (kho === null) return [];
  const { root } = fdt;
  // A kernel of the queue that 7.3 started passes the old property on beside its own: both are looked at.
  return scratchNames.flatMap((names) => {
    const scratch = cells(root, chosen, names.chosen);
    if (scratch === null) return [];
    const node = plausibleNode({ address, fdtAddress: kho.start, fdtSize: kho.size, scratchAddress: scratch.start, scratchSize: scratch.size });
    return node === null ? [] : [node];
  });
}

function cells(root: FdtNode, node: FdtNode, name: string): { start: number; size: number } | null {
  const value = fdtProperty(node, name)?.value;
  const addressCells = cell(fdtProperty(root, '#address-cells')?.value, 0, 1) ?? 2;
  const sizeCells = cell(fdtProperty(root, '#size-cells')?.value, 0, 1) ?? 1;
  const start = cell(value, 0, addressCells);
  const size = cell(value, addressCells * 4, sizeCells);
  return start === null || size === null ? null : { start, size };
}

function cell(value: Uint8Array | undefined, offset: number, count: number): number | null {
  if (value === undefined || count < 1 || count > 2 || value.length < offset + count * 4) return null;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const result = count === 1 ? view.getUint32(offset) : Number(view.getBigUint64(offset));
  return Number.isSafeInteger(result) ? result : null;
}
