/**
 * kdump-compressed dumps of 64-bit little-endian machines, header versions 1 to 6, and the flattened stream they may come in.
 * Source: makedumpfile 1.7.2, IMPLEMENTATION and diskdump_mod.h, makedumpfile.h; QEMU include/system/dump.h.
 */
import { bytes, cstring, nested, s32, s64, struct, u32, u64 } from '../layout.js';

export const KDUMP_SIGNATURE = 'KDUMP   ';
/** Header versions from which fields of the sub header hold. */
export const KDUMP_VERSION = { split: 2, vmcoreinfo: 3, notes: 4, wide: 6 } as const;

/** How a page is compressed: `flags` of its descriptor. */
export const DUMP_DH_COMPRESSED = { ZLIB: 0x1, LZO: 0x2, SNAPPY: 0x4, ZSTD: 0x20 } as const;

/** In the header's status: makedumpfile ran out of room, and what it could not write is missing at the end. */
export const DUMP_DH_COMPRESSED_INCOMPLETE = 0x8;

/** Kinds of pages that each bit of the dump level leaves out, the lowest first. */
export const DUMP_LEVEL_KINDS = ['zero pages', 'page cache', 'private page cache', 'user data', 'free pages'] as const;

export const newUtsname = struct({
  name: 'new_utsname',
  meaning: 'What uname(2) says',
  source: 'include/uapi/linux/utsname.h, 7.3',
  fields: {
    sysname: cstring(65, 'name of the system'),
    nodename: cstring(65, 'name of the machine'),
    release: cstring(65, "the kernel's release"),
    version: cstring(65, "the kernel's build"),
    machine: cstring(65, 'architecture'),
    domainname: cstring(65, 'NIS domain'),
  },
});

export const diskDumpHeader = struct({
  name: 'disk_dump_header',
  meaning: 'First block of a kdump-compressed dump',
  source: 'makedumpfile 1.7.2, diskdump_mod.h',
  packed: false,
  fields: {
    signature: bytes(8, '"KDUMP   "'),
    header_version: s32('version of the header'),
    utsname: nested(newUtsname, 'the crashed system'),
    tv_sec: s64('time of the dump'),
    tv_usec: s64('its microseconds'),
    status: u32('compression asked for, and DUMP_DH_COMPRESSED_INCOMPLETE', { role: 'flags' }),
    block_size: s32('size of a block, which is a page', { role: 'bytes' }),
    sub_hdr_size: s32('size of the sub header, in blocks', { role: 'count' }),
    bitmap_blocks: u32('size of both bitmaps, in blocks', { role: 'count' }),
    max_mapnr: u32('page frames; from version 6 max_mapnr_64 holds', { role: 'count' }),
    total_ram_blocks: u32('blocks of memory', { role: 'count' }),
    device_blocks: u32('blocks of the dump device', { role: 'count' }),
    written_blocks: u32('blocks written', { role: 'count' }),
    current_cpu: u32('CPU that handled the dump', { role: 'index' }),
    nr_cpus: s32('CPUs', { role: 'count' }),
  },
});

export const kdumpSubHeader = struct({
  name: 'kdump_sub_header',
  meaning: 'Second block: what later versions added',
  source: 'makedumpfile 1.7.2, diskdump_mod.h',
  packed: false,
  fields: {
    phys_base: u64('physical address the kernel was loaded at, x86', { role: 'opaque' }),
    dump_level: s32('kinds of pages that were left out', { role: 'flags' }),
    split: s32('1 = a part of a dump', { role: 'bool' }),
    start_pfn: u64('first page frame of the part; from version 6 start_pfn_64 holds', { role: 'pfn' }),
    end_pfn: u64('one past its last', { role: 'pfn' }),
    offset_vmcoreinfo: u64('VMCOREINFO, in the file', { role: 'bytes' }),
    size_vmcoreinfo: u64('its size', { role: 'bytes' }),
    offset_note: u64('ELF notes, in the file', { role: 'bytes' }),
    size_note: u64('their size', { role: 'bytes' }),
    offset_eraseinfo: u64('what was erased from the dump, in the file', { role: 'bytes' }),
    size_eraseinfo: u64('its size', { role: 'bytes' }),
    start_pfn_64: u64('first page frame of the part', { role: 'pfn' }),
    end_pfn_64: u64('one past its last', { role: 'pfn' }),
    max_mapnr_64: u64('page frames', { role: 'count' }),
  },
});

export const pageDesc = struct({
  name: 'page_desc',
  meaning: 'Where a page is in the file; one for each bit of the second bitmap, in order of page frames',
  source: 'makedumpfile 1.7.2, diskdump_mod.h',
  packed: false,
  fields: {
    offset: u64('in the file', { role: 'bytes' }),
    size: u32('as stored', { role: 'bytes' }),
    flags: u32('compression', { role: 'flags', flagNames: { 0: 'ZLIB', 1: 'LZO', 2: 'SNAPPY', 3: 'INCOMPLETE', 4: 'EXCLUDED_VMEMMAP', 5: 'ZSTD' } }),
    page_flags: u64('flags of struct page; 0', { role: 'flags' }),
  },
});

export const FLATTENED_SIGNATURE = 'makedumpfile';
/** Size of the block that the flattened header is in, in bytes. */
export const FLATTENED_HEADER_BLOCK = 4096;

export const flattenedHeader = struct({
  name: 'makedumpfile_header',
  meaning: 'Start of a dump in flattened form: pieces with their offsets, for streams that cannot seek',
  source: 'makedumpfile 1.7.2, makedumpfile.h',
  endian: 'big',
  fields: {
    signature: cstring(16, '"makedumpfile"'),
    type: s64('1 = flattened', { mustBe: [1] }),
    version: s64('1', { mustBe: [1] }),
  },
});

export const flattenedPiece = struct({
  name: 'makedumpfile_data_header',
  meaning: 'Before each piece; both fields -1 at the end of the stream',
  source: 'makedumpfile 1.7.2, makedumpfile.h',
  endian: 'big',
  fields: {
    offset: s64('where the piece belongs in the dump', { role: 'bytes' }),
    buf_size: s64('size of the piece, which follows', { role: 'bytes' }),
  },
});
