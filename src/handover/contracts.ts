/**
 * The contracts a dump is read by. Usually those of the registry; where the BTF of the kernel that wrote the dump is at hand, versions
 * nobody described are there as well, with the layouts that kernel has (src/compat/btf-contracts.ts).
 */
import type { Contract } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { contractsOf } from '../../abi/registry.js';

export interface Contracts {
  /** Those a compatible string may name, the likeliest first; none where nobody described it. */
  named(compatible: string): readonly Contract[];
  /** A structure that no string versions (kho_vmalloc_chunk), as the kernel that wrote the dump has it. */
  struct(described: Struct): Struct;
  /** `nearest` as that kernel has it, under a version nobody described; for what a number versions, not a string. Null without its types. */
  successor(nearest: Contract, name: string): Contract | null;
}

export const describedContracts: Contracts = { named: contractsOf, struct: (described) => described, successor: () => null };

/** The same, with the structures that no string versions as a contract of KHO has them that the user described. */
export const withOwnRoot = (contracts: Contracts, root: Contract | null): Contracts =>
  root?.status !== 'own' || root.measured !== undefined
    ? contracts
    : {
        named: (compatible) => contracts.named(compatible),
        struct: (described) => root.structs.find(({ name }) => name === described.name) ?? contracts.struct(described),
        successor: (nearest, name) => contracts.successor(nearest, name),
      };

/** By structure, the fields without which what it leads to is not found, so that a kernel that renamed one still has it. */
export const LEADING: Readonly<Record<string, readonly string[]>> = {
  luo_ser: ['compatible', 'sessions_pa', 'flbs_pa'],
  luo_session_ser: ['name', 'file_set_ser'],
  luo_file_set_ser: ['files', 'count'],
  luo_file_ser: ['compatible', 'data', 'token'],
  luo_flb_header_ser: ['count'],
  luo_flb_ser: ['name', 'data', 'count'],
  kho_block_header_ser: ['next', 'count'],
  kho_vmalloc: ['first', 'total_pages'],
  kho_vmalloc_chunk: ['next', 'phys'],
  memfd_luo_ser: ['size', 'nr_folios', 'folios'],
  memfd_luo_folio_ser: ['pfn', 'index'],
};

/** A version of which the layout alone is known: what kernels do with it follows from no release. */
export interface ForeignLayout {
  readonly compatible: string;
  readonly contract: Contract;
}

/** Was it written by a kernel of a version nobody described, so that no release says what its successor knows? */
export const isOfUnknownKernel = (foreign: readonly ForeignLayout[]): boolean => foreign.some(({ contract }) => contract.measured?.contradicts === false);
