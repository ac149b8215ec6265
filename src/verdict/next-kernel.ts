/** Which kernel takes a handover over, with which command line, and what the engine has to know to be that kernel. For the verdict and `step`. */
import { RESERVE_MEM_COMPATIBLE } from '../../abi/memblock/reserve-mem-v1.js';
import { u64 } from '../../abi/layout.js';
import { decodeValue } from '../codec/decode.js';
import { type FdtNode, fdtProperty, fdtStrings, parseFdt, hasFdtMagic } from '../codec/fdt.js';
import type { ConsoleLog } from '../diagnosis/log/console-log.js';
import { nextBoot } from '../diagnosis/log/situate.js';
import { scratchArraysOf } from '../diagnosis/scratch-arrays.js';
import { momentOf } from '../diagnosis/subject.js';
import { expectedReleaseOf, releaseOf } from '../../abi/registry.js';
import { type DumpStart, engineReleases } from '../engine/client.js';
import type { DecodedDump, Handover } from '../handover/decode.js';
import { SCRATCH_UNIT } from '../handover/scan.js';
import { PHYSICAL_LIMIT, type PhysicalMemory, readBytes } from '../memory/memory.js';

/** What a user says of the next kernel. */
export interface NextOptions {
  /** its release */
  readonly next?: string | undefined;
  /** how that was told, where it was no release; for `nextFoundBy` */
  readonly nextFoundBy?: string | undefined;
  readonly cmdline?: string | undefined;
}

/** What is known of the dump beside its handovers. */
export interface DumpFacts {
  readonly path: string;
  readonly memory: PhysicalMemory;
  readonly arch: string | null;
  /** utsname release of the kernel in the dump */
  readonly release: string | null;
}

export interface NextKernel {
  /** as it was found: 7.3, 7.3.4 */
  readonly release: string;
  readonly foundBy: string;
  /** the engine's kernel of that release; null where it has none */
  readonly engine: string | null;
  readonly cmdline: string | null;
  readonly cmdlineFoundBy: string | null;
}

/** The handover an answer is about: the one that is to be taken over next, or that the running kernel was given. */
export const judgedHandover = (decoded: DecodedDump): Handover | null =>
  decoded.handovers.find((one) => one.role !== 'stale' && one.candidate.fdtAddress !== null) ?? decoded.handovers[0] ?? null;

/** The kernel that takes `handover` over, as far as anything tells; null where nothing does. */
export function nextKernel(facts: DumpFacts, decoded: DecodedDump, handover: Handover, log: ConsoleLog | null, options: NextOptions): NextKernel | null {
  const boot = log === null ? null : nextBoot(log, decoded, handover);
  const told = boot === null ? null : commandLineOf(boot.lines.map(({ text }) => text));
  const cmdline = options.cmdline ?? told;
  const cmdlineFoundBy = options.cmdline !== undefined ? 'the caller' : told === null ? null : 'the console log';
  const running = handover.role === 'incoming' || handover.role === 'stale' ? 'the kernel in the dump, which was given it' : 'the kernel in the dump';
  const candidates: readonly { release: string | null; foundBy: string }[] = [
    { release: options.next ?? null, foundBy: options.nextFoundBy ?? 'as asked' },
    { release: boot?.release ?? null, foundBy: 'the console log' },
    { release: facts.release, foundBy: running },
    { release: handover.kexecMetadata?.previousRelease ?? null, foundBy: 'the release that handed over' },
  ];
  for (const { release, foundBy } of candidates)
    if (release !== null && /^\d+\.\d+/.test(release)) {
      const queued = expectedOf(release);
      const how = queued === null ? foundBy : `${foundBy}; expected, not released: as of ${queued.date}`;
      return { release, foundBy: how, engine: engineRelease(release), cmdline, cmdlineFoundBy };
    }
  const speaking = engineReleases.filter((spec) => spec.khoCompatible === handover.compatible).at(-1);
  return speaking === undefined
    ? null
    : { release: speaking.release, foundBy: `it speaks ${speaking.khoCompatible}`, engine: speaking.release, cmdline, cmdlineFoundBy };
}

const expectedOf = (release: string) => (releaseOf(release) === null ? expectedReleaseOf(release) : null);

/** A release as a sentence names it: one that is only expected says so. */
export const releaseName = (release: string): string => (expectedOf(release) === null ? release : `${release.replace(/-expected$/, '')} (expected)`);

/** The engine's kernel for a release: the longest that it starts with, in whole numbers. */
export function engineRelease(release: string): string | null {
  const fits = engineReleases.filter(
    (spec) => release === spec.release || (release.startsWith(spec.release) && !/^\d/.test(release.slice(spec.release.length))),
  );
  const best = fits.sort((a, b) => b.release.length - a.release.length)[0];
  if (best === undefined) return expectedOf(release)?.release ?? null;
  const exact = /^\d+\.\d+(\.\d+)?/.exec(release)?.[0];
  return exact ?? best.release;
}

const commandLineOf = (lines: readonly string[]): string | null => {
  const line = lines.find((text) => /^(Kernel c|C)ommand line: /.test(text));
  return line === undefined ? null : line.slice(line.indexOf(': ') + 2);
};

