/**
 * Which release a kernel's BTF is of, by the shapes of its structures: BTF holds no strings. A release fits where every
 * structure of its contracts that the kernel has is laid out alike and no layer is there by half; of those that fit, the
 * ones that explain the most structures.
 */
import type { Contract, Release } from '../../abi/contract.js';
import type { Struct } from '../../abi/layout.js';
import { releases, spokenBy } from '../../abi/registry.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import type { Btf } from './btf/btf.js';
import { compareShapes, sameShape, type Shape, shapeOfBtf, shapeOfContract } from './shape.js';

export interface Fingerprint {
  /** releases that fit best; empty where none does */
  readonly releases: readonly Release[];
  /** contracts of those releases that the kernel was not built with: none of their structures is there */
  readonly absent: ReadonlySet<string>;
  /** how it was told, in words */
  readonly by: string;
  /** what fits no release, a sentence each */
  readonly differences: readonly string[];
  /** in bytes, by the structures that fill a page; null where there are none */
  readonly pageSize: number | null;
}

/** Structures that fill a page, whatever the page size. */
const pageFillers = ['kho_radix_leaf', 'kho_vmalloc_chunk', 'khoser_mem_chunk'] as const;

/** Bytes of a page of the kernel, by a structure that fills one; null where it has none. */
export function pageSizeOf(btf: Btf): number | null {
  for (const name of pageFillers) {
    const id = btf.find('STRUCT', name);
    if (id !== null) return btf.byteSize(id);
  }
  return null;
}

/** Structures of a contract that a kernel has in its BTF. */
const measurable = (contract: Contract): readonly Struct[] => contract.structs.filter((struct) => struct.btfName !== null);

const nameIn = (struct: Struct): string => struct.btfName ?? struct.name;

export function fingerprint(btf: Btf): Fingerprint {
  const pageSize = pageSizeOf(btf);
  const cache = new Map<string, Shape | null>();
  const shapeIn = (name: string): Shape | null => {
    let shape = cache.get(name);
    if (shape === undefined) {
      shape = shapeOfBtf(btf, name);
      cache.set(name, shape);
    }
    return shape;
  };
  const judged = releases.map((release) => compareWith(release, shapeIn, pageSize ?? DEFAULT_PAGE_SIZE));
  const fitting = judged.filter((one) => one.differences.length === 0);
  const most = Math.max(0, ...fitting.map((one) => one.explained));
  const best = most === 0 ? [] : fitting.filter((one) => one.explained === most);
  const nearest = [...judged].sort((one, other) => other.explained - one.explained)[0];
  const [first] = best;
  return {
    releases: best.map((one) => one.release),
    absent: new Set(best.flatMap((one) => [...one.absent])),
    by:
      first === undefined
        ? 'its structures fit no release known'
        : `${most} structures of its BTF are those of ${best.map((one) => one.release).join(' and ')} (${first.told.join(', ')})`,
    differences: first === undefined ? (nearest?.differences ?? []) : [],
    pageSize,
  };
}

function compareWith(release: Release, shapeIn: (name: string) => Shape | null, pageSize: number) {
  const explained = new Map<string, string>();
  const absent = new Set<string>();
  const differences: string[] = [];
  for (const contract of spokenBy(release)) {
    const structs = measurable(contract);
    if (structs.length === 0) continue;
    // luo-v1 lists the FLB page, which its first release did not have yet: it counts for the layer that is about it.
    const counted = contract.layer === 'luo' && contract.format === 'fdt' ? structs.filter((struct) => !struct.name.startsWith('luo_flb')) : structs;
    const found = counted.map((struct) => ({ struct, shape: shapeIn(nameIn(struct)) }));
    const own = found.filter(({ shape }) => shape !== null);
    if (own.length === 0) {
      absent.add(contract.id);
      continue;
    }
    for (const { struct } of found.filter(({ shape }) => shape === null)) differences.push(`${contract.id} has struct ${struct.name}, this kernel has not`);
    for (const { struct, shape } of own) {
      if (shape === null) continue;
      const expected = shapeOfContract(struct, pageSize);
      if (sameShape(expected, shape)) explained.set(struct.name, `${struct.name} ${shape.size} bytes`);
      else
        differences.push(
          ...compareShapes(expected, shape)
            .filter((difference) => difference.kind !== 'renamed')
            .map((difference) => `${contract.id}: ${difference.text}`),
        );
    }
  }
  return {
    release,
    explained: explained.size,
    told: [...explained.values()].filter((text) => /^(luo_ser|luo_session_header|memfd_luo_ser|kho_block|kho_mem_phys_bits|kho_radix_leaf)/.test(text)),
    absent,
    differences,
  };
}

/** The measured shapes of a contract's structures; null where the kernel has none of them. */
export function shapesOf(btf: Btf, contract: Contract): ReadonlyMap<string, Shape> | null {
  const found = new Map<string, Shape>();
  for (const struct of contract.structs) {
    const shape = shapeOfBtf(btf, nameIn(struct));
    if (shape !== null) found.set(struct.name, { ...shape, name: struct.name });
  }
  return found.size === 0 ? null : found;
}
