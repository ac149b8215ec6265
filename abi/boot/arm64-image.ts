/** Head of an arm64 kernel Image, what a vmlinuz of arm64 holds instead of an ELF file. Source: Documentation/arch/arm64/booting.rst, section 4, 7.3. */
import { bytes, struct, u32, u64 } from '../layout.js';

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
