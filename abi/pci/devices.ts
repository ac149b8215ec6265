/** Device entries of the PCI core's FLB, by version of the mail series "PCI: liveupdate". Source: the mails of each version. */
import { struct, u16, u32, u64 } from '../layout.js';

const bdf = u16('bus << 8 | device << 3 | function', { role: 'opaque' });

export const pciDevSer4 = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device',
  source: 'mails of the v1 and v2 era, end of 2025 to early 2026',
  fields: { domain: u16('PCI domain (segment)', { role: 'number' }), bdf },
});

export const pciDevSerPadded = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device',
  source: 'mail series "PCI: liveupdate", v3 to v5, patches before the refcount',
  fields: { domain: u32('PCI domain (segment)', { role: 'number' }), bdf, padding: u16('0', { role: 'reserved' }) },
});

export const pciDevSer = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device; refcount 0 = empty slot',
  source: 'mail series "PCI: liveupdate", v3 (2026) and later',
  fields: {
    domain: u32('PCI domain (segment)', { role: 'number' }),
    bdf,
    refcount: u16('who still uses it; from pci-v3 on, preserved devices at or below', { role: 'count' }),
  },
});

export const pciSer8 = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[max_nr_devices] follow',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  fields: {
    max_nr_devices: u32('slots that follow', { role: 'count' }),
    nr_devices: u32('slots in use', { role: 'count' }),
  },
});

export const pciSer16 = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[max_nr_devices] follow, sorted',
  source: 'mails of the v2 era, early 2026, and "[PATCH v3 02/24] PCI: Add API to track PCI devices preserved across Live Update", 23 Mar 2026',
  fields: {
    max_nr_devices: u64('slots that follow', { role: 'count' }),
    nr_devices: u64('slots in use', { role: 'count' }),
  },
});
