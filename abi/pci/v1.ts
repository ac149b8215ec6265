/** pci-v1 with two counts of 4 bytes and entries of 8. Source: mail series "PCI: liveupdate", v3 to v5, 2026. */
import { contract } from '../contract.js';
import { pciDevSerPadded, pciSer8 } from './devices.js';

export const pciV1 = contract({
  layer: 'pci',
  id: 'pci-v1',
  structs: [pciSer8, pciDevSerPadded],
  status: 'superseded',
  date: '2026-03',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  discriminates: 'Two counts of 4 bytes: as one 8-byte number they are above any count as soon as a device is in use. In the older forms bytes 4-7 are 0.',
  notes: ['No release speaks it.', 'v7 of 10 Jul 2026 started again at this string, with a refcount in the place of the padding.'],
});
