/** Keys of the radix tree: a block's order and number in one u64. Source: include/linux/kho/abi/kexec_handover.h, 7.1 to 7.3. */
import { PHYSICAL_LIMIT } from '../../memory/memory.js';
import { type PreservedBlock, maxOrder } from './preserved-map.js';

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
