/**
 * What of a dump is damaged, as bytes for another machine that was handed the same: both trees are gone through side by side. Where a value
 * differs that is the same on every machine, its bytes are carried over; where a pointer leads elsewhere than its counterpart, it is led to
 * the counterpart of where it leads. Addresses as such differ from machine to machine, and are no damage.
 */
import { khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { layoutTable } from '../codec/layout-table.js';
import type { Handover } from '../handover/decode.js';
import type { Memfd } from '../handover/memfd.js';
import { type PhysicalMemory, readBytes } from '../memory/memory.js';
import type { TreeNode } from '../tree/tree.js';

/** Bytes that make the healthy handover what the dump is. */
export interface Damage {
  /** of the field in the dump's tree */
  readonly path: string;
  /** physical, in the healthy machine's memory */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** what it is, and what it would be */
  readonly text: string;
}

export interface Compared {
  readonly damages: readonly Damage[];
  /** what differs and could not be carried over, a sentence each */
  readonly notCarried: readonly string[];
}

interface Side {
  readonly memory: PhysicalMemory;
  readonly handover: Handover;
}

/** So many nodes and folios are gone through; the rest is reported as left. */
const MOST_NODES = 200_000;
const MOST_FOLIOS = 65_536;
const WORD = 8;
/** Position of a folio's frame number in the first word of its entry, beside its flags. */
const [PFN_SHIFT, PFN_MASK] = frameBits();

function frameBits(): readonly [bigint, bigint] {
  const bits = layoutTable(memfdLuoFolioSer)
    .field('pfn_flags')
    .bits.find(({ name }) => name === 'pfn');
  if (bits === undefined) throw new Error('memfd_luo_folio_ser has no bits pfn');
  const shift = BigInt(bits.lowBit);
  return [shift, ((1n << BigInt(bits.field.width)) - 1n) << shift];
}

/** Fields that differ between two healthy machines, and that no kernel checks. */
const OF_THE_MACHINE = /\/(?:liveupdate_num|blob-size|totalsize|off_dt_struct|off_dt_strings|off_mem_rsvmap|size_dt_strings|size_dt_struct|boot_cpuid_phys)$/;
/** Parts of a handover that the engine's machine makes as the dump's did. */
const CARRIED = /^[^/]+\/(?:luo(?:\/|$)|kho$|kho\/(?:fdt|fdt_header)(?:\/|$))/;

/** @param dump what is damaged @param healthy the same sessions, handed over by a healthy kernel */
export function damagesOf(dump: Side, healthy: Side): Compared {
  const comparison = new Comparison(dump, healthy);
  return comparison.result();
}

class Comparison {
  readonly #dump: Side;
  readonly #healthy: Side;
  /** physical address of a structure, page or folio of the dump -> its counterpart's */
  readonly #counterparts = new Map<number, number>();
  readonly #pairs: (readonly [TreeNode, TreeNode])[] = [];
  readonly #damages: Damage[] = [];
  readonly #notCarried: string[] = [];
  /** compared once all counterparts are known */
  readonly #chunks: (() => void)[] = [];
  #nodes = 0;

  constructor(dump: Side, healthy: Side) {
    this.#dump = dump;
    this.#healthy = healthy;
  }

  result(): Compared {
    this.#pairRoots();
    this.#pair(this.#dump.handover.node, this.#healthy.handover.node);
    if (this.#nodes > MOST_NODES) this.#notCarried.push(`more than ${MOST_NODES} nodes: the rest was not compared`);
    const folios = this.#pairFolios();
    for (const [mine, other] of this.#pairs) this.#field(mine, other);
    for (const compare of [...this.#chunks, ...folios]) compare();
    this.#map();
    return { damages: this.#damages, notCarried: this.#notCarried };
  }

  /** The map's root and the blobs that the root FDT names. */
  #pairRoots(): void {
    const [mine, other] = [this.#dump.handover, this.#healthy.handover];
    const roots = [mine, other].map(({ map }) => map?.structurePages[0]);
    if (roots[0] !== undefined && roots[1] !== undefined) this.#counterparts.set(roots[0], roots[1]);
    for (const { name, address } of mine.subtrees) {
      const counterpart = other.subtrees.find((subtree) => subtree.name === name)?.address ?? null;
      if (address !== null && counterpart !== null) this.#counterparts.set(address, counterpart);
    }
  }

  #pair(mine: TreeNode, other: TreeNode): void {
    if (++this.#nodes > MOST_NODES || !CARRIED.test(`${mine.path}`) === mine.path.split('/').length > 1) return;
    if (mine.address !== null && other.address !== null && mine.bits > 0) this.#counterparts.set(mine.address, other.address);
    this.#pairs.push([mine, other]);
    // Another version of LUO has another layout: nothing below can be held against this one.
    if (mine.name === 'luo_ser' && this.#isOtherVersion) this.#version(mine, other);
    if (mine.path.endsWith('/folios[]')) return;
    if (this.#isOtherVersion && /^[^/]+\/luo\//.test(mine.path)) return;
    if (mine.layout?.field === null && mine.layout.struct.name === khoVmallocChunk.name) this.#chunks.push(this.#words(mine, other));
    const others = new Map(keyed(other.children()));
    for (const [key, child] of keyed(mine.children())) {
      const counterpart = others.get(key);
      if (counterpart !== undefined) this.#pair(child, counterpart);
      else if (child.type === 'fdt node' && child.name !== 'kho_test') this.#notCarried.push(`${child.path} has no counterpart`);
    }
  }

  get #isOtherVersion(): boolean {
    return this.#dump.handover.luo?.contract !== this.#healthy.handover.luo?.contract;
  }

  /** Of LUO's root its version alone. */
  #version(mine: TreeNode, other: TreeNode): void {
    const named = (node: TreeNode): TreeNode | undefined => node.children().find(({ name }) => name === 'compatible');
    const [own, theirs] = [named(mine), named(other)];
    if (own !== undefined && theirs !== undefined) this.#pairs.push([own, theirs]);
  }

  #field(mine: TreeNode, other: TreeNode): void {
    const kind = mine.fieldType?.kind ?? (mine.type === 'string' ? 'cstring' : null);
    if (mine.address === null || other.address === null || mine.bits === 0 || mine.bits % 8 !== 0 || mine.bits !== other.bits) return;
    if (!(kind === 'int' || kind === 'bits' || kind === 'cstring') || (mine.state === 'fine' && OF_THE_MACHINE.test(mine.path))) return;
    const size = mine.bits / 8;
    const was = readBytes(this.#healthy.memory, other.address, size);
    const is = readBytes(this.#dump.memory, mine.address, size);
    if (!was.ok || !is.ok || same(was.bytes, is.bytes)) return;
    if (mine.role !== 'phys' || size !== WORD) {
      if (/\/flbs\//.test(mine.path) && mine.name === 'count') return;
      this.#add(mine.path, other.address, is.bytes, `${shown(mine)}, not ${shown(other)}`);
      return;
    }
    const [value, meant] = [wordOf(is.bytes), wordOf(was.bytes)];
    this.#pointer(mine.path, other.address, value, meant);
  }

  /** @param meant the healthy machine's pointer */
  #pointer(path: string, address: number, value: bigint, meant: bigint): void {
    const led = this.#ledTo(value);
    // A preserved page that nothing else uses: the structure is there, and could not be decoded.
    if (led === meant || (meant !== 0n && !this.#isKnown(value) && this.#isPreserved(value))) return;
    this.#add(path, address, wordBytes(led), `leads to 0x${value.toString(16)}`);
  }

  #isKnown(value: bigint): boolean {
    const { pageSize } = this.#dump.memory;
    return this.#counterparts.has(Number(value - (value % BigInt(pageSize))));
  }

  #isPreserved(value: bigint): boolean {
    const { map, memory } = { map: this.#dump.handover.map, memory: this.#dump.memory };
    return value % BigInt(memory.pageSize) === 0n && value < 1n << 52n && map?.orderAt(Number(value)) === 0;
  }

  /** A chunk of kho_vmalloc: the next one, and the area's pages. Their counterparts are known before any is compared. */
  #words(mine: TreeNode, other: TreeNode): () => void {
    if (mine.address === null || other.address === null) return () => undefined;
    const at = other.address;
    const is = readBytes(this.#dump.memory, mine.address, mine.bits / 8);
    const was = readBytes(this.#healthy.memory, at, mine.bits / 8);
    if (!is.ok || !was.ok) return () => undefined;
    const words: (readonly [number, bigint, bigint])[] = [];
    for (let offset = 0; offset < is.bytes.length; offset += WORD) {
      const [value, meant] = [wordOf(is.bytes.subarray(offset, offset + WORD)), wordOf(was.bytes.subarray(offset, offset + WORD))];
      if (value !== 0n || meant !== 0n) words.push([offset, value, meant]);
    }
    for (const [, value, meant] of words)
      if (meant !== 0n && this.#isPreserved(value) && !this.#counterparts.has(Number(value))) this.#counterparts.set(Number(value), Number(meant));
    return () => {
      for (const [offset, value, meant] of words) this.#pointer(`${mine.path}/${offset / WORD}`, at + offset, value, meant);
    };
  }

  /** The same place on the healthy machine: its counterpart, the value itself where it is no address of memory, or else a page nobody uses. */
  #ledTo(value: bigint): bigint {
    const address = Number(value);
    const known = this.#counterparts.get(address);
    if (known !== undefined) return BigInt(known);
    const page = address - (address % this.#dump.memory.pageSize);
    const ofPage = this.#counterparts.get(page);
    if (ofPage !== undefined) return BigInt(ofPage + (address - page));
    if (value === 0n || this.#dump.memory.stateOf(page) === 'out-of-range' || value >= 1n << 52n) return value;
    return BigInt(this.#unused() + (address - page));
  }

  /** A page of zeros that is not preserved, high in memory and below scratch. */
  #unused(): number {
    const { memory, handover } = this.#healthy;
    const end = Math.max(...memory.readable.map((range) => range.end));
    for (let page = Math.floor(end / 2 / memory.pageSize) * memory.pageSize; page < end; page += memory.pageSize)
      if (
        isZero(memory, page) &&
        handover.map?.blockOf(page) == null &&
        !(handover.scratch.areas ?? []).some(({ start, size }) => page >= start && page < start + size)
      )
        return page;
    return 0;
  }

  /** Folios of files by their place in the table. A frame's counterpart is known before any is compared. */
  #pairFolios(): readonly (() => void)[] {
    if (this.#isOtherVersion) return [];
    const later: (() => void)[] = [];
    let left = MOST_FOLIOS;
    const others = this.#healthy.handover.luo?.sessions ?? [];
    for (const [index, session] of (this.#dump.handover.luo?.sessions ?? []).entries())
      for (const [number, { decoded, path }] of session.files.entries()) {
        const counterpart = others[index]?.files[number]?.decoded;
        if (decoded?.kind !== 'memfd' || counterpart?.kind !== 'memfd') continue;
        if (decoded.readableFolios > left) this.#notCarried.push(`${path}: its folios were not compared, there are too many`);
        else {
          left -= decoded.readableFolios;
          later.push(this.#folios(decoded, counterpart, `${path}/folios`));
        }
      }
    return later;
  }

  #folios(mine: Memfd, other: Memfd, path: string): () => void {
    const pairs = [...mine.entries()].map((folio, place) => ({ folio, place, address: other.entryAddress(place) }));
    const others = [...other.entries()];
    // Of huge folios there are fewer on one side than on the other: places do not correspond.
    if (Math.abs(pairs.length - others.length) > 1 && pairs.length !== others.length) {
      const differs = mine.folioCount !== BigInt(mine.readableFolios);
      if (differs) this.#notCarried.push(`${path}: ${mine.folioCount} folios are counted, ${mine.readableFolios} can be read`);
      return () => undefined;
    }
    const { pageSize } = mine;
    const used = new Set<number>();
    const { map } = this.#dump.handover;
    // Where the map itself cannot be read, it tells nothing of a single frame.
    const preserved = (pfn: number): boolean => map === null || !map.complete || map.orderAt(pfn * pageSize) !== null;
    for (const { folio, place } of pairs) {
      const counterpart = others[place];
      if (counterpart === undefined || used.has(folio.pfn) || !preserved(folio.pfn)) continue;
      used.add(folio.pfn);
      if (!this.#counterparts.has(folio.pfn * pageSize)) this.#counterparts.set(folio.pfn * pageSize, counterpart.pfn * pageSize);
    }
    return () => {
      for (const { folio, place, address } of pairs) {
        const counterpart = others[place];
        if (counterpart === undefined || address === null) continue;
        const led = Number(this.#ledTo(BigInt(folio.pfn * pageSize))) / pageSize;
        if (led === counterpart.pfn && folio.flags === counterpart.flags && folio.index === counterpart.index) continue;
        const at = mine.entryAddress(place);
        const read = at === null ? null : readBytes(this.#dump.memory, at, mine.entrySize);
        if (read === null || !read.ok) continue;
        const bytes = read.bytes.slice();
        const word = wordOf(bytes.subarray(0, WORD));
        const flags = word & ~PFN_MASK;
        if ((word & PFN_MASK) >> PFN_SHIFT === BigInt(folio.pfn)) bytes.set(wordBytes(flags | ((BigInt(led) << PFN_SHIFT) & PFN_MASK)));
        this.#add(`${path}/${place}`, address, bytes, `pfn 0x${folio.pfn.toString(16)}, index ${folio.index}, flags ${folio.flags}`);
      }
    };
  }

  /** Blocks that the dump's map does not hold, and the healthy one does. */
  #map(): void {
    const { map } = this.#dump.handover;
    const other = this.#healthy.handover.map;
    if (map === null || other === null) return;
    const { pageSize } = this.#dump.memory;
    const words = new Map<number, Uint8Array>();
    for (const [mine, theirs] of this.#counterparts) {
      if (mine % pageSize !== 0 || theirs % pageSize !== 0 || map.blockOf(mine) !== null || other.orderAt(theirs) !== 0) continue;
      const place = other.placeOf(theirs, 0);
      if (place === null || place.above) continue;
      const word = words.get(place.at) ?? wordAt(this.#healthy.memory, place.at);
      if (word === null) continue;
      const bit = (theirs / pageSize) % (WORD * 8);
      word[bit >> 3] = (word[bit >> 3] ?? 0) & ~(1 << (bit & 7));
      words.set(place.at, word);
    }
    const path = `${this.#dump.handover.path}/kho/preserved`;
    for (const [address, bytes] of words) this.#add(path, address, bytes, 'blocks that something points to are not preserved');
    if (!map.complete) this.#notCarried.push(`${path}: parts of the map lead nowhere; the blocks below are taken out one by one`);
  }

  #add(path: string, address: number, bytes: Uint8Array, text: string): void {
    this.#damages.push({ path, address, bytes, text });
  }
}

/** Sessions, files and FLBs by their place, because names and tokens can be damaged; all else by name. */
function* keyed(nodes: readonly TreeNode[]): Iterable<readonly [string, TreeNode]> {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const struct = node.layout?.field === null ? node.layout.struct.name : null;
    const listed = struct === 'luo_session_ser' || struct === 'luo_file_ser' || struct === 'luo_flb_ser';
    if (!listed) {
      yield [node.name, node];
      continue;
    }
    const place = counts.get(struct) ?? 0;
    counts.set(struct, place + 1);
    yield [`${struct}#${place}`, node];
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index]);
const shown = ({ value }: TreeNode): string => (typeof value === 'string' ? JSON.stringify(value) : String(value));

function isZero(memory: PhysicalMemory, page: number): boolean {
  const read = readBytes(memory, page, memory.pageSize);
  return read.ok && read.bytes.every((byte) => byte === 0);
}

function wordOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true);
}

function wordBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(WORD);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

function wordAt(memory: PhysicalMemory, address: number): Uint8Array | null {
  const read = readBytes(memory, address, WORD);
  return read.ok ? read.bytes.slice() : null;
}
