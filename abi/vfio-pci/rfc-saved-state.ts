/** vfio-v1, the end of the RFC: with the address of the saved state. Source: a later patch of the RFC of 18 Oct 2025. */
import { contract } from '../contract.js';
import { phys, struct } from '../layout.js';
import { vfioV1Fields } from './rfc.js';

const vfioPciCoreDeviceSerRfcSavedState = struct({
  name: 'vfio_pci_core_device_ser',
  meaning: 'State of a PCI device: its configuration space and saved state',
  source: 'a later patch of the RFC of 18 Oct 2025',
  btfName: null,
  fields: { ...vfioV1Fields, pci_saved_state_phys: phys('saved PCI state') },
});

export const vfioRfcSavedState = contract({
  layer: 'vfio-pci',
  id: 'vfio-v1-saved-state',
  compatible: 'vfio-v1',
  format: 'struct',
  structs: [vfioPciCoreDeviceSerRfcSavedState],
  status: 'superseded',
  date: '2025-10-18',
  source: 'a later patch of the RFC of 18 Oct 2025, Vipin Sharma',
  discriminates: 'An address after reset_works; in the shorter form those bytes are 0.',
  notes: ['No release speaks it.'],
});
