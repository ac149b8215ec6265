/**
 * A copied /sys/kernel/debug/kho: its `in` and `out`, either of them alone, a triage folder with kho-in and kho-out, or a capture.
 * The memory is what the folder has of it: the first-level blobs, at the addresses that the root FDT records.
 * Source: kernel/liveupdate/kexec_handover_debugfs.c, 6.16 to 7.3.
 */
import { scratchNames } from '../../abi/boot/scratch-names.js';
import { basename, join, resolve, dirname } from 'node:path';
import { contracts } from '../../abi/registry.js';
import { type FdtNode, fdtTotalSize, parseFdt } from '../codec/fdt.js';
import { UserError } from '../codec/user-error.js';
import { type BufferSegment, bufferMemory } from '../memory/buffer-memory.js';
import { type PhysicalMemory, physicalAddress } from '../memory/memory.js';
import { FolderReader, parseNumber } from './folder-reader.js';
import type { RecordedFiles } from './recorded-files.js';
import type { DumpContents, HandoverFile, HandoverSubtree, RecordedFacts } from './opened-dump.js';
import { khoData, SETUP_KEXEC_KHO } from '../../abi/boot/setup-data.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';

type Side = 'incoming' | 'outgoing';

/** Names of the folders that hold one side, in a kho folder and in a triage folder. */
const sides: readonly { readonly role: Side; readonly names: readonly string[] }[] = [
  { role: 'incoming', names: ['in', 'kho-in'] },
  { role: 'outgoing', names: ['out', 'kho-out'] },
];

const FILES = ['fdt', 'sub_fdts', ...scratchNames.flatMap(({ debugfs }) => [debugfs.starts, debugfs.sizes])];

/** @throws UserError where the folder holds no handover, or can't be read */
export const openDebugfs = (path: string): DumpContents => openRecorded(new FolderReader(), resolve(path), path);

/**
 * @param root where the recorded folder begins within `reader`
 * @param path as messages name it
 * @throws UserError where it holds no handover, or can't be read
 */
export function openRecorded(reader: RecordedFiles, root: string, path: string): DumpContents {
  const found = findSides(reader, root);
  if (found.length === 0) throw nothingIn(reader, root, path);
  const evidence: string[] = [];
  const segments: BufferSegment[] = [];
  let onX86 = false;
  const handoverFiles = found.map(({ role, folder }): HandoverFile => {
    const fdt = reader.read(join(folder, 'fdt')) ?? new Uint8Array(0);
    const total = fdtTotalSize(fdt);
    const truncated = fdt.length > 0 && (total === null || total > fdt.length);
    const where = `${basename(folder)}/`;
    evidence.push(`${where}: ${role ?? 'role not told by the folder'}; ${describeFdt(fdt, total)}`);
    const setupData = role === 'incoming' ? findKhoSetupData(reader, folder) : null;
    if (setupData !== null) {
      onX86 = true;
      evidence.push(`${where}fdt: its address is from the setup_data node ${setupData.path}`);
    }
    const fdtAddress = setupData?.fdtAddress ?? null;
    if (fdtAddress !== null && fdt.length > 0) segments.push({ start: fdtAddress, bytes: fdt });
    const subtrees = readSubtrees(reader, folder, fdt, evidence);
    for (const { address, bytes } of subtrees) if (address !== null) segments.push({ start: address, bytes });
    return { role, fdt, fdtAddress, scratch: readScratch(reader, folder, evidence), subtrees, truncated };
  });
  const recorded = recordedFacts(reader, root);
  evidence.push(...recorded.evidence);
  return {
    container: 'debugfs',
    recorded,
    bytes: reader.bytes,
    arch: onX86 ? 'x86_64' : null,
    pageSizeFromDump: null,
    memory: shallowMemory(segments, evidence),
    vmcoreinfo: null,
    handoverFiles,
    evidence,
  };
}

function findSides(reader: RecordedFiles, path: string): readonly { readonly role: Side | null; readonly folder: string }[] {
  for (const root of [path, join(path, 'kho'), join(path, 'debugfs', 'kho'), join(path, 'luo-capture', 'debugfs', 'kho')]) {
    const inside = sides.flatMap(({ role, names }) =>
      names
        .map((name) => ({ role, folder: join(root, name) }))
        .filter(({ folder }) => holdsSide(reader, folder))
        .slice(0, 1),
    );
    if (inside.length > 0) return inside;
  }
  if (!holdsSide(reader, path)) return [];
  const named = sides.find(({ names }) => names.includes(basename(path)));
  // Only `out` has scratch files.
  return [{ role: named?.role ?? (scratchNames.some(({ debugfs }) => reader.isFile(join(path, debugfs.starts))) ? 'outgoing' : null), folder: path }];
}

