/** iommu-liveupdate-v1: IOMMU state as an FLB, lists of pages of objects. Source: mail series "iommu: Add live update state preservation", v5, 21 Sep 2026. */
import { contract, type Area } from '../contract.js';
import { array, bytes, nested, padding, phys, struct, u8, u32, u64, union } from '../layout.js';

const source = 'mail series "iommu: Add live update state preservation", v5, 21 Sep 2026';

export const iommuHdrSer = struct({
  name: 'iommu_hdr_ser',
  meaning: 'Head of every IOMMU object',
  source,
  fields: {
    ref_count: u32('users of the object', { role: 'count' }),
    flags: u32('state', { role: 'flags', flagNames: { 0: 'IOMMU_SER_FLAG_DELETED', 1: 'IOMMU_SER_FLAG_INCOMING' } }),
  },
});

const iommuDomainSer = struct({
  name: 'iommu_domain_ser',
  meaning: 'A domain: its page table',
  source,
  fields: {
    hdr: nested(iommuHdrSer, 'head'),
    top_table_phys: phys('top page table'),
    top_level: u64('level of the top page table', { role: 'number' }),
    rest: bytes(16, 'address width, sign extension and a pointer of the running kernel; where each is is not documented'),
  },
});

export const iommuDevMapSer = struct({
  name: 'iommu_dev_map_ser',
  meaning: 'Which domain a device is attached to, behind which IOMMU',
  source,
  fields: {
    attachment_id: u64('id of the attachment', { role: 'opaque' }),
    domain_phys: phys('its domain', 'iommu_domain_ser'),
    iommu_phys: phys('its IOMMU', 'iommu_hw_ser'),
  },
});

const iommuDeviceIntelSer = struct({
  name: 'iommu_device_intel_ser',
  meaning: 'Intel part of a device',
  source,
  fields: { pasid_table: phys('PASID table'), max_pasid: u64('highest PASID', { role: 'number' }) },
});

const iommuDeviceSer = struct({
  name: 'iommu_device_ser',
  meaning: 'A device behind an IOMMU',
  source,
  fields: {
    hdr: nested(iommuHdrSer, 'head'),
    devid: u32('device id', { role: 'opaque' }),
    pci_domain_nr: u32('PCI domain (segment)', { role: 'number' }),
    domain_iommu_ser: nested(iommuDevMapSer, 'domain and IOMMU'),
    arch: union({ intel: iommuDeviceIntelSer }, 16, 'by the type of its IOMMU, which is always Intel’s', { always: 'intel' }),
  },
});

export const iommuIntelSer = struct({
  name: 'iommu_intel_ser',
  meaning: 'Intel part of an IOMMU',
  source,
  fields: {
    restored: u8('taken over already', { role: 'bool' }),
    padding: padding(7),
    phys_addr: phys('register base'),
    root_table: phys('root table'),
    context_tables_bitmap: array(u64('64 context tables', { role: 'opaque' }), 8, 'context tables that are preserved'),
  },
});

const iommuHwSer = struct({
  name: 'iommu_hw_ser',
  meaning: 'An IOMMU',
  source,
  fields: {
    hdr: nested(iommuHdrSer, 'head'),
    token: u64('token', { role: 'opaque' }),
    type: u64('kind of IOMMU', { role: 'enum', symbols: { 0: 'IOMMU_INVALID', 1: 'IOMMU_INTEL' } }),
    arch: union({ intel: iommuIntelSer }, 88, 'by type', { field: 'type', variants: { 1: 'intel' } }),
  },
});

export const iommuArrayHdrSer = struct({
  name: 'iommu_array_hdr_ser',
  meaning: 'Start of a page of objects',
  source,
  fields: {
    next_array_phys: phys('next page, 0 = last', 'iommu_array_hdr_ser'),
    nr_objects: u64('objects of this page', { role: 'count' }),
  },
});

export const iommuFlbSer = struct({
  name: 'iommu_flb_ser',
  meaning: 'Root of the IOMMU state',
  source,
  fields: {
    iommu_array_phys: phys('first page of IOMMUs', 'iommu_array_hdr_ser'),
    iommu_domain_array_phys: phys('first page of domains', 'iommu_array_hdr_ser'),
    device_array_phys: phys('first page of devices', 'iommu_array_hdr_ser'),
  },
});

export const pagesOf = (name: string, entry: Area['entry']): Area => ({
  name,
  meaning: `chain of pages of ${name}`,
  header: iommuArrayHdrSer,
  entry,
  pages: 1,
  maxPieces: Number.POSITIVE_INFINITY,
  whenFull: null,
});

export const iommuLiveupdateV1 = contract({
  layer: 'iommu',
  id: 'iommu-liveupdate-v1',
  structs: [iommuFlbSer, iommuArrayHdrSer, iommuHdrSer, iommuDomainSer, iommuDeviceSer, iommuDevMapSer, iommuDeviceIntelSer, iommuHwSer, iommuIntelSer],
  areas: [pagesOf('domains', iommuDomainSer), pagesOf('devices', iommuDeviceSer), pagesOf('iommus', iommuHwSer)],
  status: 'review',
  date: '2026-09-21',
  source,
  notes: ['No release speaks it; not run.', 'Objects marked DELETED keep their place.'],
});
