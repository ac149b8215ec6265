/**
 * Contracts of a kernel nobody described, from its BTF: `<family>-v<N>` in the form of the newest contract of that family, its
 * structures as that kernel lays them out. Where a string is known and the kernel's layout contradicts it, the kernel is right.
 */
import type { Area, Contract } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { contracts as described, contractsOf } from '../../abi/registry.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { type Leaf, leavesOf } from '../codec/leaf.js';
import { UserError } from '../codec/user-error.js';
import { type Contracts, LEADING } from '../handover/contracts.js';
import type { Btf } from './btf/btf.js';
import { structOfBtf } from './btf/to-struct.js';
import { pageSizeOf } from './fingerprint.js';
import { compareShapes, shapeOfContract } from './shape.js';

interface BtfContractOptions {
  /** the file (or place in the dump) that the BTF is from, for messages */
  readonly source: string;
  /** is it known to be of the kernel that wrote the dump? Only then does it win against a contract that is described */
  readonly trusted: boolean;
  /** is it from the dump itself, and damage of it no reason to give up? */
  readonly fromDump?: boolean;
}

/** A contract is measured when it is asked for first. */
export function contractsOfBtf(btf: Btf, options: BtfContractOptions): Contracts {
  return new MeasuredContracts(btf, options);
}

class MeasuredContracts implements Contracts {
  readonly #btf: Btf;
  readonly #options: BtfContractOptions;
  readonly #named = new Map<string, readonly Contract[]>();
  readonly #structs = new Map<Struct, Struct | null>();
  /** of the kernel, in bytes: what arrays that fill a page are compared at */
  readonly #pageSize: number;

  constructor(btf: Btf, options: BtfContractOptions) {
    this.#btf = btf;
    this.#options = options;
    this.#pageSize = pageSizeOf(btf) ?? DEFAULT_PAGE_SIZE;
  }

  named(compatible: string): readonly Contract[] {
    let found = this.#named.get(compatible);
    if (found === undefined) {
      found = this.#read(compatible);
      this.#named.set(compatible, found);
    }
    return found;
  }

  struct(known: Struct): Struct {
    return this.#measured(known) ?? known;
  }

  successor(nearest: Contract, name: string): Contract | null {
    return this.#contract(nearest, name, false);
  }

  #read(compatible: string): readonly Contract[] {
    const known = contractsOf(compatible);
    if (known.length === 0) {
      const nearest = newestOfFamily(compatible);
      const contract = nearest === null ? null : this.#contract(nearest, compatible, false);
      return contract === null ? [] : [contract];
    }
    const own = known.filter(({ status }) => status !== 'own');
    if (!this.#options.trusted || own.length < known.length) return known;
    const agreeing = own.filter((contract) => this.#differences(contract).length === 0);
    if (agreeing.length > 0) return agreeing;
    const usual = own.find((contract) => contract.id === contract.compatible) ?? own[0];
    const contract = usual === undefined ? null : this.#contract(usual, compatible, true);
    return contract === null ? known : [contract];
  }

  /** null where this kernel lacks the structure that the contract starts from */
  #contract(nearest: Contract, compatible: string, contradicts: boolean): Contract | null {
    const structs = nearest.structs.flatMap((struct) => this.#measured(struct) ?? []);
    const [main] = nearest.structs;
    if (nearest.format === 'struct' && (main === undefined || this.#measured(main) === null)) return null;
    const areas = (nearest.areas ?? []).flatMap((area): Area[] => {
      const [header, entry] = [area.header === null ? null : this.#measured(area.header), this.#measured(area.entry)];
      return entry === null || (header === null && area.header !== null)
        ? []
        : [{ ...area, header, entry, ...(area.maxPieces > 1 ? { sizedByMap: true } : {}) }];
    });
    return {
      ...nearest,
      id: contradicts ? `${nearest.id} as in ${this.#options.source}` : compatible,
      compatible,
      structs,
      areas,
      since: null,
      until: null,
      releases: [],
      status: 'own',
      source: `the types in ${this.#options.source}`,
      notes: [],
      measured: {
        from: 'btf',
        source: this.#options.source,
        nearest: nearest.id,
        contradicts,
        missing: nearest.structs.flatMap((struct) => this.#missing(struct)),
        renamed: nearest.structs.flatMap((struct) =>
          Object.entries(this.#measured(struct)?.renamed ?? {}).map(([own, known]) => `${struct.name}.${known} (${own})`),
        ),
        differences: this.#differences(nearest),
      },
    };
  }

  #missing(known: Struct): readonly string[] {
    const measured = this.#measured(known);
    if (measured === null) return [`struct ${known.name}`];
    // What is nested on both sides has a line of its own: its fields are not this structure's.
    const isNested = (leaf: Leaf): boolean => known.fields[leaf.known[0] ?? '']?.kind === 'nested';
    const names = new Set(leavesOf(measured).flatMap((leaf) => (isNested(leaf) ? [] : [leaf.known.at(-1) ?? leaf.name])));
    return leavesOf(known).flatMap((leaf) => (isNested(leaf) || names.has(leaf.name) ? [] : [`${known.name}.${leaf.name}`]));
  }

  #differences(contract: Contract): readonly string[] {
    return contract.structs.flatMap((known) => {
      const measured = this.#measured(known);
      return measured === null || measured === known
        ? []
        : compareShapes(shapeOfContract(known, this.#pageSize), shapeOfContract(measured, this.#pageSize)).map(({ text }) => text);
    });
  }

  /** A BTF that nobody vouched for may be damaged: then it does not describe the structure. */
  #struct(known: Struct): Struct | null {
    try {
      return structOfBtf(this.#btf, known.btfName ?? known.name, known, LEADING);
    } catch (error) {
      if (error instanceof UserError && (this.#options.fromDump === true || !this.#options.trusted)) return null;
      throw error;
    }
  }

  /** The structure as the kernel has it: the described one itself where nothing differs, null where the kernel has none. */
  #measured(known: Struct): Struct | null {
    const cached = this.#structs.get(known);
    if (cached !== undefined) return cached;
    const made = this.#struct(known);
    const same = made !== null && compareShapes(shapeOfContract(known, this.#pageSize), shapeOfContract(made, this.#pageSize)).length === 0;
    const struct = same ? known : made === null ? null : { ...made, name: known.name };
    this.#structs.set(known, struct);
    return struct;
  }
}

/** The contract of the highest version of `<family>-v<N>`; null for a family nobody knows. */
function newestOfFamily(compatible: string): Contract | null {
  const family = versionOf(compatible)?.family;
  if (family === undefined) return null;
  const versions = described.flatMap((contract) => {
    const version = contract.compatible === null ? null : versionOf(contract.compatible);
    return version?.family === family ? [{ contract, number: version.number }] : [];
  });
  return (
    versions.reduce<{ contract: Contract; number: number } | null>((best, one) => (best === null || one.number > best.number ? one : best), null)?.contract ??
    null
  );
}

function versionOf(compatible: string): { readonly family: string; readonly number: number } | null {
  const match = /^([\w.-]+)-v(\d{1,6})$/.exec(compatible);
  return match?.[1] === undefined ? null : { family: match[1], number: Number(match[2]) };
}
