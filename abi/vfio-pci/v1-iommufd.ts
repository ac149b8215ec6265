/** vfio-pci-v1 with an iommufd token: the IOMMU series on top of v2. Source: mails of the IOMMU series, early 2026. */
import { contract } from '../contract.js';
import { nested, struct, u32 } from '../layout.js';
import { bdf, domain16, resetWorks } from './fields.js';

const vfioIommufdSer = struct({
  name: 'vfio_iommufd_ser',
  meaning: 'The iommufd a device is bound to',
  source: 'mails of the IOMMU series, early 2026',
  btfName: null,
  fields: { token: u32('token of the iommufd in its session', { role: 'opaque' }) },
});

const vfioPciCoreDeviceSerIommufd = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of, and its iommufd',
  source: 'mails of the IOMMU series, early 2026',
  btfName: null,
  fields: { bdf, domain: domain16, reset_works: resetWorks, iommufd_ser: nested(vfioIommufdSer, 'its iommufd') },
});

export const vfioPciV1Iommufd = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1-iommufd',
  compatible: 'vfio-pci-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSerIommufd, vfioIommufdSer],
  status: 'superseded',
  date: '2026-01',
  source: 'mails of the IOMMU series, early 2026',
  discriminates: 'As vfio-pci-v1-bdf-reset, with a token in bytes 5-8; where it is 0 nothing tells them apart.',
  notes: ['No release speaks it.'],
});
