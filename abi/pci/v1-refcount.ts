/** pci-v1 with a refcount in the place of the padding. Source: mail series "PCI: liveupdate", v7, 10 Jul 2026. */
import { contract } from '../contract.js';
import { pciDevSer, pciSer8 } from './devices.js';

export const pciV1Refcount = contract({
  layer: 'pci',
  id: 'pci-v1-refcount',
  compatible: 'pci-v1',
  structs: [pciSer8, pciDevSer],
  status: 'superseded',
  date: '2026-07-10',
  source: 'mail series "PCI: liveupdate", v7, 10 Jul 2026',
  discriminates: 'As pci-v1, with the last two bytes of a used entry not 0.',
  notes: ['No release speaks it.', 'Bytes as in pci-v2.'],
});
