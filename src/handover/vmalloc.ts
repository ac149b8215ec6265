/**
 * kho_vmalloc: the chain of chunks that lists the blocks of a preserved vmalloc area, and random access to the area.
 * Chunks and entries are bulk: typed-array views, one chunk at a time. Source: include/linux/kho/abi/kexec_handover.h, 6.18 to 7.3.
 */
import { allFlags } from '../../abi/layout.js';
import { KHO_VMALLOC, khoVmalloc, khoVmallocChunk } from '../../abi/kho/vmalloc.js';
import { currentBudget } from '../codec/budget.js';
import { type Leaf, leafOf } from '../codec/leaf.js';
import { typeSize } from '../codec/layout-table.js';
import { FrameSet } from '../memory/frame-set.js';
import { PHYSICAL_LIMIT, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { type Context, isOffMachine, nonsense, refer } from './context.js';
import { counted, hex } from '../tree/words.js';
import { Node } from '../tree/node.js';

export interface VmallocArea {
  /** physical addresses of the blocks, in order */
  readonly blocks: Float64Array;
  /** bytes of each block */
  readonly blockSize: number;
  /** bytes the blocks hold */
  readonly size: number;
  readonly chunks: readonly number[];
  /** false where the chain broke off, or its blocks and total_pages disagree */
  readonly complete: boolean;
  /** Reads `length` bytes at `offset` of the area; shorter where a page is missing. */
  read(offset: number, length: number): Uint8Array;
  /** The same into a buffer that is used again and again, as many bytes as it holds. @returns bytes read */
  readInto(offset: number, into: Uint8Array): number;
}

/** struct kho_vmalloc; null where this kernel's has no such field */
export interface VmallocValues {
  readonly first: bigint;
  readonly total_pages: number | null;
  readonly flags: number | null;
  readonly order: number | null;
}

/** The descriptor's fields, from a reading in which they are below `prefix` (`folios.`). Null where it leads nowhere: it has no `first`. */
export function vmallocValues(integer: (name: string) => bigint | null, prefix = ''): VmallocValues | null {
  const first = integer(`${prefix}first`);
  const small = (name: string): number | null => {
    const value = integer(`${prefix}${name}`);
    return value === null ? null : Number(value);
  };
  return first === null ? null : { first, total_pages: small('total_pages'), flags: small('flags'), order: small('order') };
}

const KNOWN_FLAGS = allFlags(KHO_VMALLOC);
const MAX_ORDER = 20;

/**
 * Walks the chunks of a descriptor. `node` is the descriptor's node; chunk nodes are added to it.
 * `bytes`: what its user keeps in it, where that is known.
 * @returns null for an empty descriptor (first = 0) or one whose first chunk can't be read
 */
export function readVmalloc(context: Context, values: VmallocValues, node: Node, bytes: number | null = null): VmallocArea | null {
  const { memory } = context;
  const pages = memory.pageSize;
  const descriptor = node.fieldType?.kind === 'nested' ? node.fieldType.struct : context.contracts.struct(khoVmalloc);
  const field = (name: keyof VmallocValues): number | null => {
    const leaf = leafOf(descriptor, name, pages);
    return node.address === null ? null : node.address + Math.floor((leaf?.bitOffset ?? 0) / 8);
  };
  const flags = values.flags ?? 0;
  const order = values.order ?? 0;
  const { total_pages: totalPages } = values;
  if ((flags & ~KNOWN_FLAGS) !== 0) nonsense(context, 'vmalloc-flags', node, `flags ${hex(flags)} holds bits no kernel knows`, field('flags'));
  if (order > MAX_ORDER) {
    nonsense(context, 'vmalloc-order', node, `order ${order} is larger than any block of memory`, field('order'));
    return null;
  }
  // Only areas that may use huge mappings have an order, and they consist of whole blocks of it.
  if (order > 0 && ((values.flags !== null && (flags & KHO_VMALLOC.HUGE_VMAP) === 0) || (totalPages ?? 0) % 2 ** order !== 0)) {
    const text = `order ${order} with flags ${hex(flags)} and ${totalPages} pages: larger blocks need KHO_VMALLOC_HUGE_VMAP and make up whole areas`;
    nonsense(context, 'vmalloc-order', node, text, field('order'));
    return null;
  }
  if (values.first === 0n) {
    if (totalPages !== null && totalPages !== 0) nonsense(context, 'vmalloc-pointer', node, `first is 0, but total_pages is ${totalPages}`, field('first'));
    return null;
  }
  const blockSize = pages * 2 ** order;
  const expected = totalPages === null ? Number.POSITIVE_INFINITY : Math.ceil(totalPages / 2 ** order);
  const walk = onceFor(context, `${values.first} ${expected} ${blockSize}`, () => walkChunks(context, values.first, expected, blockSize, node, field('first')));
  const { chunks, lastChunk, endAt } = walk.result;
  // Nothing hands one table over for two files; what a damaged one lists is read again up to a limit.
  const isCut = walk.again && !currentBudget().spend('shared-pages', walk.result.blocks.length, node.path);
  const { blocks, complete } = isCut ? { blocks: new Float64Array(), complete: false } : walk.result;
  const [firstChunk] = chunks;
  if (firstChunk === undefined) return null;
  if (walk.again)
    refer(context, {
      address: firstChunk,
      order: 0,
      what: 'vmalloc chunk',
      node,
      from: node,
      ...(field('first') === null ? {} : { fromAddress: field('first') ?? 0 }),
    });
  const counted = blocks.length * 2 ** order;
  const agrees = totalPages === null || counted === totalPages;
  if (complete && !agrees) {
    const text = `total_pages is ${totalPages}, the chunks list ${blocks.length} blocks of ${2 ** order} pages (${counted})`;
    // Where the total is what its user needs, the list is wrong: the entry after its last block.
    const isList = bytes !== null && Math.ceil(bytes / pages) === totalPages;
    const [entryNode, entryAt] = isList && counted < totalPages ? [lastChunk ?? node, endAt] : [node, field('total_pages')];
    nonsense(context, 'vmalloc-count', entryNode, text, entryAt);
  }
  return {
    blocks,
    blockSize,
    size: blocks.length * blockSize,
    chunks,
    complete: complete && agrees,
    read: (offset, length) => {
      const out = new Uint8Array(Math.max(0, Math.min(length, blocks.length * blockSize - offset)));
      return out.subarray(0, readArea(context, blocks, blockSize, offset, out));
    },
    readInto: (offset, into) => readArea(context, blocks, blockSize, offset, into),
  };
}

const walked = new WeakMap<Context, Map<string, Walk>>();

/** A list of chunks is walked once, however many descriptors lead to it. */
function onceFor(context: Context, key: string, walk: () => Walk): { readonly result: Walk; readonly again: boolean } {
  const known = walked.get(context) ?? new Map<string, Walk>();
  walked.set(context, known);
  const before = known.get(key);
  if (before !== undefined) return { result: before, again: true };
  const result = walk();
  known.set(key, result);
  return { result, again: false };
}

const listedBlocks = new WeakMap<Context, FrameSet>();

/** The blocks of all areas so far, by their first page frame. */
function blocksListed(context: Context): FrameSet {
  const known = listedBlocks.get(context) ?? FrameSet.of(context.memory);
  listedBlocks.set(context, known);
  return known;
}

interface Walk {
  readonly chunks: readonly number[];
  readonly blocks: Float64Array;
  readonly complete: boolean;
  /** the chunk whose list ends the area, and the physical address of the entry of 0 that ends it */
  readonly lastChunk: Node | null;
  readonly endAt: number | null;
}

/** Is it an array of 8-byte addresses? */
const isList = (type: Leaf['type']): boolean => 'kind' in type && type.kind === 'array' && typeSize(type.of) === 8;

function walkChunks(context: Context, first: bigint, expected: number, blockSize: number, node: Node, firstAt: number | null): Walk {
  const { memory, observations } = context;
  const struct = context.contracts.struct(khoVmallocChunk);
  const [nextLeaf, physLeaf] = [leafOf(struct, 'next', memory.pageSize), leafOf(struct, 'phys', memory.pageSize)];
  if (nextLeaf === null || physLeaf === null || nextLeaf.bitOffset % 64 !== 0 || physLeaf.bitOffset % 64 !== 0 || !isList(physLeaf.type)) {
    observations.add(
      'layout-incomplete',
      node,
      `struct ${struct.name} of this kernel has no next and phys where they could be read: its blocks are not known`,
      'note',
    );
    return { chunks: [], blocks: new Float64Array(), complete: false, lastChunk: null, endAt: null };
  }
  const perChunk = Math.floor(physLeaf.bits / 64);
  const nextIndex = nextLeaf.bitOffset / 64;
  const physIndex = physLeaf.bitOffset / 64;
  const chunks: number[] = [];
  const blocks: number[] = [];
  const seen = new Set<number>();
  const listed = blocksListed(context);
  const budget = currentBudget();
  let lastChunk: Node | null = null;
  let endAt: number | null = null;
  const stop = (complete: boolean): Walk => ({ chunks, blocks: Float64Array.from(blocks), complete, lastChunk, endAt });
  let from: Node = node;
  let fromAt = firstAt;
  for (let next = first; next !== 0n; ) {
    const address = physicalAddress(next);
    if (address === null || address % memory.pageSize !== 0 || isOffMachine(context, address)) {
      nonsense(context, 'vmalloc-pointer', from, `chunk pointer ${hex(next)} is not a page of this machine`, fromAt);
      return stop(false);
    }
    if (seen.has(address)) {
      nonsense(context, 'vmalloc-cycle', from, `the chunk at ${hex(address)} is linked a second time`, fromAt);
      return stop(false);
    }
    // An area of n blocks has n / perChunk + 1 chunks; a few more say enough.
    if (seen.size > expected / perChunk + 16) {
      nonsense(context, 'vmalloc-cycle', from, `more chunks than ${expected} blocks need; the walk stopped`, fromAt);
      return stop(false);
    }
    if (!budget.spend('vmalloc-chunks', 1, node.path)) return stop(false);
    seen.add(address);
    const read = readBytes(memory, address, memory.pageSize);
    const chunk = new Node(`${node.path}/chunk/${chunks.length}`, `chunk ${chunks.length}`, {
      type: `struct ${struct.name}`,
      address,
      bits: memory.pageSize * 8,
      description: struct.meaning,
      layout: { struct, field: null },
    });
    refer(context, { address, order: 0, what: 'vmalloc chunk', node: chunk, from });
    if (!read.ok) {
      observations.add('vmalloc-missing', from, `the chunk at ${hex(address)} is ${describeState(read.state)}`, 'absent', fromAt);
      return stop(false);
    }
    node.add(chunk);
    chunks.push(address);
    const words = new Uint32Array(read.bytes.buffer, 0, memory.pageSize / 4);
    const wide = (index: number): number => (words[index * 2 + 1] ?? 0) * 2 ** 32 + (words[index * 2] ?? 0);
    let used = 0;
    for (; used < perChunk; used++) {
      const block = wide(physIndex + used);
      if (block === 0) break;
      if (block >= PHYSICAL_LIMIT || block % blockSize !== 0 || isOffMachine(context, block)) {
        nonsense(
          context,
          'vmalloc-pointer',
          chunk,
          `entry ${used} (${hex(block)}) is not a block of ${blockSize} bytes of this machine`,
          address + (physIndex + used) * 8,
        );
        return stop(false);
      }
      // A page that is in two places of a list is damage; listed again and again it is work without end.
      if (!listed.add(block / memory.pageSize) && !budget.spend('shared-pages', 1, node.path)) return stop(false);
      blocks.push(block);
      refer(context, {
        address: block,
        order: Math.log2(blockSize / memory.pageSize),
        what: 'vmalloc block',
        node: chunk,
        from: chunk,
        fromAddress: address + (physIndex + used) * 8,
      });
    }
    chunk.meaning = counted(used, 'block');
    lastChunk = chunk;
    endAt = used < perChunk ? address + (physIndex + used) * 8 : address;
    from = chunk;
    fromAt = address + nextIndex * 8;
    next = BigInt(wide(nextIndex));
  }
  return stop(true);
}

function readArea(context: Context, blocks: Float64Array, blockSize: number, offset: number, out: Uint8Array): number {
  const available = Math.max(0, Math.min(out.length, blocks.length * blockSize - offset));
  let done = 0;
  while (done < available) {
    const at = offset + done;
    const within = at % blockSize;
    const block = blocks[Math.floor(at / blockSize)];
    if (block === undefined) break;
    // Blocks are often allocated in a row: they are read in one go.
    let run = blockSize - within;
    for (let next = Math.floor(at / blockSize) + 1; run < available - done && blocks[next] === block + within + run; next++) run += blockSize;
    const part = Math.min(run, available - done);
    const got = context.memory.readInto(block + within, part, out, done);
    done += got;
    if (got < part) break;
  }
  return done;
}
