/** Builds kernels' images for tests: an ELF with a .BTF section and constant texts, from parts a test chooses. */
import { ELFMAG, elf64Ehdr, elf64Shdr, SHF_ALLOC } from '../../abi/elf/elf64.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { sizeOf } from '../../src/codec/layout-table.js';

interface ImageParts {
  /** each becomes a string of C in .rodata */
  readonly strings: readonly string[];
  readonly btf?: Uint8Array;
  /** in hex */
  readonly buildId?: string;
}

export function kernelImage({ strings, btf, buildId }: ImageParts): Uint8Array {
  const rodata = Buffer.from(`\0${strings.map((text) => `${text}\0`).join('')}`, 'latin1');
  const names = '\0.rodata\0.BTF\0.notes\0.shstrtab\0';
  const sections = [
    { name: 0, flags: 0n, bytes: Buffer.alloc(0), type: 0 },
    { name: names.indexOf('.rodata'), flags: SHF_ALLOC, bytes: rodata, type: 1 },
    ...(btf === undefined ? [] : [{ name: names.indexOf('.BTF'), flags: SHF_ALLOC, bytes: Buffer.from(btf), type: 1 }]),
    ...(buildId === undefined ? [] : [{ name: names.indexOf('.notes'), flags: SHF_ALLOC, bytes: noteOf(buildId), type: 7 }]),
    { name: names.indexOf('.shstrtab'), flags: 0n, bytes: Buffer.from(names, 'latin1'), type: 3 },
  ];
  let offset = sizeOf(elf64Ehdr);
  const headers = sections.map((section) => {
    const header = encodeStruct(elf64Shdr, {
      sh_name: section.name,
      sh_type: section.type,
      sh_flags: section.flags,
      sh_offset: offset,
      sh_size: section.bytes.length,
    });
    offset += section.bytes.length;
    return header;
  });
  const ehdr = encodeStruct(elf64Ehdr, {
    e_ident: Uint8Array.of(...ELFMAG, 2, 1, 1),
    e_type: 2,
    e_machine: 62,
    e_shoff: offset,
    e_shentsize: sizeOf(elf64Shdr),
    e_shnum: sections.length,
    e_shstrndx: sections.length - 1,
  });
  return Buffer.concat([ehdr, ...sections.map((section) => section.bytes), ...headers]);
}

/** NT_GNU_BUILD_ID, as ld writes it. */
function noteOf(buildId: string): Buffer {
  const id = Buffer.from(buildId, 'hex');
  return Buffer.concat([Buffer.from([4, 0, 0, 0, id.length, 0, 0, 0, 3, 0, 0, 0]), Buffer.from('GNU\0', 'latin1'), id]);
}
