/** A memfd of hugetlbfs (MFD_HUGETLB) on a machine without reserved huge pages: it has a size and seals, and nothing can be in it. Source: fs/hugetlbfs/inode.c, 7.3.4. */
import { negative } from '../faults.js';
import type { FileBody } from './open-file.js';
import { ALL_SEALS, SEAL } from './shmem.js';

export class HugetlbInode implements FileBody {
  readonly kind = 'hugetlb';
  readonly mode: number;
  seals: number;
  /** bytes */
  size = 0;
  readonly #hugePage: number;

  /** @param hugePage bytes */
  constructor(hugePage: number, mode: number, seals: number) {
    this.#hugePage = hugePage;
    this.mode = mode;
    this.seals = seals;
  }

  truncate(size: number): number {
    if (size % this.#hugePage !== 0) return negative('EINVAL');
    if (size < this.size && (this.seals & SEAL.SHRINK) !== 0) return negative('EPERM');
    if (size > this.size && (this.seals & SEAL.GROW) !== 0) return negative('EPERM');
    this.size = size;
    return 0;
  }

  fallocate(mode: 'allocate' | 'keep-size' | 'punch-hole', offset: number, length: number): number {
    if (mode === 'punch-hole') return (this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0 ? negative('EPERM') : 0;
    if (offset + length > this.size && (this.seals & SEAL.GROW) !== 0) return negative('EPERM');
    return negative('ENOSPC');
  }

  addSeals(seals: number): number {
    if ((seals & ~ALL_SEALS) !== 0) return negative('EINVAL');
    if ((this.seals & SEAL.SEAL) !== 0) return negative('EPERM');
    const implied = (seals & SEAL.EXEC) !== 0 && (this.mode & 0o111) !== 0 ? SEAL.SHRINK | SEAL.GROW | SEAL.WRITE | SEAL.FUTURE_WRITE : 0;
    this.seals |= seals | implied;
    return 0;
  }

  mmap(write: boolean, shared: boolean): number {
    if (write && shared && (this.seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) !== 0) return negative('EPERM');
    return negative('ENOMEM');
  }
}
