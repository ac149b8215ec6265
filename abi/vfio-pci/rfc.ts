/** vfio-v1, the RFC: configuration space and all. Source: mails "[RFC PATCH 00/21] VFIO live update support", 18 Oct 2025. */
import { contract } from '../contract.js';
import { array, bytes, phys, struct, u32 } from '../layout.js';
import { bdf, resetWorks } from './v1.js';

/** PCI_CFG_SPACE_EXP_SIZE */
const CONFIG_SPACE = 4096;

const vfioV1Fields = {
  bdf,
  cfg_size: u32('size of the configuration space', { role: 'bytes' }),
  pci_config_map: bytes(CONFIG_SPACE, 'which capability each byte of the configuration space belongs to'),
  vconfig: bytes(CONFIG_SPACE, 'virtual configuration space'),
  rbar: array(u32('BAR', { role: 'opaque' }), 7, 'saved BARs and expansion ROM'),
  reset_works: resetWorks,
} as const;

export const vfioPciCoreDeviceSerRfc = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'State of a PCI device: its configuration space',
  source: 'mails of the RFC of 18 Oct 2025',
  fields: vfioV1Fields,
});

export const vfioRfc = contract({
  layer: 'vfio-pci',
  id: 'vfio-v1',
  structs: [vfioPciCoreDeviceSerRfc],
  status: 'superseded',
  date: '2025-10-18',
  source: 'RFC of 18 Oct 2025, Vipin Sharma',
  discriminates: 'Without the address at its end that a later patch of the series adds.',
  notes: ['No release speaks it.', 'Larger than a page: preserved as a block of order 2 at 4 KiB pages.'],
});

const vfioPciCoreDeviceSerRfcSavedState = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'State of a PCI device: its configuration space and saved state',
  source: 'a later patch of the RFC of 18 Oct 2025',
  fields: { ...vfioV1Fields, pci_saved_state_phys: phys('saved PCI state') },
});

export const vfioRfcSavedState = contract({
  layer: 'vfio-pci',
  id: 'vfio-v1-saved-state',
  compatible: 'vfio-v1',
  structs: [vfioPciCoreDeviceSerRfcSavedState],
  status: 'superseded',
  date: '2025-10-18',
  source: 'a later patch of the RFC of 18 Oct 2025, Vipin Sharma',
  discriminates: 'An address after reset_works; in the shorter form those bytes are 0.',
  notes: ['No release speaks it.'],
});