const holdsSide = (reader: RecordedFiles, folder: string): boolean =>
  FILES.some((name) => (name === 'sub_fdts' ? reader.isFolder(join(folder, name)) : reader.isFile(join(folder, name))));

function nothingIn(reader: RecordedFiles, root: string, path: string): UserError {
  const entries = reader.list(root);
  if (entries.length === 0) return new UserError(`${path}: an empty folder; give a dump file, or a copy of /sys/kernel/debug/kho`);
  const nested = entries.find((entry) => findSides(reader, join(root, entry)).length > 0);
  const file = entries.find((entry) => /\.(elf|kdump|lime|raw|vmcore)(\.|$)|^vmcore/.test(entry) && reader.isFile(join(root, entry)));
  const hint = file ?? nested;
  return new UserError(
    `${path}: a folder without in/ or out/ of a copied /sys/kernel/debug/kho; give ${hint === undefined ? 'such a copy, or a dump file' : `one dump in it, such as ${join(path, hint)}`}`,
  );
}

function describeFdt(fdt: Uint8Array, total: number | null): string {
  if (fdt.length === 0) return 'no fdt file, so the addresses of its blobs are not told';
  if (total === null || total > fdt.length) return `fdt cut short: ${fdt.length} of ${total ?? '?'} bytes, read as far as it goes`;
  return `fdt of ${total} bytes`;
}

/** Properties by which any version of KHO records the address of a subtree. */
const pointerNames: ReadonlySet<string> = new Set(
  contracts
    .filter(({ layer }) => layer === 'kho')
    .flatMap(({ fdt }) => fdt?.children ?? [])
    .flatMap(({ properties }) => Object.entries(properties))
    .filter(([, { type }]) => type.kind === 'int' && type.role === 'phys')
    .map(([name]) => name),
);

function readSubtrees(reader: RecordedFiles, folder: string, fdt: Uint8Array, evidence: string[]): readonly HandoverSubtree[] {
  const nodes = fdtTotalSize(fdt) === null ? [] : (parseFdt(fdt).root?.children ?? []);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  return reader.list(join(folder, 'sub_fdts')).flatMap((name) => {
    const bytes = reader.read(join(folder, 'sub_fdts', name));
    if (bytes === null) return [];
    const node = byName.get(name);
    const address = node === undefined ? null : recordedAddress(node, bytes.length);
    if (address === null) evidence.push(`${basename(folder)}/sub_fdts/${name}: its address is not told, so nothing can point to it`);
    return [{ name, bytes, address }];
  });
}

/**
 * The address that the root FDT gives for a subtree. An FDT cut short may lack the names of its properties: then the address
 * is the one value of eight bytes that is not the blob's size.
 */
function recordedAddress(node: FdtNode, blobSize: number): number | null {
  const u64 = (value: Uint8Array): bigint => new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(0, true);
  const eights = node.properties.filter(({ value }) => value.length === 8);
  const named = eights.find(({ name }) => pointerNames.has(name));
  if (named !== undefined) return plausible(u64(named.value));
  const unnamed = eights.filter(({ name }) => name.startsWith('?')).map(({ value }) => u64(value));
  const [only, ...others] = unnamed.filter((value) => value !== BigInt(blobSize));
  return only === undefined || others.length > 0 || only % 8n !== 0n ? null : plausible(only);
}

const plausible = (value: bigint): number | null => (value === 0n ? null : physicalAddress(value));

function readScratch(reader: RecordedFiles, folder: string, evidence: string[]): HandoverFile['scratch'] {
  const lines = (name: string): readonly string[] | null => {
    const bytes = reader.read(join(folder, name));
    return bytes === null ? null : new TextDecoder().decode(bytes).trim().split(/\s+/);
  };
  const named = scratchNames.find(({ debugfs }) => reader.isFile(join(folder, debugfs.starts)));
  const starts = named === undefined ? null : lines(named.debugfs.starts);
  const sizes = named === undefined ? null : lines(named.debugfs.sizes);
  if (named === undefined || starts === null || sizes === null) return null;
  const areas = starts.map((text, index) => {
    const start = physicalAddress(parseNumber(text) ?? -1n);
    const size = physicalAddress(parseNumber(sizes[index] ?? '') ?? -1n);
    return start === null || size === null ? null : { start, size };
  });
  const good = areas.filter((area) => area !== null);
  if (good.length < Math.max(starts.length, sizes.length)) {
    evidence.push(
      `${basename(folder)}/: ${named.debugfs.starts} and ${named.debugfs.sizes} do not hold one number a line each, so the scratch areas are not taken from them`,
    );
    return null;
  }
  return good;
}

