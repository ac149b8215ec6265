/** The preserved memory map, whatever its format: which blocks of pages the next kernel must leave alone. */

/** A preserved block of 2^order pages. */
export interface PreservedBlock {
  /** physical address, bytes */
  readonly start: number;
  readonly order: number;
}

interface PreservedSummary {
  readonly blocks: number;
  /** exact up to 2^53 */
  readonly pages: number;
  /** bytes; exact up to 2^53 */
  readonly bytes: number;
  /** blocks by order, ascending */
  readonly byOrder: ReadonlyMap<number, number>;
}

export interface PreservedMap {
  readonly format: 'chunks-512' | 'chunks-page' | 'radix';
  /** how the format was told */
  readonly formatEvidence: string;
  readonly summary: PreservedSummary;
  /** false where parts of the map could not be read: then the summary counts what could */
  readonly complete: boolean;
  /** physical addresses of the pages of the map itself */
  readonly structurePages: readonly number[];
  /** The orders of blocks that start exactly at `address`. More than one means that pages are preserved twice. */
  ordersAt(address: number): readonly number[];
  /** The smallest of them, or null. */
  orderAt(address: number): number | null;
  /** `orderAt` for many page frames at once: into `orders` order + 1 of each, 0 where none starts a block. */
  ordersInto(frames: Float64Array, count: number, orders: Uint8Array): void;
  /** The block that holds `address`, smallest order first, or null. */
  blockOf(address: number): PreservedBlock | null;
  /** Where in the map the block (address, order) is, or would be: the entry, word or bitmap a lookup ends at. */
  placeOf(address: number, order: number): MapPlace | null;
  /**
   * Where the map breaks off on the way to the block (address, order), or to any block over `address` where the order is null: the
   * physical address of the entry that leads nowhere. Null where the map says whether the block is preserved.
   */
  brokenAt(address: number, order: number | null): number | null;
  /** All blocks, by ascending order, then address; lazily. */
  blocks(): Iterable<PreservedBlock>;
  /** The same as bits, a stretch of memory at a time: for what asks of millions of them which are not as they should be. */
  bits(): Iterable<BlockBits>;
}

/** Blocks of one order in a stretch of memory. */
export interface BlockBits {
  /** physical, of the block that bit 0 of the first word stands for */
  readonly start: number;
  readonly order: number;
  /** a set bit for each block there is; not to be changed */
  readonly words: Uint32Array;
}

/** The blocks of the bits, ascending. @param pageSize bytes */
export function* blocksOf({ start, order, words }: BlockBits, pageSize: number): Iterable<PreservedBlock> {
  const size = pageSize * 2 ** order;
  for (let index = 0; index < words.length; index++)
    for (let word = words[index] ?? 0; word !== 0; word &= word - 1) yield { start: start + (index * 32 + 31 - Math.clz32(word & -word)) * size, order };
}

/** How many bits are set. */
export function countOf(words: Uint32Array): number {
  let count = 0;
  for (let index = 0; index < words.length; index++) count += popcount(words[index] ?? 0);
  return count;
}

/** First address after the stretch that the bits are for, whether or not a block is there. */
export const endOf = ({ start, order, words }: BlockBits, pageSize: number): number => start + words.length * 32 * pageSize * 2 ** order;

/** A place in the map. */
export interface MapPlace {
  /** path of the tree's node */
  readonly path: string;
  /** physical, of the entry or of the 8 bytes that hold the bit */
  readonly at: number;
  /** does the lookup end above a leaf or bitmap, so that many blocks share the place? */
  readonly above: boolean;
  /** the entries that lead to the node, from the root on; the lookup's own place not among them */
  readonly through: readonly { readonly path: string; readonly at: number }[];
}

/** Orders a handover can hold: 2^order pages must fit the 52 bits of a physical address. */
export const maxOrder = (pageShift: number): number => 52 - pageShift;

/** Sums blocks up by order. */
export function summarise(byOrder: ReadonlyMap<number, number>, pageSize: number): PreservedSummary {
  let blocks = 0;
  let pages = 0;
  const sorted = new Map([...byOrder].filter(([, count]) => count > 0).sort(([a], [b]) => a - b));
  for (const [order, count] of sorted) {
    blocks += count;
    pages += count * 2 ** order;
  }
  return { blocks, pages, bytes: pages * pageSize, byOrder: sorted };
}

/** Pages of all blocks, exactly: a damaged map can claim more than a number holds. */
export function exactPages({ byOrder }: PreservedSummary): bigint {
  let pages = 0n;
  for (const [order, count] of byOrder) pages += BigInt(count) << BigInt(order);
  return pages;
}

/** Bits set in a 32-bit word. */
export function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return (((v + (v >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
