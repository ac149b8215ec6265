/** luo-v5: the LUO subtree is a struct; sessions and files stand in block lists. Source: include/linux/kho/abi/luo.h, 7.2 and 7.3. */
import { contract } from '../contract.js';
import { cstring, phys, struct, u64 } from '../layout.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';

export const luoSer = struct({
  name: 'luo_ser',
  meaning: 'Root of LUO',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    compatible: cstring(8, 'version of LUO; its length rounded up to 8 moves what follows'),
    liveupdate_num: u64('incoming number + 1; what the next kernel will print', { role: 'number' }),
    sessions_pa: phys('first session block; 0 until serialised, and with no sessions', 'kho_block_header_ser'),
    flbs_pa: phys('FLB page', 'luo_flb_header_ser'),
  },
});

export const luoV5 = contract({
  layer: 'luo',
  id: 'luo-v5',
  compatible: 'luo-v5',
  format: 'struct',
  structs: [luoSer, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  releases: ['7.2', '7.3'],
  status: 'released',
  source: 'include/linux/kho/abi/luo.h, 7.2 and 7.3',
  notes: ['sessions_pa is written at the reboot call, after every file has been frozen.', 'Every block of a received chain must have 1 to capacity entries.'],
});
