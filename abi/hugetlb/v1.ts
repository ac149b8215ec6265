/** hugetlb-v1: how many huge pages of each size are preserved, an FLB. Source: Pratyush Yadav's tree, early 2026 (RFC level). */
import { contract } from '../contract.js';
import { array, nested, struct, u8, u64 } from '../layout.js';

const source = "Pratyush Yadav's tree, early 2026";

const hugetlbHstateSer = struct({
  name: 'hugetlb_hstate_ser',
  meaning: 'Huge pages of one size',
  source,
  fields: {
    nr_pages: u64('huge pages that are preserved', { role: 'count' }),
    order: u8('page order of their size'),
  },
});

const hugetlbSer = struct({
  name: 'hugetlb_ser',
  meaning: 'Preserved huge pages',
  source,
  fields: {
    hstates: array(nested(hugetlbHstateSer, 'one size'), 4, 'nr_hstates of them are in use'),
    nr_hstates: u8('sizes in use', { role: 'count' }),
  },
});

export const hugetlbV1 = contract({
  layer: 'hugetlb',
  id: 'hugetlb-v1',
  structs: [hugetlbSer, hugetlbHstateSer],
  status: 'rfc',
  date: '2026',
  source,
  notes: ['No release speaks it.'],
});
