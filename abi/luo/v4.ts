/** luo-v4: sessions in block lists, files still in contiguous pages. Only inside the 7.2 merge window. Source: series "liveupdate", v4 of 30 May 2026, merged 3 Jun 2026. */
import { contract } from '../contract.js';
import { filePages, flbPage, sessionBlocks } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { luoSerOf } from './root.js';

const luoSerV4 = luoSerOf('kho_block_header_ser', 'include/linux/kho/abi/luo.h, merged 3 Jun 2026, before luo-v5');

export const luoV4 = contract({
  layer: 'luo',
  id: 'luo-v4',
  structs: [luoSerV4, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  areas: [sessionBlocks, filePages, flbPage],
  status: 'window',
  source: 'series of 30 May 2026, merged 3 Jun 2026',
  notes: ['In no release. Bytes of the root as in luo-v5.', 'Where files are is known from the titles of the series: it was not run.'],
});
