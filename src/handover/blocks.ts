/** Block lists (7.2 and later): chains of pages filled with entries. Source: include/linux/kho/abi/block.h and kernel/liveupdate/kho_block.c, 7.3. */
import type { Struct } from '../../abi/layout.js';
import { khoBlockHeaderSer } from '../../abi/kho/block.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { type PhysicalMemory, describeState, physicalAddress, readBytes } from '../memory/memory.js';
import { type Context, isOffMachine, natureOfNonsense, refer } from './context.js';
import { hex } from '../tree/words.js';
import type { Node } from '../tree/node.js';
import { type Reading, readStruct } from '../tree/reading.js';
import { addRestOfPage } from '../tree/gaps.js';

export interface Block {
  readonly address: number;
  readonly header: Reading<typeof khoBlockHeaderSer>;
  /** physical addresses of the entries in use, as far as the count can be believed */
  readonly entries: readonly number[];
}

export interface BlockChain {
  readonly blocks: readonly Block[];
  /** false where the chain broke off or a count could not be believed */
  readonly complete: boolean;
}

/** Entries of `entry` that fit a block. */
export const blockCapacity = (entry: Struct, pageSize: number): number => Math.floor((pageSize - sizeOf(khoBlockHeaderSer)) / sizeOf(entry, pageSize));

/** Paths of the blocks decoded so far, by address: a block belongs to one chain, and is decoded once whoever links to it. */
const decoded = new WeakMap<Context, Map<number, string>>();

function blocksOf(context: Context): Map<number, string> {
  const known = decoded.get(context) ?? new Map<number, string>();
  decoded.set(context, known);
  return known;
}

/**
 * Walks the chain at `first` (a value of a dump, 0 = none). `parent` gets a node for each block, `from` is the pointer's node.
 * The kernel panics on a block with 0 or too many entries; such a count is observed, and clipped to what was filled.
 */
export function readBlocks(context: Context, first: bigint, entry: Struct, parent: Node, from: Node, what: string): BlockChain {
  const { memory, observations, limits } = context;
  const capacity = blockCapacity(entry, memory.pageSize);
  const headerSize = sizeOf(khoBlockHeaderSer);
  const entrySize = sizeOf(entry, memory.pageSize);
  const blocks: Block[] = [];
  const seen = new Set<number>();
  const known = blocksOf(context);
  let complete = true;
  let pointer = from;
  for (let next = first; next !== 0n; ) {
    const address = physicalAddress(next);
    const broken = brokenLink(context, address, next, seen, limits.blocks, what);
    if (broken !== null || address === null) {
      if (broken !== null) observations.add(broken.kind, pointer, broken.text, natureOfNonsense(context));
      return { blocks, complete: false };
    }
    seen.add(address);
    const header = readStruct(memory, khoBlockHeaderSer, address, { path: `${parent.path}/block/${blocks.length}`, name: `block ${blocks.length}` });
    pointer.pointsTo(header.node);
    refer(context, { address, order: 0, what: `${what} block`, node: header.node, from: pointer });
    const before = known.get(address);
    if (before !== undefined) {
      observations.add(
        'block-shared',
        pointer,
        `the ${what} block at ${hex(address)} is linked a second time: it is decoded as ${before}`,
        natureOfNonsense(context),
      );
      return { blocks, complete: false };
    }
    if (header.values === null) {
      observations.add('block-missing', pointer, `the ${what} block at ${hex(address)} is ${describeState(memory.stateOf(address))}`, 'absent');
      return { blocks, complete: false };
    }
    parent.add(header.node);
    known.set(address, header.node.path);
    const { count } = header.values;
    if (context.released && (count < 1n || count > BigInt(capacity))) {
      const text = `the page at ${hex(address)} no longer holds a ${what} block (its count would be ${count}): it was freed and reused`;
      observations.add('block-count', header.field('count'), text, 'reused');
      return { blocks, complete: false };
    }
    if (count < 1n || count > BigInt(capacity)) {
      complete = false;
      observations.add('block-count', header.field('count'), `count of the ${what} block is ${count}, allowed are 1 to ${capacity}`, natureOfNonsense(context));
    }
    const entries = entriesAt(memory, address + headerSize, entry, count, capacity);
    const used = entries.length;
    header.node.meaning = `${used} of ${capacity} entries`;
    blocks.push({ address, header, entries });
    addRestOfPage(memory, header.node, address, headerSize + used * entrySize);
    pointer = header.field('next');
    next = header.values.next;
  }
  return { blocks, complete };
}

/**
 * Addresses of the entries that `count` promises. Where more are promised than fit, those up to the first that can't be one:
 * pages of entries are zeroed before they are filled.
 */
export function entriesAt(memory: PhysicalMemory, first: number, entry: Struct, count: bigint, capacity: number): readonly number[] {
  const size = sizeOf(entry, memory.pageSize);
  const used = count <= BigInt(capacity) ? Number(count) : filledEntries(memory, first, entry, size, capacity);
  return Array.from({ length: used }, (_, index) => first + index * size);
}

function filledEntries(memory: PhysicalMemory, first: number, entry: Struct, size: number, capacity: number): number {
  const { bytes } = readBytes(memory, first, capacity * size);
  let used = 0;
  while ((used + 1) * size <= bytes.length && couldBe(entry, bytes.subarray(used * size, (used + 1) * size))) used++;
  return used;
}

/** Not all zeros, and every text in it is one. */
function couldBe(entry: Struct, bytes: Uint8Array): boolean {
  if (bytes.every((byte) => byte === 0)) return false;
  const values: Readonly<Record<string, unknown>> = decodeStruct(entry, bytes);
  return Object.entries(entry.fields).every(([name, type]) => type.kind !== 'cstring' || isText(values[name]));
}

const isText = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'terminated' in value && value.terminated === true && 'text' in value && value.text !== '';

function brokenLink(context: Context, address: number | null, value: bigint, seen: ReadonlySet<number>, limit: number, what: string) {
  if (address === null || address % context.memory.pageSize !== 0 || isOffMachine(context, address)) {
    return { kind: 'block-pointer', text: `${hex(value)} is no page of this machine, so no ${what} block stands there` } as const;
  }
  if (seen.has(address)) return { kind: 'block-cycle', text: `the ${what} block at ${hex(address)} is linked a second time` } as const;
  if (seen.size >= limit) return { kind: 'block-limit', text: `more than ${limit} ${what} blocks` } as const;
  return null;
}
