/** Inputs of the container tests: files in a folder of their own, and small dumps built from the contracts. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_CORE, elf64Ehdr, elf64Nhdr, elf64Phdr, elfIdent, PT_LOAD, PT_NOTE } from '../../abi/elf/elf64.js';
import { diskDumpHeader, kdumpSubHeader, pageDesc } from '../../abi/kdump/kdump.js';
import { type EncodableStruct, encodeStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';
import { UserError } from '../../src/codec/user-error.js';
import { openDump } from '../../src/container/open.js';
import type { OpenedDump } from '../../src/container/opened-dump.js';
import { scratch } from '../scratch.js';

interface Scratch {
  /** a path in the folder */
  readonly temporary: (name: string) => string;
  readonly fileOf: (name: string, bytes: Uint8Array | string) => string;
  /** The dump in a file of these bytes; closed by the caller. */
  readonly opened: (name: string, bytes: Uint8Array) => Promise<OpenedDump>;
}

/** A folder of the test file that asks for it, gone when its tests are over. */
export function scratchFolder(): Scratch {
  const folder = scratch();
  const temporary = (name: string): string => join(folder, name);
  const fileOf = (name: string, bytes: Uint8Array | string): string => {
    const path = temporary(name);
    writeFileSync(path, bytes);
    return path;
  };
  return { temporary, fileOf, opened: (name, bytes) => openDump(fileOf(name, bytes)) };
}

export const fixture = (name: string): string => join(dirname(fileURLToPath(import.meta.url)), '../fixtures/container', name);

/** The message of the UserError that opening `path` ends in. Any other outcome fails the test. */
export async function refusal(path: string): Promise<string> {
  try {
    (await openDump(path)).close();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error(`${path} was opened`);
}

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

/** A page that tells which it is. */
export function page(seed: number, size = 4096): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < size / 4; word++) view.setUint32(word * 4, Math.imul(seed + 1, 0x9e3779b1) + word, true);
  return bytes;
}

interface SegmentSource {
  readonly paddr: number | bigint;
  readonly bytes: Uint8Array;
  /** the bytes' size unless given */
  readonly memsz?: number | bigint;
  /** instead of where the bytes stand */
  readonly offset?: bigint;
}

interface ElfSource {
  readonly header?: EncodableStruct<typeof elf64Ehdr>;
  readonly ident?: EncodableStruct<typeof elfIdent>;
  readonly segments: readonly SegmentSource[];
  readonly notes?: readonly Uint8Array[];
}

export function note(name: string, type: number, contents: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(`${name}\0`);
  const pad = (bytes: Uint8Array): Uint8Array => concat(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
  return concat(encodeStruct(elf64Nhdr, { n_namesz: text.length, n_descsz: contents.length, n_type: type }), pad(text), pad(contents));
}

/** An ELF core the way QEMU lays it out: header, program headers, notes, memory. */
export function elfCore({ header = {}, ident = {}, segments, notes = [] }: ElfSource): Uint8Array {
  const count = segments.length + 1;
  const notesAt = sizeOf(elf64Ehdr) + count * sizeOf(elf64Phdr);
  const allNotes = concat(...notes);
  let at = notesAt + allNotes.length;
  const headers = [encodeStruct(elf64Phdr, { p_type: PT_NOTE, p_offset: notesAt, p_filesz: allNotes.length, p_memsz: allNotes.length })];
  for (const { paddr, bytes, memsz = bytes.length, offset } of segments) {
    headers.push(encodeStruct(elf64Phdr, { p_type: PT_LOAD, p_offset: offset ?? at, p_paddr: paddr, p_filesz: bytes.length, p_memsz: memsz }));
    at += bytes.length;
  }
  const fileHeader = encodeStruct(elf64Ehdr, {
    e_ident: encodeStruct(elfIdent, { ei_mag: Uint8Array.from(ELFMAG), ei_class: ELFCLASS64, ei_data: ELFDATA2LSB, ei_version: 1, ...ident }),
    e_type: ET_CORE,
    e_machine: EM_X86_64,
    e_phoff: sizeOf(elf64Ehdr),
    e_phentsize: sizeOf(elf64Phdr),
    e_phnum: count,
    ...header,
  });
  return Uint8Array.from(Buffer.concat([fileHeader, ...headers, allNotes, ...segments.map(({ bytes }) => bytes)]));
}

interface KdumpPage {
  readonly pfn: number;
  /** as stored */
  readonly bytes: Uint8Array;
  readonly flags: number;
}

/** A kdump of version 6 with blocks of 4096 bytes; `present` are the frames of its first bitmap beside those of `pages`. */
export function kdump(pages: readonly KdumpPage[], present: readonly number[] = [], maxMapnr = 64): Uint8Array {
  const block = 4096;
  const bitmap = (frames: readonly number[]): Uint8Array => {
    const bits = new Uint8Array(block);
    for (const frame of frames) bits[frame >> 3] = (bits[frame >> 3] ?? 0) | (1 << (frame & 7));
    return bits;
  };
  const stored = pages.map(({ pfn }) => pfn);
  let at = 4 * block + pages.length * sizeOf(pageDesc);
  const descriptors = pages.map(({ bytes, flags }) => {
    const descriptor = encodeStruct(pageDesc, { offset: at, size: bytes.length, flags });
    at += bytes.length;
    return descriptor;
  });
  const inBlock = (bytes: Uint8Array): Uint8Array => concat(bytes, new Uint8Array(block - bytes.length));
  const header = encodeStruct(diskDumpHeader, {
    signature: new TextEncoder().encode('KDUMP   '),
    header_version: 6,
    utsname: { machine: 'x86_64' },
    block_size: block,
    sub_hdr_size: 1,
    bitmap_blocks: 2,
    max_mapnr: maxMapnr,
  });
  return concat(
    inBlock(header),
    inBlock(encodeStruct(kdumpSubHeader, { dump_level: 31, max_mapnr_64: maxMapnr })),
    bitmap([...stored, ...present]),
    bitmap(stored),
    ...descriptors,
    ...pages.map(({ bytes }) => bytes),
  );
}
