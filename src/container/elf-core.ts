/**
 * ELF64 cores of a machine's memory: what QEMU's dump-guest-memory, makedumpfile -E and /proc/vmcore write.
 * Source: System V gABI 4.1; QEMU dump/dump.c; makedumpfile's makedumpfile.c.
 */
import {
  EM_AARCH64,
  EM_X86_64,
  ELFCLASS64,
  ELFDATA2LSB,
  ET_CORE,
  elf64Ehdr,
  elf64Phdr,
  elf64Shdr,
  elfIdent,
  NT_FILE,
  NT_PRPSINFO,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
} from '../../abi/elf/elf64.js';
import type { DecodedStruct } from '../../abi/layout.js';
import { elfHead, elfNotes, programHeaders, type ReadElf, sectionHeaders } from '../codec/elf.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { PHYSICAL_LIMIT } from '../memory/memory.js';
import { type ByteSource, readAt } from './byte-source.js';
import { extentMemory } from './extent-memory.js';
import { bytesIn, ExtentBuilder, ZEROS } from './extents.js';
import type { Arch, DumpContents } from './opened-dump.js';
import { pageSizeOf, parseVmcoreinfo, VMCOREINFO_LIMIT } from './vmcoreinfo.js';

const reader =
  (source: ByteSource): ReadElf =>
  (offset, length) =>
    readAt(source, offset, length);

/** Far more ranges than any machine's memory is cut into; a guard against damage. */
const MAX_PROGRAM_HEADERS = 1 << 20;
/** Memory that a file of one byte, and one more byte of a file, may name: enough for zeros left out, too little to keep a scan busy for hours. */
const MOST_ZEROS = 4 * 2 ** 30;
const MOST_PER_BYTE = 16;
const RETRY = 'take the dump again, or copy it again';

/** Opens the ELF file `source`. @throws UserError where it is no core of a machine, or not all there */
export function openElfCore(source: ByteSource): DumpContents {
  const { name, size } = source;
  const ehdr = readHeader(source);
  const count = programHeaderCount(source, ehdr);
  const each = sizeOf(elf64Phdr);
  if (count === 0) throw new UserError(`${name}: an ELF core without program headers (e_phnum at offset ${offsetOf(elf64Ehdr, 'e_phnum')} is 0); ${RETRY}`);
  if (count > MAX_PROGRAM_HEADERS) throw new UserError(`${name}: ${count} program headers, more than a dump has; the header is damaged: ${RETRY}`);
  const tableEnd = toOffset(ehdr.e_phoff) + count * each;
  if (tableEnd > size)
    throw new UserError(
      `${name}: truncated ELF: the program headers need ${shown(tableEnd)} bytes (${count} of ${each} at offset ${ehdr.e_phoff}), the file has ${size}; ${RETRY}`,
    );
  const segments = readSegments(source, Number(ehdr.e_phoff), count);
  if (segments.end > size)
    throw new UserError(
      `${name}: truncated ELF: ${segments.endIsNotes ? 'its notes' : 'the memory in its PT_LOADs'} end at offset ${shown(segments.end)}, the file at ${size}; ${RETRY}`,
    );
  const notes = noNotes();
  for (const note of segments.notes) readNotes(source, note.offset, note.size, notes);
  if (segments.loads === 0) throw new UserError(`${name}: an ELF core without PT_LOAD, so without memory; ${RETRY}`);
  if (notes.ofProcess && segments.highestStart === 0)
    throw new UserError(`${name}: the core of a process, not of a machine's memory; take one with QEMU's dump-guest-memory or with kdump`);
  if (segments.highest === 0) throw new UserError(`${name}: no PT_LOAD of this ELF core holds memory at an address that a machine has; ${RETRY}`);
  const table = segments.extents.build();
  const total = bytesIn(table);
  if (total > size * MOST_PER_BYTE + MOST_ZEROS)
    throw new UserError(
      `${name}: the PT_LOADs name ${total} bytes of memory, the file has ${size}: the program headers at offset ${ehdr.e_phoff} are damaged; ${RETRY}`,
    );
  const pageSizeFromDump = pageSizeOf(notes.vmcoreinfo);
  return {
    container: 'elf-core',
    bytes: size,
    arch: archOf(ehdr.e_machine),
    pageSizeFromDump,
    memory: extentMemory({ source, table, pageSize: pageSizeFromDump ?? 4096, span: { start: segments.lowest, end: segments.highest } }),
    vmcoreinfo: notes.vmcoreinfo,
    handoverFiles: [],
    evidence: [
      `ELF64 core: 0x7f "ELF" at offset 0, e_type ET_CORE, e_machine ${ehdr.e_machine}${notes.ofQemu ? ', with notes of QEMU' : ''}`,
      `${count} program headers${ehdr.e_phnum === PN_XNUM ? ' (PN_XNUM: counted by section header 0)' : ''}, ${segments.loads} of them PT_LOAD, ${table.count} ranges of memory`,
      notes.vmcoreinfo === null ? 'no VMCOREINFO note' : `VMCOREINFO note at offset ${notes.vmcoreinfoOffset}, ${notes.vmcoreinfo.size} lines`,
      ...segments.evidence,
    ],
  };
}

