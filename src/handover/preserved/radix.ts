/**
 * The preserved memory map as a radix tree of pages (kho-v2 to kho-v4). Bulk pages are read as typed arrays.
 * Source: include/linux/kho/abi/kexec_handover.h and kernel/liveupdate/kexec_handover.c, 7.1 to 7.3.
 */
import { khoRadixLeaf, khoRadixNode, radixGeometry } from '../../../abi/kho/radix.js';
import { PHYSICAL_LIMIT, type PhysicalMemory, describeState, readBytes } from '../../memory/memory.js';
import { hex } from '../../tree/words.js';
import { currentBudget } from '../../codec/budget.js';
import { Node } from '../../tree/node.js';
import type { Observations } from '../observe.js';
import { type BlockBits, type MapPlace, type PreservedBlock, type PreservedMap, blocksOf, countOf, maxOrder, summarise } from './preserved-map.js';

/** The key of a block: order marker above the block's number. `address` in bytes. */
export function radixKey(address: number, order: number, pageShift: number): bigint {
  return (1n << BigInt(64 - pageShift - order)) | (BigInt(address) >> BigInt(pageShift + order));
}

/** The block a key stands for; null if the key is 0 or names no physical address. */
export function radixBlock(key: bigint, pageShift: number): PreservedBlock | null {
  if (key <= 0n) return null;
  const order = 64 - pageShift - (key.toString(2).length - 1);
  if (order < 0 || order > maxOrder(pageShift)) return null;
  const start = BigInt.asUintN(64, key << BigInt(pageShift + order));
  return start >= BigInt(PHYSICAL_LIMIT) ? null : { start: Number(start), order };
}

/** A tree with more pages than this describes more memory than any machine has, or is endless. */
const DEFAULT_MAX_NODES = 1 << 20;
/** 32 MiB: the leaves of 1 TiB in pages of 4 KiB, so that lookups in any order read each once. */
const MAX_CACHED_PAGES = 8192;
/** Page frames below this, and orders up to 30, are handled in 32-bit numbers. */
const MAX_SMALL_FRAME = 2 ** 31;
const MAX_SMALL_ORDER = 30;
/** Leaves of one order that lookups hold at hand: 32 MiB, which cover 1 TiB in pages of 4 KiB. */
const MAX_HELD_LEAVES = 8192;
/** Bits of an order that lookups in bulk have at hand in one array, 32 MiB of them; they must fill a quarter of it. */
const MAX_FLAT_LEAVES = 8192;
const MIN_FLAT_SHARE = 4;
/** A map of everyday size is listed once; a larger one is walked again by whoever asks. */
const MAX_KEPT_BLOCKS = 1 << 16;
/** So many children of a group are shown one by one. */
const MAX_SHOWN_NODES = 4096;

/** Entries that are taken out one by one where two lead to one node. */
const MAX_TRIES = 8;
/** Entries of a table that may be damaged before it is taken for a page that holds something else. */
const MAX_BAD_ENTRIES = 2;
/** Broken entries that lookups know of. */
const MAX_BROKEN = 1024;
/** The largest order the page allocator has, with room to spare: where no order is known, a lookup asks up to here. */
const MAX_SEARCHED_ORDER = 20;

/** What a lookup of one order needs. */
interface OrderIndex {
  readonly order: number;
  /** of a block, in bytes */
  readonly size: number;
  /** the order marker of its keys */
  readonly marker: number;
  /** number of the leaf among those of its order -> physical address */
  readonly leaves: ReadonlyMap<number, number>;
  /** words of the leaves asked for, by their number; null where there is none */
  readonly words: (Uint32Array | null | undefined)[];
  /** the bits of all leaves in a row, made when many are asked for; null where they are few, or too many */
  flat?: Uint32Array | null;
}

interface Leaf {
  readonly address: number;
  /** the key's bits above the leaf */
  readonly prefix: bigint;
  /** the order of all its keys, and where the block of its first key starts; null where keys of several orders share the leaf */
  readonly run: PreservedBlock | null;
}

