/**
 * What is at a physical address of a dump: the smallest decoded thing that covers it, the page's state, whether and by what it is
 * preserved, the scratch area it is in, whose page it is, and which decoded fields point there. The index is built when it is first
 * asked and is bounded: bulk tables (folios, map leaves) are looked into by arithmetic, not by opening their nodes.
 */
import { memfdLuoFolioSer } from '../../abi/memfd/folio.js';
import { sizeOf } from '../codec/layout-table.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import type { Memfd } from '../handover/memfd.js';
import { allReferences } from '../handover/luo.js';
import type { PageState, PhysicalMemory } from '../memory/memory.js';
import { pathPart, type TreeNode } from '../tree/tree.js';
import { hex } from '../tree/words.js';

/** Nodes taken up; a tree with more is indexed as far as that. */
const MOST_NODES = 400_000;
/** Folios whose pages are known by owner: 24 bytes each. */
const MOST_FOLIOS = 1 << 21;
/** Pointers to one page that are listed. */
const MOST_POINTERS = 256;

/** A decoded field (or table entry) whose value is an address. */
interface Pointer {
  readonly path: string;
  /** physical, of the field; null where it has none */
  readonly at: number | null;
  /** physical: its value */
  readonly to: number;
}

export interface WhatIs {
  /** physical */
  readonly address: number;
  readonly state: PageState;
  /** the smallest decoded thing that covers the address; null where nothing was decoded */
  readonly node: TreeNode | null;
  /** its path; of a table entry also where the entry's node was not made */
  readonly path: string | null;
  /** the node above it */
  readonly parent: TreeNode | null;
  /** bytes from the start of `node` (or of the table entry) */
  readonly offset: number;
  /** what it is, in words */
  readonly what: string;
  /** null where no preserved memory map could be read */
  readonly preserved: boolean | null;
  /** the block of the map */
  readonly block: { readonly handover: string; readonly start: number; readonly order: number } | null;
  /** null where no scratch area is known */
  readonly scratch: boolean | null;
  readonly scratchArea: { readonly start: number; readonly size: number } | null;
  /** path of what the page belongs to: a file, a session, an FLB, a region */
  readonly owner: string | null;
  /** fields that point to this very page, nearest below the address first */
  readonly pointers: readonly Pointer[];
  /** pointers beyond those listed */
  readonly morePointers: number;
  /** what was not looked at, null for nothing */
  readonly unchecked: string | null;
}

interface Extent {
  readonly start: number;
  readonly end: number;
  readonly node: TreeNode;
  readonly parent: TreeNode | null;
}

/** Pages of one folio, and the entry of the table that names it. */
interface FolioPages {
  readonly starts: Float64Array;
  readonly bytes: Float64Array;
  readonly entries: Uint32Array;
  readonly files: Uint32Array;
}

interface FileOf {
  readonly path: string;
  readonly memfd: Memfd;
}

const isBulk = (node: TreeNode): boolean => /^struct .+\[\d+\]$/.test(node.type) || node.type === 'folio table';

export class AddressIndex {
  readonly memory: PhysicalMemory;
  readonly #handovers: readonly Handover[];
  readonly #roots: readonly TreeNode[];
  readonly #files: FileOf[] = [];
  #extents: Extent[] | null = null;
  /** the furthest end of any extent up to each one, so that a search backwards knows where to stop */
  #reach = new Float64Array(0);
  #pointers: Pointer[] = [];
  #folios: FolioPages | null = null;
  #unchecked: string[] = [];

  /** @param roots the trees decoded; those of the handovers unless given */
  constructor(dump: Pick<DecodedDump, 'memory' | 'handovers'>, roots: readonly TreeNode[] = dump.handovers.map(({ node }) => node)) {
    this.memory = dump.memory;
    this.#roots = roots;
    this.#handovers = dump.handovers;
    for (const handover of dump.handovers)
      for (const session of handover.luo?.sessions ?? [])
        for (const file of session.files) if (file.decoded?.kind === 'memfd') this.#files.push({ path: file.path, memfd: file.decoded });
  }

