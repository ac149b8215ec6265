/**
 * pci-v1, pci-v2 and pci-v3: the PCI core's FLB of preserved devices in the forms that mails gave it, none of them released. Sources: the mails of each
 * version; the capture of a kernel with "PCI: liveupdate", v5.
 */
import { contract } from '../contract.js';
import { struct, u16, u32, u64 } from '../layout.js';

const bdf = u16('bus << 8 | device << 3 | function', { role: 'opaque' });

const pciDevSer4 = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device',
  source: 'mails of the v1 and v2 era, end of 2025 to early 2026',
  fields: { domain: u16('PCI domain (segment)', { role: 'number' }), bdf },
});

const pciDevSerPadded = struct({
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

export const pciSer = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[max_nr_devices] follow',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  fields: {
    max_nr_devices: u32('slots that follow', { role: 'count' }),
    nr_devices: u32('slots in use', { role: 'count' }),
  },
});

const pciSer16 = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[max_nr_devices] follow, sorted',
  source: 'mails of the v2 era, early 2026, and "[PATCH v3 02/24] PCI: Add API to track PCI devices preserved across Live Update", 23 Mar 2026',
  fields: {
    max_nr_devices: u64('slots that follow', { role: 'count' }),
    nr_devices: u64('slots in use', { role: 'count' }),
  },
});

const pciSerNr = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved; pci_dev_ser[nr_devices] follow, sorted',
  source: 'mails of the v1 era, end of 2025',
  btfName: null,
  fields: { nr_devices: u64('devices that follow', { role: 'count' }) },
});

const superseded = { layer: 'pci', format: 'struct', status: 'superseded' } as const;
const UNRELEASED = 'No release speaks it.';

export const pciV1Nr = contract({
  ...superseded,
  id: 'pci-v1-nr',
  compatible: 'pci-v1',
  structs: [pciSerNr, pciDevSer4],
  date: '2025-12',
  source: 'mails of the v1 era, end of 2025',
  discriminates: 'One count, then entries of 4 bytes in ascending order of domain and bdf.',
  notes: [UNRELEASED],
});

export const pciV1Max = contract({
  ...superseded,
  id: 'pci-v1-max',
  compatible: 'pci-v1',
  structs: [pciSer16, pciDevSer4],
  date: '2026-01',
  source: 'mails of the v2 era, early 2026',
  discriminates: 'Two counts of 8 bytes, the second not above the first, then entries of 4 bytes.',
  notes: [UNRELEASED],
});

export const pciV1Wide = contract({
  ...superseded,
  id: 'pci-v1-wide',
  compatible: 'pci-v1',
  structs: [pciSer16, pciDevSerPadded],
  date: '2026-03-23',
  source: 'mail "[PATCH v3 02/24] PCI: Add API to track PCI devices preserved across Live Update", 23 Mar 2026',
  discriminates: 'Two counts of 8 bytes, the second not above the first, then entries of 8 bytes whose last two are 0.',
  notes: [UNRELEASED],
});

export const pciV1 = contract({
  ...superseded,
  id: 'pci-v1',
  structs: [pciSer, pciDevSerPadded],
  date: '2026-03',
  source: 'mail series "PCI: liveupdate", v3 to v5, 2026',
  discriminates: 'Two counts of 4 bytes: as one 8-byte number they are above any count as soon as a device is in use. In the older forms bytes 4-7 are 0.',
  notes: [UNRELEASED, 'v7 of 10 Jul 2026 started again at this string, with a refcount in the place of the padding.'],
});

export const pciV1Refcount = contract({
  ...superseded,
  id: 'pci-v1-refcount',
  compatible: 'pci-v1',
  structs: [pciSer, pciDevSer],
  date: '2026-07-10',
  source: 'mail series "PCI: liveupdate", v7, 10 Jul 2026',
  discriminates: 'As pci-v1, with the last two bytes of a used entry not 0.',
  notes: [UNRELEASED, 'Bytes as in pci-v2.'],
});

export const pciV2Wide = contract({
  ...superseded,
  id: 'pci-v2-wide',
  compatible: 'pci-v2',
  structs: [pciSer16, pciDevSer],
  date: '2026-03-23',
  source: 'VFIO series v3 of 23 Mar 2026, the patch that adds the refcount',
  discriminates: 'Two counts of 8 bytes: bytes 4-7 and 12-15 are 0. In the other form bytes 4-7 are the number of devices.',
  notes: [UNRELEASED],
});

export const pciV2 = contract({
  ...superseded,
  id: 'pci-v2',
  structs: [pciSer, pciDevSer],
  date: '2026-07-10',
  source: 'mail series "PCI: liveupdate", v3 to v5 and v7, 2026',
  discriminates:
    'Two counts of 4 bytes: bytes 4-7 are the number of devices, 0 only before any is preserved. In v3 of the VFIO series they are the upper half of the first count.',
  notes: [UNRELEASED, 'Entries with refcount 0 are skipped; the list is sparse.'],
});

export const pciV3 = contract({
  ...superseded,
  id: 'pci-v3',
  structs: [pciSer, pciDevSer],
  date: '2026-05-22',
  source: 'mail series "PCI: liveupdate", v6, 22 May 2026',
  notes: [UNRELEASED, 'Bytes as in pci-v2; refcount counts the preserved devices at or below, so bridges are listed too.'],
});
