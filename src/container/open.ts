/**
 * Opens a dump: recognises by content, never by name, what a file, a folder or standard input is, unpacks it where it is
 * compressed, and gives random access to its memory. For every command.
 */
import { closeSync, createReadStream, openSync, type Stats, statSync } from 'node:fs';
import { currentBudget, raise } from '../codec/budget.js';
import { hasFdtMagic } from '../codec/fdt.js';
import { UserError } from '../codec/user-error.js';
import { readNamed, reasonOf } from '../codec/named-file.js';
import type { MemoryRange } from '../memory/memory.js';
import { progress } from '../memory/progress.js';
import { isElf } from '../codec/elf.js';
import { type ByteSource, fileSource, readAt } from './byte-source.js';
import { compressionOf, decompress } from './compression.js';
import { openDebugfs, openRecorded } from './debugfs.js';
import { openElfCore } from './elf-core.js';
import { flattenedSource, isFlattened } from './flattened.js';
import { parseIomem, openRaw, RAW_UNIT } from './raw.js';
import { isKdump, openKdump, readHeaders } from './kdump.js';
import { openKhoFdt } from './kho-fdt.js';
import { isLime, openLime } from './lime.js';
import type { DumpContents, DumpPart, OpenedDump } from './opened-dump.js';
import { joinParts, type OpenPart } from './split-kdump.js';
import { Spool } from './spool.js';
import { isTar, tarFiles } from './tar-files.js';

/** Bytes of a file's head that are looked at. */
const FOREIGN_HEAD = 512;

export type { OpenedDump } from './opened-dump.js';

/** Compressed twice happens (an archive of archives); more is a trap. */
const MAX_LAYERS = 3;
/** Bytes that tell what a file is, and whether it is text. */
const HEAD = Math.max(FOREIGN_HEAD, 4096);

/**
 * @param path a file, a folder, or `-` for standard input
 * @throws UserError with one line that says what is wrong with it, where, and what to try
 */
export async function openDump(path: string, { iomem }: OpenOptions = {}): Promise<OpenedDump> {
  if (isFolder(path)) return { ...openDebugfs(path), path, changed: () => null, close() {} };
  const ram = iomem === undefined ? null : ramOf(iomem);
  const dump = await dumpOf(path, await openUnpacked(path), (source) => openContents(source, ram));
  if (ram === null || dump.container === 'raw') return dump;
  dump.close();
  throw new UserError(`${path}: a dump of the format ${dump.container}, which says itself where memory is; leave --iomem out`);
}

interface OpenOptions {
  /** a copy of the machine's /proc/iomem: where memory is, for a raw dump */
  readonly iomem?: string | undefined;
}

interface Ram {
  readonly ranges: readonly MemoryRange[];
  readonly from: string;
}

/** No machine's is larger. */
const MAX_IOMEM = 16 << 20;

function ramOf(path: string): Ram {
  const text = readNamed(path, MAX_IOMEM, "give a copy of the machine's /proc/iomem").toString('latin1');
  return { ranges: parseIomem(text, path), from: path };
}

/**
 * The bytes of any file, unpacked; or the dump, where the file is of a format that gives its bytes physical addresses of
 * their own. Raw memory is bytes here: its offsets are its addresses.
 * @throws UserError
 */
export async function openBytesOrDump(path: string): Promise<{ readonly source: ByteSource } | { readonly dump: OpenedDump }> {
  if (isFolder(path)) return { dump: await openDump(path) };
  const unpacked = await openUnpacked(path);
  const format = formatOf(readAt(unpacked.source, 0, HEAD));
  return format === null ? { source: unpacked.source } : { dump: await dumpOf(path, unpacked, format) };
}

const isFolder = (path: string): boolean => path !== '-' && statOf(path).isDirectory();

interface Unpacked {
  readonly source: ByteSource;
  readonly evidence: readonly string[];
  changed(): string | null;
}

