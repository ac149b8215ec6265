/**
 * What the chosen releases do differently, as data. Formats are in abi/; here stands only which of them a release speaks, and the
 * few places where its code behaves otherwise. Source: the releases' own behaviour, as measured and read (6.19.11, 7.1.13, 7.2.13, 7.3.4).
 */
import type { Layer, MapForm, Release } from '../../../abi/contract.js';
import { releaseOf, spokenBy } from '../../../abi/registry.js';
import { UserError } from '../../codec/user-error.js';

export interface KernelSpec {
  readonly release: Release;
  /** what uname(2) says */
  readonly uname: string;
  readonly khoCompatible: string;
  /** the preserved memory map */
  readonly map: MapForm;
  /** how the root FDT records a subtree */
  readonly record: 'fdt' | 'blob-size';
  /** the outgoing tree is there from boot; up to 6.18 it comes only with the finalize file of debugfs, which no scenario writes */
  readonly handsOver: boolean;
  /** LUO's root: an FDT with contiguous areas (luo-v1), or a struct with block lists (luo-v5); `none` before there was LUO */
  readonly luo: 'none' | 'fdt' | 'struct';
  readonly luoCompatible: string;
  readonly memfdCompatible: string;
  /** LUO has file-lifecycle-bound objects */
  readonly flbs: boolean;
  /** leaves word of itself in kexec-metadata */
  readonly kexecMetadata: boolean;
  /** LIVEUPDATE_SESSION_GET_NAME exists */
  readonly hasGetName: boolean;
  /** FINISH refuses a `reserved` that is not 0 */
  readonly finishChecksReserved: boolean;
  /** what one step of a write covers: a write across the end of a file that must not grow is cut at the last of them before the end */
  readonly writeChunk: 'page' | 'largest-folio';
  /** F_SEAL_EXEC on an executable file: the seals it implies are refused where mappings or pins are in their way (3b041514cb6e) */
  readonly impliedSealsAreChecked: boolean;
  /** CREATE_SESSION with an empty name, or one without a NUL: refused, or taken as far as it fits */
  readonly sessionNames: 'checked' | 'cut';
  /** ioctls of the outgoing side are refused on incoming sessions, and the other way round */
  readonly ioctlsKnowTheirSide: boolean;
  /** a file can be preserved once */
  readonly filesPreservedOnce: boolean;
  /** open("/dev/liveupdate") fails where something could not be deserialised; else it says nothing of it */
  readonly openTellsFailure: boolean;
  /** a file handler's module is pinned as long as it is registered, not only while LUO holds files of it */
  readonly handlersPinned: boolean;
  /** an FLB whose retrieve failed answers the same error again instead of trying again */
  readonly flbRetrieveIsCached: boolean;
}

/** What a release's code does otherwise than another's, formats apart. */
type Habits = Omit<KernelSpec, 'khoCompatible' | 'map' | 'record' | 'luo' | 'luoCompatible' | 'memfdCompatible' | 'flbs' | 'kexecMetadata'>;

const v71: Habits = {
  release: '7.1',
  uname: '7.1.13',
  handsOver: true,
  hasGetName: false,
  finishChecksReserved: false,
  writeChunk: 'page',
  impliedSealsAreChecked: true,
  sessionNames: 'checked',
  ioctlsKnowTheirSide: true,
  filesPreservedOnce: true,
  openTellsFailure: true,
  handlersPinned: false,
  flbRetrieveIsCached: false,
};

const v72: Habits = {
  ...v71,
  release: '7.2',
  uname: '7.2.13',
  hasGetName: true,
  finishChecksReserved: true,
  writeChunk: 'largest-folio',
  flbRetrieveIsCached: true,
};

/** LUO's first release. */
const v619: Habits = {
  ...v71,
  release: '6.19',
  uname: '6.19.11',
  impliedSealsAreChecked: false,
  sessionNames: 'cut',
  ioctlsKnowTheirSide: false,
  filesPreservedOnce: false,
  openTellsFailure: false,
  handlersPinned: true,
};

/** Its error paths were not read: taken to be those of 6.19. */
const v70: Habits = { ...v619, release: '7.0', uname: '7.0.0' };

/** Kernels with KHO alone: they take memory and reserve_mem over, know no LUO, and hand nothing on without debugfs. */
const v618: Habits = { ...v71, release: '6.18', uname: '6.18.15', handsOver: false };

const habits: readonly Habits[] = [
  { ...v618, release: '6.16', uname: '6.16.0' },
  { ...v618, release: '6.17', uname: '6.17.8' },
  { ...v618, release: '6.17.9', uname: '6.17.9' },
  v618,
  v619,
  v70,
  v71,
  v72,
  { ...v72, release: '7.3', uname: '7.3.4' },
];

/** The formats of a release, from its contracts. */
function spec(own: Habits): KernelSpec {
  const speaks = (layer: Layer) => spokenBy(own.release, layer)[0];
  const [kho, luo] = [speaks('kho'), speaks('luo')];
  return {
    ...own,
    khoCompatible: kho?.compatible ?? '',
    map: kho?.map ?? 'radix',
    record: kho?.fdt?.children.some(({ properties }) => 'blob-size' in properties) === true ? 'blob-size' : 'fdt',
    luo: luo === undefined ? 'none' : luo.format === 'fdt' ? 'fdt' : 'struct',
    luoCompatible: luo?.compatible ?? '',
    memfdCompatible: speaks('memfd')?.compatible ?? '',
    flbs: luo?.format === 'struct' || speaks('luo-flb') !== undefined,
    kexecMetadata: speaks('kexec-metadata') !== undefined,
  };
}

export const simulatedReleases: readonly KernelSpec[] = habits.map(spec);

/**
 * The kernel that `release` (`7.3`, `7.3.4`) names.
 * @throws UserError if the engine has no kernel of that release
 */
export function kernelSpec(release: string): KernelSpec {
  const named = /^\d+\.\d+(\.\d+)?$/.exec(release);
  const found = named === null ? undefined : simulatedReleases.find((one) => one.release === releaseOf(release));
  if (found === undefined) {
    const known = simulatedReleases.map((one) => one.release).join(', ');
    throw new UserError(`the engine has no kernel of release ${JSON.stringify(release)}: choose one of ${known}`);
  }
  return named?.[1] === undefined ? found : { ...found, uname: release };
}
