/** Files that the agent makes, and what it can see of one: fstat, F_GET_SEALS, lseek, its bytes. */
import { createHash } from 'node:crypto';
import { negative } from '../faults.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import { patternPage } from '../fs/pattern.js';
import { SEAL, ShmemInode } from '../fs/shmem.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Steps } from '../machine.js';
import type { CheckStep, Fill, MemfdStep, SealName, WriteStep } from '../scenario/types.js';

const MODE_ALL = 0o777;
const MODE_NOEXEC = 0o666;

export const sealBits = (names: readonly SealName[]): number => names.reduce((bits, name) => bits | SEAL[name], 0);

/** memfd_create, ftruncate, fallocate, writes, lseek, F_ADD_SEALS, in this order. @returns the file or a negative errno */
export function* memfdFile(kernel: Kernel, step: MemfdStep): Steps<OpenFile | number> {
  const { machine } = kernel;
  if (step.flags.includes('HUGETLB')) {
    yield machine.event('kernel', 'memfd_create', { name: step.name, flags: step.flags.join(',') });
    return new OpenFile(new PlainFile('hugetlb'));
  }
  const noexec = step.flags.includes('NOEXEC_SEAL');
  const sealing = noexec || step.flags.includes('ALLOW_SEALING');
  const inode = new ShmemInode(machine, kernel.pages, kernel.spec, {
    kind: 'memfd',
    name: step.name,
    ino: kernel.nextIno(),
    mode: noexec ? MODE_NOEXEC : MODE_ALL,
    seals: noexec ? SEAL.EXEC : sealing ? 0 : SEAL.SEAL,
    linked: false,
    huge: step.huge,
  });
  yield machine.event('kernel', 'memfd_create', { name: step.name, ino: inode.ino });
  const file = new OpenFile(inode);
  const error = fillFile(kernel, inode, step);
  if (error < 0) {
    inode.evict();
    return error;
  }
  file.pos = step.pos;
  const refused = step.seals.length === 0 ? 0 : inode.addSeals(sealBits(step.seals), true);
  yield machine.event('kernel', 'memfd ready', { size: inode.size, seals: inode.seals, folios: inode.folios.size }, refused);
  return refused === 0 ? file : refused;
}

function fillFile(kernel: Kernel, inode: ShmemInode, step: MemfdStep): number {
  let error = step.size > 0 ? inode.truncate(step.size) : 0;
  if (error === 0 && step.fallocate !== null) error = inode.fallocate('allocate', step.fallocate.offset, step.fallocate.size);
  if (error === 0) error = fillPages(kernel, inode, step.fill);
  for (const { offset, bytes } of step.writes) if (error >= 0) error = inode.write(offset, bytes);
  // Filling whole pages must not make the file longer than it was made.
  if (error >= 0 && inode.size > step.size && step.size > 0) inode.size = step.size;
  return Math.min(error, 0);
}

function fillPages(kernel: Kernel, inode: ShmemInode, fills: readonly Fill[]): number {
  const { pageSize } = kernel.machine;
  const end = inode.size;
  for (const { page, pages, seed } of fills) {
    for (let index = page; index < page + pages; index++) {
      const whole = patternPage(seed, index, pageSize);
      const partial = end > 0 && (index + 1) * pageSize > end && index * pageSize < end;
      const error = partial ? inode.write(index * pageSize, whole.subarray(0, end - index * pageSize)) : inode.writePage(index, whole);
      if (error < 0) return error;
    }
  }
  return 0;
}

/** pwrite(2): the pages of `fill`, then `bytes` at `offset`. @returns bytes written or a negative errno */
export function writeFile(kernel: Kernel, inode: ShmemInode, step: WriteStep): number {
  const filled = fillPages(kernel, inode, step.fill);
  return filled < 0 || step.bytes.length === 0 ? filled : inode.write(step.offset, step.bytes);
}

/** A file on tmpfs: with a name, unlinked while open, or made with O_TMPFILE. */
export function* tmpfsFile(kernel: Kernel, kind: 'tmpfs' | 'tmpfs-unlinked' | 'o-tmpfile', size: number, fill: readonly Fill[]): Steps<OpenFile | number> {
  const inode = new ShmemInode(kernel.machine, kernel.pages, kernel.spec, {
    kind,
    name: kind,
    ino: kernel.nextIno(),
    mode: MODE_NOEXEC,
    // Files that no memfd_create made can't be sealed.
    seals: SEAL.SEAL,
    linked: kind === 'tmpfs',
    huge: false,
  });
  const error = size > 0 ? inode.truncate(size) : 0;
  const filled = error < 0 ? error : fillPages(kernel, inode, fill);
  yield kernel.machine.event('kernel', 'shmem_file_open', { kind, ino: inode.ino, size: inode.size }, Math.min(filled, 0));
  return filled < 0 ? filled : new OpenFile(inode);
}

/** Compares what user space can see with what the step says. @returns 0, or EILSEQ where something differs */
export function checkFile(kernel: Kernel, file: OpenFile, inode: ShmemInode, step: CheckStep): number {
  const differs =
    (step.size !== null && step.size !== inode.size) ||
    (step.seals !== null && sealBits(step.seals) !== inode.seals) ||
    (step.pos !== null && step.pos !== file.pos) ||
    (step.mode !== null && step.mode !== inode.mode) ||
    (step.fill !== null && !holdsPattern(kernel, inode, step.fill)) ||
    (step.sha256 !== null && step.sha256 !== digest(kernel, inode));
  return differs ? negative('EILSEQ') : 0;
}

function holdsPattern(kernel: Kernel, inode: ShmemInode, fills: readonly Fill[]): boolean {
  const { pageSize } = kernel.machine;
  return fills.every(({ page, pages, seed }) => {
    for (let index = page; index < page + pages; index++) {
      const length = Math.min(pageSize, inode.size - index * pageSize);
      const there = inode.readPage(index).subarray(0, length);
      if (length <= 0 || Buffer.compare(there, patternPage(seed, index, pageSize).subarray(0, length)) !== 0) return false;
    }
    return true;
  });
}

function digest(kernel: Kernel, inode: ShmemInode): string | null {
  const { pageSize, size } = kernel.machine;
  // A damaged handover may claim a file of exabytes: nobody could read it.
  if (inode.size > size) return null;
  const hash = createHash('sha256');
  for (let at = 0; at < inode.size; at += pageSize) hash.update(inode.readPage(at / pageSize).subarray(0, inode.size - at));
  return hash.digest('hex');
}
