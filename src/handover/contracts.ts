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
}

export const describedContracts: Contracts = { named: contractsOf, struct: (described) => described };

/** A version of which the layout alone is known: what kernels do with it follows from no release. */
export interface ForeignLayout {
  readonly compatible: string;
  readonly contract: Contract;
}
