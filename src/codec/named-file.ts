/**
 * Files that a user names beside a dump, read whole: texts, types, symbols. What is named may be a device or a pipe without end, so
 * each is read up to a size that none of its kind has.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { atEnd } from './at-end.js';
import { UserError } from './user-error.js';

/** Read at once where the size is not known before. In bytes. */
const PIECE = 1 << 20;

/**
 * @param file its path
 * @param most in bytes
 * @param advice what to give in its place
 * @throws UserError where it can't be read, or is longer than `most`
 */
export function readNamed(file: string, most: number, advice: string): Buffer {
  const bytes = opened(file, advice, (fd) => readOpen(fd, most));
  if (bytes === null) throw new UserError(`${file}: more than ${most} bytes; ${advice}`);
  return bytes;
}

/** As `readNamed`; of what is longer than `most`, its first `most` bytes. */
export const readHead = (file: string, most: number, advice: string): Buffer => opened(file, advice, (fd) => Buffer.concat(piecesOf(fd, most)));

/** What an open file has from where it stands; null where that is more than `most` bytes. */
export function readOpen(fd: number, most: number): Buffer | null {
  const pieces = piecesOf(fd, most + 1);
  if (pieces.length === 1 && pieces[0] !== undefined && pieces[0].length <= most) return pieces[0];
  return pieces.reduce((sum, { length }) => sum + length, 0) > most ? null : Buffer.concat(pieces);
}

function opened<T>(file: string, advice: string, read: (fd: number) => T): T {
  try {
    const fd = openSync(file, 'r');
    using _fd = atEnd(() => closeSync(fd));
    return read(fd);
  } catch (error) {
    throw new UserError(`${file}: can't be read: ${reasonOf(error)}; ${advice}`);
  }
}

/** At most `most` bytes. Sizes that /sys and /proc say are not trusted; a pipe gives little at a time, and each piece is filled. */
function piecesOf(fd: number, most: number): Buffer[] {
  const pieces: Buffer[] = [];
  let next = fstatSync(fd).size + 1;
  for (let left = most; left > 0; next = PIECE) {
    const piece = Buffer.allocUnsafe(Math.min(left, Math.max(next, PIECE)));
    const filled = fill(fd, piece);
    pieces.push(piece.subarray(0, filled));
    if (filled < piece.length) break;
    left -= filled;
  }
  return pieces;
}

/** @returns how many bytes there were, fewer than the piece has room for only at the end */
function fill(fd: number, piece: Buffer): number {
  let filled = 0;
  while (filled < piece.length) {
    const got = readSync(fd, piece, filled, piece.length - filled, null);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** What a failed system call says, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
  switch (code) {
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ENOSPC':
      return 'no space left';
    case 'ENOTDIR':
      return 'a part of the path is not a folder';
    case 'EIO':
      return 'input/output error';
    case 'ELOOP':
      return 'its symbolic links lead in a circle';
    case 'ENAMETOOLONG':
      return 'the name is too long';
    case 'EISDIR':
      return 'it is a folder';
    case 'EROFS':
      return 'the file system is read-only';
    case 'EDQUOT':
      return 'the quota is used up';
    case 'EFBIG':
      return 'larger than a file can be here';
    case 'ENXIO':
      return 'nobody reads it';
    case 'EPIPE':
      return 'its reader went away';
    default:
      return code ?? (error instanceof Error ? error.message : String(error));
  }
}
