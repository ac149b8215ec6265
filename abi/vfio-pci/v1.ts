/**
 * vfio-pci-v1: four layouts under one string. Source: mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update",
 * 23 Mar 2026 (also v4 and v5 of the series); v1 of 26 Nov 2025 and v2 of 29 Jan 2026; the IOMMU series on top of v2.
 */
import { contract } from '../contract.js';
import { nested, struct, u32, u8, u16 } from '../layout.js';

export const bdf = u16('bus << 8 | device << 3 | function', { role: 'opaque' });
export const domain32 = u32('PCI domain (segment)', { role: 'number' });
const domain16 = u16('PCI domain (segment)', { role: 'number' });
export const resetWorks = u8('the device supports function reset', { role: 'bool' });

export const vfioPciCoreDeviceSer = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of',
  source: 'mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026',
  fields: { domain: domain32, bdf },
});

export const vfioPciV1 = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1',
  structs: [vfioPciCoreDeviceSer],
  status: 'review',
  date: '2026-07-14',
  source: 'mails "[PATCH v3 07/24]" of 23 Mar 2026, v4 of 11 May 2026, v5 of 14 Jul 2026',
  discriminates:
    'Bytes 0-3 are the domain, mostly 0, and bytes 4-5 the bdf. In v1 and v2 of the series bytes 0-1 are the bdf and those from 4 (or 5) on zeros of a fresh page.',
  notes: ['No release speaks it.', 'The same string named other layouts in v1 and v2 of the series (bdf first).'],
});

const vfioPciCoreDeviceSerBdf = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of',
  source: 'mails of 26 Nov 2025 and 29 Jan 2026',
  fields: { bdf, domain: domain16 },
});

export const vfioPciV1Bdf = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-bdf',
  compatible: 'vfio-pci-v1',
  structs: [vfioPciCoreDeviceSerBdf],
  status: 'superseded',
  date: '2026-01-29',
  source: 'mails of 26 Nov 2025 (v1) and 29 Jan 2026 (v2), Vipin Sharma',
  discriminates:
    'A bdf, mostly not 0, in bytes 0-1, and zeros from byte 4 on (5 where reset works): the fresh page after the structure. From v3 of the series on, bytes 0-3 are the domain, mostly 0, and bytes 4-5 the bdf.',
  notes: ['No release speaks it.', 'v3 changed the layout and kept the string.'],
});

const vfioPciCoreDeviceSerBdfReset = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of, and whether it can be reset',
  source: 'later patches of v1 and v2, mails of 26 Nov 2025 and 29 Jan 2026',
  fields: { bdf, domain: domain16, reset_works: resetWorks },
});

export const vfioPciV1BdfReset = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-bdf-reset',
  compatible: 'vfio-pci-v1',
  structs: [vfioPciCoreDeviceSerBdfReset],
  status: 'superseded',
  date: '2026-01-29',
  source: 'later patches of v1 and v2, mails of 26 Nov 2025 and 29 Jan 2026, Vipin Sharma',
  discriminates: 'As vfio-pci-v1-bdf, with byte 4 being 0 or 1: where it is 0 the two cannot be told apart, and mean the same.',
  notes: ['No release speaks it.', 'Adding the byte did not change the string.'],
});

const vfioIommufdSer = struct({
  name: 'vfio_iommufd_ser',
  meaning: 'The iommufd a device is bound to',
  source: 'mails of the IOMMU series, early 2026',
  fields: { token: u32('token of the iommufd in its session', { role: 'opaque' }) },
});

const vfioPciCoreDeviceSerIommufd = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of, and its iommufd',
  source: 'mails of the IOMMU series, early 2026',
  fields: { bdf, domain: domain16, reset_works: resetWorks, iommufd_ser: nested(vfioIommufdSer, 'its iommufd') },
});

export const vfioPciV1Iommufd = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-iommufd',
  compatible: 'vfio-pci-v1',
  structs: [vfioPciCoreDeviceSerIommufd, vfioIommufdSer],
  status: 'superseded',
  date: '2026-01',
  source: 'mails of the IOMMU series, early 2026',
  discriminates: 'As vfio-pci-v1-bdf-reset, with a token in bytes 5-8; where it is 0 nothing tells them apart.',
  notes: ['No release speaks it.'],
});
