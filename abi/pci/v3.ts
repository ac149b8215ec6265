/** pci-v3: as pci-v2, with bridges counted. Source: mail series "PCI: liveupdate", v6, 22 May 2026. */
import { contract } from '../contract.js';
import { pciDevSer, pciSer8 } from './devices.js';

export const pciV3 = contract({
  layer: 'pci',
  id: 'pci-v3',
  structs: [pciSer8, pciDevSer],
  status: 'superseded',
  date: '2026-05-22',
  source: 'mail series "PCI: liveupdate", v6, 22 May 2026',

  notes: ['No release speaks it.', 'Bytes as in pci-v2; refcount counts the preserved devices at or below, so bridges are listed too.'],
});