  /** Everything that is known of an address. */
  at(address: number): WhatIs {
    const extents = this.#built();
    const page = address - (address % this.memory.pageSize);
    const block = this.#block(address);
    const scratchArea = this.#scratch(address);
    const table = this.#tableEntry(address);
    const folio = this.#folioAt(address);
    const found = this.#smallest(extents, address);
    const pointers = this.#pointersTo(page);
    const common = {
      address,
      state: this.memory.stateOf(address),
      preserved: this.#handovers.some(({ map }) => map !== null) ? block !== null : null,
      block,
      scratch: this.#handovers.some(({ scratch }) => scratch.areas !== null) ? scratchArea !== null : null,
      scratchArea,
      pointers: pointers.slice(0, MOST_POINTERS),
      morePointers: Math.max(0, pointers.length - MOST_POINTERS),
      unchecked: this.#unchecked.length === 0 ? null : this.#unchecked.join('; '),
    };
    if (table !== null) {
      const what = `entry ${table.entry} of the folio table of ${table.file.path}`;
      return { ...common, node: null, path: table.path, parent: null, offset: table.offset, what, owner: table.file.path };
    }
    if (folio !== null) {
      const what = `contents of ${folio.file.path}: byte ${hex(folio.offset)} of the folio that entry ${folio.entry} names`;
      return { ...common, node: found?.node ?? null, path: folio.path, parent: found?.parent ?? null, offset: folio.offset, what, owner: folio.file.path };
    }
    if (found !== null) {
      const { node, parent } = found;
      const what = `${node.type === 'group' ? '' : `${node.type} `}${node.name}`;
      return { ...common, node, path: node.path, parent, offset: address - found.start, what, owner: ownerOf(node.path) ?? this.#region(address) };
    }
    const region = this.#region(address);
    const what =
      region !== null
        ? 'memory reserved by name (reserve_mem)'
        : scratchArea !== null
          ? 'scratch memory'
          : block !== null
            ? 'preserved, by nothing decoded here'
            : 'nothing decoded here';
    return { ...common, node: null, path: null, parent: null, offset: 0, what, owner: region };
  }

  /** The smallest decoded node that covers the address: what a cursor in the bytes is on. Path of a table entry where that is it. */
  pathAt(address: number): string | null {
    const table = this.#tableEntry(address);
    if (table !== null) return table.path;
    return this.#smallest(this.#built(), address)?.node.path ?? null;
  }

  /** Pages of preserved files, folio by folio: physical, in bytes. */
  *folioPages(): Iterable<{ readonly start: number; readonly end: number }> {
    this.#built();
    const folios = this.#folios;
    for (let index = 0; index < (folios?.starts.length ?? 0); index++) {
      const start = folios?.starts[index] ?? 0;
      yield { start, end: start + (folios?.bytes[index] ?? 0) };
    }
  }

  /** Fields whose value is an address in the same page. */
  pointersTo(address: number): readonly Pointer[] {
    this.#built();
    return this.#pointersTo(address - (address % this.memory.pageSize)).slice(0, MOST_POINTERS);
  }

  /** One short sentence about where an address leads, for beside a pointer. */
  telescope(address: number): string {
    const is = this.at(address);
    const parts = [
      is.state === 'present'
        ? 'in this dump'
        : is.state === 'zero'
          ? 'in this dump, all 0'
          : is.state === 'excluded'
            ? 'NOT in this dump'
            : 'NO memory of this machine',
      is.preserved === null ? '' : is.preserved ? `preserved${is.block === null ? '' : ` (order ${is.block.order})`}` : 'NOT preserved',
      is.scratch === null ? '' : is.scratch ? 'IN SCRATCH' : 'outside scratch',
      is.owner === null ? 'of nobody known' : `of ${shortPath(is.owner)}`,
    ];
    return parts.filter((part) => part !== '').join(', ');
  }

  #built(): readonly Extent[] {
    if (this.#extents !== null) return this.#extents;
    const extents: Extent[] = [];
    const pending: { readonly node: TreeNode; readonly parent: TreeNode | null }[] = this.#roots.map((node) => ({ node, parent: null }));
    let seen = 0;
    for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
      if (++seen > MOST_NODES) {
        this.#unchecked.push(`only the first ${MOST_NODES} decoded nodes were indexed`);
        break;
      }
      const { node, parent } = one;
      const start = startOf(node, parent);
      if (start !== null && node.bits > 0 && !(isBulk(node) && node.name === 'folio table'))
        extents.push({ start, end: start + Math.ceil((bitOf(node, parent) + node.bits) / 8), node, parent });
      if (node.pointer !== null) this.#pointers.push({ path: node.path, at: start, to: node.pointer });
      if (isBulk(node)) continue;
      for (const child of node.children()) pending.push({ node: child, parent: node });
    }
    extents.sort((a, b) => a.start - b.start || b.end - a.end || a.node.bits - b.node.bits || depthOf(a.node) - depthOf(b.node));
    this.#reach = new Float64Array(extents.length);
    let reach = 0;
    for (const [index, { end }] of extents.entries()) {
      reach = Math.max(reach, end);
      this.#reach[index] = reach;
    }
    this.#addReferences();
    this.#pointers.sort((a, b) => a.to - b.to);
    this.#folios = this.#readFolios();
    this.#extents = extents;
    return extents;
  }

