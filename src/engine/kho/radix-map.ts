/**
 * The preserved memory map of 7.1 to 7.3: a radix tree of pages. Keys are below 2^53 for every page size, so plain numbers hold them.
 * Source: abi/kho/radix.ts; kernel/liveupdate/kexec_handover.c.
 */
import { khoRadixLeaf, khoRadixNode, type RadixGeometry, radixGeometry } from '../../../abi/kho/radix.js';
import { offsetOf } from '../../codec/layout-table.js';
import { PHYSICAL_LIMIT } from '../../memory/memory.js';
import { negative } from '../faults.js';
import type { PageAllocator } from '../kernel/pages.js';
import { type Machine, PanicError, type Steps } from '../machine.js';
import { checkBlock, type PreservedMap, type TakeBlock } from './preserved-map.js';

export class RadixMap implements PreservedMap {
  readonly root: number;
  readonly #machine: Machine;
  readonly #pages: PageAllocator;
  readonly #geometry: RadixGeometry;
  /** offsets within a node and a leaf, and the size of a node's entry, in bytes */
  readonly #table: number;
  readonly #entry: number;
  readonly #bitmap: number;

  /** @param root physical address of the root node, a zeroed page that the caller allocated */
  constructor(machine: Machine, pages: PageAllocator, root: number) {
    this.root = root;
    this.#machine = machine;
    this.#pages = pages;
    this.#geometry = radixGeometry(machine.pageShift);
    // Asked for five times a page: once from the layouts is enough.
    this.#table = machine.elementAt(khoRadixNode, 0, 'table', 0);
    this.#entry = machine.elementAt(khoRadixNode, 0, 'table', 1) - this.#table;
    this.#bitmap = offsetOf(khoRadixLeaf, 'bitmap', machine.pageSize);
  }

  *add(address: number, order: number): Steps<number> {
    const key = keyOf(address, order, this.#machine.pageShift);
    let node = this.root;
    for (let level = this.#geometry.levels - 1; level > 0; level--) {
      const index = this.#index(level, key);
      let next = this.#machine.memory.readU64(node + this.#table + index * this.#entry);
      if (next === 0) {
        const page = this.#pages.alloc();
        if (page === null) return negative('ENOMEM');
        next = page;
        this.#machine.writeElement(khoRadixNode, node, 'table', index, next);
        this.#machine.noteWritten(level === 1 ? khoRadixLeaf : khoRadixNode, next);
        yield this.#machine.event('kho', 'kho_radix_alloc_node', { address: next, level: level - 1 });
      }
      node = next;
    }
    this.#setBit(node, key, true);
    return 0;
  }

  remove(address: number, order: number): boolean {
    const key = keyOf(address, order, this.#machine.pageShift);
    const leaf = this.#leaf(key);
    if (leaf === 0 || !this.#bit(leaf, key)) return false;
    this.#setBit(leaf, key, false);
    return true;
  }

  has(address: number, order: number): boolean {
    const key = keyOf(address, order, this.#machine.pageShift);
    const leaf = this.#leaf(key);
    return leaf !== 0 && this.#bit(leaf, key);
  }

  #leaf(key: number): number {
    let node = this.root;
    for (let level = this.#geometry.levels - 1; level > 0 && node !== 0; level--)
      node = this.#machine.memory.readU64(node + this.#table + this.#index(level, key) * this.#entry);
    return node;
  }

  #index(level: number, key: number): number {
    const { tableLog2, leafLog2 } = this.#geometry;
    return Math.floor(key / 2 ** ((level - 1) * tableLog2 + leafLog2)) % 2 ** tableLog2;
  }

  #byteAt(leaf: number, key: number): number {
    // Little-endian words: bit n is bit n & 7 of byte n >> 3, however long the words are.
    return leaf + this.#bitmap + Math.floor((key % 2 ** this.#geometry.leafLog2) / 8);
  }

  #bit(leaf: number, key: number): boolean {
    const byte = this.#machine.read(this.#byteAt(leaf, key), 1)[0] ?? 0;
    return (byte & (1 << (key % 8))) !== 0;
  }

  #setBit(leaf: number, key: number, on: boolean): void {
    const at = this.#byteAt(leaf, key);
    const byte = this.#machine.read(at, 1)[0] ?? 0;
    const bit = 1 << (key % 8);
    this.#machine.memory.write(at, Uint8Array.of(on ? byte | bit : byte & ~bit), khoRadixLeaf.name, 'bitmap');
  }
}

