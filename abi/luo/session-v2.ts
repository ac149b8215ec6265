/** luo-session-v2: the node of the LUO FDT that leads to the sessions. Source: include/linux/kho/abi/luo.h, 6.19.11 and 7.1.13; 7.0 inferred. */
import { contract, type FdtNodeLayout } from '../contract.js';
import { cstring, phys } from '../layout.js';
import { filePages, luoSessionHeaderSer, sessionPages } from './areas.js';
import { luoFileSer, luoFileSetSer, luoSessionSer } from './entries.js';

export const luoSessionNode: FdtNodeLayout = {
  name: 'luo-session',
  meaning: 'sessions',
  properties: {
    compatible: { type: cstring(15, 'version of the session area'), required: true },
    'luo-session-header': { type: phys('session area', 'luo_session_header_ser'), required: true },
  },
  children: [],
};

export const luoSessionV2 = contract({
  layer: 'luo-session',
  id: 'luo-session-v2',
  format: 'fdt',
  structs: [luoSessionHeaderSer, luoSessionSer, luoFileSetSer, luoFileSer],
  fdt: luoSessionNode,
  areas: [sessionPages, filePages],
  since: '6.19',
  until: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/luo.h, 6.19.11 and 7.1.13; 7.0 inferred',
  notes: [
    'The header comment says luo-session-v1; what is written is luo-session-v2.',
    'The header comment speaks of 744 sessions at 4 KiB pages; the code allows as many as fit.',
    'The count is stored at serialisation; before that it is 0.',
  ],
});
