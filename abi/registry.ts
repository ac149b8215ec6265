/** Every contract known, found by compatible string, by layer or by kernel release. */
import type { Contract, Layer, Release } from './contract.js';
import { kexecMetadataV1 } from './kexec-metadata/v1.js';
import { khoV4 } from './kho/v4.js';
import { luoV5 } from './luo/v5.js';
import { memblockV1 } from './memblock/v1.js';
import { memfdV2 } from './memfd/v2.js';
import { pciV2 } from './pci/v2.js';
import { vfioPciV1 } from './vfio-pci/v1.js';

export const contracts: readonly Contract[] = [khoV4, luoV5, memfdV2, memblockV1, kexecMetadataV1, vfioPciV1, pciV2];

export const releases: readonly Release[] = ['6.16', '6.17', '6.17.9', '6.18', '6.19', '7.0', '7.1', '7.2', '7.3'];

/** Contracts a compatible string may name: more than one where a string was reused for another layout. */
export const contractsOf = (compatible: string): readonly Contract[] => contracts.filter((contract) => contract.compatible === compatible);

/** Contracts of one layer that a release speaks. */
export const spokenBy = (release: Release, layer?: Layer): readonly Contract[] =>
  contracts.filter((contract) => contract.releases.includes(release) && (layer === undefined || contract.layer === layer));
