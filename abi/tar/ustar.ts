/** A member's header in a tar archive, padded to a block. Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar 1.35, tar.h. */
import { cstring, padding, struct } from '../layout.js';

/** Headers and contents take whole blocks, in bytes. */
export const TAR_BLOCK = 512;
export const USTAR_MAGIC = 'ustar';

/** How `typeflag` says what follows the header; '' is an ordinary file, as before POSIX. */
export const tarTypes = { files: ['0', '7', ''], paxHeader: 'x', gnuLongName: 'L' } as const;

export const ustarHeader = struct({
  name: 'posix_header',
  meaning: 'Header of a member of a tar archive',
  source: 'POSIX.1-2017, ustar Interchange Format',
  fields: {
    name: cstring(100, 'path, or its end'),
    mode: padding(8, 'permissions, octal'),
    uid: padding(8, 'owner, octal'),
    gid: padding(8, 'group, octal'),
    size: cstring(12, 'bytes of contents, octal'),
    mtime: padding(12, 'time of change, octal'),
    chksum: padding(8, 'sum of the header, octal'),
    typeflag: cstring(1, 'kind of member'),
    linkname: padding(100, 'what a link leads to'),
    magic: cstring(6, '"ustar"'),
    version: padding(2, '"00"'),
    uname: padding(32, "owner's name"),
    gname: padding(32, "group's name"),
    devmajor: padding(8, "a device's number"),
    devminor: padding(8, "a device's number"),
    prefix: cstring(155, 'path before the name'),
    pad: padding(12),
  },
});
