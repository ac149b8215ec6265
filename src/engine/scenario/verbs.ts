/** Every verb of the scenario language, by name. Parser, step types, JSON Schema and the reference in docs/scenarios.md are made of this table. */
import { deviceVerbs } from './verbs-device.js';
import { kvmVerbs } from './verbs-kvm.js';
import { type ValuesOf, optional, required, withDefault, mapping } from './keys.js';
import { type FdRef, FD_KINDS } from './terms.js';
import { bytes, fdRef, label, number, oneOf, u64, bool, listOf, s64, size, text } from './values.js';
import { asKey, shapeKeys, shapeOf, verb, fill } from './verb.js';

/** Verbs on /dev/liveupdate and its sessions. Source of the operations: 7.3 include/uapi/linux/liveupdate.h. */

/** _IO(0xBA, nr): the type byte of every ioctl of live update. */
const LIVEUPDATE_IOCTL_TYPE = 0xba;

const sessionKey = required(fdRef, "the session's descriptor");
const deviceKey = optional(fdRef, 'the /dev/liveupdate descriptor; the one opened last unless given');
const nameKey = required(bytes, "the session's name: text, or raw bytes");
const reservedKey = withDefault(number(0, 0xffff_ffff), "the argument's reserved field", 0, '0');
const tokenKey = required(u64, 'the token');

const named = <T extends ValuesOf<typeof shapeKeys> & { readonly name: Uint8Array; readonly device: FdRef | null; readonly as: string | null }>(values: T) => ({
  name: values.name,
  device: values.device,
  as: values.as,
  shape: shapeOf(values),
});

const sessionVerbs = {
  open: verb('open("/dev/liveupdate")', { mode: withDefault(oneOf(['rw', 'ro']), 'read-write, or read-only', 'rw', 'rw'), ...asKey }),
  'create-session': verb('LIVEUPDATE_IOCTL_CREATE_SESSION', { name: nameKey, device: deviceKey, ...asKey, ...shapeKeys }, named),
  'retrieve-session': verb('LIVEUPDATE_IOCTL_RETRIEVE_SESSION', { name: nameKey, device: deviceKey, ...asKey, ...shapeKeys }, named),
  'get-name': verb(
    'LIVEUPDATE_SESSION_GET_NAME (7.2 and later)',
    { session: sessionKey, name: optional(bytes, 'the name it must answer, like `name` in `expect`'), reserved: reservedKey, ...shapeKeys },
    (values) => ({ session: values.session, name: values.name, reserved: values.reserved, shape: shapeOf(values) }),
  ),
  preserve: verb(
    'LIVEUPDATE_SESSION_PRESERVE_FD',
    { session: sessionKey, fd: required(fdRef, 'the descriptor to preserve'), token: tokenKey, ...shapeKeys },
    (values) => ({ session: values.session, fd: values.fd, token: values.token, shape: shapeOf(values) }),
  ),
  retrieve: verb('LIVEUPDATE_SESSION_RETRIEVE_FD', { session: sessionKey, token: tokenKey, ...asKey, ...shapeKeys }, (values) => ({
    session: values.session,
    token: values.token,
    as: values.as,
    shape: shapeOf(values),
  })),
  finish: verb('LIVEUPDATE_SESSION_FINISH', { session: sessionKey, reserved: reservedKey, ...shapeKeys }, (values) => ({
    session: values.session,
    reserved: values.reserved,
    shape: shapeOf(values),
  })),
  ioctl: verb(
    'any ioctl. What the argument holds is valid unless given: a name of its own, the token 0, the descriptor -1',
    {
      target: required(fdRef, 'the descriptor it is called on'),
      nr: required(number(0, 0xffff_ffff), 'the whole request number (0xba40); below 0x100 it stands for _IO(0xBA, nr)'),
      name: optional(bytes, "a session's name"),
      fd: withDefault<FdRef>(fdRef, 'a descriptor', -1, '-1'),
      token: withDefault(u64, 'a token', 0n, '0'),
      reserved: reservedKey,
      ...asKey,
      ...shapeKeys,
    },
    (values, _cursor, index) => ({
      target: values.target,
      request: values.nr < 0x100 ? (LIVEUPDATE_IOCTL_TYPE << 8) | values.nr : values.nr,
      name: values.name ?? new TextEncoder().encode(`ioctl-${index}`),
      fd: values.fd,
      token: values.token,
      reserved: values.reserved,
      as: values.as,
      shape: shapeOf(values),
    }),
  ),
};

