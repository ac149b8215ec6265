/** iommu-v1: the first string of the IOMMU series. Its layout changed between mails under one string, so its bytes are not described. Source: mails of the IOMMU series, end of 2025 and early 2026. */
import { contract } from '../contract.js';

export const iommuV1 = contract({
  layer: 'iommu',
  id: 'iommu-v1',
  format: 'opaque',
  structs: [],
  status: 'superseded',
  date: '2026-01',
  source: 'mails of the IOMMU series, end of 2025 and early 2026',
  notes: ['No release speaks it.', 'Its structures changed from mail to mail under this string: not decoded.'],
});
