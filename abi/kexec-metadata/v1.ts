/** kexec-metadata, version 1: which kernel jumped, and how often. Source: include/linux/kho/abi/kexec_metadata.h, 7.1 to 7.3. */
import { contract } from '../contract.js';
import { cstring, struct, u32 } from '../layout.js';

export const khoKexecMetadata = struct({
  name: 'kho_kexec_metadata',
  meaning: 'What the previous kernel says of itself',
  source: 'include/linux/kho/abi/kexec_metadata.h, 7.3',
  fields: {
    version: u32('version of this structure', { mustBe: [1] }),
    previous_release: cstring(65, 'utsname release of the kernel that wrote this'),
    kexec_count: u32('kexecs since the last cold boot, this one included', { role: 'count' }),
  },
});

export const kexecMetadataV1 = contract({
  layer: 'kexec-metadata',
  id: 'kexec-metadata-1',
  compatible: null,
  structs: [khoKexecMetadata],
  since: '7.1',
  status: 'released',
  source: 'include/linux/kho/abi/kexec_metadata.h, 7.3',
  notes: ['Versioned by its first field, not by a string. The receiver only warns.'],
});