/**
 * Verbs on processes. The first process is called main and is PID 1; a step says `by` where another carries it out. Every kernel starts
 * with the first alone.
 */
const processKey = required(label, 'the process');

const processVerbs = {
  fork: verb('fork(2): a child with the same descriptors and mappings', { process: required(label, 'what the child is called') }),
  exit: verb('exit(2): the descriptors are closed, in ascending order; if it is PID 1 the kernel panics', {
    code: withDefault(number(0, 255), 'exit code', 0, '0'),
  }),
  kill: verb('kill(2) with SIGKILL', { process: processKey }),
  exec: verb('execve(2): descriptors that are close-on-exec are closed, and mappings go', {}),
  'send-fd': verb('SCM_RIGHTS: another process gets the open file', { fd: required(fdRef, 'the descriptor'), to: processKey, ...asKey }),
  rlimit: verb('setrlimit(RLIMIT_NOFILE)', { nofile: required(number(0, 1_048_576), 'descriptors from this number on cannot be had (EMFILE)') }),
};

/** Verbs on what comes after this kernel: loading an image, and the ways out. Source: 7.3 kernel/kexec_file.c, kernel/reboot.c. */
const rebootVerbs = {
  'kexec-load': verb('loads the next kernel, in place of one that is loaded', {
    call: withDefault(
      oneOf(['kexec_file_load', 'kexec_load']),
      'an image loaded by kexec_load(2) is told nothing of a handover',
      'kexec_file_load',
      'kexec_file_load',
    ),
  }),
  'kexec-unload': verb('kexec_file_load(KEXEC_FILE_UNLOAD): no image is loaded any more', {}),
  kexec: verb('reboot(LINUX_REBOOT_CMD_KEXEC); loads an image first unless one is loaded', {
    image: withDefault(oneOf(['load', 'none']), '`none`: whatever is loaded, nothing is loaded now', 'load', 'load'),
  }),
  reboot: verb('leaves the kernel without a kexec: the next of `kernels` boots cold, nothing is frozen or handed over', {
    how: withDefault(oneOf(['restart', 'crash']), 'reboot(LINUX_REBOOT_CMD_RESTART), or a panic without a crash kernel', 'restart', 'restart'),
  }),
};

const seal = oneOf(['SEAL', 'SHRINK', 'GROW', 'WRITE', 'FUTURE_WRITE', 'EXEC']);
const memfdFlag = oneOf(['ALLOW_SEALING', 'NOEXEC_SEAL', 'EXEC', 'HUGETLB', 'CLOEXEC']);
const fdKey = required(fdRef, 'the descriptor');
const offsetKey = withDefault(size(), 'where in the file, in bytes', 0, '0');
const fillKey = withDefault(fill, 'pages that hold the content pattern', [], '');
const dataKey = optional(bytes, 'the bytes: text, or raw');
const range = { offset: offsetKey, size: withDefault(size(1), 'how much, in bytes', 4096, '4KiB') };
const LAST_POSITION = (1n << 63n) - 1n;

const fileVerbs = {
  memfd: verb(
    'memfd_create, ftruncate, fallocate, writes, seals, lseek, in this order',
    {
      ...asKey,
      name: withDefault(text, 'the name given to memfd_create', '', ''),
      size: withDefault(size(), 'its size', 0, '0'),
      flags: withDefault(listOf(memfdFlag), 'MFD_…', ['ALLOW_SEALING'], '[ALLOW_SEALING]'),
      fallocate: optional(mapping(range, 'a fallocate'), 'allocates before anything is written'),
      fill: fillKey,
      writes: withDefault(listOf(mapping({ offset: offsetKey, data: required(bytes, 'the bytes') }, 'a write'), 10_000), 'writes after `fill`', [], ''),
      seals: withDefault(listOf(seal), 'F_SEAL_… to add', [], '[]'),
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

export const VERBS = { ...sessionVerbs, ...rebootVerbs, ...fileVerbs, ...processVerbs, ...deviceVerbs, ...kvmVerbs };
