/** Files that the agent makes, and what it can see of one: fstat, F_GET_SEALS, lseek, its bytes. */
import { createHash } from 'node:crypto';
import { negative } from '../faults.js';
import { HugetlbInode, SEAL, sealBits, ShmemInode } from '../fs/shmem.js';
import { OpenFile, PlainFile } from '../fs/open-file.js';
import { patternPage } from '../fs/pattern.js';
import { addSeals, fallocate, ftruncate, positionOf, pwrite } from '../fs/vfs.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Steps } from '../machine.js';
import type { Fill, Step } from '../scenario/types.js';

const MODE_ALL = 0o777;
const MODE_NOEXEC = 0o666;
/** Bytes of a name, its NUL not counted. */
const MFD_NAME_MAX_LEN = 249;

/** memfd_create, ftruncate, fallocate, writes, F_ADD_SEALS, lseek, in this order. @returns the file or a negative errno */
export function* memfdFile(kernel: Kernel, step: Step<'memfd'>): Steps<OpenFile | number> {
  const { machine } = kernel;
  const full = kernel.processes.room();
  const noexec = step.flags.includes('NOEXEC_SEAL');
  const tooLong = new TextEncoder().encode(step.name).length > MFD_NAME_MAX_LEN;
  const refused = (noexec && step.flags.includes('EXEC')) || tooLong ? negative('EINVAL') : full;
  const file = refused === 0 ? made(kernel, step) : null;
  yield machine.event('kernel', 'memfd_create', { name: step.name, flags: step.flags.join(',') }, refused);
  if (file === null) return refused;
  let error = fillFile(kernel, file, step);
  if (error >= 0 && step.seals.length > 0) error = addSeals(file, sealBits(step.seals));
  if (error < 0) {
    yield* file.put();
    return error;
  }
  file.pos = step.pos;
  const { body } = file;
  if (body instanceof ShmemInode) yield machine.event('kernel', 'memfd ready', { size: body.size, seals: body.seals, folios: body.folioCount });
  return file;
}

function made(kernel: Kernel, step: Step<'memfd'>): OpenFile {
  const { machine } = kernel;
  const noexec = step.flags.includes('NOEXEC_SEAL');
  const sealing = noexec || step.flags.includes('ALLOW_SEALING');
  const mode = noexec ? MODE_NOEXEC : MODE_ALL;
  const seals = noexec ? SEAL.EXEC : sealing ? 0 : SEAL.SEAL;
  if (step.flags.includes('HUGETLB')) return new OpenFile(new HugetlbInode(machine.pageSize * 2 ** (machine.pageShift - 3), mode, seals));
  return new OpenFile(
    new ShmemInode(machine, kernel.pages, kernel.spec, {
      kind: 'memfd',
      name: step.name,
      ino: kernel.nextIno(),
      mode,
      seals,
      linked: false,
      huge: step.huge,
    }),
  );
}

function fillFile(kernel: Kernel, file: OpenFile, step: Step<'memfd'>): number {
  let error = step.size > 0 ? ftruncate(file, step.size) : 0;
  if (error === 0 && step.fallocate !== null) error = fallocate(file, 'allocate', step.fallocate.offset, step.fallocate.size);
  if (error === 0) error = fillPages(kernel, file, step.fill, true);
  for (const { offset, bytes } of step.writes) if (error >= 0) error = pwrite(file, offset, bytes);
  // Filling whole pages must not make the file longer than it was made.
  if (error >= 0 && step.size > 0 && file.body instanceof ShmemInode && file.body.size > step.size) error = ftruncate(file, step.size);
  return Math.min(error, 0);
}

/** One pwrite(2) a page. @param clipped a page in which the file ends is written up to its end @returns bytes written, or what the first that failed answered */
function fillPages(kernel: Kernel, file: OpenFile, fills: readonly Fill[], clipped: boolean): number {
  const { pageSize } = kernel.machine;
  const inode = file.body instanceof ShmemInode ? file.body : null;
  const end = clipped && inode !== null && inode.size > 0 ? inode.size : Number.POSITIVE_INFINITY;
  let written = 0;
  for (const { page, pages, seed } of fills) {
    for (let index = page; index < page + pages; index++) {
      const whole = patternPage(seed, index, pageSize);
      const at = index * pageSize;
      const part = at < end && at + pageSize > end ? whole.subarray(0, end - at) : whole;
      const result = inode !== null && file.mode === 'rw' && part === whole ? inode.writePage(index, whole) : pwrite(file, at, part);
      if (result < 0) return result;
      written += result;
    }
  }
  return written;
}

/** pwrite(2): the pages of `fill`, then `bytes` at `offset`. @returns what the last write answered, or the first that failed */
export function writeFile(kernel: Kernel, file: OpenFile, step: Step<'write'>): number {
  const filled = fillPages(kernel, file, step.fill, false);
  return filled < 0 || step.bytes.length === 0 ? Math.min(filled, 0) : pwrite(file, step.offset, step.bytes);
}

/** A file on tmpfs: with a name, unlinked while open, or made with O_TMPFILE. */
export function* tmpfsFile(kernel: Kernel, kind: ShmemInode['kind'], { size, fill, limit }: Step<'fd'>): Steps<OpenFile | number> {
  const inode = new ShmemInode(kernel.machine, kernel.pages, kernel.spec, {
    kind,
    name: kind,
    ino: kernel.nextIno(),
    mode: MODE_NOEXEC,
    // Files that no memfd_create made can't be sealed.
    seals: SEAL.SEAL,
    linked: kind === 'tmpfs',
    huge: false,
    ...(limit === null ? {} : { limit }),
  });
  const file = new OpenFile(inode);
  const error = size > 0 ? inode.truncate(size) : 0;
  const filled = error < 0 ? error : fillPages(kernel, file, fill, true);
  yield kernel.machine.event('kernel', 'shmem_file_open', { kind, ino: inode.ino, size: inode.size }, Math.min(filled, 0));
  if (filled >= 0) return file;
  yield* file.put();
  return filled;
}

/** Compares what user space can see with what the step says. @returns what differs, null where nothing does */
export function checkFile(kernel: Kernel, file: OpenFile, step: Step<'check'>): string | null {
  const { body } = file;
  const sized = body instanceof ShmemInode || body instanceof HugetlbInode;
  const differing: string[] = [];
  const look = (what: string, wanted: unknown, found: unknown): void => {
    if (wanted !== null && wanted !== found) differing.push(`${what} is ${String(found)}, not ${String(wanted)}`);
  };
  look('size', step.size, sized || body instanceof PlainFile ? body.size : 0);
  look('seals', step.seals === null ? null : sealNames(sealBits(step.seals)), sized ? sealNames(body.seals) : 'none to be had');
  look('pos', step.pos, positionOf(file) ?? 'none to be had');
  look('mode', step.mode, sized ? body.mode : null);
  if (step.fill !== null && !(body instanceof ShmemInode && holdsPattern(kernel, body, step.fill))) differing.push('the pages hold something else');
  look('sha256', step.sha256, step.sha256 !== null && body instanceof ShmemInode ? digest(kernel, body) : null);
  return differing.length === 0 ? null : differing.join('; ');
}

const sealNames = (bits: number): string =>
  Object.entries(SEAL)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
    .join(' ') || 'none';

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
