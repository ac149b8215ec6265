/** ELF64 as cores of physical memory use it. Source: System V gABI 4.1, chapters 4 and 5; include/uapi/linux/elf.h, 7.3. */
import { bytes, struct, u8, u16, u32, u64 } from '../layout.js';

export const ELFMAG = [0x7f, 0x45, 0x4c, 0x46] as const;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;
export const ET_CORE = 4;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
/** p_flags: the segment holds code */
export const PF_X = 1;
/** e_phnum where the real count is in sh_info of section header 0 */
export const PN_XNUM = 0xffff;
/** notes of a process's core: a machine's has none of them */
export const NT_PRPSINFO = 3;
export const NT_FILE = 0x46494c45;
export const NT_GNU_BUILD_ID = 3;
/** sh_type of the symbol table */
export const SHT_SYMTAB = 2;
/** sh_type of a section without bytes in the file */
export const SHT_NOBITS = 8;
/** sh_flags: the section is in memory at run time */
export const SHF_ALLOC = 0x2n;
/** sh_flags: it holds code */
export const SHF_EXECINSTR = 0x4n;
/** sh_flags: its bytes are compressed in the file */
export const SHF_COMPRESSED = 0x800n;

export const elfIdent = struct({
  name: 'elf_ident',
  meaning: 'The first bytes of any ELF file, whatever its class and byte order',
  source: 'System V gABI 4.1, ELF identification',
  fields: {
    ei_mag: bytes(4, '0x7f "ELF"'),
    ei_class: u8('word size', { role: 'enum', symbols: { 1: 'ELFCLASS32', 2: 'ELFCLASS64' } }),
    ei_data: u8('byte order', { role: 'enum', symbols: { 1: 'ELFDATA2LSB', 2: 'ELFDATA2MSB' } }),
    ei_version: u8('ELF version'),
    ei_osabi: u8('ABI of the operating system'),
    ei_pad: bytes(8, 'padding'),
  },
});

export const elf64Ehdr = struct({
  name: 'elf64_hdr',
  meaning: 'ELF file header',
  source: 'include/uapi/linux/elf.h, 7.3',
  fields: {
    e_ident: bytes(16, 'magic, class, byte order'),
    e_type: u16('kind of file', { role: 'enum', symbols: { 1: 'ET_REL', 2: 'ET_EXEC', 3: 'ET_DYN', 4: 'ET_CORE' } }),
    e_machine: u16('architecture', { role: 'enum', symbols: { 62: 'EM_X86_64', 183: 'EM_AARCH64' } }),
    e_version: u32('ELF version'),
    e_entry: u64('entry point', { role: 'opaque' }),
    e_phoff: u64('offset of the program headers', { role: 'bytes' }),
    e_shoff: u64('offset of the section headers', { role: 'bytes' }),
    e_flags: u32('flags of the architecture', { role: 'flags' }),
    e_ehsize: u16("size of this header; QEMU writes something else, so it isn't checked", { role: 'bytes' }),
    e_phentsize: u16('size of a program header', { role: 'bytes' }),
    e_phnum: u16('program headers; 0xffff (PN_XNUM) = see sh_info of section header 0', { role: 'count' }),
    e_shentsize: u16('size of a section header', { role: 'bytes' }),
    e_shnum: u16('section headers', { role: 'count' }),
    e_shstrndx: u16('section of the section names', { role: 'index' }),
  },
});

export const elf64Phdr = struct({
  name: 'elf64_phdr',
  meaning: 'Program header: a range of memory, or the notes',
  source: 'include/uapi/linux/elf.h, 7.3',
  fields: {
    p_type: u32('what it describes', { role: 'enum', symbols: { 1: 'PT_LOAD', 4: 'PT_NOTE' } }),
    p_flags: u32('access', { role: 'flags', flagNames: { 0: 'PF_X', 1: 'PF_W', 2: 'PF_R' } }),
    p_offset: u64('where the bytes are in the file; all ones where QEMU has none of them', { role: 'bytes' }),
    p_vaddr: u64('virtual address', { role: 'opaque' }),
    p_paddr: u64('physical address', { role: 'phys' }),
    p_filesz: u64('bytes in the file', { role: 'bytes' }),
    p_memsz: u64('bytes of memory', { role: 'bytes' }),
    p_align: u64('alignment', { role: 'bytes' }),
  },
});

export const elf64Shdr = struct({
  name: 'elf64_shdr',
  meaning: 'Section header; a core needs only the first, for sh_info',
  source: 'include/uapi/linux/elf.h, 7.3',
  fields: {
    sh_name: u32('offset of the name', { role: 'bytes' }),
    sh_type: u32('kind of section', { role: 'enum' }),
    sh_flags: u64('attributes', { role: 'flags' }),
    sh_addr: u64('virtual address', { role: 'opaque' }),
    sh_offset: u64('where the bytes are in the file', { role: 'bytes' }),
    sh_size: u64('size', { role: 'bytes' }),
    sh_link: u32('another section', { role: 'index' }),
    sh_info: u32('in section header 0: the count of program headers where e_phnum is PN_XNUM', { role: 'count' }),
    sh_addralign: u64('alignment', { role: 'bytes' }),
    sh_entsize: u64('size of an entry', { role: 'bytes' }),
  },
});

export const elf64Sym = struct({
  name: 'elf64_sym',
  meaning: 'Entry of a symbol table',
  source: 'include/uapi/linux/elf.h, 7.3',
  fields: {
    st_name: u32('offset of the name', { role: 'bytes' }),
    st_info: u8('type in the low four bits, binding in the high', { role: 'opaque' }),
    st_other: u8('visibility', { role: 'opaque' }),
    st_shndx: u16('section', { role: 'index' }),
    st_value: u64('virtual address', { role: 'opaque' }),
    st_size: u64('size', { role: 'bytes' }),
  },
});

/** Name and contents follow, each padded to 4 bytes, whatever p_align says. */
export const elf64Nhdr = struct({
  name: 'elf64_note',
  meaning: 'Header of a note',
  source: 'include/uapi/linux/elf.h, 7.3',
  fields: {
    n_namesz: u32('size of the name with its NUL', { role: 'bytes' }),
    n_descsz: u32('size of the contents', { role: 'bytes' }),
    n_type: u32('kind of note; 0 for VMCOREINFO', { role: 'enum' }),
  },
});