const archOf = (machine: number): Arch | null => (machine === EM_X86_64 ? 'x86_64' : machine === EM_AARCH64 ? 'aarch64' : null);

/** A u64 as a file offset; what no file has becomes infinite, which is past any end. */
const toOffset = (value: bigint): number => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.POSITIVE_INFINITY);
const shown = (offset: number): string => (Number.isFinite(offset) ? String(offset) : 'beyond 2^53');

function readHeader(source: ByteSource): DecodedStruct<typeof elf64Ehdr> {
  const { name, size } = source;
  const at = (field: keyof typeof elfIdent.fields): number => offsetOf(elfIdent, field);
  const elf = elfHead(readAt(source, 0, sizeOf(elf64Ehdr)));
  const truncated = (): UserError => new UserError(`${name}: truncated ELF: ${size} bytes, the header alone has ${sizeOf(elf64Ehdr)}; ${RETRY}`);
  if (elf === null) throw truncated();
  const { ident, header: ehdr } = elf;
  if (ident.ei_class !== ELFCLASS64)
    throw new UserError(
      `${name}: an ELF file of class ${ident.ei_class} (offset ${at('ei_class')}), not ELF64: 32-bit machines have no kexec handover; take the dump as ELF64`,
    );
  if (ident.ei_data !== ELFDATA2LSB)
    throw new UserError(`${name}: a big-endian ELF file (offset ${at('ei_data')}): only little-endian machines are read (x86_64, aarch64); give a dump of one`);
  if (ehdr === null) throw truncated();
  if (ehdr.e_type !== ET_CORE)
    throw new UserError(
      `${name}: an ELF file, but no core: e_type at offset ${offsetOf(elf64Ehdr, 'e_type')} is ${ehdr.e_type}, not ${ET_CORE} (ET_CORE); give a memory dump (for a vmlinux: abi diff, abi check)`,
    );
  if (ehdr.e_phentsize !== sizeOf(elf64Phdr))
    throw new UserError(
      `${name}: e_phentsize at offset ${offsetOf(elf64Ehdr, 'e_phentsize')} is ${ehdr.e_phentsize}, not ${sizeOf(elf64Phdr)}: the header is damaged; ${RETRY}`,
    );
  return ehdr;
}

function programHeaderCount(source: ByteSource, ehdr: DecodedStruct<typeof elf64Ehdr>): number {
  if (ehdr.e_phnum !== PN_XNUM) return ehdr.e_phnum;
  const at = toOffset(ehdr.e_shoff);
  const end = at + sizeOf(elf64Shdr);
  if (at === 0 || end > source.size)
    throw new UserError(
      `${source.name}: truncated ELF: more than 65534 program headers (PN_XNUM), their count is in section header 0 at offset ${shown(at)}, the file has ${source.size} bytes; ${RETRY}`,
    );
  return sectionHeaders(reader(source), { offset: at, each: sizeOf(elf64Shdr), count: 1, endian: 'little' })[0]?.sh_info ?? 0;
}

interface Segments {
  readonly extents: ExtentBuilder;
  readonly notes: { readonly offset: number; readonly size: number }[];
  loads: number;
  lowest: number;
  highest: number;
  /** 0 where no range has a physical address, as in a process's core */
  highestStart: number;
  /** where the last byte that the program headers name ends, in the file */
  end: number;
  endIsNotes: boolean;
  readonly evidence: string[];
}