/** Blobs at their addresses. Everything else is memory that such a folder never has. */
function shallowMemory(segments: readonly BufferSegment[], evidence: string[]): PhysicalMemory {
  const placed: BufferSegment[] = [];
  for (const segment of segments) {
    const end = segment.start + segment.bytes.length;
    const taken = placed.some((other) => segment.start < other.start + other.bytes.length && other.start < end);
    if (taken) evidence.push(`a blob at 0x${segment.start.toString(16)} overlaps another one and is left out of the memory`);
    else if (segment.bytes.length > 0) placed.push(segment);
  }
  const memory = bufferMemory(placed);
  return { ...memory, stateOf: (address) => (memory.stateOf(address) === 'present' ? 'present' : 'excluded') };
}

interface KhoSetupData {
  /** physical */
  readonly fdtAddress: number | null;
  /** the node's folder */
  readonly path: string;
}

/** The node beside or in `folder`, or beside its parent folder; null without one. */
function findKhoSetupData(reader: RecordedFiles, folder: string): KhoSetupData | null {
  for (const candidate of candidates(folder)) {
    const nodes = join(candidate, 'setup_data');
    for (const node of reader.list(nodes)) {
      const path = join(nodes, node);
      const type = reader.read(join(path, 'type'));
      if (type === null || parseNumber(new TextDecoder().decode(type)) !== BigInt(SETUP_KEXEC_KHO)) continue;
      const data = reader.read(join(path, 'data'));
      if (data === null || data.length < sizeOf(khoData)) continue;
      return { fdtAddress: physicalAddress(decodeStruct(khoData, data).fdt_addr), path };
    }
  }
  return null;
}

const BOOT_PARAMS = 'boot_params';

function candidates(folder: string): readonly string[] {
  const around = (at: string): string[] => {
    // `s2-boot-kho` has `s2-boot-boot_params` beside it.
    const renamed = basename(at).replace(/kho(?:-in)?$/, BOOT_PARAMS);
    return [join(at, BOOT_PARAMS), join(dirname(at), BOOT_PARAMS), ...(renamed === basename(at) ? [] : [join(dirname(at), renamed)])];
  };
  // A capture has debugfs/kho/in and boot_params under one roof.
  return [...around(folder), ...around(dirname(folder)), join(dirname(dirname(dirname(folder))), BOOT_PARAMS)];
}

const LOGS = ['dmesg.txt', 'dmesg-before-kexec.txt', 'dmesg-after-kexec.txt'];
const RELEASES: readonly { readonly path: string; readonly pattern: RegExp }[] = [
  { path: 'proc/version', pattern: /Linux version (\S+)/ },
  { path: 'vmcoreinfo.txt', pattern: /^OSRELEASE=(\S+)/m },
  { path: 'uname.txt', pattern: /^Linux \S+ (\d\S*)/m },
  { path: 'proc/sys/kernel/osrelease', pattern: /^(\d\S*)/ },
];

/** @param root of the recorded folder; a capture's may be the folder `luo-capture` in it, or the one above the kho folder */
function recordedFacts(files: RecordedFiles, root: string): RecordedFacts {
  const roots = [root, join(root, 'luo-capture'), dirname(root)].filter((at, index) => index < 2 || files.isFile(join(at, 'manifest.json')));
  const read = (path: string): string | null => {
    for (const at of roots) {
      const bytes = files.read(join(at, path));
      if (bytes !== null) return new TextDecoder().decode(bytes);
    }
    return null;
  };
  let release: RecordedFacts['release'] = null;
  for (const { path, pattern } of RELEASES) {
    const text = pattern.exec(read(path) ?? '')?.[1];
    if (text !== undefined) release ??= { text, foundBy: path };
  }
  let log: RecordedFacts['log'] = null;
  for (const path of LOGS) {
    const text = read(path);
    if (text !== null) log ??= { text, path };
  }
  const evidence = release === null ? [] : [`${release.foundBy}: Linux ${release.text}`];
  return { release, log, evidence };
}
