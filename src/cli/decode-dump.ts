/** Decodes an opened dump, with what its memory tells of the kernel where the container does not. For every command that takes a dump. */
import type { Btf } from '../compat/btf/btf.js';
import { contractsOfBtf } from '../compat/btf-contracts.js';
import type { OpenedDump } from '../container/opened-dump.js';
import type { Contracts } from '../handover/contracts.js';
import type { KnownPlaces } from '../handover/find.js';
import { type DecodedDump, type Handover, decodeHandovers } from '../handover/decode.js';
import { type RunningKernel, pageSizeFromMemory, runningKernel, withPageSize } from '../handover/kernel/running.js';
import { type ImageSearch, kernelImages } from '../kernel/image.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { knownPlaces } from '../objects/places.js';
import { vmcoreinfoThatRuns } from '../objects/which-kernel.js';
import { type BtfOption, type DumpBtf, hasUnknownVersion } from './dump-contracts.js';
import { kernelOf, type SymbolOptions } from './load-objects.js';
import type { DumpReport } from '../report/dump-report.js';

interface DecodedFile {
  /** as opened, with page size and VMCOREINFO as the memory tells them */
  readonly opened: OpenedDump;
  readonly decoded: DecodedDump;
  readonly kernel: (NonNullable<DumpReport['kernel']> & { readonly evidence: string | null }) | null;
}

interface DecodeOptions {
  /** physical address of the root FDT, as the user named it */
  readonly khoFdt: number | null;
  readonly contracts?: Contracts | undefined;
  /** physical address of the root FDT that the running kernel says it was started with, where that is known */
  readonly takenUp?: number;
  readonly places?: KnownPlaces | null;
  readonly searchAll?: boolean;
  /** an earlier decoding of the same dump: its memory is not searched again */
  readonly before?: DecodedFile;
}

/** Decodes a dump. Where it carries no VMCOREINFO, its memory is asked for the kernel and the size of pages. */
export function decodeDump(opened: OpenedDump, { khoFdt, contracts, takenUp, places, searchAll = false, before }: DecodeOptions): DecodedFile {
  const input = { files: opened.handoverFiles, khoFdt, takenUp: takenUp ?? null, ...(contracts === undefined ? {} : { contracts }) };
  const release = opened.vmcoreinfo?.get('OSRELEASE') ?? null;
  const find = release === null || before === undefined ? {} : { find: before.decoded.find };
  const decoded = decodeHandovers({
    ...input,
    ...find,
    places: places ?? null,
    searchAll,
    memory: opened.memory,
    runningRelease: release,
    searchKernels: release === null,
  });
  if (opened.recorded?.release != null && release === null) {
    const { text, foundBy } = opened.recorded.release;
    return { opened, decoded: decodeHandovers({ ...input, memory: opened.memory, runningRelease: text }), kernel: { release: text, foundBy, evidence: null } };
  }
  if (release !== null) return { opened, decoded, kernel: { release, foundBy: 'vmcoreinfo', evidence: null } };
  const pageSize = opened.pageSizeFromDump === null ? pageSizeFromMemory(decoded) : null;
  const memory = pageSize === null || pageSize === opened.memory.pageSize ? opened.memory : withPageSize(opened.memory, pageSize);
  const inPages = memory === opened.memory ? decoded : decodeHandovers({ ...input, memory, searchKernels: true });
  const kernel = runningKernel(inPages);
  const found = kernelPages(opened, memory, inPages, kernel);
  const incoming = new Set(
    inPages.handovers.flatMap(({ role, candidate }) => (role === 'incoming' && candidate.fdtAddress !== null ? [candidate.fdtAddress] : [])),
  );
  const vmcoreinfo = found.pages.length < 2 ? (found.pages[0] ?? null) : vmcoreinfoThatRuns(memory, found.pages, incoming);
  const told = kernel?.release ?? vmcoreinfo?.get('OSRELEASE') ?? null;
  if (told === null) return { opened: { ...opened, memory }, decoded: inPages, kernel: null };
  return {
    opened: { ...opened, memory, vmcoreinfo },
    decoded: decodeHandovers({ ...input, memory, runningRelease: told, find: inPages.find }),
    kernel: {
      release: told,
      foundBy: kernel?.foundBy ?? 'kernel-image',
      evidence: [kernel?.evidence, found.evidence].filter((text) => text != null).join('; '),
    },
  };
}

/** Images that are looked at: those of kernels before stay in memory as well. */
const MOST_IMAGES = 8;
/** A dump is decoded more than once; its memory is searched once. */
const searched = new WeakMap<PhysicalMemory, ImageSearch>();

