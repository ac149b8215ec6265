/** The setup header of an x86 bzImage, as far as placing the kernel needs it. Source: Documentation/arch/x86/boot.rst, 7.3. */
import { bytes, struct, u16, u32, u64 } from '../layout.js';

/** "HdrS" */
export const SETUP_HEADER_MAGIC = 0x53726448;
/** Offset of the header in the file. */
export const SETUP_HEADER_OFFSET = 0x1f1;

export const x86SetupHeader = struct({
  name: 'setup_header',
  meaning: 'What a bzImage says of itself to a boot loader',
  source: 'Documentation/arch/x86/boot.rst, 7.3',
  fields: {
    setup_sects: bytes(1, 'size of the setup code, in sectors'),
    until_magic: bytes(16, 'not looked at'),
    header: u32('"HdrS"', { role: 'opaque', mustBe: [SETUP_HEADER_MAGIC] }),
    version: u16('boot protocol', { role: 'opaque' }),
    until_alignment: bytes(40, 'not looked at'),
    kernel_alignment: u32('alignment of the kernel in memory', { role: 'bytes' }),
    until_init_size: bytes(44, 'not looked at'),
    init_size: u32('memory the kernel needs from its start address until it runs', { role: 'bytes' }),
    handover_offset: u32('EFI entry point', { role: 'bytes' }),
  },
});

/* Head of an arm64 kernel Image, what a vmlinuz of arm64 holds instead of an ELF file. Source: Documentation/arch/arm64/booting.rst, section 4, 7.3. */

/** "ARM\x64" */
export const ARM64_IMAGE_MAGIC = 0x644d5241;

export const arm64ImageHeader = struct({
  name: 'arm64_image_header',
  meaning: 'First 64 bytes of an arm64 kernel Image',
  source: 'Documentation/arch/arm64/booting.rst, 7.3',
  fields: {
    code0: u32('executable code', { role: 'opaque' }),
    code1: u32('executable code', { role: 'opaque' }),
    text_offset: u64('where it is to be loaded, from a 2 MiB boundary', { role: 'bytes' }),
    image_size: u64('size in memory', { role: 'bytes' }),
    flags: u64('byte order, page size, placement', { role: 'flags', flagNames: { 0: 'big-endian' } }),
    reserved: bytes(24, 'reserved'),
    magic: u32('"ARM\\x64"', { role: 'opaque', mustBe: [ARM64_IMAGE_MAGIC] }),
    res5: u32('offset of the PE header', { role: 'bytes' }),
  },
});
