/**
 * System calls on files of any kind: what the VFS checks, in its order, before the file itself is asked. Results are 0 (or bytes
 * written) or negative errnos. Source: fs/read_write.c, fs/open.c, mm/mmap.c, mm/memfd.c, 7.3.4, and answers of a 7.3.4 guest.
 */
import { negative } from '../faults.js';
import { HugetlbInode, ShmemInode } from './shmem.js';
import { type OpenFile, PlainFile } from './open-file.js';
import type { ErrnoName } from '../../../abi/errno.js';

/**
 * What files that are no shmem answer to the operations of a scenario, by kind. The order of the checks is the VFS's (vfs.ts); here
 * is what the file's own operations answer. Source: answers of a 7.3.4 guest; drivers and file systems of each descriptor.
 */

/** null: it works. */
interface FileTraits {
  /** how `fd` opens it */
  readonly access: 'rw' | 'ro';
  /** pwrite(2): null takes every byte */
  readonly pwrite: ErrnoName | null;
  /** mmap(2), once the descriptor's own mode has been looked at */
  readonly mmapShared: ErrnoName | null;
  readonly mmapPrivate: ErrnoName | null;
  /** ftruncate(2) */
  readonly truncate: ErrnoName | null;
  /** fallocate(2), once the descriptor is known to be writable */
  readonly fallocate: ErrnoName;
  /** lseek(2): ESPIPE; any position, -1 too; or those that are not negative */
  readonly seek: 'none' | 'anywhere' | 'checked';
  /** open of /proc/self/fd */
  readonly reopen: ErrnoName | null;
  /** an ioctl that it does not know */
  readonly ioctl: ErrnoName;
}

/** A character device that has nothing but ioctls. */
const device: FileTraits = {
  access: 'rw',
  pwrite: 'EINVAL',
  mmapShared: 'ENODEV',
  mmapPrivate: 'ENODEV',
  truncate: 'EINVAL',
  fallocate: 'ENODEV',
  seek: 'none',
  reopen: null,
  ioctl: 'ENOTTY',
};

/** An anonymous inode: no name to open it by. */
const anonymous: FileTraits = { ...device, pwrite: 'ESPIPE', reopen: 'ENXIO' };
/** An anonymous inode whose llseek is noop_llseek. */
const anonymousNoop: FileTraits = { ...anonymous, seek: 'anywhere' };
const nullDevice: FileTraits = { ...device, pwrite: null, seek: 'anywhere' };

const KINDS: Readonly<Record<string, FileTraits>> = {
  eventfd: anonymousNoop,
  epoll: { ...anonymousNoop, ioctl: 'EINVAL' },
  timerfd: anonymousNoop,
  signalfd: anonymousNoop,
  inotify: { ...anonymousNoop, access: 'ro' },
  pipe: { ...anonymous, access: 'ro', reopen: null },
  socket: anonymous,
  secretmem: { ...anonymous, mmapShared: null, mmapPrivate: 'EINVAL', truncate: null, fallocate: 'EOPNOTSUPP' },
  pidfd: { ...device, truncate: 'EOPNOTSUPP', fallocate: 'EOPNOTSUPP' },
  'dev-null': nullDevice,
  'dev-zero': { ...nullDevice, mmapShared: null, mmapPrivate: null },
  'dev-mem': { ...nullDevice, mmapShared: null, mmapPrivate: null, seek: 'checked' },
  'dev-kvm': { ...device, seek: 'anywhere', ioctl: 'EINVAL' },
  'dev-vfio': { ...device, ioctl: 'EINVAL' },
  iommufd: { ...device, mmapShared: 'ENXIO', mmapPrivate: 'EINVAL' },
  proc: { ...device, access: 'ro', pwrite: 'ESPIPE', mmapShared: 'EIO', mmapPrivate: 'EIO', fallocate: 'EOPNOTSUPP', seek: 'checked' },
  // On 9p without a cache, as in the guests: no writable shared mappings.
  file: { ...device, pwrite: null, mmapShared: 'EINVAL', mmapPrivate: null, truncate: null, fallocate: 'EOPNOTSUPP', seek: 'checked' },
  session: anonymous,
  liveupdate: device,
};

/** @param kind as FileBody.kind says it; one that is not listed is a device with ioctls alone */
export const traitsOf = (kind: string): FileTraits => KINDS[kind] ?? device;

