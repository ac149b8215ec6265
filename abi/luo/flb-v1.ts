/** luo-flb-v1: the node of the LUO FDT that leads to the file-lifecycle-bound objects. Source: include/linux/kho/abi/luo.h, 7.1.13; 7.0 inferred. */
import { contract, type FdtNodeLayout } from '../contract.js';
import { cstring, phys } from '../layout.js';
import { flbPage } from './areas.js';
import { luoFlbHeaderSer, luoFlbSer } from './entries.js';

export const luoFlbNode: FdtNodeLayout = {
  name: 'luo-flb',
  meaning: 'file-lifecycle-bound objects; missing in 6.19',
  properties: {
    compatible: { type: cstring(11, 'version of the FLB page'), required: true },
    'luo-flb-header': { type: phys('FLB page', 'luo_flb_header_ser'), required: true },
  },
  children: [],
  optional: true,
};

export const luoFlbV1 = contract({
  layer: 'luo-flb',
  id: 'luo-flb-v1',
  format: 'fdt',
  structs: [luoFlbHeaderSer, luoFlbSer],
  fdt: luoFlbNode,
  areas: [flbPage],
  since: '7.0',
  until: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/luo.h, 7.1.13; 7.0 inferred',
  notes: ['A 7.0 or 7.1 kernel panics where the node is missing.', 'The incoming page is never given back: it stays readable in the next kernel.'],
});
