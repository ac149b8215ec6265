/** memfd-v2;vmalloc-v1: memfd-v2 under a composite string. Source: composite versions, Pasha Tatashin, series of June 2026; not queued. */
import { contract } from '../contract.js';
import { memfdLuoFolioSer } from './folio.js';
import { memfdLuoSerV2 } from './v2.js';

export const memfdV2VmallocV1 = contract({
  layer: 'memfd',
  id: 'memfd-v2;vmalloc-v1',
  compatible: 'memfd-v2;vmalloc-v1',
  format: 'struct',
  structs: [memfdLuoSerV2, memfdLuoFolioSer],
  status: 'review',
  date: '2026-06',
  source: 'composite versions, Pasha Tatashin, series of June 2026',
  notes: ['The bytes are those of memfd-v2; the whole string is compared.'],
});