function readSegments(source: ByteSource, tableAt: number, count: number): Segments {
  const found: Segments = {
    extents: new ExtentBuilder(),
    notes: [],
    loads: 0,
    lowest: Number.POSITIVE_INFINITY,
    highest: 0,
    highestStart: 0,
    end: 0,
    endIsNotes: false,
    evidence: [],
  };
  const reach = (end: number, isNotes: boolean): void => {
    if (end <= found.end) return;
    found.end = end;
    found.endIsNotes = isNotes;
  };
  const tails: { start: number; end: number; next: boolean }[] = [];
  let impossible = 0;
  for (const { type, offset, paddr: start, filesz, memsz: given } of programHeaders(reader(source), {
    offset: tableAt,
    each: sizeOf(elf64Phdr),
    count,
    endian: 'little',
  })) {
    if (type !== PT_LOAD && type !== PT_NOTE) continue;
    if (filesz > 0) reach(offset + filesz, type === PT_NOTE);
    if (type === PT_NOTE) {
      if (filesz > 0) found.notes.push({ offset, size: filesz });
      continue;
    }
    found.loads++;
    const memsz = Math.max(filesz, given);
    if (start + memsz > PHYSICAL_LIMIT) {
      impossible++;
      continue;
    }
    const last = tails.at(-1);
    if (last !== undefined && last.end === start) last.next = true;
    found.extents.add(start, start + filesz, offset);
    // QEMU gives memory that it has no bytes of the offset -1.
    if (memsz > filesz && offset < source.size) tails.push({ start: start + filesz, end: start + memsz, next: false });
    if (memsz > 0) {
      found.lowest = Math.min(found.lowest, start);
      found.highest = Math.max(found.highest, start + memsz);
      found.highestStart = Math.max(found.highestStart, start);
    }
  }
  addTails(found, tails);
  if (impossible > 0) found.evidence.push(`${impossible} PT_LOADs at addresses that no machine has (2^52 and up) were left out`);
  return found;
}

/**
 * Memory without bytes in the file is zeros, says the gABI. makedumpfile -E however puts there whatever it filtered,
 * zero pages or not, and starts the next PT_LOAD right after it: then what the pages hold is not known.
 */
function addTails(found: Segments, tails: readonly { readonly start: number; readonly end: number; readonly next: boolean }[]): void {
  if (tails.length === 0) return;
  const total = tails.reduce((sum, tail) => sum + tail.end - tail.start, 0);
  if (tails.some((tail) => tail.next)) {
    found.evidence.push(`${total} bytes of memory are filtered as makedumpfile -E does it: zero pages and left out ones look the same there`);
    return;
  }
  for (const tail of tails) found.extents.add(tail.start, tail.end, ZEROS);
  found.evidence.push(`${total} bytes of memory have no bytes in the file and read as zeros (p_filesz < p_memsz)`);
}

interface NoteFindings {
  vmcoreinfo: ReadonlyMap<string, string> | null;
  /** in the file, in bytes */
  vmcoreinfoOffset: number | null;
  /** notes that only a process's core has */
  ofProcess: boolean;
  /** notes by QEMU's own name */
  ofQemu: boolean;
  /** notes read so far */
  count: number;
}

export const noNotes = (): NoteFindings => ({ vmcoreinfo: null, vmcoreinfoOffset: null, ofProcess: false, ofQemu: false, count: 0 });

/** In all: a few per CPU. A guard against damage. */
const MAX_NOTES = 65536;

/** Reads the notes in `size` bytes at `offset`, as far as they are whole, into `findings`. */
export function readNotes(source: ByteSource, offset: number, size: number, findings: NoteFindings): void {
  for (const note of elfNotes(reader(source), offset, Math.min(source.size, offset + size))) {
    if (findings.count++ >= MAX_NOTES) return;
    if (note.name === 'VMCOREINFO' && findings.vmcoreinfo === null && note.size <= VMCOREINFO_LIMIT) {
      findings.vmcoreinfo = parseVmcoreinfo(readAt(source, note.offset, note.size));
      findings.vmcoreinfoOffset = note.offset;
    }
    if (note.name === 'QEMU') findings.ofQemu = true;
    if (note.name === 'CORE' && (note.type === NT_PRPSINFO || note.type === NT_FILE)) findings.ofProcess = true;
  }
}
