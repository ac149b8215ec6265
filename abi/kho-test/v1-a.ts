/** kho-test-v1, format A: folios are in the FDT itself. Source: lib/test_kho.c, 6.17.8; 6.16 inferred, 6.17.9 assumed. */
import { contract } from '../contract.js';
import { u64 } from '../layout.js';
import { khoTestFdt } from './folios.js';

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