/**
 * Is it switched off? The last `name=` counts. Not given: LUO is off unless asked for, KHO as the kernel was configured (on, of one
 * that takes a handover over). Where no command line is known, both are taken to be on.
 */
export function isOff(cmdline: string | null, name: 'kho' | 'liveupdate'): boolean {
  if (cmdline === null) return false;
  const values = [...cmdline.matchAll(/(?:^|\s)(kho|liveupdate)=(\S+)/g)].filter((match) => match[1] === name);
  const last = values.at(-1)?.[2];
  return last === undefined ? name === 'liveupdate' : /^(off|0|n|no|f|false)$/i.test(last);
}

/** What the engine starts from: `handover` as it is in memory. @param fdtAddress its root FDT */
export function dumpStart(facts: DumpFacts, decoded: DecodedDump, handover: Handover, fdtAddress: number, next: NextKernel, engine: string): DumpStart {
  return {
    arch: facts.arch === 'aarch64' ? 'aarch64' : 'x86_64',
    pageSize: facts.memory.pageSize,
    fdtAddress,
    scratch: scratchOf(decoded, handover),
    memoryEnd: memoryEnd(decoded, handover),
    release: engine,
    kho: !isOff(next.cmdline, 'kho'),
    liveupdate: !isOff(next.cmdline, 'liveupdate'),
    reserveMem: regionsAsked(next.cmdline, decoded.memory.pageSize) ?? reservedRegions(decoded, handover),
    devices: devicesOf(handover),
    vfio: 'v5',
    steps: null,
  };
}

/** By what a start was chosen, a line each. */
export const startLines = (handover: Handover, fdtAddress: number, next: NextKernel, start: DumpStart): readonly string[] => [
  `the handover at 0x${fdtAddress.toString(16)} (${handover.path})`,
  handover.foreign.length > 0 && next.foundBy !== 'as asked'
    ? `run on ${next.release} as released, which is not the kernel in the dump: no release known speaks ${handover.foreign.map(({ compatible }) => compatible).join(', ')}`
    : `taken over by ${next.release}: ${next.foundBy}`,
  next.cmdline === null ? 'with kho=on liveupdate=on: no command line is known' : `with the command line as ${next.cmdlineFoundBy ?? ''} has it`,
  ...(start.devices.length === 0 ? [] : [`${start.devices.length} PCI device(s) as the handover names them, bound to vfio-pci (v5)`]),
];

/** The array that the next kernel reads: where the jump put it, or the one that waits for the jump. Null where there is none, or several do. */
function scratchOf(decoded: DecodedDump, handover: Handover): DumpStart['scratch'] {
  const { address, size, state } = handover.scratch;
  if (state === 'filled') return address === null ? null : { address, size };
  const arrays = scratchArraysOf({ handover, dump: decoded, moment: momentOf(handover) });
  // What the image has is what the jump puts into place; the kernel's own array is where it was copied from.
  const copies = arrays.filter(({ isCopy }) => isCopy);
  const [first] = copies.length > 0 ? copies : arrays;
  return first === undefined || first.address === null || copies.length > 1 ? null : { address: first.address, size };
}

/** Scratch areas that a kernel can have made: they are memory, whether or not the dump holds any of them. */
function memoryEnd(decoded: DecodedDump, handover: Handover): number {
  const arrays = scratchArraysOf({ handover, dump: decoded, moment: momentOf(handover) });
  const areas = arrays.flatMap((array) => array.areas).filter(({ start, size }) => start % SCRATCH_UNIT === 0 && size % SCRATCH_UNIT === 0);
  return areas.reduce((end, { start, size }) => (start + size < PHYSICAL_LIMIT ? Math.max(end, start + size) : end), 0);
}

const RESERVE_MEM_SUBTREE = 'memblock';
const NOWHERE = { line: 1, column: 1 };

/** reserve_mem=size:align:name of a command line; null where none is known. Source: mm/memblock.c reserve_mem(), 7.3. */
function regionsAsked(cmdline: string | null, pageSize: number): DumpStart['reserveMem'] | null {
  if (cmdline === null) return null;
  return [...cmdline.matchAll(/(?:^|\s)reserve_mem=([^:\s]+):([^:\s]+):(\S+)/g)].flatMap(([, size = '', align = '', name = '']) => {
    const [bytes, aligned] = [memparse(size), memparse(align)];
    return bytes === null || aligned === null ? [] : [{ name, size: bytes, align: Math.max(aligned, pageSize), position: NOWHERE }];
  });
}

/** A size as the kernel's memparse() reads it: any base, K, M, G, T after it. */
function memparse(text: string): number | null {
  const found = /^(0x[0-9a-f]+|\d+)([kmgt]?)$/i.exec(text);
  if (found === null) return null;
  return Number(found[1]) * 1024 ** ' kmgt'.indexOf((found[2] ?? '').toLowerCase() || ' ');
}

/**
 * reserve_mem= of the next kernel, where its command line is not known: what the one before had, as its own subtree says, wherever that is found and however it is
 * called now. A command line changes rarely between two kernels; what it asks for decides what is revived.
 */
