/** pci, version 1: the version moved into the structure, devices into a block list. Source: mail series "PCI: liveupdate: PCI core support for Live Update", v8 and v9 (18 Sep 2026). */
import { type Area, contract } from '../contract.js';
import { KHO_MAX_BLOCKS, khoBlockHeaderSer } from '../kho/block.js';
import { phys, struct, u16, u32 } from '../layout.js';
import { pciDevSer } from './mails.js';

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

/** pci, version 2: bridges above preserved devices are listed too, with how many devices below hold them. Source: include/linux/kho/abi/pci.h at 39f8a23bd04b, branch lu-pci-preservation of liveupdate.git, 28 Sep 2026. */

const source = 'include/linux/kho/abi/pci.h, lu-pci-preservation, 28 Sep 2026';

const pciSerVersion2 = struct({
  name: 'pci_ser',
  meaning: 'Devices the PCI core preserved, and the bridges above them',
  source,
  fields: {
    version: u32('version of this structure; its place never moves', { mustBe: [2] }),
    nr_devices: u32('entries with a refcount above 0, bridges counted too', { role: 'count' }),
    devices: phys('first block of pci_dev_ser, 0 = none yet', 'kho_block_header_ser'),
  },
});

const pciDevSerVersion2 = struct({
  name: 'pci_dev_ser',
  meaning: 'One preserved device or bridge; all zeros = given back or never used, refcount 0 with a bdf = finished by the next kernel',
  source,
  fields: {
    domain: u32('PCI domain (segment)', { role: 'number' }),
    bdf: u16('bus << 8 | device << 3 | function', { role: 'opaque' }),
    refcount: u16('preserved devices at or below this one; 1 for an endpoint, 0 = free slot', { role: 'count' }),
  },
});

export const pciVersion2 = contract({
  layer: 'pci',
  id: 'pci-version-2',
  compatible: 'pci',
  structs: [pciSerVersion2, pciDevSerVersion2, khoBlockHeaderSer],
  areas: [{ ...pciDeviceBlocks, entry: pciDevSerVersion2 }],
  status: 'queued',
  date: '2026-09-28',
  expected: '7.4',
  source: 'branch lu-pci-preservation of liveupdate.git, 28 Sep 2026; mail series "PCI: liveupdate", v9, 18 Sep 2026',
  discriminates: 'Its first 4 bytes are 2. Version 1 has the same bytes, refcount always 1 and no bridges.',
  notes: [
    'The next kernel panics on another version, on a broken block chain, on duplicates, and on devices left unfinished.',
    'FINISH edits refcount and nr_devices in the preserved memory: in a dump of the new kernel the numbers shrink, and 0 is success.',
    'While an incoming device exists, the bus numbers of all bridges are taken over from the hardware.',
    'No driver registers a PCI file handler in the queue: a plain 7.4 has the handler and never the FLB.',
  ],
});
