/**
 * What a contract is: the promise between two kernels about one layer of the handover, named by its compatible string.
 * One file in `abi/<layer>/` describes one version; `registry.ts` lists them all.
 */
import type { FieldType, Struct } from './layout.js';
import { type Release, releases } from './releases.js';

export type { Release } from './releases.js';

export type Layer =
  | 'kho'
  | 'luo'
  | 'luo-session'
  | 'luo-flb'
  | 'memfd'
  | 'memblock'
  | 'reserve-mem'
  | 'kexec-metadata'
  | 'kho-test'
  | 'liveupdate-test-flb'
  | 'vfio-pci'
  | 'pci'
  | 'iommu'
  | 'kvm-vm'
  | 'guest-memfd'
  | 'kvm-vcpu'
  | 'cpu'
  | 'cpu-flb'
  | 'iommufd'
  | 'hwpoison'
  | 'kvm-run'
  | 'hugetlb'
  | 'handler'
  | 'flb'
  | 'kho-vmalloc'
  | 'block'
  | 'boot'
  | 'uapi'
  | 'user-space'
  | 'kernel';

export interface FdtProperty {
  readonly type: FieldType;
  readonly required: boolean;
  /** the value is a list of `type` that ends where the property ends */
  readonly repeats?: boolean;
}

/** A node of an FDT whose property values are raw native-endian bytes (never FDT cells). */
export interface FdtNodeLayout {
  /** the node's name; `*` stands for any name, one node each */
  readonly name: string;
  readonly meaning: string;
  readonly properties: Readonly<Record<string, FdtProperty>>;
  readonly children: readonly FdtNodeLayout[];
  /** some releases that speak the contract leave the node out */
  readonly optional?: boolean;
}

/** Whole pages that hold a header and then entries of one size; how many fit follows from the two layouts (src/codec/area.ts). */
export interface Area {
  readonly name: string;
  readonly meaning: string;
  readonly header: Struct | null;
  readonly entry: Struct;
  /** pages of one piece; pieces that are chained hold as many each */
  readonly pages: number;
  /** of a layout that was measured: BTF does not tell `pages`, so the block that the preserved map has there does */
  readonly sizedByMap?: true;
  /** pieces in one chain at most; 1 where there is no chain */
  readonly maxPieces: number;
  /** what user space gets when the area is full */
  readonly whenFull: string | null;
}

/** How far a contract has come. */
export type Status = 'released' | 'window' | 'queued' | 'review' | 'rfc' | 'superseded' | 'test' | 'user-space' | 'own';

/** The preserved memory map: chunks that name bitmaps of 512 bytes or of a page, or a radix tree. */
export type MapForm = 'chunks-512' | 'chunks-page' | 'radix';

export interface Contract {
  readonly layer: Layer;
  /** unique among all contracts; the compatible string, with a suffix where one string names several layouts */
  readonly id: string;
  /** the string in memory; null where the layer has none of its own and is versioned by another */
  readonly compatible: string | null;
  /** how the bytes are laid out in memory */
  readonly format: 'fdt' | 'struct' | 'opaque';
  readonly structs: readonly Struct[];
  readonly fdt?: FdtNodeLayout;
  readonly areas?: readonly Area[];
  /** KHO alone: how the preserved memory map is kept */
  readonly map?: MapForm;
  /** the first release that speaks it; null where none does */
  readonly since: Release | null;
  /** the last release that speaks it; null where the newest known still does */
  readonly until: Release | null;
  /** every release from `since` to `until` */
  readonly releases: readonly Release[];
  /**
   * `released`: in a kernel release; `window`: only inside a merge window; `queued`: in a maintainer's tree and linux-next;
   * `review`, `rfc`: posted as a patch series, or as a request for comments; `superseded`: a later mail of the series has another layout;
   * `test`: a kernel's own test; `user-space`: laid down by a program, not the kernel;
   * `own`: described by whoever runs the tool, so that nothing is known of how the kernels that speak it behave
   */
  readonly status: Status;
  /** of a proposal: the day it was posted or pushed, as `source` names it; `2026-09-18`, or only the year and month */
  readonly date?: string;
  /** of what is queued: the release it is expected in; not a promise */
  readonly expected?: string;
  readonly source: string;
  /** where `compatible` names other layouts too: how the bytes tell this one from them */
  readonly discriminates?: string;
  /** rules and traps worth telling a reader; short sentences */
  readonly notes: readonly string[];
  /** for layouts that were measured in a kernel's type information: whose, and how they differ from what is described */
  readonly measured?: Measured;
}

/** Is what kernels do with it known, or its layout alone? */
export const behaviourIsKnown = (contract: Contract | null): boolean => contract !== null && contract.measured === undefined && contract.status !== 'own';

/** A contract nobody described: structures from the BTF of the kernel that wrote it, everything else from the contract it descends from. */
interface Measured {
  readonly from: 'btf';
  /** the file the BTF is from, as messages name it */
  readonly source: string;
  /** id of the contract whose form it has */
  readonly nearest: string;
  /** its string names a described contract, and the layouts disagree */
  readonly contradicts: boolean;
  /** fields of `nearest` that are gone, `struct.field` */
  readonly missing: readonly string[];
  /** fields of `nearest` that are taken to be there under another name, `struct.field (new name)` */
  readonly renamed: readonly string[];
  /** what differs from `nearest`, a sentence each */
  readonly differences: readonly string[];
}

type Spoken = 'since' | 'until' | 'releases';
type Usual = 'compatible' | 'format';
type Described = Omit<Contract, Spoken | Usual> & Partial<Pick<Contract, 'since' | 'until' | Usual>>;

type Made<C extends Described> = Omit<C, Spoken | 'format'> & Pick<Contract, Spoken | 'format'>;

/**
 * A contract as its file describes it. Left out, `since`: no release speaks it; `until`: none has stopped yet; `compatible`: the id is the string;
 * `format`: a struct.
 */
export function contract<const C extends Described & Pick<Contract, 'compatible'>>(value: C): Made<C>;
export function contract<const C extends Described>(value: C): Made<C> & { readonly compatible: C['id'] };
export function contract(value: Described): Contract {
  const [since, until] = [value.since ?? null, value.until ?? null];
  const last = until === null ? releases.length : releases.indexOf(until) + 1;
  return { compatible: value.id, format: 'struct', ...value, since, until, releases: since === null ? [] : releases.slice(releases.indexOf(since), last) };
}

/** Is it of a patch series that no release has? */
export const isProposed = ({ status }: Pick<Contract, 'status'>): boolean =>
  status === 'queued' || status === 'review' || status === 'rfc' || status === 'superseded';

/** `queued, 2026-09-28, expected in 7.4`; of several contracts under one string the farthest, then the newest. */
export function standingOf(contracts: readonly Contract[]): string {
  const [first] = [...contracts].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || (b.date ?? '').localeCompare(a.date ?? ''));
  if (first === undefined) return 'unknown';
  return [first.status, first.date, first.expected === undefined ? undefined : `expected in ${first.expected}`].filter((part) => part !== undefined).join(', ');
}

const ORDER: readonly Contract['status'][] = ['released', 'window', 'queued', 'review', 'rfc', 'superseded', 'test', 'user-space', 'own'];