function reservedRegions(decoded: DecodedDump, handover: Handover): DumpStart['reserveMem'] {
  const align = decoded.memory.pageSize;
  const known = handover.memblock ?? [];
  const found =
    known.length > 0
      ? known.map(({ name, size }) => ({ name, size: Number(size) }))
      : handover.subtrees.flatMap((subtree) => regionsAt(decoded.memory, subtree.address));
  // A kernel that had none hands over no such subtree: where it cannot be read, one region at least is asked for, and its FDT read.
  if (found.length === 0 && handover.subtrees.some(({ name }) => name === RESERVE_MEM_SUBTREE))
    return [{ name: 'reserve_mem', size: align, align, position: NOWHERE }];
  // No kernel asks for more than there is: a size beyond it is damage, and whatever the command line says is another.
  const most = decoded.memory.readable.reduce((end, range) => Math.max(end, range.end), 0);
  return found.map(({ name, size }) => ({ name, size: size > most ? align : size, align, position: NOWHERE }));
}

function regionsAt(memory: PhysicalMemory, address: number | null): readonly { readonly name: string; readonly size: number }[] {
  const read = address === null ? null : readBytes(memory, address, memory.pageSize);
  if (read === null || !read.ok || !hasFdtMagic(read.bytes)) return [];
  const { root } = parseFdt(read.bytes);
  return (root?.children ?? []).flatMap((node: FdtNode) => {
    const size = fdtProperty(node, 'size')?.value;
    const isRegion = fdtStrings(fdtProperty(node, 'compatible')).includes(RESERVE_MEM_COMPATIBLE);
    return isRegion && size?.length === 8 ? [{ name: node.name, size: Number(decodeValue(u64('size'), size)) }] : [];
  });
}

/** Devices that preserved files are of: without them no kernel could retrieve the files. */
function devicesOf(handover: Handover): DumpStart['devices'] {
  const found = new Map<string, DumpStart['devices'][number]>();
  for (const session of handover.luo?.sessions ?? [])
    for (const { decoded } of session.files) {
      if (decoded?.kind !== 'struct' || decoded.struct !== 'vfio_pci_core_device_ser') continue;
      const { domain, bdf } = decoded.reading.values ?? {};
      if (domain === undefined || bdf === undefined) continue;
      const device = deviceAt(Number(domain), Number(bdf));
      found.set(`${domain}/${bdf}`, { ...device, name: `vfio${found.size}` });
    }
  const bridges = bridgesOf(handover);
  return [...found.values()].map((device) => ({ ...device, ...above(device.domain, device.bdf >> 8, bridges) }));
}

/** A bridge that the PCI core lists, and the bus that it is taken to lead to. */
interface Bridge {
  readonly domain: number;
  readonly bdf: number;
  readonly secondary: number;
}

/**
 * Which listed bridge leads to which bus: one whose count is the sum of what is listed on that bus. The entries alone do not say it; any tree that
 * adds up finishes alike.
 */
function bridgesOf({ luo }: Handover): readonly Bridge[] {
  const listed = (luo?.flbs ?? []).flatMap(({ decoded }) => (decoded?.kind === 'pci' ? decoded.devices : []));
  const sums = new Map<string, { domain: number; bus: number; sum: number }>();
  for (const { domain, bdf, refcount } of listed.slice(0, MOST_PCI)) {
    const key = `${domain}/${bdf >> 8}`;
    const known = sums.get(key) ?? { domain, bus: bdf >> 8, sum: 0 };
    sums.set(key, { ...known, sum: known.sum + (refcount ?? 0) });
  }
  const bridges: Bridge[] = [];
  for (const { domain, bus, sum } of sums.values()) {
    const taken = (bdf: number): boolean => bridges.some((one) => one.domain === domain && one.bdf === bdf);
    const bridge = listed.slice(0, MOST_PCI).find((one) => one.domain === domain && one.bdf >> 8 < bus && one.refcount === sum && !taken(one.bdf));
    if (bridge !== undefined) bridges.push({ domain, bdf: bridge.bdf, secondary: bus });
  }
  return bridges;
}

/** Entries that bridges are looked for among: more than a machine has buses. */
const MOST_PCI = 1024;

function above(domain: number, bus: number, bridges: readonly Bridge[]): Pick<DumpStart['devices'][number], 'bridge' | 'above'> {
  const chain: number[] = [];
  for (let at = bus; chain.length < bridges.length; ) {
    const bridge = bridges.find((one) => one.domain === domain && one.secondary === at);
    if (bridge === undefined) break;
    chain.push(bridge.bdf);
    at = bridge.bdf >> 8;
  }
  return { bridge: chain[0] ?? null, above: chain.slice(1) };
}

const deviceAt = (domain: number, bdf: number): Omit<DumpStart['devices'][number], 'name'> => ({
  domain,
  bdf,
  driver: 'vfio-pci',
  interrupts: 'none',
  power: 'D0',
  reset: 'flr',
  vendor: 0x8086,
  device: 0x10d3,
  classCode: 0x020000,
  bridge: null,
  vf: false,
  iommuGroup: null,
  stubborn: false,
  position: NOWHERE,
});
