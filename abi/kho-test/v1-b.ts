/** kho-test-v1, format B: folios are in a vmalloc area. Source: lib/test_kho.c, 6.18.15 to 7.3; 7.0 inferred. */
import { contract } from '../contract.js';
import { khoVmalloc, khoVmallocChunk } from '../kho/vmalloc.js';
import { nested } from '../layout.js';
import { khoTestFdt } from './folios.js';

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
