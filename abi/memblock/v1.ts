/** memblock-v1 with reserve-mem-v1: regions of reserve_mem=. Source: include/linux/kho/abi/memblock.h and mm/memblock.c, 6.16 to 7.3. */
import { contract } from '../contract.js';
import { cstring } from '../layout.js';
import { reserveMemNode } from './reserve-mem-v1.js';

export { RESERVE_MEM_COMPATIBLE } from './reserve-mem-v1.js';

export const memblockV1 = contract({
  layer: 'memblock',
  id: 'memblock-v1',
  format: 'fdt',
  structs: [],
  fdt: {
    name: '/',
    meaning: 'reserve_mem regions',
    properties: { compatible: { type: cstring(12, 'version'), required: true } },
    children: [reserveMemNode],
  },
  since: '6.16',
  status: 'released',
  source: 'include/linux/kho/abi/memblock.h, 7.3; mm/memblock.c, 6.17.8 to 6.19.11; 6.16 and 7.0 inferred',
  notes: ['At most 8 regions; names have at most 15 bytes.', 'A region whose name, size or alignment does not fit the next kernel is allocated afresh.'],
});
