/** vfio-pci-v2: with reset_works. Source: v3 of the series from patch 12/24 on, 23 Mar 2026. */
import { contract } from '../contract.js';
import { struct } from '../layout.js';
import { bdf, domain32, resetWorks } from './v1.js';

const vfioPciCoreDeviceSerV2 = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of, and whether it can be reset',
  source: 'mails of v3 from 12/24 on, 23 Mar 2026',
  fields: { domain: domain32, bdf, reset_works: resetWorks },
});

export const vfioPciV2 = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v2',
  structs: [vfioPciCoreDeviceSerV2],
  status: 'superseded',
  date: '2026-03-23',
  source: 'mails of v3 from 12/24 on, 23 Mar 2026, David Matlack',
  notes: ['No release speaks it.', 'v4 and v5 went back to vfio-pci-v1.'],
});