/** key = order marker, below it the block's number. */
function keyOf(address: number, order: number, pageShift: number): number {
  return 2 ** (64 - pageShift - order) + Math.floor(address / 2 ** (pageShift + order));
}

/**
 * The next kernel's walk over a tree it was handed, before its allocator runs.
 * @throws PanicError where the kernel would touch what is no memory, or walk without end
 * @throws MissingPageError
 */
export function* walkRadix(machine: Machine, root: number, take: TakeBlock): Steps<void> {
  const geometry = radixGeometry(machine.pageShift);
  const limit = Math.ceil(machine.size / machine.pageSize);
  const table = machine.elementAt(khoRadixNode, 0, 'table', 0);
  const entry = machine.elementAt(khoRadixNode, 0, 'table', 1) - table;
  let visited = 0;
  const visit = function* (node: number, level: number, prefix: number): Steps<void> {
    if (++visited > limit) throw new PanicError('the preserved memory map has more nodes than the machine has pages: the walk over it does not end');
    if (node % machine.pageSize !== 0 || (node >= machine.size && !machine.fromDump))
      throw new PanicError(`BUG: unable to handle page fault: a node of the preserved memory map at 0x${node.toString(16)}, where no memory is`);
    machine.work.walk(node);
    // Whole pages as words, most of them 0: what else a step reads byte by byte would be most of the walk.
    const words = new Uint32Array(Uint8Array.from(machine.read(node, machine.pageSize)).buffer);
    if (level === 0) {
      const blocks = takeLeaf(machine, words, prefix * 2 ** geometry.leafLog2, take);
      yield machine.event('next-kernel', 'kho_radix_walk_leaf', { address: node, blocks });
      return;
    }
    for (let index = 0; index < 2 ** geometry.tableLog2; index++) {
      const at = (table + index * entry) / 4;
      const low = words[at] ?? 0;
      const high = words[at + 1] ?? 0;
      if (low === 0 && high === 0) continue;
      yield* visit(low + high * 2 ** 32, level - 1, prefix * 2 ** geometry.tableLog2 + index);
    }
  };
  yield* visit(root, geometry.levels - 1, 0);
}

/** Takes the blocks of a leaf, whose first bit stands for the key `first`. @returns how many there were */
function takeLeaf(machine: Machine, words: Uint32Array, first: number, take: TakeBlock): number {
  const start = offsetOf(khoRadixLeaf, 'bitmap', machine.pageSize) / 4;
  const whole = blocksOf(first, 2 ** radixGeometry(machine.pageShift).leafLog2, machine);
  let blocks = 0;
  for (let word = start; word < words.length; word++) {
    for (let bits = words[word] ?? 0; bits !== 0; bits &= bits - 1) {
      const bit = (word - start) * 32 + (31 - Math.clz32(bits & -bits));
      if (whole !== null) {
        take(whole.address + bit * whole.span, whole.order);
        blocks++;
      } else if (takeKey(first + bit, machine, take)) blocks++;
    }
  }
  return blocks;
}

/** What all keys from `first` on stand for, where they are of one order and every one of them is a block of this machine; else null. */
function blocksOf(first: number, count: number, machine: Machine): { readonly address: number; readonly order: number; readonly span: number } | null {
  if (first === 0) return null;
  const marker = markerOf(first);
  const order = 64 - machine.pageShift - marker;
  if (order < 0 || markerOf(first + count - 1) !== marker) return null;
  const span = 2 ** (machine.pageShift + order);
  const address = (first - 2 ** marker) * span;
  return address + count * span <= machine.size && span <= LARGEST_SPAN ? { address, order, span } : null;
}

/** Blocks larger than this are looked at one by one. */
const LARGEST_SPAN = 2 ** 30;

/** The number of the highest bit. */
function markerOf(key: number): number {
  const marker = Math.floor(Math.log2(key));
  return 2 ** marker > key ? marker - 1 : marker;
}

/** @returns whether the key stands for a block */
function takeKey(key: number, machine: Machine, take: TakeBlock): boolean {
  if (key === 0) return false;
  const marker = markerOf(key);
  const order = 64 - machine.pageShift - marker;
  const address = (key - 2 ** marker) * 2 ** (machine.pageShift + order);
  if (order >= 0) checkBlock(machine, address, order);
  const end = machine.fromDump ? PHYSICAL_LIMIT : machine.size;
  if (order < 0 || address + machine.pageSize * 2 ** order > end) return false;
  take(address, order);
  return true;
}
