/** iommu-liveupdate: the IOMMU state of developers' branches, with a version in the data. Source: samikhawaja/linux at 07a49313 and pran005/linux at 22fa8f30, Sep 2026; not posted like that. */
import { contract } from '../contract.js';
import { bits, nested, padding, phys, struct, u8, u32, u64, union } from '../layout.js';
import { iommuArrayHdrSer, iommuDevMapSer, iommuFlbSer, iommuHdrSer, iommuIntelSer, pagesOf } from './liveupdate-v1.js';

const source = 'samikhawaja/linux at 07a49313 and pran005/linux at 22fa8f30, Sep 2026';

const iommuFlbSerBranch = struct({
  name: 'iommu_flb_ser',
  meaning: 'Root of the IOMMU state',
  source,
  fields: { version: u64('version of the state', { mustBe: [1] }), ...iommuFlbSer.fields },
});

const domainFields = {
  hdr: nested(iommuHdrSer, 'head'),
  top_table_phys: phys('top page table'),
  top_level: u64('level of the top page table', { role: 'number' }),
  vasz: u32('bits of an IOVA', { role: 'number' }),
};

const iommuDomainSerBranch = struct({
  name: 'iommu_domain_ser',
  meaning: 'A domain: its page table',
  source,
  fields: {
    ...domainFields,
    sign_extend: u8('are IOVAs sign-extended?', { role: 'bool' }),
    padding: padding(3),
    runtime: u64('pointer of the running kernel, meaningless in a dump', { role: 'opaque' }),
  },
});

/** 110 to a page: one branch packs it, with a bit-field and the pointer after it. */
const iommuDomainSerPacked = struct({
  name: 'iommu_domain_ser',
  meaning: 'A domain: its page table',
  source: 'pran005/linux at 22fa8f30, Sep 2026',
  fields: {
    ...domainFields,
    bits: bits(1, 'flags', {
      sign_extend: { width: 1, role: 'bool', meaning: 'are IOVAs sign-extended?' },
      unused: { width: 7, role: 'reserved', meaning: '0' },
    }),
    runtime: u64('pointer of the running kernel, meaningless in a dump', { role: 'opaque' }),
  },
});

const iommuDeviceIntelSerBranch = struct({
  name: 'iommu_device_intel_ser',
  meaning: 'Intel part of a device',
  source,
  fields: {
    restored: u8('taken over already', { role: 'bool' }),
    padding: padding(7),
    pasid_table: phys('PASID table'),
    max_pasid: u64('highest PASID', { role: 'number' }),
  },
});

const iommuDeviceSmmuSer = struct({
  name: 'iommu_device_smmuv3_ser',
  meaning: 'SMMUv3 part of a device',
  source,
  fields: {
    l1: u64('state of the first level', { role: 'opaque' }),
    num_l2: u32('tables of the second level', { role: 'count' }),
    padding: padding(4),
    l2_array: phys('array of second-level tables'),
  },
});

const iommuDeviceSerBranch = struct({
  name: 'iommu_device_ser',
  meaning: 'A device behind an IOMMU',
  source,
  fields: {
    hdr: nested(iommuHdrSer, 'head'),
    devid: u32('device id', { role: 'opaque' }),
    pci_domain_nr: u32('PCI domain (segment)', { role: 'number' }),
    dma_owner_token: u64('who owns its DMA', { role: 'opaque' }),
    domain_iommu_ser: nested(iommuDevMapSer, 'domain and IOMMU'),
    arch: union({ intel: iommuDeviceIntelSerBranch, smmuv3: iommuDeviceSmmuSer }, 24, 'by the type of its IOMMU'),
  },
});

const iommuSmmuSer = struct({
  name: 'iommu_smmuv3_ser',
  meaning: 'SMMUv3 part of an IOMMU',
  source,
  fields: {
    phys_addr: phys('register base'),
    strtab_cfg: u64('configuration of the stream table', { role: 'opaque' }),
    l1: u64('state of the first level', { role: 'opaque' }),
    l2_array: phys('array of second-level tables'),
  },
});

