/** vfio-pci-v1 with the bdf first and reset_works: later patches of v1 and v2 of the series. Source: mails of 26 Nov 2025 and 29 Jan 2026. */
import { contract } from '../contract.js';
import { struct } from '../layout.js';
import { bdf, domain16, resetWorks } from './fields.js';

const vfioPciCoreDeviceSerBdfReset = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of, and whether it can be reset',
  source: 'later patches of v1 and v2, mails of 26 Nov 2025 and 29 Jan 2026',
  btfName: null,
  fields: { bdf, domain: domain16, reset_works: resetWorks },
});

export const vfioPciV1BdfReset = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-bdf-reset',
  compatible: 'vfio-pci-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSerBdfReset],
  status: 'superseded',
  date: '2026-01-29',
  source: 'later patches of v1 and v2, mails of 26 Nov 2025 and 29 Jan 2026, Vipin Sharma',
  discriminates: 'As vfio-pci-v1-bdf, with byte 4 being 0 or 1: where it is 0 the two cannot be told apart, and mean the same.',
  notes: ['No release speaks it.', 'Adding the byte did not change the string.'],
});
