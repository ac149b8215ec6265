/**
 * Which kernel runs in a memory image that carries no note about it: told by the kernels' own VMCOREINFO pages (a kernel fills
 * one when it boots), by version banners, or by the kexec metadata of the handover it writes. Memory can hold those of earlier kernels, of images to be booted and of guests;
 * a release is claimed only where one is left, or where the handover decides.
 */
import { pageSizeOf, parseVmcoreinfo } from '../../codec/vmcoreinfo.js';
import { type PhysicalMemory, readBytes } from '../../memory/memory.js';
import type { DecodedDump } from '../decode.js';
import { hex } from '../../tree/words.js';
import type { KernelTraces } from '../scan.js';

export interface RunningKernel {
  readonly release: string;
  readonly foundBy: 'vmcoreinfo-page' | 'banner' | 'kexec-metadata';
  readonly evidence: string;
  /** of that kernel, where its page was found */
  readonly vmcoreinfo: ReadonlyMap<string, string> | null;
  /** where several kernels of that release have left a page, what each holds: `vmcoreinfo` is null then */
  readonly several: readonly ReadonlyMap<string, string>[];
}

interface Page {
  readonly address: number;
  readonly release: string;
  readonly lines: ReadonlyMap<string, string>;
}

/** Longest text of a VMCOREINFO page that is read; kernels write some three thousand bytes. */
const MAX_TEXT = 4096;
const RELEASE = /^\d+\.\d+[\w.+~-]{0,60}$/;

/** The release of the kernel that runs, or null where nothing tells it, or several could. */
export function runningKernel(dump: DecodedDump): RunningKernel | null {
  const { memory, find, handovers } = dump;
  const preserved = (address: number): boolean => handovers.some((handover) => (handover.map?.blockOf(address) ?? null) !== null);
  const pages = pagesOf(memory, find.kernels).filter(({ address }) => !preserved(address));
  const banners = find.kernels.banners.filter(({ address }) => !preserved(address));
  const byPage = new Set(pages.map(({ release }) => release));
  const byBanner = new Set(banners.map(({ release }) => release));
  const claim = (release: string, why: string): RunningKernel => {
    const page = pages.find((candidate) => candidate.release === release);
    const places = (page === undefined ? banners : pages).filter((place) => place.release === release).map(({ address }) => hex(address));
    const evidence = `kernel ${release}: ${page === undefined ? 'its banner' : 'its VMCOREINFO page'} at ${places.slice(0, 4).join(', ')}; ${why}`;
    // Of two kernels of one release the page of the earlier would lead into memory that is no longer its own.
    const different = new Map(pages.filter((candidate) => candidate.release === release).map(({ lines }) => [JSON.stringify([...lines]), lines]));
    const alone = different.size === 1;
    return {
      release,
      foundBy: page === undefined ? 'banner' : 'vmcoreinfo-page',
      evidence,
      vmcoreinfo: alone ? (page?.lines ?? null) : null,
      several: alone ? [] : [...different.values()],
    };
  };
  const all = new Set([...byPage, ...byBanner]);
  const only = single(all);
  if (only !== null) return claim(only, 'no other kernel left a trace');
  const incoming = handovers.find(({ role }) => role === 'incoming');
  const outgoing = handovers.find(({ role }) => role === 'outgoing');
  const writer = outgoing?.kexecMetadata?.previousRelease ?? null;
  if (all.size === 0) return writer === null || writer === '' ? null : ofWriter(writer);
  const previous = incoming?.kexecMetadata?.previousRelease ?? null;
  if (previous !== null) {
    const without = (set: ReadonlySet<string>): string | null => single(new Set([...set].filter((release) => release !== previous)));
    const next = without(byPage) ?? without(byBanner);
    return next === null ? null : claim(next, `the other kernel with a trace, ${previous}, is the one that the incoming handover is from`);
  }
  if (incoming === undefined && writer !== null && all.has(writer)) return claim(writer, 'it wrote the outgoing handover');
  const paged = single(byPage);
  return incoming === undefined && paged !== null ? claim(paged, 'the only kernel that has run here') : null;
}

/** The outgoing handover is the running kernel's own work, and names it. */
const ofWriter = (release: string): RunningKernel => ({
  release,
  foundBy: 'kexec-metadata',
  evidence: `kernel ${release}: it wrote the outgoing handover`,
  vmcoreinfo: null,
  several: [],
});

/** Bytes of a page on the machine, where a devicetree that names the handover or the kernels' own pages tell; else null. */
export function pageSizeFromMemory(dump: DecodedDump): number | null {
  const fromChosen = dump.find.candidates.flatMap(({ foundBy, namedBy }) => (foundBy === 'devicetree' ? namedBy.map((node) => node.fdtSize) : []));
  const sizes = fromChosen.length > 0 ? fromChosen : pagesOf(dump.memory, dump.find.kernels).map(({ lines }) => Number(lines.get('PAGESIZE')));
  return pageSizeOf(new Map([['PAGESIZE', `${single(new Set(sizes))}`]]));
}

/** The same memory in pages of another size. */
export const withPageSize = (memory: PhysicalMemory, pageSize: number): PhysicalMemory => ({
  pageSize,
  get readable() {
    return memory.readable;
  },
  stateOf: (address) => memory.stateOf(address),
  readInto: (address, length, target, targetOffset) => memory.readInto(address, length, target, targetOffset),
});

const single = <T>(set: ReadonlySet<T>): T | null => (set.size === 1 ? ([...set][0] ?? null) : null);

function pagesOf(memory: PhysicalMemory, traces: KernelTraces): readonly Page[] {
  return traces.vmcoreinfoPages.flatMap((address) => {
    const lines = parseVmcoreinfo(readBytes(memory, address, MAX_TEXT).bytes);
    const release = lines.get('OSRELEASE') ?? '';
    return RELEASE.test(release) && pageSizeOf(lines) !== null ? [{ address, release, lines }] : [];
  });
}