const LAST_POSITION = (1n << 63n) - 1n;
const answer = (errno: Parameters<typeof negative>[0] | null): number => (errno === null ? 0 : negative(errno));

/** pwrite(2). @returns bytes written or a negative errno */
export function pwrite(file: OpenFile, offset: number, bytes: Uint8Array): number {
  const { body } = file;
  const traits = traitsOf(body.kind);
  const known = body instanceof ShmemInode || body instanceof HugetlbInode;
  if (!known && traits.pwrite === 'ESPIPE') return negative('ESPIPE');
  if (!file.writable) return negative('EBADF');
  if (body instanceof HugetlbInode) return negative('EINVAL');
  // pwrite(2) on an O_APPEND file appends, whatever the offset.
  if (body instanceof ShmemInode) return body.write(file.mode === 'append' ? body.size : offset, bytes);
  if (traits.pwrite !== null) return negative(traits.pwrite);
  if (body instanceof PlainFile) body.size = Math.max(body.size, offset + bytes.length);
  return bytes.length;
}

/** ftruncate(2). */
export function ftruncate(file: OpenFile, size: number): number {
  const { body } = file;
  if (!file.writable) return negative('EINVAL');
  if (body instanceof ShmemInode || body instanceof HugetlbInode) return body.truncate(size);
  const { truncate } = traitsOf(body.kind);
  if (truncate !== null || !(body instanceof PlainFile)) return answer(truncate);
  // secretmem: its size can be set once.
  if (body.kind === 'secretmem' && body.size !== 0) return negative('EINVAL');
  body.size = size;
  return 0;
}

/** fallocate(2). */
export function fallocate(file: OpenFile, mode: 'allocate' | 'keep-size' | 'punch-hole', offset: number, length: number): number {
  const { body } = file;
  if (length <= 0) return negative('EINVAL');
  if (!file.writable) return negative('EBADF');
  if (body instanceof ShmemInode || body instanceof HugetlbInode) return body.fallocate(mode, offset, length);
  return negative(traitsOf(body.kind).fallocate);
}

/** fcntl(F_ADD_SEALS). */
export function addSeals(file: OpenFile, seals: number): number {
  const { body } = file;
  if (!file.writable) return negative('EPERM');
  if (body instanceof ShmemInode) return body.addSeals(seals, true);
  return body instanceof HugetlbInode ? body.addSeals(seals) : negative('EINVAL');
}

/** Where lseek(0, SEEK_CUR) says that it is; null where the file has no position (ESPIPE). */
export function positionOf({ body, pos }: OpenFile): bigint | null {
  const sized = body instanceof ShmemInode || body instanceof HugetlbInode;
  return !sized && traitsOf(body.kind).seek === 'none' ? null : pos;
}

/** lseek(2) to an absolute position. @returns 0 or a negative errno */
export function seek(file: OpenFile, pos: bigint): number {
  const { body } = file;
  const sized = body instanceof ShmemInode || body instanceof HugetlbInode;
  const { seek: how } = traitsOf(body.kind);
  if (!sized && how === 'none') return negative('ESPIPE');
  if (!sized && how === 'anywhere') return 0;
  if (pos < 0n || pos > LAST_POSITION) return negative('EINVAL');
  file.pos = pos;
  return 0;
}

/** What an mmap step asks for; `bytes` are stored through the mapping at `offset` where there are any. */
interface Mapping {
  readonly write: boolean;
  readonly shared: boolean;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** mmap(2) of the whole file. @returns 0 or a negative errno; EFAULT for a store that gets SIGBUS */
export function mmap(file: OpenFile, mapping: Mapping): number {
  const { body } = file;
  const { write, shared, offset, bytes } = mapping;
  if (!file.readable || (shared && write && !file.writable)) return negative('EACCES');
  if (body instanceof HugetlbInode) return body.mmap(write, shared);
  if (!(body instanceof ShmemInode)) return answer(shared ? traitsOf(body.kind).mmapShared : traitsOf(body.kind).mmapPrivate);
  const error = body.mmap(write, shared, file.writable);
  if (error !== 0 || bytes.length === 0) return error;
  // Through a private mapping the page is copied, but it must be there.
  if (!shared) return body.reaches(offset + bytes.length) ? 0 : negative('EFAULT');
  return write ? body.store(offset, bytes) : negative('EFAULT');
}
