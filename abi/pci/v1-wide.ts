/** pci-v1 with two counts of 8 bytes and entries of 8 bytes. Source: mail "[PATCH v3 02/24] PCI: Add API to track PCI devices preserved across Live Update", 23 Mar 2026. */
import { contract } from '../contract.js';
import { pciDevSerPadded, pciSer16 } from './devices.js';

export const pciV1Wide = contract({
  layer: 'pci',
  id: 'pci-v1-wide',
  compatible: 'pci-v1',
  structs: [pciSer16, pciDevSerPadded],
  status: 'superseded',
  date: '2026-03-23',
  source: 'mail "[PATCH v3 02/24] PCI: Add API to track PCI devices preserved across Live Update", 23 Mar 2026',
  discriminates: 'Two counts of 8 bytes, the second not above the first, then entries of 8 bytes whose last two are 0.',
  notes: ['No release speaks it.'],
});
