/**
 * A kernel's image: of an ELF file the .BTF section and the sections that hold its constant texts, read piece by piece (a
 * vmlinux with debug information has a gigabyte); of an arm64 Image, which has no sections, all of it. For kernel-file.ts.
 */
import { BTF_MAGIC, BTF_VERSION, btfHeader } from '../../../abi/btf/types.js';
import { ARM64_IMAGE_MAGIC, arm64ImageHeader } from '../../../abi/boot/kernel-image.js';
import {
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  NT_GNU_BUILD_ID,
  PF_X,
  PT_LOAD,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHF_EXECINSTR,
  SHT_NOBITS,
} from '../../../abi/elf/elf64.js';
import type { DecodedStruct, Endian, Struct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { type ElfTable, elfHead, elfNotes, type ProgramHeader, programHeaders, sectionHeaders } from '../../codec/elf.js';
import { encodeStruct } from '../../codec/encode.js';
import { offsetOf, sizeOf } from '../../codec/layout-table.js';
import { UserError } from '../../codec/user-error.js';

/** Bytes of a file, or of a decompressed image. */
export interface ImageSource {
  /** as messages name it */
  readonly name: string;
  /** in bytes */
  readonly size: number;
  /** `length` bytes at `offset`, fewer at the end */
  read(offset: number, length: number): Uint8Array;
}

interface FileRange {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export interface ElfImage {
  readonly source: ImageSource;
  /** null where the kernel was built without CONFIG_DEBUG_INFO_BTF, or its sections were stripped */
  readonly btf: FileRange | null;
  /** where constant texts may be */
  readonly data: readonly FileRange[];
}

const MAX_BTF = 256 << 20;
const MAX_NAMES = 1 << 20;

interface ElfSection {
  readonly header: DecodedStruct<typeof elf64Shdr>;
  readonly range: FileRange;
}

interface ElfHeaders {
  readonly endian: Endian;
  /** empty where the file has none */
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ProgramHeader[];
}

const damaged = ({ name }: ImageSource, offset: number, what: string): UserError =>
  new UserError(`${name}: ELF header at offset 0x${offset.toString(16)}: ${what}; the kernel image is damaged or cut short, copy it again`);

/** Sections, or segments where it has no sections. @throws UserError where it is no 64-bit ELF, or its headers are outside the file */
export function elfHeaders(source: ImageSource): ElfHeaders {
  const { name } = source;
  const head = source.read(0, sizeOf(elf64Ehdr));
  if (head.length < sizeOf(elf64Ehdr)) throw damaged(source, 0, `needs ${sizeOf(elf64Ehdr)} bytes, ${head.length} are there`);
  const elf = elfHead(head);
  if (elf?.ident.ei_class !== 2 || elf.header === null)
    throw new UserError(`${name}: a 32-bit ELF file; KHO exists on 64-bit kernels only, give the vmlinux of such a kernel`);
  const { header: ehdr, endian } = elf;
  const whole = (struct: Struct, offset: bigint, each: number, count: number): ElfTable => {
    if (count > 0 && each < sizeOf(struct)) throw damaged(source, 0, `headers of ${each} bytes, ${sizeOf(struct)} are needed`);
    if (count > 0 && Number(offset) + each * count > source.size) throw damaged(source, Number(offset), `${count} headers end past the end of the file`);
    return { offset: Number(offset), each, count, endian };
  };
  if (ehdr.e_shoff === 0n || ehdr.e_shnum === 0) {
    const table = whole(elf64Phdr, ehdr.e_phoff, ehdr.e_phentsize, ehdr.e_phnum);
    return { endian, sections: [], segments: Array.from(programHeaders(source.read, table), (header) => ({ ...header })) };
  }
  const headers = sectionHeaders(source.read, whole(elf64Shdr, ehdr.e_shoff, ehdr.e_shentsize, ehdr.e_shnum));
  const nameTable = headers[ehdr.e_shstrndx];
  if (nameTable === undefined) throw damaged(source, 0, `names of sections are in section ${ehdr.e_shstrndx}, and there are ${ehdr.e_shnum}`);
  const names = source.read(Number(nameTable.sh_offset), Math.min(MAX_NAMES, Number(nameTable.sh_size)));
  const rangeOf = ({ sh_name, sh_offset, sh_size }: DecodedStruct<typeof elf64Shdr>): FileRange => ({
    name: textAt(names, sh_name),
    offset: Number(sh_offset),
    size: Number(sh_size),
  });
  return { endian, sections: headers.map((header) => ({ header, range: rangeOf(header) })), segments: [] };
}

/** @throws UserError where it is no 64-bit ELF, or its headers are outside the file */
export function openElfImage(source: ImageSource): ElfImage {
  const { name } = source;
  const { sections, segments } = elfHeaders(source);
  if (sections.length === 0) {
    const data = segments
      .filter(({ type, flags }) => type === PT_LOAD && (flags & PF_X) === 0)
      .map(({ offset, filesz }) => within(source, { name: 'segment', offset, size: filesz }));
    return { source, btf: null, data };
  }
  const btf = sections.find(({ header, range }) => range.name === '.BTF' && header.sh_type !== SHT_NOBITS);
  if (btf !== undefined) {
    const { offset, size } = btf.range;
    if ((btf.header.sh_flags & SHF_COMPRESSED) !== 0n)
      throw new UserError(`${name}: its .BTF section is compressed; decompress it with \`objcopy --decompress-debug-sections\``);
    if (size > MAX_BTF) throw damaged(source, offset, `a .BTF section of ${size} bytes`);
    if (offset + size > source.size) throw damaged(source, offset, `the .BTF section ends past the end of the file (${source.size} bytes)`);
  }
  const data = sections
    .filter(
      ({ header, range }) =>
        header.sh_type !== SHT_NOBITS && (header.sh_flags & SHF_ALLOC) !== 0n && (header.sh_flags & SHF_EXECINSTR) === 0n && range.name !== '.BTF',
    )
    .map(({ range }) => within(source, range));
  return { source, btf: btf?.range ?? null, data };
}

/** The GNU build id in its note sections, as hex digits; null where it has none. */
export function buildIdOf({ source, data }: ElfImage): string | null {
  for (const range of data) {
    if (!range.name.startsWith('.note')) continue;
    for (const note of elfNotes(source.read, range.offset, range.offset + Math.min(range.size, MAX_NOTES)))
      if (note.type === NT_GNU_BUILD_ID && note.name === 'GNU') return Buffer.from(source.read(note.offset, note.size)).toString('hex');
  }
  return null;
}

const MAX_NOTES = 1 << 20;

const within = (source: ImageSource, range: FileRange): FileRange => ({ ...range, size: Math.max(0, Math.min(range.size, source.size - range.offset)) });

function textAt(names: Uint8Array, offset: number): string {
  const end = names.indexOf(0, offset);
  return end === -1 ? '' : Buffer.from(names.subarray(offset, end)).toString('latin1');
}

/** An arm64 Image: the kernel's memory as it is, without sections. */
export function isArm64Image(bytes: Uint8Array): boolean {
  return bytes.length >= sizeOf(arm64ImageHeader) && decodeStruct(arm64ImageHeader, bytes).magic === ARM64_IMAGE_MAGIC;
}

/** Where a whole BTF section may start: little-endian magic, version 1, no flags. The caller tries each. */
export function* btfStarts(bytes: Uint8Array): Generator<number> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = encodeStruct(btfHeader, { magic: BTF_MAGIC, version: BTF_VERSION, hdr_len: sizeOf(btfHeader) }).subarray(0, offsetOf(btfHeader, 'type_off'));
  for (let at = buffer.indexOf(start); at !== -1; at = buffer.indexOf(start, at + 1)) yield at;
}
