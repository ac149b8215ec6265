/**
 * The kernel image in a memory that has no VMCOREINFO: kallsyms is found by the form of its tables, and what VMCOREINFO would say follows from
 * the symbols. x86-64 with all symbols, offsets that count from where they are (7.0 and later). The image is contiguous in physical memory, so
 * that the tables are read there. Source: scripts/kallsyms.c, arch/x86/kernel/head_64.S, arch/x86/kernel/vmcore_info_64.c, 7.3.
 */
import { type PhysicalMemory, readBytes } from '../memory/memory.js';
import { START_KERNEL_MAP } from './address-space.js';
import { KernelFault, optional } from './fault.js';
import { x86Geometry } from './geometry.js';
import { kernelLimits } from './limits.js';
import { readKallsyms } from './kallsyms.js';
import type { SymbolTable } from './symbols.js';
import { VirtualMemory } from './virtual-memory.js';

interface KernelImage {
  /** where kallsyms' tokens are, physical */
  readonly address: number;
  readonly release: string;
  /** as VMCOREINFO would have it */
  readonly vmcoreinfo: ReadonlyMap<string, string>;
}

/** Every table of tokens has these, one after the other: a digit is a token of itself. */
const DIGITS = Buffer.from('0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00', 'latin1');
const DIGIT = 48;
const TOKENS = 256;
/** Longest table of tokens that is looked at, before and after the digits. */
const REACH = 8192;
const PIECE = 4 << 20;
/** What such digits may cost in all: a kernel has them once, thousands of preserved guests once each. */
const MOST_COST = 1 << 18;
const COST_OF_A_LOOK = 1 << 10;
/** Names of one marker. */
const GROUP = 256;
const MAX_MARKERS = Math.ceil(kernelLimits.symbols.value / GROUP);
/** A group of names is not longer. */
const GROUP_BYTES = 64 * GROUP;

interface Places {
  readonly names: number;
  readonly count: number;
  readonly tokenTable: number;
  readonly tokenIndex: number;
  readonly offsets: number;
}

export interface ImageSearch {
  /** by ascending address */
  readonly images: readonly KernelImage[];
  /** what ended the search before all memory was seen; null where nothing did */
  readonly ended: string | null;
}

/** At most `most` images. What is in `skip` is not the machine's own (but a guest's that is handed over). */
export function kernelImages(memory: PhysicalMemory, most: number, skip: (address: number) => boolean): ImageSearch {
  const images: KernelImage[] = [];
  let left: number = kernelLimits.imageSearch.value;
  let cost = 0;
  const piece = Buffer.alloc(PIECE);
  for (const { start, end } of memory.searchable ?? memory.readable) {
    for (let at = start; at < end; at += PIECE - DIGITS.length) {
      if (left <= 0) return { images, ended: `kernel images were looked for up to 0x${at.toString(16)} only` };
      const length = memory.readInto(at, Math.min(PIECE, end - at), piece);
      left -= length;
      const bytes = piece.subarray(0, length);
      for (let found = bytes.indexOf(DIGITS); found !== -1; found = bytes.indexOf(DIGITS, found + 1)) {
        const skipped = skip(at + found);
        cost += skipped ? 1 : COST_OF_A_LOOK;
        if (cost > MOST_COST)
          return { images, ended: `kernel images were looked for up to 0x${(at + found).toString(16)} only: too much memory looks like one` };
        if (skipped) continue;
        const image = optional(() => imageAt(memory, at + found));
        if (image !== null && !images.some(({ address }) => address === image.address)) images.push(image);
        if (images.length >= most) return { images, ended: null };
      }
      if (length < Math.min(PIECE, end - at)) break;
    }
  }
  return { images, ended: null };
}

/** @throws KernelFault where the digits are no part of a kernel's tokens, or its symbols do not lead on */
function imageAt(memory: PhysicalMemory, digits: number): KernelImage | null {
  const places = placesAround(memory, digits);
  if (places === null) return null;
  // Physical addresses stand for virtual ones here: what kallsyms gives are then physical addresses of symbols.
  const flat = new VirtualMemory(memory, { geometry: x86Geometry(4, 0n), root: null, linear: [{ start: 0n, end: 1n << 52n, offset: 0n }] });
  const at = (address: number): bigint => BigInt(address);
  const symbols = readKallsyms(flat, {
    names: at(places.names),
    count: at(places.count),
    tokenTable: at(places.tokenTable),
    tokenIndex: at(places.tokenIndex),
    offsets: at(places.offsets),
    relativeBase: null,
  });
  const banner = Buffer.from(flat.read(placeOf(symbols, 'linux_banner'), 128)).toString('latin1');
  const release = /^Linux version (\d+\.\d+[\w.+~-]{0,60}) /.exec(banner)?.[1];
  if (release === undefined) return null;
  const encryption = numberAt(flat, symbols, 'sme_me_mask', 8);
  const base = mappedAt(flat, symbols, encryption) - placeOf(symbols, '_stext');
  const virtual = (physical: bigint): string => (physical + base).toString(16);
  const top = virtual(placeOf(symbols, 'init_top_pgt'));
  return {
    address: places.tokenTable,
    release,
    vmcoreinfo: new Map([
      ['OSRELEASE', release],
      ['PAGESIZE', '4096'],
      ['SYMBOL(_stext)', virtual(placeOf(symbols, '_stext'))],
      ['SYMBOL(init_top_pgt)', top],
      ['SYMBOL(swapper_pg_dir)', top],
      ['SYMBOL(kallsyms_names)', virtual(at(places.names))],
      ['SYMBOL(kallsyms_num_syms)', virtual(at(places.count))],
      ['SYMBOL(kallsyms_token_table)', virtual(at(places.tokenTable))],
      ['SYMBOL(kallsyms_token_index)', virtual(at(places.tokenIndex))],
      ['SYMBOL(kallsyms_offsets)', virtual(at(places.offsets))],
      ['NUMBER(phys_base)', `${START_KERNEL_MAP - base}`],
      ['NUMBER(pgtable_l5_enabled)', `${numberAt(flat, symbols, '__pgtable_l5_enabled', 4)}`],
      ['NUMBER(sme_mask)', `${encryption}`],
    ]),
  };
}

