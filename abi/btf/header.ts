/** Head of a BTF section: where types and strings are. Source: include/uapi/linux/btf.h, 7.3; Documentation/bpf/btf.rst. */
import { struct, u8, u16, u32 } from '../layout.js';

export const BTF_MAGIC = 0xeb9f;
export const BTF_VERSION = 1;

export const btfHeader = struct({
  name: 'btf_header',
  meaning: 'Head of a BTF section; offsets count from its end',
  source: 'include/uapi/linux/btf.h, 7.3',
  fields: {
    magic: u16('0xeb9f in the byte order of all that follows', { role: 'opaque' }),
    version: u8('version of the format, 1'),
    flags: u8('always 0', { role: 'flags' }),
    hdr_len: u32('size of this header; newer ones are longer', { role: 'bytes' }),
    type_off: u32('types, from the end of the header', { role: 'bytes' }),
    type_len: u32('size of the types', { role: 'bytes' }),
    str_off: u32('strings, from the end of the header', { role: 'bytes' }),
    str_len: u32('size of the strings', { role: 'bytes' }),
  },
});