/** What tells where the kernel's memory is: VMCOREINFO pages, or where there are none, what follows from its image. */
function kernelPages(
  opened: OpenedDump,
  memory: PhysicalMemory,
  decoded: DecodedDump,
  kernel: RunningKernel | null,
): { readonly pages: readonly ReadonlyMap<string, string>[]; readonly evidence: string | null } {
  if (kernel?.vmcoreinfo != null) return { pages: [kernel.vmcoreinfo], evidence: null };
  if (kernel !== null && kernel.several.length > 0) return { pages: kernel.several, evidence: null };
  if (opened.arch === 'aarch64') return { pages: [], evidence: null };
  const preserved = (address: number): boolean => decoded.handovers.some(({ map }) => (map?.blockOf(address) ?? null) !== null);
  const search = searched.get(opened.memory) ?? kernelImages(memory, MOST_IMAGES, preserved);
  searched.set(opened.memory, search);
  const { images, ended } = search;
  const own = images.filter(({ release }) => kernel === null || release === kernel.release);
  if (own.length === 0) return { pages: [], evidence: ended };
  return {
    pages: own.map(({ vmcoreinfo }) => vmcoreinfo),
    evidence: `kernel image with kallsyms at ${own.map(({ address }) => `0x${address.toString(16)}`).join(', ')}`,
  };
}

/** A decoded dump, with what its unknown versions were read by. */
export interface ReadDump extends DecodedFile {
  readonly btf: DumpBtf | null;
  /** of files beside the dump that could not be used, why; a sentence each */
  readonly said: readonly string[];
}

/**
 * The same by the types of the kernel in the dump itself; null where they add nothing: every version is described, and none of the
 * running kernel's own handover is laid out otherwise.
 */
export function decodeDumpByOwnBtf(opened: OpenedDump, khoFdt: number | null, before: DecodedFile, btf: Btf): ReadDump | null {
  const { decoded } = before;
  const source = `the BTF in ${opened.path}`;
  // What the running kernel received was written by another.
  const isWriter = decoded.handovers.every(({ role }) => role === 'outgoing' || role === 'stale');
  const contracts = contractsOfBtf(btf, { source, trusted: isWriter, fromDump: true });
  const names = decoded.handovers.flatMap((handover) => [...namesIn(handover)]);
  const contradicts = isWriter && names.some((name) => contracts.named(name).some(({ measured }) => measured !== undefined));
  if (!contradicts && !hasUnknownVersion(decoded)) return null;
  return { ...decodeDump(opened, { khoFdt, contracts, before }), btf: { source, btf, contracts, evidence: `layouts: ${source}` }, said: [] };
}

/** The strings of a handover that name versions. */
function* namesIn({ compatible, luo }: Handover): Iterable<string> {
  for (const name of [compatible, luo?.compatible, luo?.sessionCompatible, luo?.flbCompatible]) if (name != null) yield* name.split(';');
  yield* new Set((luo?.sessions ?? []).flatMap(({ files }) => files.map((file) => file.compatible.text)));
  for (const flb of luo?.flbs ?? []) yield flb.name.text;
}

/** The same with what the running kernel's own objects say it was started with. */
export const decodeDumpTakenUp = (before: ReadDump, khoFdt: number | null, takenUp: number): ReadDump => ({
  ...decodeDump(before.opened, { khoFdt, contracts: before.btf?.contracts, takenUp, before }),
  btf: before.btf,
  said: before.said,
});

export interface ReadOptions extends BtfOption, SymbolOptions {
  /** search all memory for handovers, whatever the kernel's objects name */
  readonly scan?: boolean | undefined;
}

/** The same with the BTF of the kernel that wrote it, where --btf names one or one beside the dump is needed. @throws UserError */
export async function decodeDumpByBtf(opened: OpenedDump, khoFdt: number | null, options: ReadOptions): Promise<ReadDump> {
  const said: string[] = [];
  const { btf } = options;
  const kernel = await kernelOf(opened, options);
  const searchAll = options.scan === true;
  const places = kernel === null ? null : knownPlaces(kernel);
  if (btf === false) return { ...decodeDump(opened, { khoFdt, places, searchAll }), btf: null, said };
  const { foundBtf, namedBtf } = await import('./dump-contracts.js');
  if (typeof btf === 'string') {
    const named = await namedBtf(btf, opened);
    return { ...decodeDump(opened, { khoFdt, places, searchAll, contracts: named.contracts }), btf: named, said };
  }
  const read = decodeDump(opened, { khoFdt, places, searchAll });
  const found = await foundBtf(read.opened, read.decoded, said);
  return found === null ? { ...read, btf: null, said } : { ...decodeDump(opened, { khoFdt, contracts: found.contracts, before: read }), btf: found, said };
}