const iommuHwSerBranch = struct({
  name: 'iommu_hw_ser',
  meaning: 'An IOMMU',
  source,
  fields: {
    hdr: nested(iommuHdrSer, 'head'),
    token: u64('token', { role: 'opaque' }),
    type: u64('kind of IOMMU', { role: 'enum', symbols: { 0: 'IOMMU_INVALID', 1: 'IOMMU_INTEL', 2: 'IOMMU_SMMUV3' } }),
    arch: union({ intel: iommuIntelSer, smmuv3: iommuSmmuSer }, 88, 'by type', { field: 'type', variants: { 1: 'intel', 2: 'smmuv3' } }),
  },
});

const iommuDmaAllocSer = struct({
  name: 'iommu_dma_alloc_ser',
  meaning: 'DMA memory a driver allocated; its pages follow at the odd offset 18',
  source: 'samikhawaja/linux at 07a49313, Sep 2026',
  fields: {
    iova: u64('where the device sees it', { role: 'opaque' }),
    nr_pages: u64('pages', { role: 'pages' }),
    is_folio: u8('one folio?', { role: 'bool' }),
    is_contiguous: u8('contiguous?', { role: 'bool' }),
  },
});

const common = {
  layer: 'iommu',
  compatible: 'iommu-liveupdate',
  structs: [
    iommuFlbSerBranch,
    iommuArrayHdrSer,
    iommuDomainSerBranch,
    iommuDeviceSerBranch,
    iommuDeviceIntelSerBranch,
    iommuDeviceSmmuSer,
    iommuHwSerBranch,
    iommuIntelSer,
    iommuSmmuSer,
    iommuDmaAllocSer,
  ],
  areas: [pagesOf('domains', iommuDomainSerBranch), pagesOf('devices', iommuDeviceSerBranch), pagesOf('iommus', iommuHwSerBranch)],
  status: 'rfc',
  date: '2026-09',
  source,
  notes: ['Not posted as far as found.', 'Objects marked DELETED keep their place.'],
} as const;

export const iommuBranch = contract({
  ...common,
  id: 'iommu-liveupdate',
  discriminates: 'Every domain of 40 bytes has a page for its top table, or none.',
});

const { structs, areas } = common;

export const iommuBranchPacked = contract({
  ...common,
  id: 'iommu-liveupdate-packed',
  structs: structs.map((one) => (one === iommuDomainSerBranch ? iommuDomainSerPacked : one)),
  areas: areas.map((one) => (one.entry === iommuDomainSerBranch ? { ...one, entry: iommuDomainSerPacked } : one)),
  discriminates: 'Only as entries of 37 bytes the domains make sense: bytes 29-31 of the first are of a pointer, not 0.',
});

const iommufdHwptSer = struct({
  name: 'iommufd_hwpt_ser',
  meaning: 'One page table of a preserved iommufd',
  source,
  fields: {
    domain_data: phys('its domain', 'iommu_domain_ser'),
    token: u64('token', { role: 'opaque' }),
    reclaimed: u8('taken over already', { role: 'bool' }),
    padding: padding(7),
  },
});

const iommufdSer = struct({
  name: 'iommufd_ser',
  meaning: 'A preserved iommufd; iommufd_hwpt_ser[nr_hwpts] follow',
  tail: { name: 'hwpts', of: nested(iommufdHwptSer, 'one page table'), count: 'nr_hwpts' },
  source,
  fields: { nr_hwpts: u64('page tables that follow', { role: 'count' }) },
});

export const iommufdV1 = contract({
  layer: 'iommufd',
  id: 'iommufd-v1',
  structs: [iommufdSer, iommufdHwptSer],
  status: 'rfc',
  date: '2026-09',
  source,
  notes: ['Earlier it held a folio pointer alone, or nothing.'],
});
