/** pci-v2 with two counts of 8 bytes. Source: VFIO series v3 of 23 Mar 2026, the patch that adds the refcount. */
import { contract } from '../contract.js';
import { pciDevSer, pciSer16 } from './devices.js';

export const pciV2Wide = contract({
  layer: 'pci',
  id: 'pci-v2-wide',
  compatible: 'pci-v2',
  structs: [pciSer16, pciDevSer],
  status: 'superseded',
  date: '2026-03-23',
  source: 'VFIO series v3 of 23 Mar 2026, the patch that adds the refcount',
  discriminates: 'Two counts of 8 bytes: bytes 4-7 and 12-15 are 0. In the other form bytes 4-7 are the number of devices.',
  notes: ['No release speaks it.'],
});
