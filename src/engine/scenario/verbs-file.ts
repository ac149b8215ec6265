/** Verbs on files of user space: making them, writing to them, sealing, looking at what they hold. */
import { mapping, optional, required, withDefault } from './keys.js';
import { FD_KINDS, type MemfdFlag, type SealName } from './terms.js';
import { bool, bytes, fdRef, listOf, number, oneOf, s64, size, text } from './values.js';
import { asKey, fill, verb } from './verb.js';

const seal = oneOf(['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC']);
const fdKey = required(fdRef, 'the descriptor');
const offsetKey = withDefault(size(), 'where in the file, in bytes', 0, '0');
const fillKey = withDefault(fill, 'pages that hold the content pattern', [], '');
const dataKey = optional(bytes, 'the bytes: text, or raw');
const NO_SEALS: readonly SealName[] = [];
const SEALABLE: readonly MemfdFlag[] = ['ALLOW_SEALING'];
const range = { offset: offsetKey, size: withDefault(size(1), 'how much, in bytes', 4096, '4KiB') };
const LAST_POSITION = (1n << 63n) - 1n;

export const fileVerbs = {
  memfd: verb(
    'memfd_create, ftruncate, fallocate, writes, seals, lseek, in this order',
    {
      ...asKey,
      name: withDefault(text, 'the name given to memfd_create', '', ''),
      size: withDefault(size(), 'its size', 0, '0'),
      flags: withDefault(listOf(oneOf(['ALLOW_SEALING', 'NOEXEC_SEAL', 'EXEC', 'HUGETLB', 'CLOEXEC'])), 'MFD_…', SEALABLE, '[ALLOW_SEALING]'),
      fallocate: optional(mapping(range, 'a fallocate'), 'allocates before anything is written'),
      fill: fillKey,
      writes: withDefault(listOf(mapping({ offset: offsetKey, data: required(bytes, 'the bytes') }, 'a write'), 10_000), 'writes after `fill`', [], ''),
      seals: withDefault(listOf(seal), 'F_SEAL_… to add', NO_SEALS, '[]'),
      pos: withDefault(s64, 'where lseek leaves it', 0n, '0'),
      huge: withDefault(bool, 'of huge folios (shmem_enabled=always)', false, 'false'),
    },
    (values, cursor) => {
      if (values.pos < 0n) throw cursor.error(`${values.pos} is no file position; pos is from 0 to ${LAST_POSITION}`);
      return { ...values, writes: values.writes.map((write) => ({ offset: write.offset, bytes: write.data })) };
    },
  ),
  fd: verb(
    'a descriptor of another kind, or a bare number',
    {
      ...asKey,
      kind: withDefault(oneOf([...FD_KINDS, 'number']), 'what it is of', 'number', 'number'),
      number: optional(number(-(2 ** 31), 2 ** 31 - 1), 'kind `number`: the number, open or not'),
      session: optional(fdRef, 'kind `session`: which; the one created or retrieved last unless given'),
      size: withDefault(size(), 'tmpfs kinds: bytes', 0, '0'),
      limit: optional(size(1), 'tmpfs kinds: `size=` of the mount that the file is alone on'),
      fill: fillKey,
    },
    (values, cursor) => {
      if ((values.kind === 'number') !== (values.number !== null))
        throw cursor.error('an fd step has either a kind or a number; write kind: eventfd, or number: 999');
      return { ...values, number: values.number ?? -1 };
    },
  ),
  dup: verb('dup(2)', { fd: fdKey, ...asKey }),
  reopen: verb('open of /proc/self/fd/…', {
    fd: fdKey,
    mode: withDefault(oneOf(['rw', 'ro', 'wo', 'append', 'path']), 'O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_APPEND, O_PATH', 'rw', 'rw'),
    ...asKey,
  }),
  write: verb(
    'pwrite(2): the pages of `fill`, then `data` (or `size` bytes) at `offset`',
    {
      fd: fdKey,
      offset: offsetKey,
      data: dataKey,
      size: optional(size(1), 'so many bytes of no meaning, where `data` is not given'),
      fill: fillKey,
    },
    (values, cursor) => {
      const written = dataOf(values.data, values.size, values.fill.length === 0 ? 1 : 0, cursor);
      return { fd: values.fd, fill: values.fill, offset: values.offset, bytes: written };
    },
  ),
  mmap: verb(
    'mmap(2) of the whole file; `data` (or `size` bytes) is stored through the mapping',
    {
      fd: fdKey,
      write: withDefault(bool, 'PROT_WRITE', true, 'true'),
      shared: withDefault(bool, 'MAP_SHARED', true, 'true'),
      offset: offsetKey,
      data: dataKey,
      size: optional(size(1), 'so many bytes of no meaning, where `data` is not given'),
    },
    (values, cursor) => ({
      fd: values.fd,
      write: values.write,
      shared: values.shared,
      offset: values.offset,
      bytes: dataOf(values.data, values.size, 0, cursor),
    }),
  ),
  munmap: verb('munmap(2) of everything that the process has mapped of the file', { fd: fdKey }),
  truncate: verb('ftruncate(2)', { fd: fdKey, size: required(size(), 'the new size') }),
  fallocate: verb('fallocate(2)', {
    fd: fdKey,
    mode: withDefault(oneOf(['allocate', 'keep-size', 'punch-hole']), 'FALLOC_FL_…', 'allocate', 'allocate'),
    ...range,
  }),
  seal: verb('fcntl(F_ADD_SEALS)', { fd: fdKey, seals: required(listOf(seal), 'F_SEAL_…') }),
  seek: verb('lseek(2) to a position', { fd: fdKey, pos: required(s64, 'the position') }),
  check: verb('what user space can see of a file; the step fails with EILSEQ where something differs', {
    fd: fdKey,
    size: optional(size(), 'st_size'),
    seals: optional(listOf(seal), 'F_GET_SEALS, all of them'),
    pos: optional(s64, 'lseek(0, SEEK_CUR)'),
    mode: optional(number(0, 0o7777), 'the permission bits of st_mode'),
    fill: optional(fill, 'pages that hold the content pattern'),
    sha256: optional(text, 'SHA-256 of the whole content, in hex'),
  }),
  close: verb('close(2), whatever the descriptor is of', { fd: fdKey }),
};

/** Bytes of no meaning are `x`; bounded, because they are held in memory. */
const MOST_BYTES = 64 * 1024 * 1024;

function dataOf(data: Uint8Array | null, length: number | null, otherwise: number, cursor: { error(what: string): Error }): Uint8Array {
  if (data !== null) return data;
  const wanted = length ?? otherwise;
  if (wanted > MOST_BYTES) throw cursor.error(`${wanted} bytes in one write; at most ${MOST_BYTES}: use fill for more`);
  return new Uint8Array(wanted).fill(0x78);
}
