/** luo-v5;block-v1: a composite string, whose own length moves what follows by 8 bytes. Source: composite versions, Pasha Tatashin, series of June 2026; not queued. */
import { contract } from '../contract.js';
import { fileBlocks, flbPage, sessionBlocks } from './areas.js';
import { luoFileSer, luoFileSetSer, luoFlbHeaderSer, luoFlbSer, luoSessionSer } from './entries.js';
import { luoCompatibleBytes, luoSerOf } from './root.js';

const compatible = 'luo-v5;block-v1';
const source = 'composite versions, Pasha Tatashin, series of June 2026';

const luoSerComposite = luoSerOf('kho_block_header_ser', source, luoCompatibleBytes(compatible.length));

export const luoV5BlockV1 = contract({
  layer: 'luo',
  id: compatible,
  structs: [luoSerComposite, luoSessionSer, luoFileSetSer, luoFileSer, luoFlbHeaderSer, luoFlbSer],
  areas: [sessionBlocks, fileBlocks, flbPage],
  status: 'review',
  date: '2026-06',
  source,
  notes: ['The whole string is compared: a kernel that knows luo-v5 alone does not know it.', 'Sub-strings are in alphabetical order, without spaces.'],
});
