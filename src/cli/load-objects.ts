/** The kernel in a dump, and LUO's own objects in it: with nothing but the dump, or with the symbols and types that the user gives. */
import { readNamed } from '../codec/named-file.js';
import { UserError } from '../codec/user-error.js';
import type { Btf } from '../compat/btf/btf.js';
import { isElf } from '../codec/elf.js';
import { buildIdOf } from '../compat/btf/elf-image.js';
import { openKernelFile } from '../compat/btf/kernel-file.js';
import { decompressPayload, payloadKindOf } from '../compress/payload.js';
import type { OpenedDump } from '../container/opened-dump.js';
import type { DecodedDump } from '../handover/decode.js';
import type { PhysicalMemory } from '../memory/memory.js';
import { attempt } from '../kernel/fault.js';
import { type KernelFacts, kernelFacts } from '../kernel/facts.js';
import { type Kernel, type KernelSources, openKernel } from '../kernel/kernel.js';
import { type LinkedSymbols, elfSymbols, parseSystemMap } from '../kernel/system-map.js';
import { type Disagreement, withObjects } from '../objects/handovers.js';
import type { LiveObjects, Trouble } from '../objects/model.js';
import { readLiveObjects } from '../objects/read.js';
import { atEnd } from '../codec/at-end.js';

export interface SymbolOptions {
  /** a System.map, also gzip-, xz- or zstd-compressed */
  readonly symbols?: string | undefined;
  /** a vmlinux or vmlinuz: symbols and BTF */
  readonly vmlinux?: string | undefined;
}

interface ObjectOptions extends SymbolOptions {
  /** the BTF that the dump was read by, if any */
  readonly types?: GivenTypes | null;
}

interface GivenTypes {
  readonly source: string;
  readonly btf: Btf;
}

export interface LoadedObjects {
  readonly kernel: Kernel | null;
  readonly facts: KernelFacts | null;
  readonly live: LiveObjects | null;
  /** what could not be read, and what to give for it */
  readonly missing: readonly string[];
  readonly troubles: readonly Trouble[];
  /** with the objects in it */
  readonly decoded: DecodedDump;
  readonly disagreements: readonly Disagreement[];
}

/** No System.map is larger, decompressed. */
const MAX_SYMBOLS = 64 << 20;

/** Options of the kernel's configuration that a report shows. */
const CONFIG = ['CONFIG_KEXEC_HANDOVER', 'CONFIG_LIVEUPDATE', 'CONFIG_KEXEC_FILE', 'CONFIG_KALLSYMS', 'CONFIG_DEBUG_INFO_BTF', 'CONFIG_TEST_KEXEC_HANDOVER'];

/** @throws UserError where a file that was named can't be read, or is of another kernel */
export async function loadObjects(opened: OpenedDump, decoded: DecodedDump, options: ObjectOptions): Promise<LoadedObjects> {
  const nothing = { kernel: null, facts: null, live: null, troubles: [], decoded, disagreements: [] };
  const kernel = await kernelOf(opened, options);
  if (opened.memory.readable.length === 0) return { ...nothing, missing: [] };
  if (opened.vmcoreinfo === null) return { ...nothing, missing: ['nothing in this dump tells where its kernel is: it has no VMCOREINFO'] };
  if (kernel === null) return { ...nothing, missing: ['VMCOREINFO does not tell where the page tables are'] };
  const told = attempt(() => kernelFacts(kernel, CONFIG));
  const facts = told.ok ? told.value : null;
  const { live, troubles } = readLiveObjects(kernel);
  if (live === null) return { ...nothing, kernel, facts, troubles, missing: kernel.missing };
  const own = live.kho.outgoingFdt;
  if (own !== null && decoded.handovers.some(({ role, candidate }) => role === 'incoming' && candidate.fdtAddress === own)) {
    const missing = ['VMCOREINFO is that of the kernel before, which wrote the incoming handover; the objects of the kernel that runs can’t be found'];
    return { ...nothing, missing };
  }
  const joined = attempt(() => withObjects(decoded, live));
  if (!joined.ok) return { ...nothing, kernel, facts, troubles, missing: [...kernel.missing, joined.fault.message] };
  const { dump, disagreements } = joined.value;
  return { kernel, facts, live, troubles, missing: kernel.missing, decoded: dump, disagreements };
}

/** Kernels that were opened, by what they were opened from: finding a handover and reading the objects share one. */
const known = new WeakMap<ReadonlyMap<string, string>, { readonly memory: PhysicalMemory; readonly key: string; readonly kernel: Kernel | null }>();

/** The kernel of a dump, with the files that the user gives; null where nothing tells where it is. @throws UserError where a file can't be read, or is of another kernel */
export async function kernelOf(opened: OpenedDump, options: ObjectOptions): Promise<Kernel | null> {
  const { memory, vmcoreinfo } = opened;
  const given = (): ReturnType<typeof givenSources> => givenSources(opened, options);
  if (vmcoreinfo === null || memory.readable.length === 0) {
    await given();
    return null;
  }
  const key = JSON.stringify([options.symbols, options.vmlinux]);
  const before = known.get(vmcoreinfo);
  // Types that the user gave count only where the dump has none.
  if (before?.memory === memory && before.key === key && (options.types == null || before.kernel?.btfBytes != null)) return before.kernel;
  const kernel = openKernel(memory, { vmcoreinfo, ...(await given()) });
  known.set(vmcoreinfo, { memory, key, kernel });
  return kernel;
}

async function givenSources(opened: OpenedDump, { symbols, vmlinux, types }: ObjectOptions): Promise<Pick<KernelSources, 'linked' | 'btf'>> {
  const linked: { source: string; symbols: LinkedSymbols }[] = [];
  if (symbols !== undefined) {
    const text = Buffer.from(await contentsOf(symbols)).toString('latin1');
    linked.push({ source: 'System.map', symbols: parseSystemMap(text, symbols) });
  }
  if (vmlinux === undefined) return { btf: types ?? null, linked };
  const file = await openKernelFile(vmlinux);
  using _file = atEnd(() => file.close());
  const [own, dumps] = [file.image === null ? null : buildIdOf(file.image), opened.vmcoreinfo?.get('BUILD-ID') ?? null];
  if (own !== null && dumps !== null && own !== dumps)
    throw new UserError(`${vmlinux}: of another build (${own}) than the kernel in ${opened.path} (${dumps}); give the vmlinux of that kernel`);
  const table = file.image === null || !isElf(file.image.source.read(0, 4)) ? null : elfSymbols(file.image.source);
  if (table === null && file.btf === null)
    throw new UserError(`${vmlinux}: has neither symbols nor BTF (${file.evidence}); give the vmlinux that the kernel was built as`);
  if (table !== null) linked.push({ source: 'vmlinux', symbols: table });
  return { btf: types ?? (file.btf === null ? null : { source: vmlinux, btf: file.btf }), linked };
}

/** A file's bytes, decompressed where they are compressed. @throws UserError */
async function contentsOf(path: string): Promise<Uint8Array> {
  const bytes = readNamed(path, MAX_SYMBOLS, 'give the System.map of the kernel in the dump');
  const kind = payloadKindOf(bytes);
  if (kind === null) return bytes;
  try {
    return await decompressPayload(kind, bytes, MAX_SYMBOLS);
  } catch (error) {
    throw new UserError(`${path}: its ${kind} stream is damaged (${error instanceof Error ? error.message : String(error)}); copy the file again`);
  }
}
