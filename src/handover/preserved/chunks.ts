/**
 * The preserved memory map as a chain of chunks and bitmaps (kho-v1, 6.16 to 7.0). The string hides two formats: bitmaps of
 * 512 bytes (up to 6.17.8) and of a page; `formOf` tells them apart. Source: kernel/kexec_handover.c, 6.17.8 and 6.18.15.
 */
import {
  type BitmapForm,
  bitmapBytes,
  bitmapSpan,
  khoMemPhysBits,
  khoMemPhysBitsSmall,
  khoserMemBitmapPtr,
  khoserMemChunk,
  khoserMemChunkHdr,
} from '../../../abi/kho/chunk.js';
import type { DecodedStruct } from '../../../abi/layout.js';
import { currentBudget } from '../../codec/budget.js';
import { decodeStruct } from '../../codec/decode.js';
import { arrayCount, layoutTable, offsetOf, sizeOf } from '../../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../../memory/memory.js';
import { hex } from '../../tree/words.js';
import { Node } from '../../tree/node.js';
import { type Reading, readStruct } from '../../tree/reading.js';
import type { Observation, Observations } from '../observe.js';
import { type BlockBits, type MapPlace, type PreservedBlock, type PreservedMap, blocksOf, maxOrder, popcount, summarise } from './preserved-map.js';

interface Bitmap {
  readonly order: number;
  /** memory bit 0 stands for, physical */
  readonly physStart: number;
  /** physical address of the bitmap */
  readonly address: number;
  readonly node: Node;
}

interface Chain {
  readonly bitmaps: Bitmap[];
  readonly chunks: number[];
  /** the link after each chunk: what the list lacks would hang on one of them */
  readonly links: { readonly order: number; readonly place: MapPlace; readonly ofOrder: MapPlace }[];
  complete: boolean;
  /** links and entries that lead nowhere; blocks of these orders, first to last, may be listed after them */
  readonly broken: { readonly at: number; readonly first: number; readonly last: number }[];
}

const MAX_CACHED_BITMAPS = 1024;
const MAX_COMPARED_BLOCKS = 1 << 16;
/** What a bitmap that is linked again counts as, of the pages that may be shared. */
const BLOCKS_OF_ONE = 1024;
/** So many bitmaps are shown with their blocks. */
const MAX_SHOWN_BITMAPS = 4096;

/** Walks the chain at `first` (physical, not 0); null if its first chunk is missing or holds something else. */
export function readChunkMap(memory: PhysicalMemory, first: number, parent: Node, observations: Observations, maxChunks: number): PreservedMap | null {
  const chain = new ChainWalk(memory, first, parent, observations, maxChunks).walk();
  if (chain === null) return null;
  const form = formOf(withoutStray(chain, memory.pageSize, observations), memory.pageSize);
  const map = new ChunkMap(memory, chain, form, observations);
  if (looksReused(map, memory)) {
    observations.add(
      'map-reused',
      parent,
      `the bitmaps preserve ${map.summary.pages} pages, more than this machine has: they were freed and hold something else`,
      'reused',
    );
    return null;
  }
  if (form.ambiguous) observations.add('map-ambiguous', parent, form.evidence, 'note');
  parent.meaning = `${map.summary.blocks} blocks, ${map.summary.pages} pages`;
  return map;
}

/**
 * Random bits preserve half of everything, at every order. A dump of selected pages need not reach as far as the machine's
 * memory does, so more than it has room for proves nothing; blocks that lie in each other are.
 */
function looksReused(map: ChunkMap, memory: PhysicalMemory): boolean {
  const last = memory.readable.at(-1)?.end ?? 0;
  return map.summary.bytes > last && map.overlaps();
}

type Chunk = Reading<typeof khoserMemChunk>;
type ChunkHeader = DecodedStruct<typeof khoserMemChunkHdr>;

