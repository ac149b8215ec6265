/**
 * What the chosen releases do differently, as data. Formats are in abi/; here stands only which of them a release speaks, and the
 * few places where its code behaves otherwise. Source: the releases' own behaviour, as measured and read (7.1.13, 7.2.13, 7.3.4).
 */
import type { Release } from '../../../abi/contract.js';
import { UserError } from '../../codec/user-error.js';

export interface KernelSpec {
  readonly release: Release;
  /** what uname(2) says */
  readonly uname: string;
  readonly khoCompatible: string;
  /** LUO's root: an FDT with contiguous areas (luo-v1), or a struct with block lists (luo-v5) */
  readonly luo: 'fdt' | 'struct';
  readonly luoCompatible: string;
  readonly memfdCompatible: string;
  /** LIVEUPDATE_SESSION_GET_NAME exists */
  readonly hasGetName: boolean;
  /** FINISH refuses a `reserved` that is not 0 */
  readonly finishChecksReserved: boolean;
  /** a write that crosses the end of a frozen file: refused as a whole, or cut short where the file ends */
  readonly writeAcrossFrozenEnd: 'refused' | 'short';
  /** an FLB whose retrieve failed answers the same error again instead of trying again */
  readonly flbRetrieveIsCached: boolean;
}

const v71: KernelSpec = {
  release: '7.1',
  uname: '7.1.13',
  khoCompatible: 'kho-v3',
  luo: 'fdt',
  luoCompatible: 'luo-v1',
  memfdCompatible: 'memfd-v2',
  hasGetName: false,
  finishChecksReserved: false,
  writeAcrossFrozenEnd: 'short',
  flbRetrieveIsCached: false,
};

const v72: KernelSpec = {
  release: '7.2',
  uname: '7.2.13',
  khoCompatible: 'kho-v4',
  luo: 'struct',
  luoCompatible: 'luo-v5',
  memfdCompatible: 'memfd-v2',
  hasGetName: true,
  finishChecksReserved: true,
  writeAcrossFrozenEnd: 'refused',
  flbRetrieveIsCached: true,
};

const v73: KernelSpec = { ...v72, release: '7.3', uname: '7.3.4' };

export const simulatedReleases: readonly KernelSpec[] = [v71, v72, v73];

/**
 * The kernel that `release` (`7.3`, `7.3.4`) names.
 * @throws UserError if the engine has no kernel of that release
 */
export function kernelSpec(release: string): KernelSpec {
  const parts = /^(\d+\.\d+)(?:\.\d+)?$/.exec(release);
  const found = simulatedReleases.find((spec) => spec.release === parts?.[1]);
  if (found === undefined) {
    const known = simulatedReleases.map((spec) => spec.release).join(', ');
    throw new UserError(`the engine has no kernel of release ${JSON.stringify(release)}: choose one of ${known}`);
  }
  return parts !== null && release !== parts[1] ? { ...found, uname: release } : found;
}
