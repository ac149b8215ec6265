/** Session, file and FLB entries, the same in every LUO release. Source: include/linux/kho/abi/luo.h, 6.19 to 7.3. */
import { cstring, nested, phys, struct, u64 } from '../layout.js';

export const luoFileSetSer = struct({
  name: 'luo_file_set_ser',
  meaning: 'The files of one session',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    files: phys('file area: first block (7.2 and later) or a contiguous array; 0 = no files'),
    count: u64('number of files', { role: 'count' }),
  },
});

export const luoSessionSer = struct({
  name: 'luo_session_ser',
  meaning: 'One session',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    name: cstring(64, 'name of the session, at most 63 bytes'),
    file_set_ser: nested(luoFileSetSer, 'its files'),
  },
});

export const luoFileSer = struct({
  name: 'luo_file_ser',
  meaning: 'One preserved file',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    compatible: cstring(48, 'which handler, in which version, wrote it'),
    data: u64('opaque value of the handler; for most the address of its structure', { role: 'phys' }),
    token: u64('chosen by user space, unique in its session', { role: 'opaque' }),
  },
});

export const luoFlbHeaderSer = struct({
  name: 'luo_flb_header_ser',
  meaning: 'Start of the page of file-lifecycle-bound objects; its entries follow',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    pgcnt: u64('pages of this area, always 1', { role: 'pages' }),
    count: u64('entries that follow; written when it is serialised', { role: 'count' }),
  },
});

export const luoFlbSer = struct({
  name: 'luo_flb_ser',
  meaning: 'One file-lifecycle-bound object',
  source: 'include/linux/kho/abi/luo.h, 7.3',
  fields: {
    name: cstring(48, 'compatible string of the object'),
    data: u64('opaque value of its owner', { role: 'opaque' }),
    count: u64('reference count when it was serialised', { role: 'count' }),
  },
});
