/** pci-v1 with one count and entries of 4 bytes. Source: mails of the v1 era, end of 2025. */
import { contract } from '../contract.js';
import { struct, u64 } from '../layout.js';
import { pciDevSer4 } from './devices.js';

const pciSerNr = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[nr_devices] follow, sorted',
  source: 'mails of the v1 era, end of 2025',
  fields: { nr_devices: u64('devices that follow', { role: 'count' }) },
});

export const pciV1Nr = contract({
  layer: 'pci',
  id: 'pci-v1-nr',
  compatible: 'pci-v1',
  structs: [pciSerNr, pciDevSer4],
  status: 'superseded',
  date: '2025-12',
  source: 'mails of the v1 era, end of 2025',
  discriminates: 'One count, then entries of 4 bytes in ascending order of domain and bdf.',
  notes: ['No release speaks it.'],
});
