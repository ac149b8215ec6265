/** guest_memfd_luo_v1: a preserved guest_memfd. Source: guest_memfd series, v4 of 28 Jul 2026 (RFC level). */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { bits, nested, struct, u64 } from '../layout.js';

const source = 'guest_memfd series, v4, 28 Jul 2026';

export const guestMemfdLuoFolioSer = struct({
  name: 'guest_memfd_luo_folio_ser',
  meaning: 'One folio; how long it is, the preserved memory map says',
  source,
  fields: {
    pfn_flags: bits(8, 'where the folio is, and its flags', {
      pfn: { width: 52, role: 'pfn', meaning: 'page frame of its first page' },
      flags: { width: 12, role: 'flags', meaning: 'state of the folio', flagNames: { 0: 'GUEST_MEMFD_LUO_FOLIO_UPTODATE' } },
    }),
    index: u64('index of its first page in the file', { role: 'index' }),
  },
});

export const guestMemfdLuoSer = struct({
  name: 'guest_memfd_luo_ser',
  meaning: 'A preserved guest_memfd',
  source,
  fields: {
    size: u64('file size', { role: 'bytes' }),
    flags: u64('as KVM_CREATE_GUEST_MEMFD takes them', {
      role: 'flags',
      flagNames: { 0: 'GUEST_MEMFD_LUO_FLAG_MMAP', 1: 'GUEST_MEMFD_LUO_FLAG_INIT_SHARED' },
    }),
    nr_folios: u64('folios of the file', { role: 'count' }),
    vm_token: u64('token of its VM in the session', { role: 'opaque' }),
    folios: nested(khoVmalloc, 'area of guest_memfd_luo_folio_ser[nr_folios]', { of: guestMemfdLuoFolioSer, count: 'nr_folios' }),
  },
});

export const guestMemfdV1 = contract({
  layer: 'guest-memfd',
  id: 'guest_memfd_luo_v1',
  structs: [guestMemfdLuoSer, guestMemfdLuoFolioSer],
  status: 'review',
  date: '2026-07-28',
  source,
  notes: ['No release speaks it.'],
});
