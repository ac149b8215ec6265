/** Every contract known, found by compatible string, by layer, by kernel release or by the name of a structure. */
import { bootSetupData } from './boot/setup-data.js';
import type { Contract, Layer, Release } from './contract.js';
import { cpuFlbV1, cpuFlbV1Mailbox, cpuV1, cpuV1Mailbox } from './cpu/v1.js';
import { featureSection, luoFeatures, memfdFeatures } from './feature-words/v1.js';
import { hwpoisonV1 } from './hwpoison/v1.js';
import { iommuBranch, iommuBranchPacked, iommufdV1 } from './iommu/branch.js';
import { kvmVcpuArm64V1, kvmVcpuV1CbFirst, kvmVcpuX86V1 } from './kvm-vcpu/v1-cb-first.js';
import { kvmVmV1, kvmVmV1Attributes, kvmVmV1Folios } from './kvm-vm/v1.js';
import { fdtContract } from './fdt/header.js';
import { guestMemfdV1 } from './guest-memfd/v1.js';
import { hugetlbV1 } from './hugetlb/v1.js';
import { iommuLiveupdateV1 } from './iommu/liveupdate-v1.js';
import { iommuV1 } from './iommu/v1.js';
import { kernelLive73 } from './kernel/live.js';
import { kexecMetadataV1 } from './kexec-metadata/v1.js';
import { khoTestV1A, khoTestV1B } from './kho-test/v1.js';
import { khoBlockContract } from './kho/block.js';
import { khoV1Page, khoV1Small } from './kho/v1.js';
import { khoV2 } from './kho/v2.js';
import { khoV3 } from './kho/v3.js';
import { khoV4 } from './kho/v4.js';
import { khoVmallocContract } from './kho/vmalloc.js';
import { kvmVcpuV1 } from './kvm-vcpu/v1.js';
import { kvmInPlaceConversion } from './kvm/proposed.js';
import { kvmV73 } from './kvm/v7-3.js';
import type { Struct } from './layout.js';
import { testFlbs } from './liveupdate-test-flb/v0-to-v2.js';
import { luoFlbV1 } from './luo/flb-v1.js';
import { luoSessionV2 } from './luo/session-v2.js';
import { luoV1 } from './luo/v1.js';
import { luoV2 } from './luo/v2.js';
import { luoV3 } from './luo/v3.js';
import { luoV4 } from './luo/v4.js';
import { luoV5BlockV1 } from './luo/v5-block-v1.js';
import { luoV5 } from './luo/v5.js';
import { reserveMemV1 } from './memblock/reserve-mem-v1.js';
import { memblockV1 } from './memblock/v1.js';
import { memfdV1 } from './memfd/v1.js';
import { memfdV2, memfdV2VmallocV1 } from './memfd/v2.js';
import { liveupdateUapi, liveupdateUapiGetName } from './uapi/liveupdate.js';
import { nanovmmV3 } from './user-space/nanovmm-v3.js';
import { pciV1, pciV1Max, pciV1Nr, pciV1Refcount, pciV1Wide, pciV2, pciV2Wide, pciV3 } from './pci/mails.js';
import { pciVersion1, pciVersion2 } from './pci/version.js';
import { vfioRfc, vfioRfcSavedState } from './vfio-pci/rfc.js';
import { vfioPciV1, vfioPciV1Bdf, vfioPciV1BdfReset, vfioPciV1Iommufd } from './vfio-pci/v1.js';
import { vfioPciV2 } from './vfio-pci/v2.js';

export { type ExpectedRelease, expectedReleaseOf, expectedReleases, isSince, type ReleaseInfo, releaseInfos, releaseOf, releases } from './releases.js';

/**
 * What one kernel hands to the next, as it is described here. Where a string names several layouts, the one that is most likely met first comes
 * first: the released before the others, the newest of the mails before the older.
 */
