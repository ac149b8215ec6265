/** The subtree `hwpoison`: page frames that the old kernel found broken. Source: mail series "mm/hwpoison: KHO", v5, 15 Sep 2026 (20260915-hwpoison-kho-v5), Breno Leitao; mm/hwpoison-kho.c at 0f171044. */
import { contract } from '../contract.js';
import { khoVmalloc } from '../kho/vmalloc.js';
import { nested, struct, u32, u64 } from '../layout.js';

export const hwpoisonKhoSer = struct({
  name: 'hwpoison_kho_ser',
  meaning: 'Pages of broken memory; the area holds page frame numbers, not addresses',
  source: 'mail series "hwpoison over KHO", v5, 15 Sep 2026',
  fields: {
    version: u32('version of this structure', { mustBe: [1] }),
    pad: u32('0', { role: 'reserved' }),
    count: u64('page frames that are valid', { role: 'count' }),
    pfns: nested(khoVmalloc, 'area of u64[count]'),
  },
});

export const hwpoisonV1 = contract({
  layer: 'hwpoison',
  id: 'hwpoison-1',
  compatible: null,
  structs: [hwpoisonKhoSer],
  status: 'review',
  date: '2026-09-15',
  source: 'mail series "hwpoison over KHO", v5, 15 Sep 2026 (20260915-hwpoison-kho-v5), Breno Leitao',
  notes: [
    'The node appears with the first broken page.',
    'The next kernel runs memory failure handling for each page frame; an error there never stops the boot.',
    'The area grows from 512 page frames by doubling: more valid ones than it holds is a torn update.',
  ],
});
