/** luo-v1: the LUO subtree is an FDT with nodes for sessions and, from 7.0, FLBs. Source: include/linux/kho/abi/luo.h, 6.19.11 and 7.1.13; 7.0 inferred. */
import { contract } from '../contract.js';
import { cstring } from '../layout.js';
import { filePages, flbPage, luoSessionHeaderSer, sessionPages } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { luoFlbNode } from './flb-v1.js';
import { liveupdateNum } from './root.js';
import { luoSessionNode } from './session-v2.js';

export const luoV1 = contract({
  layer: 'luo',
  id: 'luo-v1',
  format: 'fdt',
  structs: [luoSessionHeaderSer, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  fdt: {
    name: '/',
    meaning: 'LUO',
    properties: {
      compatible: { type: cstring(7, 'version of LUO'), required: true },
      'liveupdate-number': { type: liveupdateNum, required: true },
    },
    children: [luoSessionNode, luoFlbNode],
  },
  areas: [sessionPages, filePages, flbPage],
  since: '6.19',
  until: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/luo.h, 6.19.11 and 7.1.13; 7.0 inferred',
  notes: ['Sessions and FLBs are versioned by their own nodes.', 'Anything wrong in this tree and the next kernel panics.'],
});
