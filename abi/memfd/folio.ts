/** The record of one folio, the same in memfd-v1 and -v2. Source: include/linux/kho/abi/memfd.h, 6.19 to 7.3. */
import { allFlags, bits, flagNames, struct, u64 } from '../layout.js';

/** MEMFD_LUO_FOLIO_*. */
export const FOLIO = { DIRTY: 0x1, UPTODATE: 0x2 } as const;
/** Both; since March 2026 they are always set. */
export const FOLIO_FLAGS = allFlags(FOLIO);

export const memfdLuoFolioSer = struct({
  name: 'memfd_luo_folio_ser',
  meaning: 'One folio of a memfd; how long it is, the preserved memory map says',
  source: 'include/linux/kho/abi/memfd.h, 7.3',
  fields: {
    pfn_flags: bits(8, 'where the folio is, and its flags', {
      pfn: { width: 52, role: 'pfn', meaning: 'page frame of its first page; 0 = skip this entry' },
      flags: { width: 12, role: 'flags', meaning: 'state of the folio', flagNames: flagNames('MEMFD_LUO_FOLIO_', FOLIO) },
    }),
    index: u64('index of its first page in the file', { role: 'index' }),
  },
});