/**
 * Walks the tree at `root` (physical) once, checking every node, and returns the map; null if the root page is missing or
 * holds something else (`observations` says which). `depth`: how the version counts levels, as for `radixGeometry`.
 */
export function readRadixMap(
  memory: PhysicalMemory,
  root: number,
  parent: Node,
  observations: Observations,
  maxNodes = DEFAULT_MAX_NODES,
  depth: 'fixed' | 'kho-v2' = 'fixed',
): PreservedMap | null {
  const walker = new RadixWalker(memory, parent, observations, maxNodes, depth);
  return walker.read(root);
}

class RadixWalker {
  readonly #memory: PhysicalMemory;
  readonly #parent: Node;
  readonly #observations: Observations;
  readonly #maxNodes: number;
  readonly #pageShift: number;
  readonly #geometry: ReturnType<typeof radixGeometry>;
  /** node -> the entry that leads there, and its level */
  readonly #seen = new Map<number, { readonly entry: number; readonly level: number }>();
  /** entries that are not followed, because another leads to the same node with more right */
  readonly #banned = new Map<number, number>();
  readonly #leaves: Leaf[] = [];
  readonly #byOrder = new Map<number, number>();
  readonly #cache = new Map<number, Uint32Array>();
  /** order -> number of the leaf among those of its order -> physical address */
  readonly #leafAt = new Map<number, Map<number, number>>();
  /** entries that lead nowhere, with the keys that should be below them, last one included */
  readonly #broken: { readonly at: number; readonly first: bigint; readonly last: bigint }[] = [];
  #firstLeaf: number | null = null;
  /** orders that have blocks, ascending */
  #orders: readonly OrderIndex[] = [];
  #complete = true;

  constructor(memory: PhysicalMemory, parent: Node, observations: Observations, maxNodes: number, depth: 'fixed' | 'kho-v2') {
    this.#memory = memory;
    this.#parent = parent;
    this.#observations = observations;
    this.#maxNodes = maxNodes;
    this.#pageShift = Math.log2(memory.pageSize);
    this.#geometry = radixGeometry(this.#pageShift, depth);
  }

