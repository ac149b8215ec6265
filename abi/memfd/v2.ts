/** memfd-v2: memfd with seals. Source: include/linux/kho/abi/memfd.h, 7.1 to 7.3. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { allFlags, flagNames, nested, struct, u32, u64 } from '../layout.js';
import { memfdLuoFolioSer } from './folio.js';

/** F_SEAL_*: include/uapi/linux/fcntl.h, 7.3. */
export const F_SEAL = { SEAL: 0x1, SHRINK: 0x2, GROW: 0x4, WRITE: 0x8, FUTURE_WRITE: 0x10, EXEC: 0x20 } as const;
export const sealNames = flagNames('F_SEAL_', F_SEAL);
/** The handler refuses any other. */
export const KNOWN_SEALS = allFlags(F_SEAL);
/** What F_SEAL_EXEC brings with it on an executable file: memfd_add_seals(), mm/memfd.c. */
export const IMPLIED_BY_EXEC = F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE | F_SEAL.FUTURE_WRITE;

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
