/** vfio-pci-v1 with the bdf first: v1 and v2 of the series. Source: mails of 26 Nov 2025 and 29 Jan 2026 ("[PATCH v2 05/22]"). */
import { contract } from '../contract.js';
import { struct } from '../layout.js';
import { bdf, domain16 } from './fields.js';

const vfioPciCoreDeviceSerBdf = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of',
  source: 'mails of 26 Nov 2025 and 29 Jan 2026',
  btfName: null,
  fields: { bdf, domain: domain16 },
});

export const vfioPciV1Bdf = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-bdf',
  compatible: 'vfio-pci-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSerBdf],
  status: 'superseded',
  date: '2026-01-29',
  source: 'mails of 26 Nov 2025 (v1) and 29 Jan 2026 (v2), Vipin Sharma',
  discriminates:
    'A bdf, mostly not 0, in bytes 0-1, and zeros from byte 4 on (5 where reset works): the fresh page after the structure. From v3 of the series on, bytes 0-3 are the domain, mostly 0, and bytes 4-5 the bdf.',
  notes: ['No release speaks it.', 'v3 changed the layout and kept the string.'],
});