async function openUnpacked(path: string): Promise<Unpacked> {
  if (path === '-' && process.stdin.isTTY) throw new UserError('standard input: a terminal, not a dump; pipe a dump into it, or give a path');
  if (path === '-') return await unpack(await spoolStream('standard input', process.stdin), ['read from standard input']);
  const stat = statOf(path);
  // A pipe of the shell, `<(…)`, has a path too.
  if (stat.isFIFO() || stat.isSocket()) return await unpack(await spoolStream(path, createReadStream(path)), ['read from a pipe']);
  if (!stat.isFile()) throw new UserError(`${path}: a device, not a file: its memory changes while it is read; copy it into a file first`);
  return await unpack(openFile(path, stat.size), []);
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw new UserError(`${path}: cannot open: ${reasonOf(error)}; check the path`);
  }
}

function openFile(path: string, size: number): ByteSource {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${path}: cannot open: ${reasonOf(error)}; check its permissions`);
  }
  try {
    return fileSource(path, fd, size);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @param check called with the bytes written so far; throws where it has become too much */
async function spoolStream(name: string, stream: AsyncIterable<unknown>, check: (size: number) => void = () => {}): Promise<ByteSource> {
  const spool = new Spool(name);
  try {
    for await (const chunk of stream) {
      if (!(chunk instanceof Uint8Array)) continue;
      spool.write(chunk);
      check(spool.size);
      progress(`unpacking ${name}`, spool.size, null);
    }
    return spool.finish();
  } catch (error) {
    spool.abort();
    throw error instanceof UserError ? error : new UserError(`${name}: cannot read: ${reasonOf(error)}; write it to a file and give that`);
  }
}

/** Up to here no ratio is too large: most of a virtual machine's memory can be zeros. */
const ANY_RATIO = 1 << 30;

function ratioCheck({ name, size }: ByteSource): (unpacked: number) => void {
  const budget = currentBudget();
  const most = Math.max(ANY_RATIO, size * budget.allowed('unpacked-ratio'));
  return (unpacked) => {
    if (unpacked > most)
      throw new UserError(
        `${name}: ${size} bytes unpack to more than ${most}, over ${budget.allowed('unpacked-ratio')} times as much: no dump, or nearly all zeros; unpack it yourself, or ${raise(budget, 'unpacked-ratio')}`,
      );
  };
}

async function unpack(first: ByteSource, how: readonly string[]): Promise<Unpacked> {
  let source = first;
  const evidence = [...how];
  const check = ratioCheck(first);
  const changed = (): string | null => first.changed?.() ?? null;
  let whenUnpacked: string | null = null;
  try {
    for (let layer = 0; layer < MAX_LAYERS; layer++) {
      const kind = compressionOf(readAt(source, 0, 16));
      if (kind === null) break;
      const packed = source;
      source = await spoolStream(packed.name, decompress(packed, kind), check);
      whenUnpacked ??= changed();
      packed.close();
      evidence.push(`${kind}-compressed: ${packed.size} bytes became ${source.size}`);
    }
    if (isFlattened(readAt(source, 0, HEAD))) {
      source = flattenedSource(source);
      if (formatOf(readAt(source, 0, HEAD)) === null)
        throw new UserError(
          `${source.name}: a flattened file, but neither an ELF core nor kdump within (offset 0 of the rearranged dump); write it again with makedumpfile -F`,
        );
      evidence.push(`flattened by makedumpfile -F: rearranged into ${source.size} bytes`);
    }
    return { source, evidence, changed: () => whenUnpacked ?? changed() };
  } catch (error) {
    source.close();
    throw error;
  }
}

type Opener = (source: ByteSource) => DumpContents | Promise<DumpContents>;

async function dumpOf(path: string, { source, evidence, changed }: Unpacked, open: Opener): Promise<OpenedDump> {
  try {
    const contents = await open(source);
    const own = { path, evidence: [...evidence, ...contents.evidence], changed, close: () => source.close() };
    if (contents.part === undefined || path === '-') return { ...contents, ...own };
    const whole = await joinParts(path, { ...contents, evidence: own.evidence }, contents.part, openPart);
    return {
      ...whole.contents,
      path,
      changed,
      close() {
        source.close();
        whole.close();
      },
    };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Another part of a split kdump, not compressed; null where the file is none that is wanted, or can't be read. */
async function openPart(path: string, isWanted: (part: DumpPart) => boolean): Promise<OpenPart | null> {
  let source: ByteSource | null = null;
  try {
    source = openFile(path, statSync(path).size);
    if (isKdump(readAt(source, 0, HEAD))) {
      const opened = source;
      const headers = readHeaders(opened);
      if (headers.part !== null && isWanted(headers.part)) return { path, contents: await openKdump(opened, headers, false), close: () => opened.close() };
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
  source?.close();
  return null;
}

/** What opens a file that starts like this, where its format has addresses of its own. */
function formatOf(head: Uint8Array): Opener | null {
  if (isElf(head)) return openElfCore;
  if (isKdump(head)) return openKdump;
  if (isTar(head)) return (source) => openRecorded(tarFiles(source), '/', source.name);
  return isLime(head) ? openLime : null;
}

function openContents(source: ByteSource, ram: Ram | null): DumpContents | Promise<DumpContents> {
  const { name, size } = source;
  if (size === 0) throw new UserError(`${name}: empty: 0 bytes; take the dump again`);
  const head = readAt(source, 0, HEAD);
  const format = formatOf(head);
  if (format !== null) return format(source);
  if (hasFdtMagic(head)) return openKhoFdt(source);
  const foreign = foreignFormat(head);
  if (foreign !== null) throw new UserError(`${name}: ${foreign.what} (by its first bytes); ${foreign.instead}`);
  if (looksLikeText(head)) throw new UserError(`${name}: a text file from offset 0, not a dump; give the dump itself (a console log goes with --log)`);
  if (size % RAW_UNIT === 0) return openRaw(source, ram);
  throw new UserError(
    `${name}: not recognised: no known format starts at offset 0, and raw memory would have a multiple of ${RAW_UNIT} bytes, not ${size}; give an ELF core, kdump, LiME, raw memory, a KHO FDT or a copy of the kho debugfs folder`,
  );
}

/** Formats that are no dump of memory, or one that nothing here reads. */
interface Foreign {
  readonly at: number;
  readonly text: string;
  readonly what: string;
  readonly instead: string;
}

const foreign: readonly Foreign[] = [
  { at: 0, text: 'QEVM', what: "a QEMU migration stream (savevm), which mixes memory with devices' state", instead: 'use dump-guest-memory' },
  { at: 0, text: 'LibvirtQemudSave', what: 'a libvirt save file', instead: 'use virsh dump --memory-only' },
  { at: 0, text: 'PAGEDU64', what: 'a Windows crash dump', instead: 'use dump-guest-memory without -w' },
  { at: 0, text: 'DISKDUMP', what: 'a dump of the old diskdump tool', instead: 'take one with makedumpfile' },
  { at: 0, text: 'QFI\xfb', what: "a QEMU disk image, not a machine's memory", instead: 'use dump-guest-memory' },
  { at: 0, text: 'AVML', what: 'an AVML dump (compressed)', instead: 'turn it into LiME with avml-convert' },
  { at: 257, text: 'ustar', what: 'a tar archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: 'PK\x03\x04', what: 'a zip archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: '7z\xbc\xaf', what: 'a 7z archive', instead: 'unpack it and give the dump in it' },
  { at: 0, text: 'BZh', what: 'a bzip2 file', instead: 'unpack it with bzip2 -d' },
  { at: 0, text: '\x04\x22\x4d\x18', what: 'an lz4 file', instead: 'unpack it with lz4 -d' },
];

function foreignFormat(head: Uint8Array): { readonly what: string; readonly instead: string } | null {
  const matches = ({ at, text }: Foreign): boolean => [...text].every((char, index) => head[at + index] === char.charCodeAt(0));
  return foreign.find(matches) ?? null;
}

/** No byte that text does not have, and valid UTF-8 (a sequence cut at the end of the head is no objection). */
function looksLikeText(head: Uint8Array): boolean {
  if (head.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d && byte !== 0x1b)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
