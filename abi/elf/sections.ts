/** What an ELF section header says of its section. Source: System V gABI 4.1, chapter 4; include/uapi/linux/elf.h, 7.3. */

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
/** p_flags: the segment holds code */
export const PF_X = 1;
