/**
 * The page ledger: every preserved block has one owner, or nobody. The sum over the owners is the preserved map; where what is
 * claimed and what is preserved differ, the handover is damaged, and the difference is told beside the sum.
 */
import type { PhysicalMemory } from '../../memory/memory.js';
import type { Handover } from '../decode.js';
import { type PreservedBlock, type PreservedMap, maxOrder } from '../preserved/preserved-map.js';
import { currentBudget } from '../../codec/budget.js';
import type { Payload } from '../payload.js';
import { type PageOwner, claimsOf } from './claims.js';

/** A block of the map that nobody has claimed yet; other numbers are the caller's, from 2 on. */
const UNCLAIMED = 1;

interface LedgerEntry {
  readonly owner: PageOwner;
  readonly blocks: number;
  readonly pages: number;
  /** pages it claims that the map does not preserve: free memory to the next kernel */
  readonly unpreserved: number;
  /** pages it claims that are in a block of somebody else */
  readonly shared: number;
  /** entries of its list of pages that are not in this dump, or make no sense: what they name is nobody's here */
  readonly unread: bigint;
}

export interface Ledger {
  readonly handover: Handover;
  /** bytes */
  readonly pageSize: number;
  /** all blocks of the map, counted as often as it lists them */
  readonly blocks: number;
  readonly pages: number;
  /** largest first, nobody last; the sum of their pages is `pages`, less `uncounted` */
  readonly entries: readonly LedgerEntry[];
  /** pages of blocks that lie inside larger blocks of the map */
  readonly twice: number;
  /** pages of the map that did not fit the ledger */
  readonly uncounted: number;
  /** why claims were left out, or null */
  readonly limit: string | null;
  /** false where parts of the map could not be read */
  readonly mapComplete: boolean;
  /** The owner of the block that holds a physical address: null where nothing is preserved. */
  ownerAt(address: number): PageOwner | null;
  /** Blocks nobody claims. */
  unclaimed(): Iterable<PreservedBlock>;
}

export const NOBODY: PageOwner = { kind: 'nobody', name: 'nobody', detail: 'nothing decoded here leads to them', path: null };

/** Books a handover's preserved pages. Null where its map could not be read (freed after boot, or not in this dump). */
export function readLedger(handover: Handover, memory: PhysicalMemory): Ledger | null {
  const { map } = handover;
  const { pageSize } = memory;
  if (map === null) return null;
  const store = new BlockStore(map, pageSize);
  const books = new Books(store, pageSize);
  for (const claim of claimsOf(handover, memory)) {
    if ('unread' in claim) books.unread(claim.owner, claim.unread);
    else if ('again' in claim) books.again(claim.owner, claim.again);
    else books.claim(claim.owner, claim.address, claim.pages, claim.of ?? null);
    if (books.ended) break;
  }
  return books.close(handover);
}

const LIMIT = 'ledger-claims';

/** So many pages that are claimed but not preserved are told apart; after them a page may count twice. */
const MAX_MISSED = 1 << 16;

/** Numbers of owners while claims come in. */
class Books {
  readonly #budget = currentBudget();
  /** steps from block to block over all claims: a hostile region has more pages than any machine */
  #steps = 0;
  readonly #allowed = this.#budget.left(LIMIT);
  readonly #store: BlockStore;
  readonly #pageSize: number;
  readonly #owners: PageOwner[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #unpreserved: number[] = [];
  readonly #shared: number[] = [];
  readonly #unread = new Map<number, bigint>();
  readonly #pagesMissed = new Set<string>();
  /** pages that each claims, for the next file that leads there */
  readonly #claimed = new Map<Payload, { preserved: number; missed: number }>();

  constructor(store: BlockStore, pageSize: number) {
    this.#store = store;
    this.#pageSize = pageSize;
  }

  get ended(): boolean {
    return this.#steps > this.#allowed;
  }

