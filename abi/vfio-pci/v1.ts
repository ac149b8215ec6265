/** vfio-pci-v1 as in mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026 (also v4 and v5 of the series). */
import { contract } from '../contract.js';
import { struct } from '../layout.js';
import { bdf, domain32 } from './fields.js';

export const vfioPciCoreDeviceSer = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of',
  source: 'mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026',
  btfName: null,
  fields: { domain: domain32, bdf },
});

export const vfioPciV1 = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1',
  compatible: 'vfio-pci-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSer],
  status: 'review',
  date: '2026-07-14',
  source: 'mails "[PATCH v3 07/24]" of 23 Mar 2026, v4 of 11 May 2026, v5 of 14 Jul 2026',
  discriminates:
    'Bytes 0-3 are the domain, mostly 0, and bytes 4-5 the bdf. In v1 and v2 of the series bytes 0-1 are the bdf and those from 4 (or 5) on zeros of a fresh page.',
  notes: ['No release speaks it.', 'The same string named other layouts in v1 and v2 of the series (bdf first).'],
});