  read(root: number): PreservedMap | null {
    const top = this.#geometry.levels - 1;
    // A node is linked once. Which of two entries is wrong may show only once both are known: then all is walked again without it.
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const wrong = this.#firstOfTwo(root, top);
      if (wrong === null) break;
      this.#banned.set(wrong.entry, wrong.to);
    }
    const node = this.#nodeFor(root, top, 0n, this.#parent, 0);
    const words = this.#page(root);
    if (words === null) {
      this.#observations.add(
        'map-missing',
        node,
        `the root of the preserved memory map at ${hex(root)} is ${describeState(this.#memory.stateOf(root))}`,
        'absent',
      );
      return null;
    }
    if (!this.#looksLikeTable(words)) {
      this.#observations.add('map-reused', node, `the page at ${hex(root)} holds no radix table: it was freed and holds something else`, 'reused');
      return null;
    }
    this.#interior(root, top, 0n, node);
    const leaves = [...this.#leaves].sort((a, b) => (a.prefix > b.prefix ? -1 : a.prefix < b.prefix ? 1 : 0));
    const map = this.#map(root, leaves);
    this.#parent.meaning = `${map.summary.blocks} blocks, ${map.summary.pages} pages`;
    return map;
  }

  #map(root: number, leaves: readonly Leaf[]): PreservedMap {
    const pageShift = this.#pageShift;
    this.#orders = [...this.#byOrder.keys()]
      .sort((a, b) => a - b)
      .map((order) => ({
        order,
        size: 2 ** (pageShift + order),
        marker: 2 ** (64 - pageShift - order),
        leaves: this.#leafAt.get(order) ?? new Map(),
        words: [],
      }));
    const summary = summarise(this.#byOrder, this.#memory.pageSize);
    let kept: readonly PreservedBlock[] | null = null;
    return {
      format: 'radix',
      formatEvidence: `a tree of ${this.#geometry.levels} levels, as the KHO version says`,
      summary,
      complete: this.#complete,
      structurePages: [...this.#seen.keys()],
      ordersAt: (address) => this.#ordersAt(address),
      orderAt: (address) => this.#orderAt(address),
      ordersInto: (frames, count, orders) => this.#ordersInto(frames, count, orders),
      blockOf: (address) => {
        for (const of of this.#orders) {
          const start = address - (address % of.size);
          if (this.#has(start, of)) return { start, order: of.order };
        }
        return null;
      },
      brokenAt: (address, order) => this.#brokenAt(address, order),
      placeOf: (address, order) => this.#placeOf(root, radixKey(address, order, pageShift)),
      blocks: () => {
        if (summary.blocks > MAX_KEPT_BLOCKS) return this.#blocks(leaves);
        kept ??= [...this.#blocks(leaves)];
        return kept;
      },
      bits: () => this.#bits(leaves),
    };
  }

  #brokenAt(address: number, order: number | null): number | null {
    if (this.#broken.length === 0) return null;
    const orders = order === null ? Array.from({ length: MAX_SEARCHED_ORDER + 1 }, (_, index) => index) : [order];
    for (const of of orders) {
      const key = radixKey(address - (address % 2 ** (this.#pageShift + of)), of, this.#pageShift);
      const found = this.#broken.find(({ first, last }) => key >= first && key <= last);
      if (found !== undefined) return found.at;
    }
    return null;
  }

  #ordersAt(address: number): readonly number[] {
    return this.#orders.filter((of) => address % of.size === 0 && this.#has(address, of)).map(({ order }) => order);
  }

  #orderAt(address: number): number | null {
    const orders = this.#orders;
    for (let index = 0; index < orders.length; index++) {
      const of = orders[index];
      // Orders ascend: an address that is no multiple of one block's size is not one of a larger one's.
      if (of === undefined || address % of.size !== 0) return null;
      if (this.#has(address, of)) return of.order;
    }
    return null;
  }

  /** The same in one loop, in 32-bit numbers where they are enough: millions of folios ask at once. */
  #ordersInto(frames: Float64Array, count: number, into: Uint8Array): void {
    const orders = this.#orders;
    const pageSize = this.#memory.pageSize;
    const [lowest] = orders;
    const flat = lowest?.order === 0 ? this.#flat(lowest) : null;
    const end = flat === null ? 0 : Math.min(MAX_SMALL_FRAME, flat.length * 32);
    for (let at = 0; at < count; at++) {
      const frame = frames[at] ?? 0;
      // Nearly all are single pages.
      if (flat !== null && frame < end && (((flat[frame >>> 5] ?? 0) >>> (frame & 31)) & 1) === 1) into[at] = 1;
      else into[at] = frame < MAX_SMALL_FRAME ? this.#smallOrder(frame, orders, flat === null ? 0 : 1, pageSize) : (this.#orderAt(frame * pageSize) ?? -1) + 1;
    }
  }

  /** Order + 1 of a block that starts at a small page frame, among those from `first` on; 0 where none does. */
  #smallOrder(frame: number, orders: readonly OrderIndex[], first: number, pageSize: number): number {
    const { leafLog2 } = this.#geometry;
    const mask = (1 << leafLog2) - 1;
    for (let index = first; index < orders.length; index++) {
      const of = orders[index];
      if (of === undefined || of.order > MAX_SMALL_ORDER || (frame & ((1 << of.order) - 1)) !== 0) return 0;
      const number = frame >>> of.order;
      const words = of.marker <= mask ? undefined : of.words[number >>> leafLog2];
      if (words === undefined ? this.#has(frame * pageSize, of) : words !== null && (((words[(number & mask) >>> 5] ?? 0) >>> (number & 31)) & 1) === 1)
        return of.order + 1;
    }
    return 0;
  }

  #flat(of: OrderIndex): Uint32Array | null {
    if (of.flat !== undefined) return of.flat;
    const leafWords = 1 << (this.#geometry.leafLog2 - 5);
    let leaves = 0;
    for (const number of of.leaves.keys()) leaves = Math.max(leaves, number + 1);
    const isDense = leaves > 0 && leaves <= MAX_FLAT_LEAVES && leaves <= MIN_FLAT_SHARE * of.leaves.size && of.marker >= 32 * leafWords;
    const flat = isDense ? new Uint32Array(leaves * leafWords) : null;
    if (flat !== null)
      for (const [number, address] of of.leaves) {
        const words = this.#page(address);
        if (words !== null) flat.set(words.subarray(0, leafWords), number * leafWords);
      }
    of.flat = flat;
    return flat;
  }

  /** A lookup by order and block number: plain numbers, because every folio of a large guest asks. */
  #has(start: number, of: OrderIndex): boolean {
    const leafBits = 1 << this.#geometry.leafLog2;
    const number = start / of.size;
    // The highest orders have their marker inside the first leaf.
    const inFirst = of.marker < leafBits;
    const place = inFirst ? 0 : Math.floor(number / leafBits);
    const words = place < MAX_HELD_LEAVES ? of.words[place] : undefined;
    const leaf = words === undefined ? this.#leafWords(of, inFirst ? null : place) : words;
    if (leaf === null) return false;
    const bit = inFirst ? of.marker + number : number - place * leafBits;
    return (((leaf[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }

  /** @param place number of the leaf; null for the first of all, which several orders share */
  #leafWords(of: OrderIndex, place: number | null): Uint32Array | null {
    const leaf = place === null ? this.#firstLeaf : (of.leaves.get(place) ?? null);
    const words = leaf === null ? null : this.#page(leaf);
    const index = place ?? 0;
    if (index < MAX_HELD_LEAVES) {
      // Those between were not asked for yet.
      while (of.words.length <= index) of.words.push(undefined);
      of.words[index] = words;
    }
    return words;
  }

  #placeOf(root: number, key: bigint): MapPlace {
    const { tableLog2, leafLog2, levels } = this.#geometry;
    const path = (page: number): string => `${this.#parent.path}/${hex(page)}`;
    const through: { path: string; at: number }[] = [];
    let at = root;
    for (let level = levels - 1; level > 0; level--) {
      const index = Number((key >> BigInt((level - 1) * tableLog2 + leafLog2)) & BigInt((1 << tableLog2) - 1));
      const words = this.#page(at);
      const next = words === null ? null : entry(words, index);
      if (next === null || next === 0 || !this.#seen.has(next)) return { path: path(at), at: at + index * 8, above: true, through };
      through.push({ path: path(at), at: at + index * 8 });
      at = next;
    }
    const bit = Number(key & BigInt((1 << leafLog2) - 1));
    return { path: path(at), at: at + (bit >>> 6) * 8, above: false, through };
  }

  *#blocks(leaves: readonly Leaf[]): Iterable<PreservedBlock> {
    for (const bits of this.#bits(leaves)) yield* blocksOf(bits, this.#memory.pageSize);
  }

  *#bits(leaves: readonly Leaf[]): Iterable<BlockBits> {
    for (const { address, prefix, run } of leaves) {
      const words = this.#page(address);
      if (words === null) continue;
      if (run !== null) {
        yield { ...run, words };
        continue;
      }
      for (const key of keysOf(words, prefix, this.#geometry.leafLog2)) {
        const block = radixBlock(key, this.#pageShift);
        if (block !== null) yield { ...block, words: ONE };
      }
    }
  }

  #interior(address: number, level: number, prefix: bigint, node: Node): void {
    const words = this.#page(address);
    if (words === null) return;
    for (let index = 0; index < 1 << this.#geometry.tableLog2; index++) {
      const next = entry(words, index);
      if (next === 0) continue;
      if (this.#seen.size >= this.#maxNodes) {
        this.#complete = false;
        currentBudget().reach('map-nodes', this.#parent.path);
        return;
      }
      this.#child(next, level - 1, (prefix << BigInt(this.#geometry.tableLog2)) | BigInt(index), node, address + index * 8);
    }
  }

  #child(address: number | null, level: number, prefix: bigint, parent: Node, entryAddress: number): void {
    const problem = this.#problemOf(address, level, entryAddress);
    if (problem !== null) {
      this.#complete = false;
      const keysBelow = BigInt(this.#geometry.leafLog2 + level * this.#geometry.tableLog2);
      if (this.#broken.length < MAX_BROKEN) this.#broken.push({ at: entryAddress, first: prefix << keysBelow, last: ((prefix + 1n) << keysBelow) - 1n });
      this.#observations.add('map-node', parent, problem.text, problem.nature, problem.blamed ?? entryAddress);
    }
    const words = address === null ? null : this.#page(address);
    if (problem !== null || address === null || words === null) return;
    const node = this.#nodeFor(address, level, prefix, parent, entryAddress);
    if (level > 0) this.#interior(address, level, prefix, node);
    else this.#leaf(address, prefix, words, node);
  }

  #problemOf(address: number | null, level: number, entryAddress: number): { text: string; nature: 'wrong' | 'absent'; blamed?: number } | null {
    const bad = (text: string, nature: 'wrong' | 'absent' = 'wrong') => ({ text, nature });
    const value = address === null ? 'an address beyond 52 bits' : hex(address);
    if (address === null || address % this.#memory.pageSize !== 0) return bad(`entry at ${hex(entryAddress)} is ${value}, no page address`);
    if (this.#seen.has(address) || this.#banned.has(entryAddress)) return bad(`entry at ${hex(entryAddress)} names the node at ${hex(address)} a second time`);
    const words = this.#page(address);
    if (words === null) {
      const state = this.#memory.stateOf(address);
      return bad(`the node at ${hex(address)} is ${describeState(state)}`, state === 'out-of-range' ? 'wrong' : 'absent');
    }
    if (level === 0 || this.#looksLikeTable(words)) return null;
    // A node is allocated right after the one that links it: a table further from its own entry than from this page is at another level.
    const above = this.#seen.get(entryAddress - (entryAddress % this.#memory.pageSize))?.entry ?? 0;
    const isLevel = above !== 0 && Math.abs(above - entryAddress) > Math.abs(entryAddress - address);
    const found = bad(`the page at ${hex(address)} does not look like a table of level ${level}`);
    return isLevel ? { ...found, blamed: above } : found;
  }

  #leaf(address: number, prefix: bigint, words: Uint32Array, node: Node): void {
    const { leafLog2 } = this.#geometry;
    const base = prefix << BigInt(leafLog2);
    // Every key of a leaf has the same order unless the leaf reaches across an order marker (or is damaged).
    const first = base === 0n ? null : radixBlock(base, this.#pageShift);
    const last = first === null ? null : radixBlock(base | BigInt((1 << leafLog2) - 1), this.#pageShift);
    const run = first !== null && last?.order === first.order ? first : null;
    this.#leaves.push({ address, prefix, run });
    const bits = countOf(words);
    if (bits === 0) return;
    node.meaning = `${bits} blocks`;
    if (run !== null) {
      this.#count(run.order, bits);
      const ofOrder = this.#leafAt.get(run.order) ?? new Map<number, number>();
      this.#leafAt.set(run.order, ofOrder.set(run.start / 2 ** (this.#pageShift + run.order + leafLog2), address));
      return;
    }
    if (base === 0n) this.#firstLeaf = address;
    for (const key of keysOf(words, prefix, leafLog2)) {
      const block = radixBlock(key, this.#pageShift);
      if (block === null) this.#observations.add('map-key', node, `key ${hex(key)} is not a block of memory`, 'wrong', address);
      else this.#count(block.order, 1);
    }
  }

  #count(order: number, blocks: number): void {
    this.#byOrder.set(order, (this.#byOrder.get(order) ?? 0) + blocks);
  }

  /** A table's entries are 0 or page addresses this machine can have; many of anything else are a page that was reused, a few are damage. */
  #looksLikeTable(words: Uint32Array): boolean {
    let good = 0;
    let bad = 0;
    for (let index = 0; index < words.length / 2; index++) {
      const next = entry(words, index);
      if (next === 0) continue;
      if (next !== null && next % this.#memory.pageSize === 0 && this.#memory.stateOf(next) !== 'out-of-range') good++;
      else bad++;
    }
    return bad <= MAX_BAD_ENTRIES || good > bad;
  }

  /** An entry that is met first, and that has less right to its node than another that leads there; null where there is none. */
  #firstOfTwo(root: number, top: number): { readonly entry: number; readonly to: number } | null {
    const seen = new Map<number, { readonly entry: number; readonly level: number }>([[root, { entry: 0, level: top }]]);
    const above = new Set<number>();
    const visit = (table: number, level: number): { readonly entry: number; readonly to: number } | null => {
      const words = this.#page(table);
      if (words === null || (level < top && !this.#looksLikeTable(words))) return null;
      above.add(table);
      for (let index = 0; index < 1 << this.#geometry.tableLog2; index++) {
        const to = entry(words, index);
        const at = table + index * 8;
        if (to === 0 || to === null || to % this.#memory.pageSize !== 0 || this.#banned.has(at)) continue;
        const before = seen.get(to);
        if (before !== undefined) {
          // A way back up is never right.
          if (!above.has(to) && this.#hasMoreRight({ entry: at, level: level - 1 }, before, to)) return { entry: before.entry, to };
          continue;
        }
        if (seen.size >= this.#maxNodes || this.#page(to) === null) continue;
        seen.set(to, { entry: at, level: level - 1 });
        const found = level > 1 ? visit(to, level - 1) : null;
        if (found !== null) return found;
      }
      above.delete(table);
      return null;
    };
    return visit(root, top);
  }

  /** Does `one` go better with the node at `to` than `other`? A table is no leaf, and a node is allocated right after the one that links it. */
  #hasMoreRight(one: { readonly entry: number; readonly level: number }, other: { readonly entry: number; readonly level: number }, to: number): boolean {
    if (other.entry === 0) return false;
    const words = this.#page(to);
    if (words !== null && one.level > 0 !== other.level > 0) return one.level > 0 === this.#isTable(words);
    return Math.abs(one.entry - to) < Math.abs(other.entry - to);
  }

  /** Is every entry in use a page of this machine? */
  #isTable(words: Uint32Array): boolean {
    let used = 0;
    for (let index = 0; index < words.length / 2; index++) {
      const next = entry(words, index);
      if (next === 0) continue;
      if (next === null || next % this.#memory.pageSize !== 0 || this.#memory.stateOf(next) === 'out-of-range') return false;
      used++;
    }
    return used > 0;
  }

  #nodeFor(address: number, level: number, prefix: bigint, parent: Node, from: number): Node {
    this.#seen.set(address, { entry: from, level });
    const node = new Node(`${this.#parent.path}/${hex(address)}`, level === 0 ? `leaf ${hex(address)}` : `level ${level} ${hex(address)}`, {
      type: level === 0 ? 'radix leaf' : 'radix node',
      address,
      bits: this.#memory.pageSize * 8,
      description: level === 0 ? `keys from ${hex(prefix << BigInt(this.#geometry.leafLog2))}` : khoRadixNode.meaning,
      layout: { struct: level === 0 ? khoRadixLeaf : khoRadixNode, field: null },
    });
    if (this.#seen.size <= MAX_SHOWN_NODES) parent.add(node);
    return node;
  }

  #page(address: number): Uint32Array | null {
    const cached = this.#cache.get(address);
    if (cached !== undefined) return cached;
    const read = readBytes(this.#memory, address, this.#memory.pageSize);
    if (!read.ok) return null;
    const words = new Uint32Array(read.bytes.buffer, 0, this.#memory.pageSize / 4);
    if (this.#cache.size >= MAX_CACHED_PAGES) this.#cache.clear();
    this.#cache.set(address, words);
    return words;
  }
}

/** A table entry as an address; null where it is beyond any machine's memory. */
function entry(words: Uint32Array, index: number): number | null {
  const value = (words[index * 2 + 1] ?? 0) * 2 ** 32 + (words[index * 2] ?? 0);
  return value >= PHYSICAL_LIMIT ? null : value;
}

/** A single block. */
const ONE = Uint32Array.of(1);

function* keysOf(words: Uint32Array, prefix: bigint, leafLog2: number): Iterable<bigint> {
  const base = prefix << BigInt(leafLog2);
  for (const { start: bit } of blocksOf({ start: 0, order: 0, words }, 1)) yield base | BigInt(bit);
}