  /** What another file led to first is not walked again: all of it is somebody else's. */
  again(owner: PageOwner, payload: Payload): void {
    const index = this.#indexOf(owner);
    const { preserved, missed } = this.#claimed.get(payload) ?? { preserved: 0, missed: 0 };
    this.#shared[index] = (this.#shared[index] ?? 0) + preserved;
    this.#unpreserved[index] = (this.#unpreserved[index] ?? 0) + missed;
  }

  claim(owner: PageOwner, address: number, pages: number | null, of: Payload | null): void {
    const index = this.#indexOf(owner);
    const sums = of === null ? null : (this.#claimed.get(of) ?? { preserved: 0, missed: 0 });
    if (of !== null && sums !== null) this.#claimed.set(of, sums);
    const first = address - (address % this.#pageSize);
    const end = pages === null ? first + 1 : first + pages * this.#pageSize;
    for (let at = first; at < end; ) {
      if (++this.#steps > this.#allowed) {
        this.#budget.reach(LIMIT, 'the page ledger');
        return;
      }
      const block = this.#store.blockOf(at);
      if (block === null) {
        if (!this.#missed(index, at)) {
          this.#unpreserved[index] = (this.#unpreserved[index] ?? 0) + 1;
          if (sums !== null) sums.missed++;
        }
        at += this.#pageSize;
        continue;
      }
      const next = block.start + this.#pageSize * 2 ** block.order;
      const value = this.#store.get(block);
      const claimed = pages === null ? 2 ** block.order : Math.ceil((Math.min(end, next) - at) / this.#pageSize);
      if (sums !== null) sums.preserved += claimed;
      if (value === UNCLAIMED) this.#store.set(block, index + FIRST);
      else if (value !== index + FIRST) this.#shared[index] = (this.#shared[index] ?? 0) + claimed;
      at = next;
    }
  }

  unread(owner: PageOwner, entries: bigint): void {
    const index = this.#indexOf(owner);
    this.#unread.set(index, (this.#unread.get(index) ?? 0n) + entries);
  }

  /** Was this page missed before? Structures are claimed by more than one pointer. */
  #missed(index: number, page: number): boolean {
    const key = `${index} ${page}`;
    if (this.#pagesMissed.has(key)) return true;
    if (this.#pagesMissed.size < MAX_MISSED) this.#pagesMissed.add(key);
    return false;
  }

  close(handover: Handover): Ledger {
    const { summary, complete } = handover.map ?? EMPTY;
    const blocks = new Float64Array(this.#owners.length + 1);
    const pages = new Float64Array(this.#owners.length + 1);
    let counted = 0;
    let twice = 0;
    for (const { block, value } of this.#store.entries()) {
      const at = value === UNCLAIMED ? this.#owners.length : value - FIRST;
      const size = 2 ** block.order;
      blocks[at] = (blocks[at] ?? 0) + 1;
      pages[at] = (pages[at] ?? 0) + size;
      counted += size;
      if (this.#store.isInside(block)) twice += size;
    }
    const entries = this.#owners
      .map((owner, at) => ({
        owner,
        blocks: blocks[at] ?? 0,
        pages: pages[at] ?? 0,
        unpreserved: this.#unpreserved[at] ?? 0,
        shared: this.#shared[at] ?? 0,
        unread: this.#unread.get(at) ?? 0n,
      }))
      .sort((a, b) => b.pages - a.pages);
    const nobody = { owner: NOBODY, blocks: blocks[this.#owners.length] ?? 0, pages: pages[this.#owners.length] ?? 0, unpreserved: 0, shared: 0, unread: 0n };
    const ownerOf = (block: PreservedBlock): PageOwner | null => {
      const value = this.#store.get(block);
      return value === 0 ? null : value === UNCLAIMED ? NOBODY : (this.#owners[value - FIRST] ?? null);
    };
    return {
      handover,
      pageSize: this.#pageSize,
      blocks: summary.blocks,
      pages: summary.pages,
      entries: nobody.pages > 0 ? [...entries, nobody] : entries,
      twice,
      uncounted: summary.pages - counted,
      limit: this.ended ? `more than ${this.#allowed} claims: the rest were left out` : null,
      mapComplete: complete,
      ownerAt: (address) => {
        const block = this.#store.blockOf(address);
        return block === null ? null : ownerOf(block);
      },
      unclaimed: () => unclaimedOf(this.#store),
    };
  }

  #indexOf(owner: PageOwner): number {
    const key = `${owner.kind} ${owner.name}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#owners.length);
    return this.#owners.push(owner) - 1;
  }
}

/** What the store says of the first owner's blocks. */
const FIRST = UNCLAIMED + 1;

const EMPTY = { summary: { blocks: 0, pages: 0 }, complete: false };

function* unclaimedOf(store: BlockStore): Iterable<PreservedBlock> {
  for (const { block, value } of store.entries()) if (value === UNCLAIMED) yield block;
}

/** Blocks whose numbers are in one array: 4 KiB of them, as much as a page of the map that a hostile dump must spend. */
const ARRAY_LOG2 = 10;
const PER_ARRAY = 1 << ARRAY_LOG2;

class BlockStore {
  /** blocks the map lists that are kept here; the rest did not fit */
  kept = 0;
  readonly #pageSize: number;
  /** by order: number of the array among those of its order -> numbers, 0 where the map has no block */
  readonly #arrays = new Map<number, Map<number, Uint32Array>>();
  #orders: readonly number[] = [];

  constructor(map: PreservedMap, pageSize: number) {
    this.#pageSize = pageSize;
    const budget = currentBudget();
    for (const { start, order } of map.blocks()) {
      const ofOrder = this.#arrays.get(order) ?? new Map<number, Uint32Array>();
      this.#arrays.set(order, ofOrder);
      const index = start / this.#size(order);
      const at = Math.floor(index / PER_ARRAY);
      let array = ofOrder.get(at);
      if (array === undefined) {
        if (!budget.spend('ledger-arrays', 1, 'the page ledger')) break;
        array = new Uint32Array(PER_ARRAY);
        ofOrder.set(at, array);
      }
      array[index % PER_ARRAY] = UNCLAIMED;
      this.kept++;
    }
    this.#orders = [...this.#arrays.keys()].filter((order) => order <= maxOrder(Math.log2(pageSize))).sort((a, b) => a - b);
  }

  /** The block that holds `address` (physical), the smallest first, or null. */
  blockOf(address: number): PreservedBlock | null {
    for (const order of this.#orders) {
      const size = this.#size(order);
      const index = Math.floor(address / size);
      if (this.#at(order, index) !== 0) return { start: index * size, order };
    }
    return null;
  }

  /** The number of a block; 0 where the map does not have it. */
  get({ start, order }: PreservedBlock): number {
    return this.#at(order, start / this.#size(order));
  }

  /** Gives a block of the map its number. */
  set({ start, order }: PreservedBlock, value: number): void {
    const index = start / this.#size(order);
    const array = this.#arrays.get(order)?.get(Math.floor(index / PER_ARRAY));
    if (array !== undefined) array[index % PER_ARRAY] = value;
  }

  /** Does the block lie in a larger one of the map? Then its pages are preserved twice. */
  isInside({ start, order }: PreservedBlock): boolean {
    return this.#orders.some((larger) => larger > order && this.#at(larger, Math.floor(start / this.#size(larger))) !== 0);
  }

  /** Every block kept with its number, by ascending order; within an order as the map lists them. */
  *entries(): Iterable<{ readonly block: PreservedBlock; readonly value: number }> {
    for (const [order, arrays] of this.#arrays) {
      const size = this.#size(order);
      for (const [at, array] of arrays) {
        for (let index = 0; index < PER_ARRAY; index++) {
          const value = array[index] ?? 0;
          if (value !== 0) yield { block: { start: (at * PER_ARRAY + index) * size, order }, value };
        }
      }
    }
  }

  #at(order: number, index: number): number {
    return this.#arrays.get(order)?.get(Math.floor(index / PER_ARRAY))?.[index % PER_ARRAY] ?? 0;
  }

  /** bytes of a block */
  #size(order: number): number {
    return this.#pageSize * 2 ** order;
  }
}