  /** Entries of bulk tables have no nodes of their own: what the decoder followed of them is among its references. */
  #addReferences(): void {
    const seen = new Set(this.#pointers.map(({ path, to }) => `${path} ${to}`));
    for (const handover of this.#handovers)
      for (const { address, from, fromAddress } of allReferences(handover)) {
        const key = `${from.path} ${address}`;
        if (seen.has(key)) continue;
        seen.add(key);
        this.#pointers.push({ path: from.path, at: fromAddress ?? from.address, to: address });
      }
  }

  #readFolios(): FolioPages {
    let count = 0;
    for (const { memfd } of this.#files) count += memfd.readableFolios;
    if (count > MOST_FOLIOS) this.#unchecked.push(`contents of files beyond the first ${MOST_FOLIOS} folios (of ${count}) have no owner here`);
    const size = Math.min(count, MOST_FOLIOS);
    const starts = new Float64Array(size);
    const bytes = new Float64Array(size);
    const entries = new Uint32Array(size);
    const files = new Uint32Array(size);
    let at = 0;
    for (const [file, { memfd }] of this.#files.entries()) {
      if (at >= size) break;
      for (const folio of memfd.folios()) {
        if (at >= size) break;
        starts[at] = folio.pfn * this.memory.pageSize;
        bytes[at] = (memfd.pagesOf(folio, null) ?? 1) * this.memory.pageSize;
        entries[at] = folio.entry;
        files[at] = file;
        at++;
      }
    }
    const order = Uint32Array.from({ length: at }, (_, index) => index).sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0));
    return {
      starts: Float64Array.from(order, (index) => starts[index] ?? 0),
      bytes: Float64Array.from(order, (index) => bytes[index] ?? 0),
      entries: Uint32Array.from(order, (index) => entries[index] ?? 0),
      files: Uint32Array.from(order, (index) => files[index] ?? 0),
    };
  }

  #smallest(extents: readonly Extent[], address: number): Extent | null {
    let best: Extent | null = null;
    for (let index = lastBefore(extents.length, (at) => (extents[at]?.start ?? 0) <= address); index >= 0; index--) {
      if ((this.#reach[index] ?? 0) <= address) break;
      const extent = extents[index];
      if (extent === undefined || extent.end <= address) continue;
      if (best === null || extent.end - extent.start < best.end - best.start) best = extent;
      else break;
    }
    return best;
  }

  /** The folio whose pages hold the address. */
  #folioAt(address: number): { readonly file: FileOf; readonly entry: number; readonly offset: number; readonly path: string } | null {
    this.#built();
    const folios = this.#folios;
    if (folios === null) return null;
    // a damaged table may name the same pages twice: the one that starts nearest below counts
    const index = lastBefore(folios.starts.length, (at) => (folios.starts[at] ?? 0) <= address);
    const start = folios.starts[index];
    if (start === undefined || address >= start + (folios.bytes[index] ?? 0)) return null;
    const file = this.#files[folios.files[index] ?? 0];
    const entry = folios.entries[index] ?? 0;
    return file === undefined ? null : { file, entry, offset: address - start, path: entryPath(file, entry) };
  }

  /** The entry of a folio table at the address. */
  #tableEntry(address: number): { readonly file: FileOf; readonly entry: number; readonly offset: number; readonly path: string } | null {
    for (const file of this.#files) {
      const { area, readableFolios } = file.memfd;
      if (area === null || readableFolios === 0) continue;
      const block = area.blocks.findIndex((start) => address >= start && address < start + area.blockSize);
      if (block === -1) continue;
      const offset = block * area.blockSize + (address - (area.blocks[block] ?? 0));
      const entry = Math.floor(offset / ENTRY_SIZE);
      if (entry < readableFolios) return { file, entry, offset: offset % ENTRY_SIZE, path: entryPath(file, entry) };
    }
    return null;
  }

  #pointersTo(page: number): Pointer[] {
    const { pageSize } = this.memory;
    const first = lastBefore(this.#pointers.length, (at) => (this.#pointers[at]?.to ?? 0) < page) + 1;
    const found: Pointer[] = [];
    for (let index = first; index < this.#pointers.length; index++) {
      const pointer = this.#pointers[index];
      if (pointer === undefined || pointer.to >= page + pageSize) break;
      found.push(pointer);
    }
    const folios = this.#folios;
    if (folios === null) return found;
    // entries that name this page as the first of a folio, then the folio that holds it
    const seen = new Set<string>();
    const add = (index: number): void => {
      const file = this.#files[folios.files[index] ?? 0];
      const entry = folios.entries[index] ?? 0;
      if (file === undefined) return;
      const path = entryPath(file, entry);
      if (!seen.has(path)) found.push({ path, at: file.memfd.entryAddress(entry), to: folios.starts[index] ?? 0 });
      seen.add(path);
    };
    for (let index = lastBefore(folios.starts.length, (at) => (folios.starts[at] ?? 0) < page) + 1; folios.starts[index] === page; index++) add(index);
    const below = lastBefore(folios.starts.length, (at) => (folios.starts[at] ?? 0) <= page);
    const start = folios.starts[below];
    if (start !== undefined && page < start + (folios.bytes[below] ?? 0)) add(below);
    return found;
  }

  #block(address: number): WhatIs['block'] {
    for (const { map, path } of this.#handovers) {
      const block = map?.blockOf(address) ?? null;
      if (block !== null) return { handover: path, ...block };
    }
    return null;
  }

  #scratch(address: number): WhatIs['scratchArea'] {
    for (const { scratch } of this.#handovers)
      for (const area of scratch.areas ?? []) if (address >= area.start && address < area.start + area.size) return area;
    return null;
  }

  #region(address: number): string | null {
    for (const { memblock, path } of this.#handovers)
      for (const { name, start, size } of memblock ?? [])
        if (BigInt(address) >= start && BigInt(address) < start + size) return `${path}/memblock/${pathPart(name)}`;
    return null;
  }
}

