/** pci, version 1: the version moved into the structure, devices into a block list. Source: mail series "PCI: liveupdate: PCI core support for Live Update", v8 and v9 (18 Sep 2026). */
import { contract, type Area } from '../contract.js';
import { KHO_MAX_BLOCKS, khoBlockHeaderSer } from '../kho/block.js';
import { phys, struct, u32 } from '../layout.js';
import { pciDevSer } from './devices.js';

export const pciSerVersion1 = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved',
  source: 'mail series "PCI: liveupdate: PCI core support for Live Update", v9, 18 Sep 2026',
  fields: {
    version: u32('version of this structure', { mustBe: [1] }),
    nr_devices: u32('devices in the list', { role: 'count' }),
    devices: phys('first block of pci_dev_ser', 'kho_block_header_ser'),
  },
});

export const pciDeviceBlocks: Area = {
  name: 'devices',
  meaning: 'chain of device blocks',
  header: khoBlockHeaderSer,
  entry: pciDevSer,
  pages: 1,
  maxPieces: KHO_MAX_BLOCKS,
  whenFull: null,
};

export const pciVersion1 = contract({
  layer: 'pci',
  id: 'pci-version-1',
  compatible: 'pci',
  structs: [pciSerVersion1, pciDevSer, khoBlockHeaderSer],
  areas: [pciDeviceBlocks],
  status: 'superseded',
  date: '2026-09-18',
  source: 'mail series "PCI: liveupdate: PCI core support for Live Update", v8 and v9 (18 Sep 2026)',
  discriminates: 'Its first 4 bytes are 1.',
  notes: [
    'No release speaks it; the first four commits of the queued series wrote it.',
    'The next kernel panics on another version, on duplicates, and on devices left unfinished.',
    'While an incoming device exists, all bus numbers are taken over from the hardware.',
  ],
});
