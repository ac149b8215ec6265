/** memblock-v1 with reserve-mem-v1: regions of reserve_mem=. Source: include/linux/kho/abi/memblock.h and mm/memblock.c, 6.16 to 7.3. */
import { contract } from '../contract.js';
import { cstring, phys, u64 } from '../layout.js';

export const memblockV1 = contract({
  layer: 'memblock',
  id: 'memblock-v1',
  compatible: 'memblock-v1',
  format: 'fdt',
  structs: [],
  fdt: {
    name: '/',
    meaning: 'reserve_mem regions',
    properties: { compatible: { type: cstring(12, 'version'), required: true } },
    children: [
      {
        name: '*',
        meaning: 'one region, by the name reserve_mem= gave it',
        properties: {
          compatible: { type: cstring(15, 'reserve-mem-v1'), required: true },
          start: { type: phys('start of the region'), required: true },
          size: { type: u64('size of the region', { role: 'bytes' }), required: true },
        },
        children: [],
      },
    ],
  },
  releases: ['6.16', '6.17', '6.17.9', '6.18', '6.19', '7.0', '7.1', '7.2', '7.3'],
  status: 'released',
  source: 'include/linux/kho/abi/memblock.h, 7.3',
  notes: ['At most 8 regions; names have at most 15 bytes.', 'A region whose name, size or alignment does not fit the next kernel is allocated afresh.'],
});
export const RESERVE_MEM_COMPATIBLE = 'reserve-mem-v1';
