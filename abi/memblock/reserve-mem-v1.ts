/** reserve-mem-v1: one region of reserve_mem=, a node of the memblock FDT. Source: include/linux/kho/abi/memblock.h and mm/memblock.c, 6.16 to 7.3. */
import { contract, type FdtNodeLayout } from '../contract.js';
import { cstring, phys, u64 } from '../layout.js';

export const RESERVE_MEM_COMPATIBLE = 'reserve-mem-v1';

export const reserveMemNode: FdtNodeLayout = {
  name: '*',
  meaning: 'one region, by the name reserve_mem= gave it',
  properties: {
    compatible: { type: cstring(RESERVE_MEM_COMPATIBLE.length + 1, RESERVE_MEM_COMPATIBLE), required: true },
    start: { type: phys('start of the region'), required: true },
    size: { type: u64('size of the region', { role: 'bytes' }), required: true },
  },
  children: [],
};

export const reserveMemV1 = contract({
  layer: 'reserve-mem',
  id: RESERVE_MEM_COMPATIBLE,
  compatible: RESERVE_MEM_COMPATIBLE,
  format: 'fdt',
  structs: [],
  fdt: reserveMemNode,
  since: '6.16',
  status: 'released',
  source: 'include/linux/kho/abi/memblock.h, 7.3; mm/memblock.c, 6.17.8 to 6.19.11; 6.16 and 7.0 inferred',
  notes: ['A region whose name, size or alignment does not fit the next kernel is allocated afresh; its old memory stays reserved, unclaimed.'],
});
