/**
 * Where the objects of a running kernel say that handovers are, so that memory need not be searched for them. kho_in and kho_out name the root
 * FDTs; boot_params the setup_data node that the kernel was started with; the image loaded for kexec, in its small segments, the one that the next
 * kernel will find. Sources: kernel/liveupdate/kexec_handover.c, kernel/kexec_core.c, arch/x86/kernel/kexec-bzimage64.c, 6.16 to 7.3.
 */
import { scratchNames } from '../../abi/boot/scratch-names.js';
import { SETUP_KEXEC_KHO, setupData } from '../../abi/boot/setup-data.js';
import { khoScratch } from '../../abi/kho/scratch.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import type { KnownPlaces } from '../handover/find.js';
import { KernelFault, optional } from '../kernel/fault.js';
import type { Kernel } from '../kernel/kernel.js';
import type { MemoryRange } from '../memory/memory.js';
import * as paths from './paths.js';
import { stillStands } from './which-kernel.js';

/** Null where the objects can't be read, or name no handover. */
export const knownPlaces = (kernel: Kernel): KnownPlaces | null => (stillStands(kernel) ? optional(() => placesOf(kernel)) : null);

/** @throws KernelFault */
function placesOf(kernel: Kernel): KnownPlaces | null {
  const { khoIn, khoOut } = paths.variables;
  const given = kernel.variable(khoIn.symbol, khoIn.type).first(paths.kho.in.fdt).number();
  const own = kernel.variable(khoOut.symbol, khoOut.type).first(paths.kho.out.fdt).value();
  const incoming = given === 0 ? null : given;
  const outgoing = own === 0n ? null : kernel.virtual.translate(own);
  if (incoming === null && outgoing === null) return null;
  const nodes = incoming === null ? (optional(() => nodesGiven(kernel)) ?? []) : nodesGiven(kernel);
  // It was started with a handover, and does not know of it any more: it refused it, and nothing of its own leads there.
  if (incoming === null && nodes.some(({ type }) => type === SETUP_KEXEC_KHO)) return null;
  const { pageSize } = kernel.virtual.memory;
  const page = (address: number): MemoryRange => ({ start: address, end: address + pageSize });
  const scratch = ownScratch(kernel);
  const ranges = [
    ...[incoming, outgoing].filter((address) => address !== null).map(page),
    ...(incoming === null ? [] : nodes),
    ...(scratch === null ? [] : [page(scratch.address)]),
    ...imageLoaded(kernel),
  ];
  return { incoming, outgoing, scratch, ranges: joined(ranges, pageSize) };
}

/** The kernel's own array: one entry low, one global, one a node of memory; it is a page at most that has been looked at. */
function ownScratch(kernel: Kernel): KnownPlaces['scratch'] {
  const names = scratchNames.find(({ symbol }) => kernel.symbols.find(symbol).length > 0);
  const virtual = names === undefined ? 0n : pointer(kernel, names.symbol);
  if (names === undefined || virtual === 0n) return null;
  const address = kernel.virtual.translate(virtual);
  const bytes = optional(() => kernel.virtual.read(kernel.address(names.count), 4));
  const count = bytes === null ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { address, size: Math.min(count, Math.floor(kernel.virtual.memory.pageSize / sizeOf(khoScratch))) * sizeOf(khoScratch), symbol: names.symbol };
}

function pointer(kernel: Kernel, symbol: string): bigint {
  const bytes = kernel.virtual.read(kernel.address(symbol), 8);
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

/** A boot loader gives a few. */
const MOST_NODES = 64;

/** The setup_data nodes that the kernel was started with. */
function nodesGiven(kernel: Kernel): readonly (MemoryRange & { readonly type: number })[] {
  const { symbol, type } = paths.variables.bootParams;
  const found: (MemoryRange & { type: number })[] = [];
  for (let at = kernel.variable(symbol, type).first(paths.bootParams.setupData).number(); at !== 0; ) {
    if (found.length >= MOST_NODES) throw new KernelFault('implausible', `boot_params lead to more than ${MOST_NODES} setup_data nodes`);
    const node = decodeStruct(setupData, kernel.virtual.readPhysical(at, sizeOf(setupData)));
    // The payload of a node is its next page at most: longer ones are not a handover's.
    found.push({ type: node.type, start: at, end: at + sizeOf(setupData) + Math.min(node.len, kernel.virtual.memory.pageSize) });
    at = Number(node.next);
  }
  return found;
}

/** KEXEC_SEGMENT_MAX. */
const MOST_SEGMENTS = 16;
/** boot_params with setup_data, and scratch: kernel and initial memory disk are larger. */
const SMALL_SEGMENT = 1 << 20;
/** A terabyte in pages of 4 KiB, as indirection pages. */
const MOST_INDIRECTIONS = 1 << 19;

/** Flags in the low bits of a kimage_entry_t. */
const [DESTINATION, INDIRECTION, DONE, SOURCE] = [1n, 2n, 4n, 8n];

/** The small segments of the image loaded for kexec: where the jump puts them, and the pages that hold them until then. */
function imageLoaded(kernel: Kernel): readonly MemoryRange[] {
  const address = pointer(kernel, paths.imagePointer);
  if (address === 0n) return [];
  const image = kernel.object(paths.image.type, address);
  const count = Math.min(image.first(paths.image.count).number(), MOST_SEGMENTS);
  const segments = image.first(paths.image.segments);
  const small = Array.from({ length: count }, (_, index): MemoryRange => {
    const segment = segments.at(index);
    const start = segment.first(paths.image.start).number();
    return { start, end: start + segment.first(paths.image.size).number() };
  }).filter(({ start, end }) => end - start <= SMALL_SEGMENT);
  const held = [...small];
  const { pageSize } = kernel.virtual.memory;
  for (const { destination, source } of pagesOf(kernel, image.first(paths.image.pages).value(), pageSize))
    if (small.some(({ start, end }) => destination + pageSize > start && destination < end)) held.push({ start: source, end: source + pageSize });
  return held;
}

/** Which page goes where at the jump. Source: kimage_add_entry() and for_each_kimage_entry(), kernel/kexec_core.c, 7.3. */
function* pagesOf(kernel: Kernel, head: bigint, pageSize: number): Generator<{ readonly destination: number; readonly source: number }> {
  const mask = BigInt(pageSize - 1);
  let destination = 0;
  let entries: BigUint64Array = new BigUint64Array([head]);
  for (let pages = 0; pages < MOST_INDIRECTIONS; pages++) {
    let next: number | null = null;
    for (const entry of entries) {
      const page = Number(entry & ~mask);
      if ((entry & DONE) !== 0n || entry === 0n) return;
      if ((entry & DESTINATION) !== 0n) destination = page;
      if ((entry & SOURCE) !== 0n) {
        yield { destination, source: page };
        destination += pageSize;
      }
      if ((entry & INDIRECTION) !== 0n) {
        next = page;
        break;
      }
    }
    if (next === null) return;
    entries = new BigUint64Array(kernel.virtual.readPhysical(next, pageSize).buffer);
  }
}

/** In whole pages, ascending, those that touch as one. */
function joined(ranges: readonly MemoryRange[], pageSize: number): readonly MemoryRange[] {
  const out: { start: number; end: number }[] = [];
  const whole = ranges.map(({ start, end }) => ({ start: Math.floor(start / pageSize) * pageSize, end: Math.ceil(end / pageSize) * pageSize }));
  for (const range of whole.sort((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else out.push(range);
  }
  return out;
}
