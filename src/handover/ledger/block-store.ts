/**
 * One number for each preserved block, in typed arrays: whose it is. Room grows with the blocks there are, not with the memory
 * they lie in, so that a guest of hundreds of GiB in single pages can be accounted for.
 */
import { currentBudget } from '../../codec/budget.js';
import { type PreservedBlock, type PreservedMap, maxOrder } from '../preserved/preserved-map.js';

/** Blocks whose numbers are in one array: 4 KiB of them, as much as a page of the map that a hostile dump must spend. */
const ARRAY_LOG2 = 10;
const PER_ARRAY = 1 << ARRAY_LOG2;
/** A block of the map that nobody has claimed yet; other numbers are the caller's, from 2 on. */
export const UNCLAIMED = 1;

export class BlockStore {
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
