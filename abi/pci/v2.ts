/** pci-v2: the PCI core's FLB of preserved devices. Source: mails "PCI: liveupdate", v3 to v5 and v7 (2026); the capture of a kernel with that series. */
import { contract } from '../contract.js';
import { pciDevSer, pciSer8 } from './devices.js';

export { pciDevSer };
export const pciSer = pciSer8;

export const pciV2 = contract({
  layer: 'pci',
  id: 'pci-v2',
  structs: [pciSer, pciDevSer],
  status: 'superseded',
  date: '2026-07-10',
  source: 'mail series "PCI: liveupdate", v3 to v5 and v7, 2026',
  discriminates:
    'Two counts of 4 bytes: bytes 4-7 are the number of devices, 0 only before any is preserved. In v3 of the VFIO series they are the upper half of the first count.',
  notes: ['No release speaks it.', 'Entries with refcount 0 are skipped; the list is sparse.'],
});
