/** Where LUO keeps its entries: contiguous pages up to luo-v3 and luo-v4, chained blocks after. Source: kernel/liveupdate/luo_session.c, luo_file.c, luo_flb.c, 6.19 to 7.3. */
import type { Area } from '../contract.js';
import { KHO_MAX_BLOCKS, khoBlockHeaderSer } from '../kho/block.js';
import { struct, u64 } from '../layout.js';
import { luoFileSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';

export const luoSessionHeaderSer = struct({
  name: 'luo_session_header_ser',
  meaning: 'Start of the session area; luo_session_ser[count] follow',
  source: 'include/linux/kho/abi/luo.h, 6.19.11 and 7.1.13',
  fields: { count: u64('sessions that follow; 0 until serialised', { role: 'count' }) },
});

export const sessionPages: Area = {
  name: 'sessions',
  meaning: 'session area, contiguous',
  header: luoSessionHeaderSer,
  entry: luoSessionSer,
  pages: 16,
  maxPieces: 1,
  whenFull: 'ENOMEM',
};

export const filePages: Area = {
  name: 'files',
  meaning: 'file area of one session, contiguous, without a header',
  header: null,
  entry: luoFileSer,
  pages: 2,
  maxPieces: 1,
  whenFull: 'ENOSPC',
};

export const sessionBlocks: Area = {
  name: 'sessions',
  meaning: 'chain of session blocks',
  header: khoBlockHeaderSer,
  entry: luoSessionSer,
  pages: 1,
  maxPieces: KHO_MAX_BLOCKS,
  whenFull: 'ENOSPC',
};

export const fileBlocks: Area = {
  name: 'files',
  meaning: 'chain of file blocks of one session',
  header: khoBlockHeaderSer,
  entry: luoFileSer,
  pages: 1,
  maxPieces: KHO_MAX_BLOCKS,
  whenFull: 'ENOSPC',
};

export const flbPage: Area = {
  name: 'flbs',
  meaning: 'file-lifecycle-bound objects',
  header: luoFlbHeaderSer,
  entry: luoFlbSer,
  pages: 1,
  maxPieces: 1,
  whenFull: 'ENOSPC',
};
