/** What both formats of kho-test-v1 share. Source: lib/test_kho.c, 6.17.8 and 6.18.15 to 7.3. */
import type { FdtNodeLayout, FdtProperty } from '../contract.js';
import { cstring, u32 } from '../layout.js';

export const KHO_TEST_MAGIC = 0x4b484f21;

/** @param folios how the node records the folios */
export const khoTestFdt = (folios: FdtProperty): FdtNodeLayout => ({
  name: '/',
  meaning: 'data of the KHO test module',
  properties: {
    compatible: { type: cstring(12, 'version'), required: true },
    magic: { type: u32('magic number, 0x4b484f21', { role: 'opaque', mustBe: [KHO_TEST_MAGIC] }), required: true },
  },
  children: [
    {
      name: 'data',
      meaning: 'folios with a checksum',
      properties: {
        nr_folios: { type: u32('folios', { role: 'count' }), required: true },
        folios_info: folios,
        csum: { type: u32('IP-style partial checksum of all folios', { role: 'opaque' }), required: true },
      },
      children: [],
    },
  ],
});