const entryPath = ({ memfd }: FileOf, entry: number): string => `${memfd.reading.node.path}/folios[]/${entry}`;

const ENTRY_SIZE = sizeOf(memfdLuoFolioSer);

/** Part of a bit-field integer: it has the integer's address and its own bit offset in it. */
const isPart = (node: TreeNode, parent: TreeNode | null): boolean =>
  parent !== null && node.address !== null && parent.address === node.address && node.bitOffset > 0;

const bitOf = (node: TreeNode, parent: TreeNode | null): number => (isPart(node, parent) ? node.bitOffset % 8 : 0);

const startOf = (node: TreeNode, parent: TreeNode | null): number | null =>
  node.address === null ? null : node.address + (isPart(node, parent) ? Math.floor(node.bitOffset / 8) : 0);

const depthOf = (node: TreeNode): number => node.path.split('/').length;

/** The last index below `count` for which `holds`, which holds for all before it; -1 for none. */
function lastBefore(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The file, session, FLB or subtree that a path belongs to; null for the handover as a whole. */
function ownerOf(path: string): string | null {
  const found =
    /^[^/]+\/luo\/sessions\/[^/]+\/files\/[^/]+/.exec(path) ??
    /^[^/]+\/luo\/(?:sessions|flbs)\/[^/]+/.exec(path) ??
    /^[^/]+\/memblock\/[^/]+/.exec(path) ??
    /^[^/]+\/[^/]+/.exec(path);
  return found?.[0] ?? null;
}

/** `web/0x2` for a file, the last parts of the path for anything else. */
function shortPath(path: string): string {
  const file = /\/sessions\/([^/]+)\/files\/([^/]+)/.exec(path);
  if (file !== null) return `${file[1]}/${file[2]}`;
  const session = /\/sessions\/([^/]+)/.exec(path);
  if (session !== null) return session[1] ?? path;
  return path.split('/').slice(1, 3).join('/') || path;
}
