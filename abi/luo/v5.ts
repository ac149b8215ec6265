/** luo-v5: the LUO subtree is a struct; sessions and files are in block lists. Source: include/linux/kho/abi/luo.h, 7.2 and 7.3. */
import { contract } from '../contract.js';
import { fileBlocks, flbPage, sessionBlocks } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { luoSerOf } from './root.js';

export const luoSer = luoSerOf('kho_block_header_ser', 'include/linux/kho/abi/luo.h, 7.3');

export const luoV5 = contract({
  layer: 'luo',
  id: 'luo-v5',
  structs: [luoSer, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  areas: [sessionBlocks, fileBlocks, flbPage],
  since: '7.2',
  status: 'released',
  source: 'include/linux/kho/abi/luo.h, 7.2 and 7.3',
  notes: ['sessions_pa is written at the reboot call, after every file has been frozen.', 'Every block of a received chain must have 1 to capacity entries.'],
});
