/** kho-test-v1: folios in the FDT itself (format A), or in a vmalloc area (format B). Source: lib/test_kho.c, 6.17.8 and 6.18.15 to 7.3; 6.16 and 7.0 inferred, 6.17.9 assumed. */
import { type FdtNodeLayout, type FdtProperty, contract } from '../contract.js';
import { cstring, nested, u32, u64 } from '../layout.js';
import { khoVmalloc, khoVmallocChunk } from '../kho/vmalloc.js';

export const KHO_TEST_MAGIC = 0x4b484f21;

/** @param folios how the node records the folios */
const khoTestFdt = (folios: FdtProperty): FdtNodeLayout => ({
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

export const khoTestV1A = contract({
  layer: 'kho-test',
  id: 'kho-test-v1-a',
  compatible: 'kho-test-v1',
  format: 'fdt',
  structs: [],
  fdt: khoTestFdt({ type: u64('physical address of a folio | its order', { role: 'opaque' }), required: true, repeats: true }),
  since: '6.16',
  until: '6.17.9',
  status: 'test',
  source: 'lib/test_kho.c, 6.17.8; 6.16 inferred, 6.17.9 assumed',
  discriminates: 'folios_info has 8 * nr_folios bytes; with 2 folios that is the 16 bytes of format B too.',
  notes: ['Only kernels with CONFIG_TEST_KEXEC_HANDOVER write it.'],
});

export const khoTestV1B = contract({
  layer: 'kho-test',
  id: 'kho-test-v1-b',
  compatible: 'kho-test-v1',
  format: 'fdt',
  structs: [khoVmalloc, khoVmallocChunk],
  fdt: khoTestFdt({ type: nested(khoVmalloc, 'area of u64[nr_folios], each the physical address of a folio | its order'), required: true }),
  since: '6.18',
  status: 'test',
  source: 'lib/test_kho.c, 6.18.15 to 7.3; 7.0 inferred',
  discriminates: 'folios_info has 16 bytes; with 2 folios format A has as many.',
  notes: ['Only kernels with CONFIG_TEST_KEXEC_HANDOVER write it.'],
});
