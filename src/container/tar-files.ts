/** The files of a tar archive, held in memory: a capture, or a copied kho folder that somebody packed. Only ordinary files count; links and devices are left out. */
import { basename, dirname, join } from 'node:path';
import { TAR_BLOCK, tarTypes, USTAR_MAGIC, ustarHeader } from '../../abi/tar/ustar.js';
import { currentBudget, raise } from '../codec/budget.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, readAt } from './byte-source.js';
import { MOST_ENTRIES, type RecordedFiles } from './recorded-files.js';

const MAGIC_AT = offsetOf(ustarHeader, 'magic');

export const isTar = (head: Uint8Array): boolean => new TextDecoder('latin1').decode(head.subarray(MAGIC_AT, MAGIC_AT + USTAR_MAGIC.length)) === USTAR_MAGIC;

/** A whole sysfs has fewer. */
const MOST_FILES = 1 << 16;
const MOST_FOLDERS = 1 << 16;
/** PATH_MAX, and what a header in front of a member needs to say one. */
const LONGEST_PATH = 4096;
const LONGEST_HEADER = 2 * LONGEST_PATH;

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
      const folder = dirname(at);
      const names = folders.get(folder);
      names?.add(basename(at));
      if (names !== undefined) break;
      folders.set(folder, new Set([basename(at)]));
      if (folders.size > MOST_FOLDERS)
        throw new UserError(`${source.name}: a tar archive of more than ${MOST_FOLDERS} folders, as no capture is; give the dump`);
    }
  }
  const read = new Set<string>();
  return {
    get bytes() {
      return [...read].reduce((sum, path) => sum + (files.get(path)?.length ?? 0), 0);
    },
    isFolder: (path) => path === '/' || folders.has(path),
    isFile: (path) => files.has(path),
    list: (path) => [...(folders.get(path) ?? [])].sort().slice(0, MOST_ENTRIES),
    read(path) {
      const bytes = files.get(path) ?? null;
      if (bytes !== null) read.add(path);
      return bytes;
    },
  };
}

function filesOf(source: ByteSource): ReadonlyMap<string, Uint8Array> {
  const bytes = readAt(source, 0, source.size);
  const damaged = (at: number, what: string): UserError => new UserError(`${source.name}: a damaged tar archive: ${what} at offset ${at}; copy it again`);
  const found = new Map<string, Uint8Array>();
  let longName: string | null = null;
  for (let at = 0; ; ) {
    // What ends with a whole member lacks what came after it: an archive ends with blocks of zeros.
    if (at + TAR_BLOCK > bytes.length) throw damaged(at, 'cut short');
    const header = decodeStruct(ustarHeader, bytes, at);
    if (header.name.text === '') break;
    const size = octal(header.size.text);
    if (size === null) throw damaged(at + offsetOf(ustarHeader, 'size'), 'no size');
    const data = bytes.subarray(at + TAR_BLOCK, at + TAR_BLOCK + size);
    if (data.length < size) throw damaged(at, `${size} bytes of contents, ${data.length} are left, in the member`);
    const type = header.typeflag.text;
    if (type === tarTypes.paxHeader || type === tarTypes.gnuLongName) {
      if (size > LONGEST_HEADER) throw damaged(at, `a header of ${size} bytes before a member`);
      const text = new TextDecoder().decode(data);
      longName = type === tarTypes.gnuLongName ? (text.split('\0')[0] ?? '') : (/^\d+ path=(.*)$/m.exec(text)?.[1] ?? longName);
    } else {
      const path = join('/', longName ?? (header.prefix.text === '' ? header.name.text : `${header.prefix.text}/${header.name.text}`));
      if (path.length > LONGEST_PATH) throw damaged(at, `a path of ${path.length} characters`);
      if (tarTypes.files.some((file) => file === type) && !path.endsWith('/')) found.set(path, data);
      if (found.size > MOST_FILES) throw new UserError(`${source.name}: a tar archive of more than ${MOST_FILES} files, as no capture is; give the dump`);
      longName = null;
    }
    at += TAR_BLOCK * (1 + Math.ceil(size / TAR_BLOCK));
  }
  if (found.size === 0) throw new UserError(`${source.name}: a tar archive without a file in it; take the capture again`);
  return found;
}

/** A number as tar writes it: octal digits, with spaces around. */
const octal = (text: string): number | null => (/^ *[0-7]+ *$/.test(text) ? Number.parseInt(text.trim(), 8) : null);
