/** memfd-v1: memfd without seals. Source: include/linux/kho/abi/memfd.h, 6.19.11; 7.0 inferred. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { nested, struct, u64 } from '../layout.js';
import { memfdLuoFolioSer } from './folio.js';

export const memfdLuoSerV1 = struct({
  name: 'memfd_luo_ser',
  meaning: 'A preserved memfd',
  source: 'include/linux/kho/abi/memfd.h, 6.19.11',
  fields: {
    pos: u64('file position, updated at freeze', { role: 'bytes' }),
    size: u64('file size', { role: 'bytes' }),
    nr_folios: u64('folios of the file', { role: 'count' }),
    folios: nested(khoVmalloc, 'area of memfd_luo_folio_ser[nr_folios]'),
  },
});

export const memfdV1 = contract({
  layer: 'memfd',
  id: 'memfd-v1',
  structs: [memfdLuoSerV1, memfdLuoFolioSer],
  since: '6.19',
  until: '7.0',
  status: 'released',
  source: 'include/linux/kho/abi/memfd.h, 6.19.11; 7.0 inferred',
  notes: [
    'Seals are lost, and the file comes back with F_SEAL_SEAL: none can be added.',
    'Before the fixes of March 2026 a folio has the flags it had; after them both are always set.',
  ],
});
