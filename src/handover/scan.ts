/**
 * One pass over the memory for what a handover can be found by: x86 setup_data nodes of type SETUP_KEXEC_KHO, and devicetrees
 * at page starts; and, where nothing else tells which kernel runs, for what kernels leave of themselves. For `find.ts`. A node alone proves nothing: the old kernel's memory holds it too, in the image loaded for kexec.
 */
import type { DecodedStruct } from '../../abi/layout.js';
import { fdtHeader } from '../../abi/fdt/header.js';
import { SETUP_KEXEC_KHO, khoData, setupData } from '../../abi/boot/setup-data.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import { decodeStruct } from '../codec/decode.js';
import { FDT_MAGIC } from '../codec/fdt.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { progress } from '../memory/progress.js';
import { type MemoryRange, PHYSICAL_LIMIT, type PhysicalMemory, physicalAddress, readBytes } from '../memory/memory.js';

export interface SetupDataNode {
  /** physical address of the node */
  readonly address: number;
  readonly fdtAddress: number;
  /** bytes */
  readonly fdtSize: number;
  readonly scratchAddress: number;
  /** bytes */
  readonly scratchSize: number;
}

/** What kernels leave of themselves in memory. */
export interface KernelTraces {
  /** physical addresses of pages that start with OSRELEASE= */
  readonly vmcoreinfoPages: readonly number[];
  readonly banners: readonly { readonly address: number; readonly release: string }[];
}

interface ScanResult {
  readonly setupData: readonly SetupDataNode[];
  /** physical addresses of pages that start like a devicetree */
  readonly devicetrees: readonly number[];
  readonly kernels: KernelTraces;
  /** physical addresses of pages that start like a scratch array, whole or with one entry damaged: the copy in an image loaded for kexec, or the kernel's own */
  readonly scratchArrays: readonly number[];
  /** bytes of memory looked at */
  readonly scanned: number;
}

interface ScanOptions {
  /** Does this node tell all that is asked? Then what follows it is not looked at. */
  readonly until?: (node: SetupDataNode) => boolean;
  /** look no higher than this physical address */
  readonly below?: number;
  /** look here alone: physical, ascending, not overlapping */
  readonly within?: readonly MemoryRange[];
  readonly setupData: boolean;
  readonly devicetrees: boolean;
  readonly kernels: boolean;
}

const PIECE = 1 << 20;
/** More than any machine has; a guard against memory full of look-alikes. */
const MAX_HITS = 4096;
const MAX_SCRATCH_AREAS = 4096;
/** bytes */
const SMALLEST_PAGE = 4096;

/** Looks through all readable memory, or what `within` names of it, in pieces of 1 MiB. */
export function scanMemory(memory: PhysicalMemory, options: ScanOptions): ScanResult {
  const buffer = new Uint8Array(PIECE);
  const words = new Float64Array(buffer.buffer);
  const pages = new Uint32Array(buffer.buffer);
  const found: SetupDataNode[] = [];
  const devicetrees: number[] = [];
  const vmcoreinfoPages: number[] = [];
  const banners: { address: number; release: string }[] = [];
  const scratchArrays: number[] = [];
  const text = Buffer.from(buffer.buffer);
  const zeros = new Uint8Array(PIECE);
  let scanned = 0;
  const { until } = options;
  const ranges = options.within ?? memory.searchable ?? memory.readable;
  const total = ranges.reduce((sum, { start, end }) => sum + Math.max(0, Math.min(end, options.below ?? end) - start), 0);
  for (const range of ranges) {
    const end = Math.min(range.end, options.below ?? range.end);
    for (let at = range.start; at < end; ) {
      // Pieces end at multiples of their size, so that a page never straddles two.
      const length = Math.min(PIECE - (at % PIECE), end - at);
      const got = memory.readInto(at, length, buffer);
      if (got === 0) {
        // A page that can't be unpacked hides itself, not what follows.
        at += memory.pageSize - (at % memory.pageSize);
        continue;
      }
      scanned += got;
      progress('searching for handovers', scanned, total);
      const next = at + got;
      // Memory that nobody used is most of a large machine's.
      if (words[0] === 0 && text.compare(zeros, 0, got, 0, got) === 0) {
        at = next;
        continue;
      }
      if (options.setupData && found.length < MAX_HITS) findSetupData(memory, words.subarray(0, got >>> 3), at, found);
      if (options.devicetrees && devicetrees.length < MAX_HITS) findPages(pages, at, got, memory.pageSize, MAGIC_WORD, devicetrees);
      if (options.setupData) findScratchArrays(pages, at, got, memory.pageSize, scratchArrays);
      if (options.kernels) {
        if (vmcoreinfoPages.length < MAX_HITS) findPages(pages, at, got, memory.pageSize, VMCOREINFO_WORD, vmcoreinfoPages);
        if (banners.length < MAX_HITS) findBanners(text.subarray(0, got), at, banners);
      }
      at = next;
      if (until !== undefined && found.some(until)) return { setupData: found, devicetrees, kernels: { vmcoreinfoPages, banners }, scratchArrays, scanned };
    }
  }
  return { setupData: found, devicetrees, kernels: { vmcoreinfoPages, banners }, scratchArrays, scanned };
}

const TYPE_OFFSET = offsetOf(setupData, 'type');
const NODE_SIZE = sizeOf(setupData) + sizeOf(khoData);
/** `type` and `len` as one little-endian u64: they are adjacent, and the node is 8-byte aligned. */
const TYPE_AND_LEN = new Float64Array(new Uint32Array([SETUP_KEXEC_KHO, sizeOf(khoData)]).buffer)[0] ?? 0;

