/**
 * What files that are no shmem answer to the operations of a scenario, by kind. The order of the checks is the VFS's (vfs.ts); here
 * stands what is the file's own. Source: answers of a 7.3.4 guest; drivers and file systems behind each descriptor.
 */
import type { ErrnoName } from '../../../abi/errno.js';

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
