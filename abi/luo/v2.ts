/** luo-v2: the LUO FDT has one property, the address of struct luo_ser. Only inside the 7.2 merge window. Source: mail "[PATCH v4 03/13] liveupdate: centralize state management into struct luo_ser", 30 May 2026. */
import { contract } from '../contract.js';
import { cstring, phys, struct } from '../layout.js';
import { filePages, flbPage, luoSessionHeaderSer, sessionPages } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { liveupdateNum } from './root.js';

export const luoSerV2 = struct({
  name: 'luo_ser',
  meaning: 'Root of LUO; its version is in the FDT that points here',
  source: 'mail "[PATCH v4 03/13] liveupdate: centralize state management into struct luo_ser", 30 May 2026',
  fields: {
    liveupdate_num: liveupdateNum,
    sessions_pa: phys('session area', 'luo_session_header_ser'),
    flbs_pa: phys('FLB page', 'luo_flb_header_ser'),
  },
});

export const luoV2 = contract({
  layer: 'luo',
  id: 'luo-v2',
  format: 'fdt',
  structs: [luoSerV2, luoSessionHeaderSer, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  fdt: {
    name: '/',
    meaning: 'LUO',
    properties: {
      compatible: { type: cstring(7, 'version of LUO'), required: true },
      'luo-abi-header': { type: phys('root of LUO', 'luo_ser'), required: true },
    },
    children: [],
  },
  areas: [sessionPages, filePages, flbPage],
  status: 'window',
  source: 'mail "[PATCH v4 03/13] liveupdate: centralize state management into struct luo_ser", 30 May 2026',
  notes: ['In no release; not run.'],
});
