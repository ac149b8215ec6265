/** The files of a tar archive, held in memory: a capture, or a copied kho folder that somebody packed. Only ordinary files count; links and devices are left out. */
import { basename, dirname, join } from 'node:path';
import { parseTar } from 'nanotar';
import { currentBudget, raise } from '../codec/budget.js';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, readAt } from './byte-source.js';
import type { RecordedFiles } from './recorded-files.js';

/** Offset of `ustar` in a header. Source: POSIX.1-2017, pax, "ustar Interchange Format". */
const USTAR_MAGIC_OFFSET = 257;
const USTAR_MAGIC = 'ustar';

export const isTar = (head: Uint8Array): boolean =>
  new TextDecoder('latin1').decode(head.subarray(USTAR_MAGIC_OFFSET, USTAR_MAGIC_OFFSET + USTAR_MAGIC.length)) === USTAR_MAGIC;

const MOST_FILES = 200_000;

/** @throws UserError where the archive is damaged or too large */
export function tarFiles(source: ByteSource): RecordedFiles {
  // It is read whole: a capture has a few MiB, most of it BTF.
  const budget = currentBudget();
  const most = budget.allowed('archive-bytes');
  if (source.size > most)
    throw new UserError(
      `${source.name}: a tar archive of ${source.size} bytes, more than ${most}; unpack it and give the folder, or ${raise(budget, 'archive-bytes')}`,
    );
  const files = filesOf(source);
  const folders = new Map<string, Set<string>>();
  for (const path of files.keys()) {
    for (let at = path; at !== '/'; at = dirname(at)) {
      const names = folders.get(dirname(at)) ?? new Set<string>();
      names.add(basename(at));
      folders.set(dirname(at), names);
    }
  }
  const read = new Set<string>();
  return {
    get bytes() {
      return [...read].reduce((sum, path) => sum + (files.get(path)?.length ?? 0), 0);
    },
    isFolder: (path) => path === '/' || folders.has(path),
    isFile: (path) => files.has(path),
    list: (path) => [...(folders.get(path) ?? [])].sort(),
    read(path) {
      const bytes = files.get(path) ?? null;
      if (bytes !== null) read.add(path);
      return bytes;
    },
  };
}

function filesOf(source: ByteSource): ReadonlyMap<string, Uint8Array> {
  const bytes = readAt(source, 0, source.size);
  const found = new Map<string, Uint8Array>();
  try {
    for (const { name, type, data } of parseTar(bytes)) {
      if (type !== 'file' || found.size >= MOST_FILES) continue;
      found.set(join('/', name), data ?? new Uint8Array(0));
    }
  } catch (error) {
    throw new UserError(`${source.name}: a damaged tar archive: ${error instanceof Error ? error.message : String(error)}; copy it again`);
  }
  if (found.size === 0) throw new UserError(`${source.name}: a tar archive without a file in it; take the capture again`);
  return found;
}
