/** pci-v2: the PCI core's FLB of preserved devices. Source: mails "PCI: liveupdate", v3 to v5 (2026); the capture of a kernel with that series. */
import { contract } from '../contract.js';
import { struct, u16, u32 } from '../layout.js';

export const pciDevSer = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device; refcount 0 = empty slot',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  btfName: null,
  fields: {
    domain: u32('PCI domain (segment)', { role: 'number' }),
    bdf: u16('bus << 8 | device << 3 | function', { role: 'opaque' }),
    refcount: u16('preserved devices at or below', { role: 'count' }),
  },
});

export const pciSer = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[max_nr_devices] follow',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  btfName: null,
  fields: {
    max_nr_devices: u32('slots that follow', { role: 'count' }),
    nr_devices: u32('slots in use', { role: 'count' }),
  },
});

export const pciV2 = contract({
  layer: 'pci',
  id: 'pci-v2',
  compatible: 'pci-v2',
  format: 'struct',
  structs: [pciSer, pciDevSer],
  releases: [],
  status: 'list',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  notes: ['No release speaks it.', 'Entries with refcount 0 are skipped.'],
});