/** Where the tables are around the digits among the tokens; null where they are no kernel's. */
function placesAround(memory: PhysicalMemory, digits: number): Places | null {
  const from = Math.max(0, digits - REACH);
  const around = readBytes(memory, from, digits - from + REACH).bytes;
  let start = digits - from;
  for (let token = 0; token < DIGIT; token++) {
    start = around.lastIndexOf(0, start - 2) + 1;
    if (start <= 0) return null;
  }
  const starts: number[] = [];
  let end = start;
  for (let token = 0; token < TOKENS; token++) {
    starts.push(end - start);
    const next = around.indexOf(0, end);
    if (next === -1) return null;
    end = next + 1;
  }
  for (const align of [1, 2, 4, 8]) {
    const index = Math.ceil((from + end) / align) * align - from;
    if (!starts.every((own, token) => (around[index + token * 2] ?? 0) + (around[index + token * 2 + 1] ?? 0) * 256 === own)) continue;
    const names = namesBefore(memory, from + start);
    return names === null ? null : { ...names, tokenTable: from + start, tokenIndex: from + index, offsets: Math.ceil((from + index + TOKENS * 2) / 4) * 4 };
  }
  return null;
}

/** Markers are before the tokens, one for 256 names: where each group starts. Before them the names, and their number. */
function namesBefore(memory: PhysicalMemory, tokens: number): Pick<Places, 'names' | 'count'> | null {
  const markers: number[] = [];
  let at = Math.floor(tokens / 4) * 4;
  for (; markers.at(-1) !== 0 && markers.length <= MAX_MARKERS; ) {
    at -= 4;
    const value = wordAt(memory, at);
    const above = markers.at(-1);
    // Zeros after the last marker fill up to where the tokens start.
    if (value === null || (above !== undefined && value >= above)) return null;
    if (value !== 0 || above !== undefined) markers.push(value);
    else if (tokens - at > 8) return null;
  }
  markers.reverse();
  const [last, second] = [markers.at(-1), markers[1]];
  if (last === undefined || second === undefined) return null;
  const highest = Math.floor((at - last) / 4) * 4;
  for (let names = highest; names >= highest - GROUP_BYTES; names -= 4) {
    for (const count of [names - 4, names - 8]) {
      const number = wordAt(memory, count);
      if (number === null || Math.ceil(number / GROUP) !== markers.length) continue;
      if (endOfGroup(readBytes(memory, names, GROUP_BYTES).bytes) === second) return { names, count };
    }
  }
  return null;
}

/** Bytes that the first 256 names take. */
function endOfGroup(bytes: Uint8Array): number {
  let at = 0;
  for (let name = 0; name < GROUP; name++) {
    const first = bytes[at] ?? 0;
    at += (first & 0x80) === 0 ? 1 + first : 2 + ((first & 0x7f) | ((bytes[at + 1] ?? 0) << 7));
  }
  return at;
}

function wordAt(memory: PhysicalMemory, address: number): number | null {
  const { ok, bytes } = readBytes(memory, address, 4);
  return ok ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : null;
}

function placeOf(symbols: SymbolTable, name: string): bigint {
  const [found] = symbols.find(name);
  if (found === undefined) throw new KernelFault('no-symbol', `kallsyms does not name ${name}`);
  return found.address;
}

/** A variable's value; 0 where this kernel has none of that name. */
function numberAt(flat: VirtualMemory, symbols: SymbolTable, name: string, bytes: 4 | 8): bigint {
  const [found] = symbols.find(name);
  if (found === undefined) return 0n;
  const view = new DataView(flat.read(found.address, bytes).buffer);
  return bytes === 4 ? BigInt(view.getUint32(0, true)) : view.getBigUint64(0, true);
}

const ENTRIES = 512;
const LARGE = 2n << 20n;

/** The virtual address of _stext: which entry of level2_kernel_pgt maps it, that covers the kernel's image in pieces of 2 MiB. @throws KernelFault */
function mappedAt(flat: VirtualMemory, symbols: SymbolTable, encryption: bigint): bigint {
  const text = placeOf(symbols, '_stext');
  const { addressMask, valid, block } = x86Geometry(4, encryption);
  const table = (address: bigint): DataView => new DataView(flat.read(address, ENTRIES * 8).buffer);
  const entries = table(placeOf(symbols, 'level2_kernel_pgt'));
  for (let index = 0; index < ENTRIES; index++) {
    const entry = entries.getBigUint64(index * 8, true);
    if ((entry & valid) === 0n) continue;
    const target = entry & addressMask;
    const here = START_KERNEL_MAP + BigInt(index) * LARGE;
    if ((entry & block.mask) !== 0n) {
      if ((target & ~(LARGE - 1n)) === (text & ~(LARGE - 1n))) return here + (text & (LARGE - 1n));
      continue;
    }
    const page = Number((text & (LARGE - 1n)) >> 12n);
    const pages = optional(() => table(target));
    if (pages !== null && (pages.getBigUint64(page * 8, true) & addressMask) === (text & ~0xfffn)) return here + (text & (LARGE - 1n));
  }
  throw new KernelFault('unmapped', 'level2_kernel_pgt does not map _stext');
}