/** Goes along the chain, chunk by chunk, and notes what the next kernel would stumble over. */
class ChainWalk {
  readonly #memory: PhysicalMemory;
  readonly #parent: Node;
  readonly #observations: Observations;
  readonly #maxChunks: number;
  /** bitmaps that a chunk has room for, and the largest order there is */
  readonly #capacity: number;
  readonly #largest: number;
  readonly #chain: Chain = { bitmaps: [], chunks: [], links: [], complete: true, broken: [] };
  readonly #seen = new Set<number>();
  /** addresses of all bitmaps so far */
  readonly #bitmaps = new Set<number>();
  /** where the link is that is followed; physical address of the first chunk, where none is */
  #from: Node;
  readonly #first: number;
  /** of the chunk before, and the order of the one before that */
  #order = -1;
  #used = 0;
  #orderField: Node | null = null;
  #orderBefore = -1;

  constructor(memory: PhysicalMemory, first: number, parent: Node, observations: Observations, maxChunks: number) {
    this.#memory = memory;
    this.#parent = parent;
    this.#from = parent;
    this.#first = first;
    this.#observations = observations;
    this.#maxChunks = maxChunks;
    this.#capacity = arrayCount(layoutTable(khoserMemChunk, memory.pageSize).field('bitmaps'), memory.pageSize);
    this.#largest = maxOrder(Math.log2(memory.pageSize));
  }

