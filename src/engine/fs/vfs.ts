/**
 * System calls on files of any kind: what the VFS checks, in its order, before the file itself is asked. Results are 0 (or bytes
 * written) or negative errnos. Source: fs/read_write.c, fs/open.c, mm/mmap.c, mm/memfd.c, 7.3.4, and answers of a 7.3.4 guest.
 */
import { negative } from '../faults.js';
import { traitsOf } from './file-kinds.js';
import { HugetlbInode } from './hugetlb.js';
import { type OpenFile, PlainFile } from './open-file.js';
import { ShmemInode } from './shmem.js';

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
