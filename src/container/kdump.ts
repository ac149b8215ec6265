/**
 * kdump-compressed dumps: what makedumpfile (-c, -l, -p, -z) and QEMU's dump-guest-memory (-z, -l, -s) write.
 * Source: abi/kdump/kdump.ts; makedumpfile 1.7.2, IMPLEMENTATION.
 */
import { DUMP_DH_COMPRESSED_INCOMPLETE, DUMP_LEVEL_KINDS, diskDumpHeader, KDUMP_SIGNATURE, KDUMP_VERSION, kdumpSubHeader } from '../../abi/kdump/kdump.js';
import type { DecodedStruct } from '../../abi/layout.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { PHYSICAL_LIMIT } from '../memory/memory.js';
import { type ByteSource, readAt } from './byte-source.js';
import { noNotes, readNotes } from './elf-core.js';
import { kdumpMemory } from './kdump-memory.js';
import { descriptorsEnd, KdumpPages } from './kdump-pages.js';
import type { Arch, DumpContents, DumpPart } from './opened-dump.js';
import { PageBitmap } from './page-bitmap.js';
import { pageSizeOf, parseVmcoreinfo, VMCOREINFO_LIMIT } from './vmcoreinfo.js';
import { zstdDecoder } from '../compress/zstd.js';

const RETRY = 'take the dump again, or copy it again';
/** 64 TiB in pages of 4 KiB, as much as x86-64 maps with four levels: their bitmaps are counted before anything is read. */
const MOST_FRAMES = 2 ** 34;
const BLOCK_SIZES = [4096, 8192, 16384, 65536];

export const isKdump = (head: Uint8Array): boolean => [...KDUMP_SIGNATURE].every((char, index) => head[index] === char.charCodeAt(0));

interface Headers {
  readonly header: Header;
  readonly sub: SubHeader;
  /** page frames of the machine */
  readonly frames: number;
  /** those that this file has descriptors of */
  readonly first: number;
  readonly end: number;
  /** where the dump was split */
  readonly part: DumpPart | null;
}

/** What a file says of itself before its bitmaps are read. @throws UserError */
export function readHeaders(source: ByteSource): Headers {
  const { name, size } = source;
  const head = readAt(source, 0, sizeOf(diskDumpHeader));
  if (head.length < sizeOf(diskDumpHeader))
    throw new UserError(`${name}: kdump cut short: the header has ${sizeOf(diskDumpHeader)} bytes, the file ${size}; ${RETRY}`);
  const header = decodeStruct(diskDumpHeader, head);
  checkHeader(name, header);
  const block = header.block_size;
  const sub = readSubHeader(source, header);
  const maxMapnr = header.header_version >= KDUMP_VERSION.wide ? Number(sub.max_mapnr_64) : header.max_mapnr;
  if (maxMapnr === 0 || maxMapnr * block > PHYSICAL_LIMIT || maxMapnr > MOST_FRAMES)
    throw new UserError(`${name}: a kdump of ${maxMapnr} page frames (max_mapnr), which no machine has; the header is damaged: ${RETRY}`);
  const [first, end] = partOf(header, sub, maxMapnr);
  const { release, version, nodename } = header.utsname;
  const key = `${release.text} ${version.text} ${nodename.text} ${header.tv_sec} ${maxMapnr} ${block}`;
  return { header, sub, frames: maxMapnr, first, end, part: isSplit(header, sub) ? { key, start: first, end, frames: maxMapnr } : null };
}

/**
 * @param headers of `source`
 * @param isFirst whether it is the file that the user named: of what is found beside it nobody reads the evidence
 * @throws UserError where the dump is damaged, cut short, or of a machine that has no handover
 */
