/**
 * ELF64 of a dump, a kernel's image or /proc/kcore: file header, program headers, section headers, notes. What is refused, and in which
 * words, is the caller's. Source: System V gABI 4.1, chapters 4 and 5; include/uapi/linux/elf.h, 7.3.
 */
import { ELFMAG, elf64Ehdr, elf64Nhdr, elf64Phdr, elf64Shdr, elfIdent } from '../../abi/elf/elf64.js';
import type { DecodedStruct, Endian } from '../../abi/layout.js';
import { decodeStruct } from './decode.js';
import { offsetOf, sizeOf } from './layout-table.js';

/** `length` bytes at `offset` of the file, fewer at its end. */
export type ReadElf = (offset: number, length: number) => Uint8Array;

export const isElf = (head: Uint8Array): boolean => ELFMAG.every((byte, index) => head[index] === byte);

interface ElfHead {
  readonly ident: DecodedStruct<typeof elfIdent>;
  readonly endian: Endian;
  /** null where `head` ends before it; read as ELF64, whatever the class */
  readonly header: DecodedStruct<typeof elf64Ehdr> | null;
}

/** Of the first bytes of a file; null where it is no ELF or ends in its identification. */
export function elfHead(head: Uint8Array): ElfHead | null {
  if (!isElf(head) || head.length < sizeOf(elfIdent)) return null;
  const ident = decodeStruct(elfIdent, head);
  const endian = ident.ei_data === 2 ? 'big' : 'little';
  return { ident, endian, header: head.length < sizeOf(elf64Ehdr) ? null : decodeStruct(elf64Ehdr, head, 0, { endian }) };
}

/** Where a table of headers is: the file header's e_phoff, e_phentsize, e_phnum or their like for sections. */
export interface ElfTable {
  readonly offset: number;
  readonly each: number;
  readonly count: number;
  readonly endian: Endian;
}

export interface ProgramHeader {
  type: number;
  flags: number;
  /** in the file */
  offset: number;
  paddr: number;
  filesz: number;
  memsz: number;
}

const AT = {
  type: offsetOf(elf64Phdr, 'p_type'),
  flags: offsetOf(elf64Phdr, 'p_flags'),
  offset: offsetOf(elf64Phdr, 'p_offset'),
  paddr: offsetOf(elf64Phdr, 'p_paddr'),
  filesz: offsetOf(elf64Phdr, 'p_filesz'),
  memsz: offsetOf(elf64Phdr, 'p_memsz'),
};
const PER_PIECE = 4096;

/** The program headers that are in the file, read in pieces; there may be a million, so one object is filled again and again. Values above 2^53 are rounded. */
export function* programHeaders(read: ReadElf, { offset, each, count, endian }: ElfTable): Generator<Readonly<ProgramHeader>> {
  const found: ProgramHeader = { type: 0, flags: 0, offset: 0, paddr: 0, filesz: 0, memsz: 0 };
  const little = endian === 'little';
  if (each < sizeOf(elf64Phdr)) return;
  for (let first = 0; first < count; first += PER_PIECE) {
    const bytes = read(offset + first * each, Math.min(PER_PIECE, count - first) * each);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const u64 = (at: number): number => view.getUint32(at + (little ? 0 : 4), little) + view.getUint32(at + (little ? 4 : 0), little) * 2 ** 32;
    for (let base = 0; base + each <= bytes.length; base += each) {
      found.type = view.getUint32(base + AT.type, little);
      found.flags = view.getUint32(base + AT.flags, little);
      found.offset = u64(base + AT.offset);
      found.paddr = u64(base + AT.paddr);
      found.filesz = u64(base + AT.filesz);
      found.memsz = u64(base + AT.memsz);
      yield found;
    }
  }
}

/** The section headers that are in the file. */
export function sectionHeaders(read: ReadElf, { offset, each, count, endian }: ElfTable): readonly DecodedStruct<typeof elf64Shdr>[] {
  if (each < sizeOf(elf64Shdr)) return [];
  const bytes = read(offset, each * count);
  return Array.from({ length: Math.floor(bytes.length / each) }, (_, index) => decodeStruct(elf64Shdr, bytes, index * each, { endian }));
}

interface ElfNote {
  /** without its NUL; '' where it is longer than any known one */
  readonly name: string;
  readonly type: number;
  /** of the contents, in the file */
  readonly offset: number;
  readonly size: number;
}

const LONGEST_NAME = 64;
/** Name and contents are padded to 4 bytes, whatever p_align says. */
const padded = (size: number): number => Math.ceil(size / 4) * 4;

/** The notes between `offset` and `end`, as far as they are whole. Little-endian; the caller bounds their number. */
export function* elfNotes(read: ReadElf, offset: number, end: number): Generator<ElfNote> {
  const head = sizeOf(elf64Nhdr);
  for (let at = offset; at + head <= end; ) {
    const bytes = read(at, head);
    if (bytes.length < head) return;
    const { n_namesz, n_descsz, n_type } = decodeStruct(elf64Nhdr, bytes);
    const contents = at + head + padded(n_namesz);
    if (contents + n_descsz > end) return;
    const name = n_namesz <= LONGEST_NAME ? new TextDecoder().decode(read(at + head, n_namesz)).replace(/\0+$/, '') : '';
    yield { name, type: n_type, offset: contents, size: n_descsz };
    at = contents + padded(n_descsz);
  }
}