/** The fastest search there is for 8 bytes at a multiple of 8: as doubles, which are equal exactly where these bytes are. */
function findSetupData(memory: PhysicalMemory, words: Float64Array, base: number, found: SetupDataNode[]): void {
  for (let index = words.indexOf(TYPE_AND_LEN); index !== -1; index = words.indexOf(TYPE_AND_LEN, index + 1)) {
    const address = base + index * 8 - TYPE_OFFSET;
    const node = readSetupData(memory, address);
    if (node !== null && found.length < MAX_HITS) found.push(node);
  }
}

/** The setup_data node at `address`, or null if what is there can't be one. */
function readSetupData(memory: PhysicalMemory, address: number): SetupDataNode | null {
  if (address < 0) return null;
  const read = readBytes(memory, address, NODE_SIZE);
  if (!read.ok) return null;
  const head = decodeStruct(setupData, read.bytes);
  const data = decodeStruct(khoData, read.bytes, sizeOf(setupData));
  if (head.type !== SETUP_KEXEC_KHO || head.len !== sizeOf(khoData) || physicalAddress(head.next) === null) return null;
  return khoDataNode(address, data, memory.pageSize);
}

/** Checks a kho_data payload; null if no kernel would have written it. A size of less than a page is kept, to be held against the FDT that is there. */
function khoDataNode(address: number, data: ReturnType<typeof decodeKhoData>, pageSize: number): SetupDataNode | null {
  if (data.fdt_size > BigInt(pageSize)) return null;
  return plausibleNode({
    address,
    fdtAddress: physicalAddress(data.fdt_addr) ?? -1,
    fdtSize: Number(data.fdt_size),
    scratchAddress: physicalAddress(data.scratch_addr) ?? -1,
    scratchSize: physicalAddress(data.scratch_size) ?? -1,
  });
}

/** The node, or null where its addresses or sizes are not what a kernel hands over. */
export function plausibleNode(node: SetupDataNode): SetupDataNode | null {
  const each = sizeOf(khoScratch);
  const { fdtAddress, scratchAddress, scratchSize } = node;
  const fdt = fdtAddress > 0 && fdtAddress < PHYSICAL_LIMIT && fdtAddress % SMALLEST_PAGE === 0;
  const scratch =
    scratchAddress > 0 && scratchAddress < PHYSICAL_LIMIT && scratchSize > 0 && scratchSize % each === 0 && scratchSize <= each * MAX_SCRATCH_AREAS;
  return fdt && scratch ? node : null;
}

const decodeKhoData = (bytes: Uint8Array): DecodedStruct<typeof khoData> => decodeStruct(khoData, bytes);

/** The magic as it reads in a little-endian word. */
const MAGIC_WORD = (((FDT_MAGIC & 0xff) << 24) | ((FDT_MAGIC & 0xff00) << 8) | ((FDT_MAGIC >>> 8) & 0xff00) | (FDT_MAGIC >>> 24)) >>> 0;

/** The start of `OSRELEASE=`, likewise. */
const VMCOREINFO_WORD = new DataView(new TextEncoder().encode('OSRE').buffer).getUint32(0, true);

/** Pages whose first word is `word`, and that have room for an FDT's header before the memory ends. */
function findPages(pages: Uint32Array, base: number, length: number, pageSize: number, word: number, found: number[]): void {
  const first = (pageSize - (base % pageSize)) % pageSize;
  for (let offset = first; offset + sizeOf(fdtHeader) <= length; offset += pageSize) {
    if (pages[offset >>> 2] === word && found.length < MAX_HITS) found.push(base + offset);
  }
}

/** Areas start and end at multiples of the smallest block that CMA takes: 2 MiB at pages of 4 KiB, more at larger ones. */
export const SCRATCH_UNIT = 2 << 20;

/** Pages that start with an entry whose start or size, and the next entry's, are whole units. */
function findScratchArrays(pages: Uint32Array, base: number, length: number, pageSize: number, found: number[]): void {
  const first = (pageSize - (base % pageSize)) % pageSize;
  const mask = SCRATCH_UNIT - 1;
  for (let offset = first; offset + 2 * sizeOf(khoScratch) <= length && found.length < MAX_HITS; offset += pageSize) {
    const at = offset >>> 2;
    const words = [pages[at] ?? 0, pages[at + 2] ?? 0, pages[at + 4] ?? 0, pages[at + 6] ?? 0];
    if (words[0] === 0 && words[1] === 0 && words[2] === 0) continue;
    let whole = 0;
    let set = 0;
    for (const word of words) {
      if ((word & mask) === 0) whole++;
      if (word !== 0) set++;
    }
    if (whole >= 3 && set >= 2) found.push(base + offset);
  }
}

const BANNER = 'Linux version ';
/** After the release is who built the kernel. Source: init/version-timestamp.c, 7.3. */
const RELEASE_AND_BUILDER = /^(\d+\.\d+[\w.+~-]{0,60}) \(/;
const MAX_RELEASE = 64;

function findBanners(text: Buffer, base: number, found: { address: number; release: string }[]): void {
  for (let at = text.indexOf(BANNER, 0, 'latin1'); at !== -1 && found.length < MAX_HITS; at = text.indexOf(BANNER, at + 1, 'latin1')) {
    const start = at + BANNER.length;
    const release = RELEASE_AND_BUILDER.exec(text.toString('latin1', start, start + MAX_RELEASE))?.[1];
    if (release !== undefined) found.push({ address: base + at, release });
  }
}
