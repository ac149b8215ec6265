/** memfd-v2: memfd with seals. Source: include/linux/kho/abi/memfd.h, 7.1 to 7.3. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { nested, struct, u32, u64 } from '../layout.js';
import { memfdLuoFolioSer } from './folio.js';

/** F_SEAL_* by bit; the handler refuses any other. */
export const sealNames = { 0: 'F_SEAL_SEAL', 1: 'F_SEAL_SHRINK', 2: 'F_SEAL_GROW', 3: 'F_SEAL_WRITE', 4: 'F_SEAL_FUTURE_WRITE', 5: 'F_SEAL_EXEC' } as const;
export const KNOWN_SEALS = 0x3f;

export const memfdLuoSerV2 = struct({
  name: 'memfd_luo_ser',
  meaning: 'A preserved memfd',
  source: 'include/linux/kho/abi/memfd.h, 7.3',
  fields: {
    pos: u64('file position, updated at freeze', { role: 'bytes' }),
    size: u64('file size', { role: 'bytes' }),
    seals: u32('F_SEAL_* of the file', { role: 'flags', flagNames: sealNames }),
    flags: u32('always 0', { role: 'flags' }),
    nr_folios: u64('folios of the file', { role: 'count' }),
    folios: nested(khoVmalloc, 'area of memfd_luo_folio_ser[nr_folios]'),
  },
});

export const memfdV2 = contract({
  layer: 'memfd',
  id: 'memfd-v2',
  structs: [memfdLuoSerV2, memfdLuoFolioSer],
  since: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/memfd.h, 7.1 to 7.3',
  notes: ['An empty file has no folios and no area.', 'Holes are filled when the file is preserved.'],
});

export const memfdV2VmallocV1 = contract({
  layer: 'memfd',
  id: 'memfd-v2;vmalloc-v1',
  structs: [memfdLuoSerV2, memfdLuoFolioSer],
  status: 'review',
  date: '2026-06',
  source: 'composite versions, Pasha Tatashin, series of June 2026',
  notes: ['The bytes are those of memfd-v2; the whole string is compared.'],
});