export async function openKdump(source: ByteSource, headers = readHeaders(source), isFirst = true): Promise<DumpContents> {
  const { name, size } = source;
  const { header, sub, frames: maxMapnr, first: firstFrame, end: endFrame, part } = headers;
  const block = header.block_size;
  const bitmapsAt = (1 + header.sub_hdr_size) * block;
  const descriptorsAt = bitmapsAt + header.bitmap_blocks * block;
  const bitmapSize = Math.ceil(Math.ceil(maxMapnr / 8) / block) * block;
  // A second bitmap follows the first where pages were left out, which is always so since makedumpfile.
  const two = header.bitmap_blocks * block >= 2 * bitmapSize;
  if (header.bitmap_blocks * block < bitmapSize)
    throw new UserError(
      `${name}: bitmap_blocks at offset ${offsetOf(diskDumpHeader, 'bitmap_blocks')} is ${header.bitmap_blocks}, too few for ${maxMapnr} page frames: ${RETRY}`,
    );
  if (descriptorsAt > size) throw new UserError(`${name}: kdump cut short: its bitmaps end at offset ${descriptorsAt}, the file at ${size}; ${RETRY}`);
  const stored = new PageBitmap(source, bitmapsAt + (two ? (header.bitmap_blocks * block) / 2 : 0), firstFrame, endFrame, true);
  const present = two ? new PageBitmap(source, bitmapsAt, 0, maxMapnr) : null;
  const incomplete = (header.status & DUMP_DH_COMPRESSED_INCOMPLETE) !== 0;
  const end = descriptorsEnd(source, descriptorsAt, stored.count);
  if (end > size && !incomplete) throw new UserError(`${name}: kdump cut short: its pages end at offset ${end} or later, the file at ${size}; ${RETRY}`);
  const pages = new KdumpPages({ source, stored, descriptorsAt, pageSize: block, zstd: await zstdDecoder() });
  const vmcoreinfo = readVmcoreinfo(source, header, sub);
  return {
    container: 'kdump',
    bytes: size,
    arch: archOf(header.utsname.machine.text),
    pageSizeFromDump: pageSizeOf(vmcoreinfo) ?? block,
    memory: kdumpMemory({ pages, stored, present, frames: maxMapnr, pageSize: block }),
    vmcoreinfo,
    handoverFiles: [],
    ...(sub.dump_level > 0 ? { filter: filterOf(sub.dump_level) } : {}),
    ...(part === null ? {} : { part }),
    evidence: !isFirst
      ? []
      : [
          `kdump-compressed: "${KDUMP_SIGNATURE}" at offset 0, header version ${header.header_version}, blocks of ${block} bytes`,
          `${stored.count} of ${present?.count ?? maxMapnr} pages are in the dump (dump level ${sub.dump_level}), ${maxMapnr} page frames`,
          ...(incomplete ? ['incomplete: makedumpfile ran out of room, and says so in the header; pages past the end are not in this dump'] : []),
          ...(endFrame - firstFrame < maxMapnr ? [`a part of a dump: page frames 0x${firstFrame.toString(16)} to 0x${endFrame.toString(16)}`] : []),
          vmcoreinfo === null ? 'no VMCOREINFO' : `VMCOREINFO, ${vmcoreinfo.size} lines`,
        ],
  };
}

type Header = DecodedStruct<typeof diskDumpHeader>;
type SubHeader = DecodedStruct<typeof kdumpSubHeader>;

function checkHeader(name: string, header: Header): void {
  const at = (field: keyof typeof diskDumpHeader.fields): number => offsetOf(diskDumpHeader, field);
  if (header.header_version < 1 || header.header_version > 255)
    throw new UserError(
      `${name}: kdump header version ${header.header_version} at offset ${at('header_version')}: only dumps of little-endian machines are read; give one of x86_64 or aarch64`,
    );
  if (!BLOCK_SIZES.includes(header.block_size))
    throw new UserError(
      `${name}: block_size at offset ${at('block_size')} is ${header.block_size}, not the size of a page: the header is damaged, or the dump is of a 32-bit machine; ${RETRY}`,
    );
  if (header.sub_hdr_size < 1 || header.sub_hdr_size > 65536)
    throw new UserError(`${name}: sub_hdr_size at offset ${at('sub_hdr_size')} is ${header.sub_hdr_size}: the header is damaged; ${RETRY}`);
}

function readSubHeader(source: ByteSource, header: Header): SubHeader {
  const bytes = readAt(source, header.block_size, sizeOf(kdumpSubHeader));
  if (bytes.length < sizeOf(kdumpSubHeader))
    throw new UserError(
      `${source.name}: kdump cut short: the sub header at offset ${header.block_size} needs ${sizeOf(kdumpSubHeader)} bytes, ${bytes.length} are left; ${RETRY}`,
    );
  return decodeStruct(kdumpSubHeader, bytes);
}

const filterOf = (level: number): string => `dump level ${level} leaves out ${DUMP_LEVEL_KINDS.filter((_, bit) => (level & (1 << bit)) !== 0).join(', ')}`;

const isSplit = (header: Header, sub: SubHeader): boolean => header.header_version >= KDUMP_VERSION.split && sub.split !== 0;

/** The page frames that this file has descriptors of: all, unless makedumpfile split the dump. */
function partOf(header: Header, sub: SubHeader, maxMapnr: number): readonly [first: number, end: number] {
  if (!isSplit(header, sub)) return [0, maxMapnr];
  const wide = header.header_version >= KDUMP_VERSION.wide;
  const first = Number(wide ? sub.start_pfn_64 : sub.start_pfn);
  const end = Number(wide ? sub.end_pfn_64 : sub.end_pfn);
  return [Math.min(first, maxMapnr), Math.max(Math.min(first, maxMapnr), Math.min(end, maxMapnr))];
}

function readVmcoreinfo(source: ByteSource, header: Header, sub: SubHeader): ReadonlyMap<string, string> | null {
  const inFile = (offset: bigint, size: bigint): boolean => offset > 0n && size > 0n && offset + size <= BigInt(source.size);
  if (header.header_version >= KDUMP_VERSION.vmcoreinfo && sub.size_vmcoreinfo <= VMCOREINFO_LIMIT && inFile(sub.offset_vmcoreinfo, sub.size_vmcoreinfo))
    return parseVmcoreinfo(readAt(source, Number(sub.offset_vmcoreinfo), Number(sub.size_vmcoreinfo)));
  const notes = noNotes();
  if (header.header_version >= KDUMP_VERSION.notes && inFile(sub.offset_note, sub.size_note))
    readNotes(source, Number(sub.offset_note), Number(sub.size_note), notes);
  return notes.vmcoreinfo;
}

const archOf = (machine: string): Arch | null => (machine === 'x86_64' || machine === 'aarch64' ? machine : null);
