/** struct luo_ser as luo-v3 to luo-v5 have it. Source: include/linux/kho/abi/luo.h, 7.2 and 7.3; mails "[PATCH v4 04/13] liveupdate: register luo_ser as KHO subtree", 30 May 2026. */
import { cstring, phys, struct, u64 } from '../layout.js';

export const liveupdateNum = u64('incoming number + 1; what the next kernel will print', { role: 'number' });

/** Bytes of `luo_ser.compatible` for a string of `length` bytes: with its NUL, rounded up to 8. */
export const luoCompatibleBytes = (length: number): number => Math.ceil((length + 1) / 8) * 8;

/**
 * @param sessions the structure that `sessions_pa` points to @param source where this version was read
 * @param compatibleBytes of the string's field; 8 for every version so far
 */
export const luoSerOf = (sessions: 'luo_session_header_ser' | 'kho_block_header_ser', source: string, compatibleBytes = 8) =>
  struct({
    name: 'luo_ser',
    meaning: 'Root of LUO',
    source,
    fields: {
      compatible: cstring(compatibleBytes, 'version of LUO; its length rounded up to 8 moves what follows'),
      liveupdate_num: liveupdateNum,
      sessions_pa: phys(
        sessions === 'kho_block_header_ser' ? 'first session block; 0 until serialised, and with no sessions' : 'session area; 0 with no sessions',
        sessions,
      ),
      flbs_pa: phys('FLB page', 'luo_flb_header_ser'),
    },
  });
