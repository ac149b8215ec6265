/** vfio-pci-v1 as in mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026 (also v4 and v5 of the series). */
import { contract } from '../contract.js';
import { struct, u16, u32 } from '../layout.js';

export const vfioPciCoreDeviceSer = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'Which PCI device the file was of',
  source: 'mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026',
  btfName: null,
  fields: {
    domain: u32('PCI domain (segment)', { role: 'number' }),
    bdf: u16('bus << 8 | device << 3 | function', { role: 'opaque' }),
  },
});

export const vfioPciV1 = contract({
  layer: 'vfio-pci',
  id: 'vfio-pci-v1',
  compatible: 'vfio-pci-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSer],
  releases: [],
  status: 'list',
  source: 'mail "[PATCH v3 07/24] vfio/pci: Preserve vfio-pci device files across Live Update", 23 Mar 2026',
  notes: ['No release speaks it.', 'The same string named other layouts in v1 and v2 of the series (bdf first).'],
});
