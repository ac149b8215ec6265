/** Reads the small files of a copied folder, bounded in count and size, and adds up what it read. */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { UserError } from '../codec/user-error.js';
import { reasonOf } from '../codec/named-file.js';
import { currentBudget, raise } from '../codec/budget.js';
import { MOST_ENTRIES, type RecordedFiles } from './recorded-files.js';

/** A kho folder's files are a page or a few; a guard against folders that are none. */
const LARGEST_FILE = 16 * 1024 * 1024;

export class FolderReader implements RecordedFiles {
  readonly #read = new Set<string>();

  /** of all files read, each counted once */
  bytes = 0;

  isFolder(path: string): boolean {
    return statOf(path)?.isDirectory() ?? false;
  }

  isFile(path: string): boolean {
    return statOf(path)?.isFile() ?? false;
  }

  /** Names in a folder, in order; none where there is no such folder. @throws UserError where it can't be read */
  list(path: string): readonly string[] {
    if (!this.isFolder(path)) return [];
    try {
      return readdirSync(path).sort().slice(0, MOST_ENTRIES);
    } catch (error) {
      throw new UserError(`${path}: cannot read this folder: ${reasonOf(error)}; copy it with its permissions open (cp -r as root, then chmod -R a+rX)`);
    }
  }

  /** The file's bytes, or null without such a file. Sizes are not asked for: debugfs says 0 for some files. @throws UserError */
  read(path: string): Uint8Array | null {
    if (!this.isFile(path)) return null;
    let fd: number | null = null;
    try {
      fd = openSync(path, 'r');
      const pieces: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const piece = new Uint8Array(16384);
        const got = readSync(fd, piece, 0, piece.length, null);
        if (got === 0) break;
        pieces.push(piece.subarray(0, got));
        size += got;
        if (size > LARGEST_FILE) throw new UserError(`${path}: larger than any file of a kho folder (${LARGEST_FILE} bytes); give the kho folder itself`);
      }
      if (!this.#read.has(path)) this.bytes += size;
      this.#read.add(path);
      const budget = currentBudget();
      if (this.bytes > budget.allowed('archive-bytes'))
        throw new UserError(
          `${path}: with the files read before it ${this.bytes} bytes, more than a kho folder's; give the kho folder itself, or ${raise(budget, 'archive-bytes')}`,
        );
      return Buffer.concat(pieces, size);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`${path}: cannot read: ${reasonOf(error)}; copy it with its permissions open (cp -r as root, then chmod -R a+rX)`);
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === 'permission denied')
      throw new UserError(`${path}: cannot look into its folder: ${reason}; copy it with its permissions open (chmod -R a+rX)`);
    return null;
  }
}

/** A number as the kernel prints it into such files (`0x…` or decimal, then a newline), or null. */
export function parseNumber(text: string): bigint | null {
  const trimmed = text.trim();
  return /^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(trimmed) ? BigInt(trimmed) : null;
}