const here: readonly Contract[] = [
  khoV4,
  khoV3,
  khoV2,
  khoV1Page,
  khoV1Small,
  khoVmallocContract,
  khoBlockContract,
  luoV5,
  luoV4,
  luoV3,
  luoV2,
  luoV1,
  luoSessionV2,
  luoFlbV1,
  memfdV2,
  memfdV1,
  memblockV1,
  reserveMemV1,
  kexecMetadataV1,
  khoTestV1B,
  khoTestV1A,
  ...testFlbs,
  vfioPciV1,
  vfioPciV1Bdf,
  vfioPciV1BdfReset,
  vfioPciV1Iommufd,
  vfioPciV2,
  vfioRfcSavedState,
  vfioRfc,
  pciV2,
  pciV2Wide,
  pciV1,
  pciV1Refcount,
  pciV1Wide,
  pciV1Max,
  pciV1Nr,
  pciV3,
  pciVersion2,
  pciVersion1,
  iommuLiveupdateV1,
  iommuV1,
  iommuBranch,
  iommuBranchPacked,
  iommufdV1,
  kvmVmV1,
  kvmVmV1Folios,
  kvmVmV1Attributes,
  kvmVcpuV1CbFirst,
  kvmVcpuV1,
  kvmVcpuX86V1,
  kvmVcpuArm64V1,
  cpuV1,
  cpuV1Mailbox,
  cpuFlbV1,
  cpuFlbV1Mailbox,
  guestMemfdV1,
  hugetlbV1,
  hwpoisonV1,
  luoV5BlockV1,
  memfdV2VmallocV1,
  luoFeatures,
  memfdFeatures,
];

const all: Contract[] = [...here];

/** Every contract known: those of users first, then those of this folder. */
export const contracts: readonly Contract[] = all;

/** Adds contracts that a user described, for as long as the program runs; the function returned takes them away again. */
export function addContracts(own: readonly Contract[]): () => void {
  all.unshift(...own);
  return () => {
    for (const contract of own) all.splice(all.indexOf(contract), 1);
  };
}

/** Structures around a handover that are not part of it: how a kernel finds it, its system calls, its own objects. */
export const supporting: readonly Contract[] = [
  bootSetupData,
  fdtContract,
  liveupdateUapi,
  liveupdateUapiGetName,
  kvmV73,
  kvmInPlaceConversion,
  kernelLive73,
  nanovmmV3,
  featureSection,
];

/** Contracts a compatible string may name: more than one where a string was reused for another layout. A user's own stand for all others. */
export function contractsOf(compatible: string): readonly Contract[] {
  const named = contracts.filter((contract) => contract.compatible === compatible);
  const own = named.filter(({ status }) => status === 'own');
  return own.length > 0 ? own : named;
}

/** The contract of that id. */
export const contractById = (id: string): Contract | null => [...contracts, ...supporting].find((contract) => contract.id === id) ?? null;

/** Contracts of one layer that a release speaks. */
export const spokenBy = (release: Release, layer?: Layer): readonly Contract[] =>
  contracts.filter((contract) => contract.releases.includes(release) && (layer === undefined || contract.layer === layer));

export interface FoundStruct {
  readonly struct: Struct;
  /** every contract that has this very layout */
  readonly contracts: readonly Contract[];
}

/**
 * Layouts of a structure by the kernel's name, each once, with the contracts that have it.
 * @param compatible a compatible string or a contract's id; every version unless given
 */
export function findStruct(name: string, compatible?: string): readonly FoundStruct[] {
  const found = new Map<Struct, Contract[]>();
  for (const contract of [...contracts, ...supporting]) {
    if (compatible !== undefined && contract.compatible !== compatible && contract.id !== compatible) continue;
    for (const struct of contract.structs) {
      if (struct.name !== name) continue;
      const holders = found.get(struct);
      if (holders === undefined) found.set(struct, [contract]);
      else holders.push(contract);
    }
  }
  return [...found].map(([struct, holders]) => ({ struct, contracts: holders }));
}

/** Names of all structures, sorted. */
export const structNames = (): readonly string[] =>
  [...new Set([...contracts, ...supporting].flatMap((contract) => contract.structs.map((struct) => struct.name)))].sort();
