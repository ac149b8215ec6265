/** luo-v3: struct luo_ser is the subtree itself; sessions still in contiguous pages. Only inside the 7.2 merge window. Source: mail "[PATCH v4 04/13] liveupdate: register luo_ser as KHO subtree", 30 May 2026. */
import { contract } from '../contract.js';
import { filePages, flbPage, luoSessionHeaderSer, sessionPages } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { luoSerOf } from './root.js';

const luoSerV3 = luoSerOf('luo_session_header_ser', 'mail "[PATCH v4 04/13] liveupdate: register luo_ser as KHO subtree", 30 May 2026');

export const luoV3 = contract({
  layer: 'luo',
  id: 'luo-v3',
  structs: [luoSerV3, luoSessionHeaderSer, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  areas: [sessionPages, filePages, flbPage],
  status: 'window',
  source: 'mail "[PATCH v4 04/13] liveupdate: register luo_ser as KHO subtree", 30 May 2026',
  notes: ['In no release; not run.'],
});
