/**
 * One pass over the memory for what a handover can be found by: x86 setup_data nodes of type SETUP_KEXEC_KHO, and devicetrees
 * at page starts. For `find.ts`. A node alone proves nothing: the old kernel's memory holds it too, in the image loaded for kexec.
 */
import type { DecodedStruct } from '../../abi/layout.js';
import { fdtHeader } from '../../abi/fdt/header.js';
import { SETUP_KEXEC_KHO, khoData, setupData } from '../../abi/boot/setup-data.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import { decodeStruct } from '../codec/decode.js';
import { FDT_MAGIC } from '../codec/fdt.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { PHYSICAL_LIMIT, type PhysicalMemory, physicalAddress, readBytes } from '../memory/memory.js';

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

export interface ScanResult {
  readonly setupData: readonly SetupDataNode[];
  /** physical addresses of pages that start like a devicetree */
  readonly devicetrees: readonly number[];
  /** bytes of memory looked at */
  readonly scanned: number;
}

export interface ScanOptions {
  readonly setupData: boolean;
  readonly devicetrees: boolean;
}

const PIECE = 1 << 20;
/** More than any machine has; a guard against memory full of look-alikes. */
const MAX_HITS = 4096;
const MAX_SCRATCH_AREAS = 4096;
/** bytes */
const SMALLEST_PAGE = 4096;

/** Looks through all readable memory, in pieces of 1 MiB. */
export function scanMemory(memory: PhysicalMemory, options: ScanOptions): ScanResult {
  const buffer = new Uint8Array(PIECE);
  const words = new BigInt64Array(buffer.buffer);
  const pages = new Uint32Array(buffer.buffer);
  const found: SetupDataNode[] = [];
  const devicetrees: number[] = [];
  let scanned = 0;
  for (const range of memory.readable) {
    for (let at = range.start; at < range.end; ) {
      // Pieces end at multiples of their size, so that a page never straddles two.
      const length = Math.min(PIECE - (at % PIECE), range.end - at);
      const got = memory.readInto(at, length, buffer);
      if (got === 0) break;
      if (options.setupData && found.length < MAX_HITS) findSetupData(memory, words.subarray(0, got >>> 3), at, found);
      if (options.devicetrees && devicetrees.length < MAX_HITS) findDevicetrees(pages, at, got, memory.pageSize, devicetrees);
      scanned += got;
      at += got;
    }
  }
  return { setupData: found, devicetrees, scanned };
}

const TYPE_OFFSET = offsetOf(setupData, 'type');
const NODE_SIZE = sizeOf(setupData) + sizeOf(khoData);
/** `type` and `len` as one little-endian u64: they stand side by side, and the node is 8-byte aligned. */
const TYPE_AND_LEN = (BigInt(sizeOf(khoData)) << 32n) | BigInt(SETUP_KEXEC_KHO);

function findSetupData(memory: PhysicalMemory, words: BigInt64Array, base: number, found: SetupDataNode[]): void {
  for (let index = words.indexOf(TYPE_AND_LEN); index !== -1; index = words.indexOf(TYPE_AND_LEN, index + 1)) {
    const address = base + index * 8 - TYPE_OFFSET;
    const node = readSetupData(memory, address);
    if (node !== null && found.length < MAX_HITS) found.push(node);
  }
}

/** The setup_data node at `address`, or null if what stands there can't be one. */
export function readSetupData(memory: PhysicalMemory, address: number): SetupDataNode | null {
  if (address < 0) return null;
  const read = readBytes(memory, address, NODE_SIZE);
  if (!read.ok) return null;
  const head = decodeStruct(setupData, read.bytes);
  const data = decodeStruct(khoData, read.bytes, sizeOf(setupData));
  if (head.type !== SETUP_KEXEC_KHO || head.len !== sizeOf(khoData) || physicalAddress(head.next) === null) return null;
  return khoDataNode(address, data, memory.pageSize);
}

/** Checks a kho_data payload; null if no kernel would have written it. */
export function khoDataNode(address: number, data: ReturnType<typeof decodeKhoData>, pageSize: number): SetupDataNode | null {
  if (data.fdt_size !== BigInt(pageSize)) return null;
  return plausibleNode({
    address,
    fdtAddress: physicalAddress(data.fdt_addr) ?? -1,
    fdtSize: pageSize,
    scratchAddress: physicalAddress(data.scratch_addr) ?? -1,
    scratchSize: physicalAddress(data.scratch_size) ?? -1,
  });
}

/** The node, or null where its addresses or sizes are none that a kernel hands over. */
export function plausibleNode(node: SetupDataNode): SetupDataNode | null {
  const each = sizeOf(khoScratch);
  const { fdtAddress, scratchAddress, scratchSize } = node;
  const fdt = fdtAddress > 0 && fdtAddress < PHYSICAL_LIMIT && fdtAddress % SMALLEST_PAGE === 0;
  const scratch =
    scratchAddress > 0 && scratchAddress < PHYSICAL_LIMIT && scratchSize > 0 && scratchSize % each === 0 && scratchSize <= each * MAX_SCRATCH_AREAS;
  return fdt && scratch ? node : null;
}

export const decodeKhoData = (bytes: Uint8Array): DecodedStruct<typeof khoData> => decodeStruct(khoData, bytes);

/** The magic as it reads in a little-endian word. */
const MAGIC_WORD = (((FDT_MAGIC & 0xff) << 24) | ((FDT_MAGIC & 0xff00) << 8) | ((FDT_MAGIC >>> 8) & 0xff00) | (FDT_MAGIC >>> 24)) >>> 0;

function findDevicetrees(pages: Uint32Array, base: number, length: number, pageSize: number, found: number[]): void {
  const first = (pageSize - (base % pageSize)) % pageSize;
  for (let offset = first; offset + sizeOf(fdtHeader) <= length; offset += pageSize) {
    if (pages[offset >>> 2] === MAGIC_WORD && found.length < MAX_HITS) found.push(base + offset);
  }
}
