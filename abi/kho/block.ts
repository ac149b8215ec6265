/** Block lists: chains of pages filled with entries of one size. Versioned by the KHO compatible string. Source: include/linux/kho/abi/block.h, 7.2 and 7.3. */
import { contract } from '../contract.js';
import { phys, struct, u64 } from '../layout.js';

/** More blocks than this in one chain, and the kernel calls it corrupted. */
export const KHO_MAX_BLOCKS = 10000;

export const khoBlockHeaderSer = struct({
  name: 'kho_block_header_ser',
  meaning: 'Start of a block (a page); its entries follow',
  source: 'include/linux/kho/abi/block.h, 7.3',
  fields: {
    next: phys('next block, 0 = last', 'kho_block_header_ser'),
    count: u64('entries used in this block; written when it is serialised', { role: 'count' }),
  },
});

export const khoBlockContract = contract({
  layer: 'block',
  id: 'kho-block',
  compatible: null,
  structs: [khoBlockHeaderSer],
  since: '7.2',
  status: 'released',
  source: 'include/linux/kho/abi/block.h, 7.2.13 and 7.3.4',
  notes: ['Has no string: kho-v4 versions it.', 'In a received chain every block has at least one entry.'],
});
