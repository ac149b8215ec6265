/** The setup header of an x86 bzImage, as far as placing the kernel needs it. Source: Documentation/arch/x86/boot.rst, 7.3. */
import { bytes, struct, u16, u32 } from '../layout.js';

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
