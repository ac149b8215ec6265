/** pci-v1 with two counts of 8 bytes and entries of 4 bytes. Source: mails of the v2 era, early 2026. */
import { contract } from '../contract.js';
import { pciDevSer4, pciSer16 } from './devices.js';

export const pciV1Max = contract({
  layer: 'pci',
  id: 'pci-v1-max',
  compatible: 'pci-v1',
  structs: [pciSer16, pciDevSer4],
  status: 'superseded',
  date: '2026-01',
  source: 'mails of the v2 era, early 2026',
  discriminates: 'Two counts of 8 bytes, the second not above the first, then entries of 4 bytes.',
  notes: ['No release speaks it.'],
});