  /** @returns null where not even the first chunk could be read */
  walk(): Chain | null {
    for (let next = BigInt(this.#first); next !== 0n; ) {
      const link = this.#chunk(next);
      if (link === null) return this.#chain.chunks.length === 0 ? null : this.#chain;
      next = link;
    }
    return this.#chain;
  }

  /** Reads the chunk that `pointer` leads to. @returns its link; null where the walk ends */
  #chunk(pointer: bigint): bigint | null {
    const { pageSize } = this.#memory;
    const address = physicalAddress(pointer);
    if (address === null || address % pageSize !== 0 || this.#memory.stateOf(address) === 'out-of-range')
      return this.#lost('map-node', `chunk pointer ${hex(pointer)} is not a page of this machine`);
    if (this.#seen.has(address)) return this.#lost('map-node', `the chunk at ${hex(address)} is linked a second time`);
    if (this.#seen.size >= this.#maxChunks) {
      currentBudget().reach('map-nodes', this.#parent.path);
      this.#chain.complete = false;
      return null;
    }
    this.#seen.add(address);
    const { chunks, links } = this.#chain;
    const chunk = readStruct(this.#memory, khoserMemChunk, address, { path: `${this.#parent.path}/chunk/${chunks.length}`, name: `chunk ${chunks.length}` });
    if (chunk.values === null)
      return this.#lost(
        chunks.length === 0 ? 'map-missing' : 'map-node',
        `the chunk at ${hex(address)} is ${describeState(this.#memory.stateOf(address))}`,
        'absent',
      );
    this.#parent.add(chunk.node);
    const { hdr } = chunk.values;
    const isChunk = hdr.order <= this.#largest && hdr.num_elms <= this.#capacity;
    if (!isChunk && !this.#onlyHeaderIsDamaged(chunk, hdr, address)) return null;
    chunks.push(address);
    const from = chunk.field('hdr.next');
    this.#from = from;
    if (!isChunk) return hdr.next;
    this.#checkOrder(chunk, hdr, address);
    chunk.node.meaning = `order ${hdr.order}, ${hdr.num_elms} bitmaps`;
    if (!this.#addBitmaps(chunk, hdr)) {
      this.#breakAt(address, hdr.order, this.#largest);
      return null;
    }
    const place = (field: Node): MapPlace => ({ path: field.path, at: field.address ?? address, above: true, through: [] });
    links.push({ order: hdr.order, place: place(from), ofOrder: place(chunk.field('hdr.order')) });
    return hdr.next;
  }

  /** The link that is followed leads to no chunk. */
  #lost(kind: Observation['kind'], text: string, nature: Observation['nature'] = 'wrong'): null {
    this.#observations.add(kind, this.#from, text, nature);
    this.#breakAt(this.#from.address ?? this.#first, Math.max(0, this.#order), this.#largest);
    return null;
  }

  /** Blocks of the orders `first` to `last` are not known from here on. */
  #breakAt(at: number, first: number, last: number): void {
    this.#chain.broken.push({ at, first, last });
    this.#chain.complete = false;
  }

  /** Of a chunk with an impossible header: the rest of one that was reused makes no sense either; where it does, the header alone was damaged. */
  #onlyHeaderIsDamaged(chunk: Chunk, { order, num_elms: used }: ChunkHeader, address: number): boolean {
    const text = `order ${order} with ${used} of at most ${this.#capacity} bitmaps is no chunk`;
    const damaged = looksLikeChunk(this.#memory, chunk);
    if (this.#chain.chunks.length === 0 && !damaged) {
      this.#observations.add('map-reused', chunk.field('hdr'), text, 'reused');
      return false;
    }
    const wrong = damaged ? chunk.field(used > this.#capacity ? 'hdr.num_elms' : 'hdr.order') : this.#from;
    this.#observations.add('map-node', wrong, `the chunk at ${hex(address)}: ${text}`);
    // What this chunk lists is of an order that is not known, or ends nobody knows where; the chain goes on after it.
    this.#breakAt(wrong.address ?? address, Math.max(0, this.#order), Math.min(order, this.#largest));
    return damaged;
  }

  /** Chunks are in ascending order, and each order fills its chunks one after the other. */
  #checkOrder(chunk: Chunk, { order, num_elms: used, next }: ChunkHeader, address: number): void {
    const [before, orderField] = [this.#order, chunk.field('hdr.order')];
    const misplaced =
      order < before
        ? `order ${order} after order ${before}: chunks are in ascending order`
        : order === before && this.#used < this.#capacity
          ? `order ${order} again, though the chunk before has room: each order fills its chunks one after the other`
          : null;
    if (misplaced !== null) {
      // Either of the two was changed: the one before, if this one fits what is before that and what comes next does not fit it.
      const after = orderAt(this.#memory, next);
      const other = order > this.#orderBefore && after !== null && after <= before ? this.#orderField : null;
      const wrong = other ?? orderField;
      this.#observations.add('map-node', wrong, misplaced);
      const first = other === null ? Math.min(order, before) : Math.max(0, this.#orderBefore);
      this.#chain.broken.push({ at: wrong.address ?? address, first, last: Math.max(order, before) });
    }
    this.#orderField = orderField;
    this.#orderBefore = before;
    this.#order = order;
    this.#used = used;
  }

  /** Adds the bitmaps of one chunk. @returns false where a limit ends the walk */
  #addBitmaps(chunk: Chunk, { order, num_elms: used }: ChunkHeader): boolean {
    const entries = chunk.values?.bitmaps ?? [];
    const isUnwritten = (entry: (typeof entries)[number]): boolean => entry.phys_start === 0n && entry.bitmap === 0n;
    const wrong = (index: number, text: string, at: number | null): void => {
      this.#observations.add('map-node', chunk.field(`bitmaps.[${index}]`), text, 'wrong', at);
      this.#breakAt(at ?? 0, order, order);
    };
    const budget = currentBudget();
    for (const [index, entry] of entries.slice(0, used).entries()) {
      const physStart = physicalAddress(entry.phys_start);
      const address = physicalAddress(entry.bitmap);
      if (isUnwritten(entry)) {
        const text = `num_elms is ${used}, but bitmap ${index} was never written`;
        // A chunk is made for its first bitmap; after that, the count is more likely wrong than both fields of the last entry.
        if (index > 0 && entries.slice(index, used).every(isUnwritten)) {
          this.#observations.add('map-node', chunk.field('hdr.num_elms'), text);
          break;
        }
        wrong(index, text, bitmapField(chunk, index, 'bitmap'));
        continue;
      }
      if (physStart !== null && physStart % bitmapSpan('512', this.#memory.pageSize, order) !== 0) {
        const text = `phys_start ${hex(physStart)} of bitmap ${index} is no multiple of what a bitmap of order ${order} covers`;
        wrong(index, text, bitmapField(chunk, index, 'phys_start'));
        continue;
      }
      if (physStart === null || address === null || address === 0 || address % 8 !== 0 || this.#memory.stateOf(address) === 'out-of-range') {
        const text = `bitmap ${index} (${hex(entry.bitmap)} for memory from ${hex(entry.phys_start)}) is not on this machine`;
        wrong(index, text, bitmapField(chunk, index, physStart === null ? 'phys_start' : 'bitmap'));
        continue;
      }
      // Each names thousands of blocks.
      if (this.#bitmaps.has(address) && !budget.spend('shared-pages', BLOCKS_OF_ONE, chunk.node.path)) {
        const text = `bitmap ${index} at ${hex(address)} is linked again, as others are: the walk stopped`;
        this.#observations.add('map-node', chunk.field(`bitmaps.[${index}]`), text);
        return false;
      }
      this.#bitmaps.add(address);
      if (!budget.spend('map-nodes', 1, chunk.node.path)) return false;
      // Made for who asks: a map can have more bitmaps than there is room for nodes.
      this.#chain.bitmaps.push({
        order,
        physStart,
        address,
        get node() {
          return chunk.field(`bitmaps.[${index}]`);
        },
      });
    }
    const after = entries[used];
    if (after !== undefined && !isUnwritten(after)) {
      const count = chunk.field('hdr.num_elms');
      this.#observations.add('map-node', count, `num_elms is ${used}, but a bitmap is listed right after the last`);
      this.#breakAt(count.address ?? 0, order, order);
    }
    return true;
  }
}

/** Where the pointer to a bitmap is. */
function pointerTo({ node, address }: Bitmap): { readonly path: string; readonly at: number } {
  const pointer = node.children().find(({ name }) => name === 'bitmap') ?? node;
  return { path: pointer.path, at: pointer.address ?? address };
}

/** The order of the chunk that `link` leads to; null where there is none. */
function orderAt(memory: PhysicalMemory, link: bigint): number | null {
  const address = physicalAddress(link);
  if (address === null || address === 0) return null;
  const read = readBytes(memory, address, sizeOf(khoserMemChunkHdr));
  return read.ok ? decodeStruct(khoserMemChunkHdr, read.bytes).order : null;
}

/** Do its link and its first bitmap lead to pages of this machine? */
function looksLikeChunk(memory: PhysicalMemory, chunk: Chunk): boolean {
  const first = chunk.values?.bitmaps[0];
  const isPage = (value: bigint | undefined): boolean => {
    const address = value === undefined ? null : physicalAddress(value);
    return address !== null && address !== 0 && address % memory.pageSize === 0 && memory.stateOf(address) !== 'out-of-range';
  };
  const next = chunk.values?.hdr.next;
  return isPage(first?.bitmap) && (next === 0n || isPage(next));
}

/** Physical address of a field of a chunk's entry. */
function bitmapField(chunk: Chunk, index: number, field: 'phys_start' | 'bitmap'): number | null {
  const entries = layoutTable(khoserMemChunk).field('bitmaps').offset;
  return chunk.address === null ? null : chunk.address + entries + index * sizeOf(khoserMemBitmapPtr) + offsetOf(khoserMemBitmapPtr, field);
}

interface Form {
  readonly form: BitmapForm;
  readonly evidence: string;
  readonly ambiguous: boolean;
}

/** Small bitmaps may be anywhere on slab pages: a single one among several that starts no page is damage, and not one of them. */
function withoutStray(chain: Chain, pageSize: number, observations: Observations): readonly Bitmap[] {
  const stray = chain.bitmaps.filter(({ address }) => address % pageSize !== 0);
  const [only] = stray;
  if (only === undefined || stray.length > 1 || chain.bitmaps.length < MANY_BITMAPS) return chain.bitmaps;
  const at = only.node.children().find(({ name }) => name === 'bitmap')?.address ?? only.node.address;
  observations.add('map-node', only.node, `the bitmap at ${hex(only.address)} starts no page, as all others do`, 'wrong', at);
  chain.broken.push({ at: at ?? only.address, first: only.order, last: only.order });
  chain.complete = false;
  chain.bitmaps.splice(chain.bitmaps.indexOf(only), 1);
  return chain.bitmaps;
}

/** So many bitmaps show a habit. */
const MANY_BITMAPS = 4;

/** Which of the two bitmap sizes: a start that is no multiple of what a page-sized bitmap covers proves the small one. */
function formOf(bitmaps: readonly Bitmap[], pageSize: number): Form {
  for (const { physStart, order, address } of bitmaps) {
    const span = bitmapSpan('page', pageSize, order);
    if (address % pageSize !== 0)
      return { form: '512', ambiguous: false, evidence: `the bitmap at ${hex(address)} does not start a page: bitmaps of 512 bytes (up to 6.17.8)` };
    if (physStart % span !== 0) {
      return {
        form: '512',
        ambiguous: false,
        evidence: `phys_start ${hex(physStart)} is no multiple of the ${hex(span)} bytes that a page of bits covers: bitmaps of 512 bytes (up to 6.17.8)`,
      };
    }
  }
  if (bitmaps.some(({ physStart }) => physStart !== 0)) {
    return {
      form: 'page',
      ambiguous: false,
      evidence: 'every phys_start is a multiple of what a page of bits covers, and every bitmap starts a page: bitmaps of a page (6.17.9 and later)',
    };
  }
  return {
    form: 'page',
    ambiguous: bitmaps.length > 0,
    evidence: 'every bitmap starts at memory 0 and at a page: read as bitmaps of a page (6.17.9 and later); bitmaps of 512 bytes would look the same',
  };
}

class ChunkMap implements PreservedMap {
  readonly format: 'chunks-512' | 'chunks-page';
  readonly formatEvidence: string;
  readonly summary: PreservedMap['summary'];
  readonly structurePages: readonly number[];
  complete: boolean;
  readonly #memory: PhysicalMemory;
  readonly #bytes: number;
  readonly #form: BitmapForm;
  readonly #byOrder = new Map<number, Map<number, Bitmap>>();
  readonly #links: Chain['links'];
  readonly #broken: Chain['broken'];
  readonly #cache = new Map<number, Uint32Array>();

  constructor(memory: PhysicalMemory, chain: Chain, form: Form, observations: Observations) {
    this.#memory = memory;
    this.#form = form.form;
    this.#bytes = bitmapBytes(form.form, memory.pageSize);
    this.format = form.form === '512' ? 'chunks-512' : 'chunks-page';
    this.formatEvidence = form.evidence;
    this.complete = chain.complete;
    this.#links = chain.links;
    this.#broken = chain.broken;
    this.structurePages = [...chain.chunks, ...chain.bitmaps.map((bitmap) => bitmap.address)];
    const counts = new Map<number, number>();
    let shown = 0;
    for (const bitmap of chain.bitmaps) {
      const words = this.#words(bitmap);
      if (words === null) {
        this.complete = false;
        this.#broken.push({ at: bitmap.node.address ?? bitmap.address, first: bitmap.order, last: bitmap.order });
        observations.add('map-node', bitmap.node, `the bitmap at ${hex(bitmap.address)} is ${describeState(memory.stateOf(bitmap.address))}`, 'absent');
        continue;
      }
      let bits = 0;
      for (const word of words) bits += popcount(word);
      counts.set(bitmap.order, (counts.get(bitmap.order) ?? 0) + bits);
      if (shown++ < MAX_SHOWN_BITMAPS) this.#show(bitmap, bits);
      let ofOrder = this.#byOrder.get(bitmap.order);
      if (ofOrder === undefined) {
        ofOrder = new Map();
        this.#byOrder.set(bitmap.order, ofOrder);
      }
      ofOrder.set(bitmap.physStart, bitmap);
    }
    this.summary = summarise(counts, memory.pageSize);
  }

  #show(bitmap: Bitmap, bits: number): void {
    const { node } = bitmap;
    node.meaning = `${bits} blocks`;
    node.add(
      new Node(`${node.path}/bits`, 'bits', {
        type: 'bitmap',
        address: bitmap.address,
        bits: this.#bytes * 8,
        meaning: `${bits} blocks of order ${bitmap.order}`,
        layout: { struct: this.#form === '512' ? khoMemPhysBitsSmall : khoMemPhysBits, field: null },
      }),
    );
  }

  ordersAt(address: number): readonly number[] {
    return [...this.#byOrder.keys()].filter((order) => address % (this.#memory.pageSize * 2 ** order) === 0 && this.#has(address, order)).sort((a, b) => a - b);
  }

  ordersInto(frames: Float64Array, count: number, orders: Uint8Array): void {
    const { pageSize } = this.#memory;
    for (let at = 0; at < count; at++) orders[at] = (this.orderAt((frames[at] ?? 0) * pageSize) ?? -1) + 1;
  }

  orderAt(address: number): number | null {
    return this.ordersAt(address)[0] ?? null;
  }

  blockOf(address: number): PreservedBlock | null {
    for (const order of [...this.#byOrder.keys()].sort((a, b) => a - b)) {
      const start = address - (address % (this.#memory.pageSize * 2 ** order));
      if (this.#has(start, order)) return { start, order };
    }
    return null;
  }

  brokenAt(_address: number, order: number | null): number | null {
    return this.#broken.find(({ first, last }) => order === null || (order >= first && order <= last))?.at ?? null;
  }

  placeOf(address: number, order: number): MapPlace | null {
    const start = address - (address % (this.#memory.pageSize * 2 ** order));
    const bitmap = this.#byOrder.get(order)?.get(start - (start % bitmapSpan(this.#form, this.#memory.pageSize, order)));
    if (bitmap === undefined) {
      const ofOrder = [...(this.#byOrder.get(order)?.values() ?? [])];
      const [only] = ofOrder;
      if (only !== undefined && ofOrder.length === 1) return { path: only.node.path, at: only.node.address ?? only.address, above: true, through: [] };
      const last = this.#links.findLastIndex((link) => link.order <= order);
      // Of one order there is a second chunk only where the first is full.
      const [following, second] = this.#links.slice(last + 1);
      if (following !== undefined && following.order === second?.order) return following.ofOrder;
      return this.#links[last]?.place ?? null;
    }
    const bit = (start - bitmap.physStart) / (this.#memory.pageSize * 2 ** order);
    return { path: `${bitmap.node.path}/bits`, at: bitmap.address + Math.floor(bit / 64) * 8, above: false, through: [pointerTo(bitmap)] };
  }

  /** Does one of the first blocks lie in another, larger one? */
  overlaps(): boolean {
    let left = MAX_COMPARED_BLOCKS;
    for (const { start, order } of this.blocks()) {
      if (left-- <= 0) return false;
      for (const larger of this.#byOrder.keys()) if (larger > order && this.#has(start - (start % (this.#memory.pageSize * 2 ** larger)), larger)) return true;
    }
    return false;
  }

  *blocks(): Iterable<PreservedBlock> {
    for (const bits of this.bits()) yield* blocksOf(bits, this.#memory.pageSize);
  }

  *bits(): Iterable<BlockBits> {
    for (const order of [...this.#byOrder.keys()].sort((a, b) => a - b)) {
      const bitmaps = [...(this.#byOrder.get(order)?.values() ?? [])].sort((a, b) => a.physStart - b.physStart);
      for (const bitmap of bitmaps) {
        const words = this.#words(bitmap);
        if (words !== null) yield { start: bitmap.physStart, order, words };
      }
    }
  }

  #has(start: number, order: number): boolean {
    const span = bitmapSpan(this.#form, this.#memory.pageSize, order);
    const bitmap = this.#byOrder.get(order)?.get(start - (start % span));
    const words = bitmap === undefined ? null : this.#words(bitmap);
    if (bitmap === undefined || words === null) return false;
    const bit = (start - bitmap.physStart) / (this.#memory.pageSize * 2 ** order);
    return (((words[Math.floor(bit / 32)] ?? 0) >>> (bit & 31)) & 1) === 1;
  }

  #words(bitmap: Bitmap): Uint32Array | null {
    const cached = this.#cache.get(bitmap.address);
    if (cached !== undefined) return cached;
    const read = readBytes(this.#memory, bitmap.address, this.#bytes);
    if (!read.ok) return null;
    const words = new Uint32Array(read.bytes.buffer, 0, this.#bytes / 4);
    if (this.#cache.size >= MAX_CACHED_BITMAPS) this.#cache.clear();
    this.#cache.set(bitmap.address, words);
    return words;
  }
}
