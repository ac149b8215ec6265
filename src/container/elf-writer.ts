/**
 * Writes physical memory as an ELF64 core that every command reads, and crash, makedumpfile and readelf too. For `sim --dump`.
 * Program headers follow the file header directly: makedumpfile looks for them nowhere else.
 * Source: abi/elf/elf64.ts; memory is streamed, zeros become holes of the file.
 */
import {
  ELFCLASS64,
  ELFDATA2LSB,
  ELFMAG,
  EM_AARCH64,
  EM_X86_64,
  ET_CORE,
  EV_CURRENT,
  elf64Ehdr,
  elf64Nhdr,
  elf64Phdr,
  elf64Shdr,
  elfIdent,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from '../../abi/elf/elf64.js';
import { encodeInto, encodeStruct } from '../codec/encode.js';
import { sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import type { MemoryRange, PhysicalMemory } from '../memory/memory.js';
import type { Arch } from './opened-dump.js';
import { type OutputFile, writeOutput, isZero } from './output-file.js';
import { formatVmcoreinfo } from './vmcoreinfo.js';

export interface CoreImage {
  readonly memory: PhysicalMemory;
  readonly arch: Arch;
  /** KEY and VALUE of each line of the VMCOREINFO note, in order; none, no note */
  readonly vmcoreinfo: ReadonlyMap<string, string>;
  /** memory the machine has and the file has no bytes of, ascending */
  readonly withheld?: readonly MemoryRange[];
}

/** p_offset of memory that the file has no bytes of, as QEMU writes it. */
const NO_OFFSET = 2n ** 64n - 1n;

const PIECE = 1024 * 1024;
const ALIGNMENT = 4096;
/** Signals are let in after so many bytes. */
const BREATH = 8 * PIECE;
const machines: Readonly<Record<Arch, number>> = { x86_64: EM_X86_64, aarch64: EM_AARCH64 };
const aligned = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/**
 * Writes `image` to `path` (`-`: standard output), as output-file.ts says.
 * @throws UserError where the file can't be written or the memory can't be read
 */
export const writeElfCore = (path: string, image: CoreImage): Promise<void> => writeOutput(path, (output) => writeImage(output, image));

interface Placed extends MemoryRange {
  /** in the file, in bytes */
  readonly offset: number;
}

/** What a core starts with, and the file offsets of its memory. */
interface CoreLayout {
  readonly head: Uint8Array;
  readonly placed: readonly Placed[];
  /** bytes of the whole file */
  readonly end: number;
}

/** Plans a core without writing it: for whoever places the memory's bytes himself. @param readable as of `PhysicalMemory` */
export function coreLayout({ readable, arch, vmcoreinfo, withheld = [] }: Omit<CoreImage, 'memory'> & Pick<PhysicalMemory, 'readable'>): CoreLayout {
  const note = vmcoreinfoNote(vmcoreinfo);
  const ranges = joined(readable);
  const count = ranges.length + withheld.length + (note.length > 0 ? 1 : 0);
  const phoff = sizeOf(elf64Ehdr);
  const shoff = count >= PN_XNUM ? phoff + count * sizeOf(elf64Phdr) : 0;
  const noteAt = phoff + count * sizeOf(elf64Phdr) + (shoff > 0 ? sizeOf(elf64Shdr) : 0);
  let end = aligned(noteAt + note.length, ALIGNMENT);
  const placed = ranges.map(({ start, end: stop }): Placed => {
    const offset = end;
    end = aligned(offset + stop - start, ALIGNMENT);
    return { start, end: stop, offset };
  });
  const head = new Uint8Array(noteAt + note.length);
  encodeInto(elf64Ehdr, fileHeader(arch, phoff, shoff, count), head, 0);
  if (shoff > 0) encodeInto(elf64Shdr, { sh_info: count }, head, shoff);
  let at = phoff;
  if (note.length > 0) {
    encodeInto(elf64Phdr, { p_type: PT_NOTE, p_offset: noteAt, p_filesz: note.length, p_memsz: note.length, p_align: 4 }, head, at);
    at += sizeOf(elf64Phdr);
  }
  for (const { start, end: stop, offset } of placed) {
    const size = stop - start;
    encodeInto(elf64Phdr, { p_type: PT_LOAD, p_flags: 7, p_offset: offset, p_paddr: start, p_filesz: size, p_memsz: size, p_align: ALIGNMENT }, head, at);
    at += sizeOf(elf64Phdr);
  }
  for (const { start, end: stop } of withheld) {
    encodeInto(
      elf64Phdr,
      { p_type: PT_LOAD, p_flags: 7, p_offset: NO_OFFSET, p_paddr: start, p_filesz: 0, p_memsz: stop - start, p_align: ALIGNMENT },
      head,
      at,
    );
    at += sizeOf(elf64Phdr);
  }
  head.set(note, noteAt);
  return { head, placed, end };
}

async function writeImage(output: OutputFile, { memory, ...rest }: CoreImage): Promise<void> {
  const { head, placed, end } = coreLayout({ ...rest, readable: memory.readable });
  output.write(head, 0);
  const piece = new Uint8Array(PIECE);
  for (const range of placed) await copyRange(output, memory, range, piece);
  output.finish(end);
}

/** Ranges that follow each other as one: an engine's memory may come page by page. */
function joined(ranges: readonly MemoryRange[]): readonly MemoryRange[] {
  const out: { start: number; end: number }[] = [];
  for (const { start, end } of ranges) {
    const last = out.at(-1);
    if (last !== undefined && last.end === start) last.end = end;
    else out.push({ start, end });
  }
  return out;
}

async function copyRange(output: OutputFile, memory: PhysicalMemory, { start, end, offset }: Placed, piece: Uint8Array): Promise<void> {
  for (let address = start; address < end; address += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, end - address));
    const got = memory.readInto(address, bytes.length, bytes);
    if (got < bytes.length)
      throw new UserError(`${output.name}: not written: the memory at 0x${(address + got).toString(16)} could not be read; check the dump it is from`);
    if (!isZero(bytes)) output.write(bytes, offset + address - start);
    if (address % BREATH < piece.length) await output.breathe();
  }
}

const fileHeader = (arch: Arch, phoff: number, shoff: number, count: number) => ({
  e_ident: encodeStruct(elfIdent, { ei_mag: Uint8Array.from(ELFMAG), ei_class: ELFCLASS64, ei_data: ELFDATA2LSB, ei_version: EV_CURRENT }),
  e_type: ET_CORE,
  e_machine: machines[arch],
  e_version: EV_CURRENT,
  e_phoff: phoff,
  e_shoff: shoff,
  e_ehsize: sizeOf(elf64Ehdr),
  e_phentsize: sizeOf(elf64Phdr),
  e_phnum: Math.min(count, PN_XNUM),
  e_shentsize: shoff > 0 ? sizeOf(elf64Shdr) : 0,
  e_shnum: shoff > 0 ? 1 : 0,
});

function vmcoreinfoNote(vmcoreinfo: ReadonlyMap<string, string>): Uint8Array {
  if (vmcoreinfo.size === 0) return new Uint8Array(0);
  const name = new TextEncoder().encode('VMCOREINFO\0');
  const text = formatVmcoreinfo(vmcoreinfo);
  const head = sizeOf(elf64Nhdr);
  const textAt = head + aligned(name.length, 4);
  const note = new Uint8Array(textAt + aligned(text.length, 4));
  encodeInto(elf64Nhdr, { n_namesz: name.length, n_descsz: text.length, n_type: 0 }, note, 0);
  note.set(name, head);
  note.set(text, textAt);
  return note;
}
