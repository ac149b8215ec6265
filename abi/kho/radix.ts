/** Preserved memory map as a radix tree. Source: include/linux/kho/abi/kexec_handover.h and kernel/liveupdate/kexec_handover.c, 7.1 to 7.3. */
import { array, phys, struct, u64 } from '../layout.js';

export const khoRadixNode = struct({
  name: 'kho_radix_node',
  meaning: 'Interior node of the preserved memory map, one page',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3',
  fields: { table: array(phys('node of the next lower level, 0 = absent', 'kho_radix_node'), 'page', 'one entry for each index') },
});

export const khoRadixLeaf = struct({
  name: 'kho_radix_leaf',
  meaning: 'Leaf of the preserved memory map, one page: bit n stands for the key whose low bits are n',
  source: 'include/linux/kho/abi/kexec_handover.h, 7.3',
  fields: { bitmap: array(u64('64 keys, the lowest bit first', { role: 'opaque' }), 'page', 'native unsigned long; bit b is bit b & 7 of byte b >> 3') },
});

/** Geometry of the tree for pages of `1 << pageShift` bytes. */
export interface RadixGeometry {
  /** log2 of the entries of an interior node */
  readonly tableLog2: number;
  /** log2 of the bits of a leaf */
  readonly leafLog2: number;
  /** levels, the leaf included */
  readonly levels: number;
  /** significant bits of the widest key, order marker included */
  readonly keyWidth: number;
}

/**
 * key = order marker at bit (64 - pageShift - order), below it the block's number (pa >> (pageShift + order)).
 * @param depth `fixed`: as kho-v3 and kho-v4 have it; `kho-v2`: before "kho: fix KHO_TREE_MAX_DEPTH for non-4KB page sizes", which
 * left the marker out of the width and so, at 16 KiB pages, has one level fewer
 */
export function radixGeometry(pageShift: number, depth: 'fixed' | 'kho-v2' = 'fixed'): RadixGeometry {
  const tableLog2 = pageShift - 3;
  const leafLog2 = pageShift + 3;
  const keyWidth = 64 - pageShift + (depth === 'fixed' ? 1 : 0);
  return { tableLog2, leafLog2, keyWidth, levels: Math.ceil((keyWidth - leafLog2) / tableLog2) + 1 };
}
