/** What ends a stream of an .xz file. Source: The .xz File Format 1.2.1, section 2.1.2. */
import { bytes, struct, u32 } from '../layout.js';

/** Stream Header and Stream Footer have the same size, in bytes. */
export const XZ_EDGE = 12;
export const XZ_FOOTER_MAGIC = 'YZ';

export const xzStreamFooter = struct({
  name: 'xz_stream_footer',
  meaning: 'End of an .xz stream; the index precedes it',
  source: 'The .xz File Format 1.2.1, 2.1.2',
  fields: {
    crc32: u32('checksum of the next two fields', { role: 'opaque' }),
    backward_size: u32('size of the index in units of 4 bytes, minus 1', { role: 'count' }),
    stream_flags: bytes(2, 'kind of check'),
    magic: bytes(2, '"YZ"'),
  },
});
