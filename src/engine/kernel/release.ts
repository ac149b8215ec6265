/** A kernel of a release: what it speaks follows from the contracts of that release, what it does otherwise from abi/behaviour/habits.ts. */
import { outcomeOf } from '../../../abi/behaviour/facts.js';
import { type Habits, habitsOf } from '../../../abi/behaviour/habits.js';
import type { Area, Contract, Layer, MapForm, Release } from '../../../abi/contract.js';
import type { Struct } from '../../../abi/layout.js';
import { contractById, contracts, type ExpectedRelease, expectedReleaseOf, expectedReleases, releaseOf, releases, spokenBy } from '../../../abi/registry.js';
import { areaOf } from '../../codec/area.js';
import { UserError } from '../../codec/user-error.js';

export interface KernelSpec extends Habits {
  /** open("/dev/liveupdate") fails where something could not be deserialised; else it says nothing of it */
  readonly openTellsFailure: boolean;
  readonly khoCompatible: string;
  /** the preserved memory map */
  readonly map: MapForm;
  /** how the root FDT records a subtree */
  readonly record: 'fdt' | 'blob-size';
  /** LUO's root: an FDT with contiguous areas (luo-v1), or a struct with block lists (luo-v5); `none` before there was LUO */
  readonly luo: 'none' | 'fdt' | 'struct';
  readonly luoCompatible: string;
  readonly memfdCompatible: string;
  /** LUO has file-lifecycle-bound objects */
  readonly flbs: boolean;
  /** leaves word of itself in kexec-metadata */
  readonly kexecMetadata: boolean;
  /** where sessions, the files of one, and FLBs are listed; null before there was LUO */
  readonly areas: { readonly sessions: Area; readonly files: Area; readonly flbs: Area | null } | null;
  /** struct luo_ser; null where LUO's root is no struct */
  readonly luoSer: Struct | null;
  /** the PCI core preserves devices by itself: its FLB; null where only the mail series does */
  readonly pci: Contract | null;
  /** the release it stands for is not there yet */
  readonly expected: string | null;
  /** struct memfd_luo_ser; null before there was one */
  readonly memfdSer: Struct | null;
}

/** The formats of a release, from its contracts. */
function spec(release: Release, others: readonly Contract[] = []): KernelSpec {
  const speaks = (layer: Layer) => others.find((contract) => contract.layer === layer) ?? spokenBy(release, layer)[0];
  const [kho, luo] = [speaks('kho'), speaks('luo')];
  const [sessions, files] = luo === undefined ? [null, null] : [areaOf(luo, 'sessions'), areaOf(luo, 'files')];
  return {
    ...habitsOf(release),
    openTellsFailure: outcomeOf('version/handler', release)?.kind === 'open-fails',
    khoCompatible: kho?.compatible ?? '',
    map: kho?.map ?? 'radix',
    record: kho?.fdt?.children.some(({ properties }) => 'blob-size' in properties) === true ? 'blob-size' : 'fdt',
    luo: luo === undefined ? 'none' : luo.format === 'fdt' ? 'fdt' : 'struct',
    luoCompatible: luo?.compatible ?? '',
    memfdCompatible: speaks('memfd')?.compatible ?? '',
    flbs: luo?.format === 'struct' || speaks('luo-flb') !== undefined,
    kexecMetadata: speaks('kexec-metadata') !== undefined,
    areas: sessions === null || files === null ? null : { sessions, files, flbs: luo === undefined ? null : areaOf(luo, 'flbs') },
    luoSer: luo?.format === 'struct' ? (luo.structs[0] ?? null) : null,
    memfdSer: speaks('memfd')?.structs[0] ?? null,
    pci: speaks('pci') ?? null,
    expected: null,
  };
}

export const simulatedReleases: readonly KernelSpec[] = releases.map((release) => spec(release));

/** What uname(2) says of a kernel that is not released, so that every dump and log of it does. */
const EXPECTED = '-expected';

/** A release that is expected: the last one known, with what is queued for it on top. */
const expectedSpec = ({ release, like }: ExpectedRelease): KernelSpec => ({
  ...spec(
    like,
    contracts.filter(({ expected }) => expected === release),
  ),
  uname: `${release}.0${EXPECTED}`,
  expected: release,
});

/**
 * The kernel that `release` (`7.3`, `7.3.4`) names, an expected one (`7.4`) too.
 * @param speaks contracts, by id, in place of those of the release
 * @throws UserError if the engine has no kernel of that release, or there is no such contract
 */
export function kernelSpec(release: string, speaks: readonly string[] = []): KernelSpec {
  const named = /^\d+\.\d+(\.\d+)?$/.exec(release);
  const known = named === null ? null : releaseOf(release);
  const expected = named === null || known !== null ? null : expectedReleaseOf(release);
  if (known === null && expected === null) {
    const choice = [...simulatedReleases.map((one) => one.release), ...expectedReleases.map((one) => `${one.release} (expected)`)].join(', ');
    throw new UserError(`the engine has no kernel of release ${JSON.stringify(release)}: choose one of ${choice}`);
  }
  const others = speaks.map((id) => {
    const found = contractById(id);
    if (found === null) throw new UserError(`no contract is called ${JSON.stringify(id)}: luo-inspect abi list names them`);
    return found;
  });
  const found = known !== null ? spec(known, others) : expected !== null ? expectedSpec(expected) : null;
  if (found === null) throw new UserError(`the engine has no kernel of release ${JSON.stringify(release)}`);
  return named?.[1] === undefined ? found : { ...found, uname: `${release}${found.expected === null ? '' : EXPECTED}` };
}
