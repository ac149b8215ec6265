/**
 * The files of a machine that tell whether a live update would work, as preflight and capture read them: this machine's own, or a
 * recorded tree of the same form. Paths are those of the recorded form (`proc/cmdline`, `debugfs/kho/out/fdt`); `recorded.ts` says where
 * each is on a live machine.
 */
import { closeSync, lstatSync, type Stats, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { livePathOf, PCI_FOLDER } from './recorded.js';

/** Why a file could not be read. */
export type Missing = 'absent' | 'denied' | 'unreadable';

export interface HostTree {
  /** for messages: `this machine`, or the folder or archive */
  readonly label: string;
  /** what is told is true now, not when it was recorded */
  readonly live: boolean;
  /** the file's bytes, at most `MOST_BYTES`; or why there are none */
  read(path: string): Uint8Array | Missing;
  /** names in a folder, sorted; empty where there is none */
  list(path: string): readonly string[];
  /** what a symbolic link's last part names; a recorded tree may hold a plain file with that name in it */
  link(path: string): string | null;
  has(path: string): boolean;
  /** why a folder cannot be listed; null where it can */
  unlisted(path: string): Missing | null;
  /** for messages: where that file would be */
  where(path: string): string;
}

/** No file that is asked for is larger: a kernel's BTF has about 6 MiB. */
const MOST_BYTES = 64 << 20;
/** An attribute of a device: sysfs gives a page, and 4 KiB of configuration space. There are some ten of each device. */
const MOST_ATTRIBUTE = 4096;
const MOST_NAMES = 65536;

/** The text of a file without trailing white space, or null where it can't be read. */
export function textOf(tree: HostTree, path: string): string | null {
  const bytes = tree.read(path);
  return typeof bytes === 'string' ? null : new TextDecoder().decode(bytes).trimEnd();
}

/** This machine. */
export const liveTree = (): HostTree => diskTree('this machine', true, livePathOf);

/** A recorded tree: a folder `luo-capture`, or one that holds it. */
export function folderTree(root: string): HostTree {
  const inside = join(root, 'luo-capture');
  const base = isFolder(inside) ? inside : root;
  return diskTree(root, false, (path) => join(base, path));
}

function diskTree(label: string, live: boolean, place: (path: string) => string): HostTree {
  return {
    label,
    live,
    read: (path) => readFile(place(path), path.startsWith(`${PCI_FOLDER}/`) ? MOST_ATTRIBUTE : MOST_BYTES),
    list: (path) => {
      try {
        return readdirSync(place(path)).sort().slice(0, MOST_NAMES);
      } catch {
        return [];
      }
    },
    link: (path) => linkName(place(path)),
    has: (path) => statOf(place(path)) !== null,
    unlisted(path) {
      try {
        readdirSync(place(path));
        return null;
      } catch (error) {
        return whyMissing(error);
      }
    },
    where: place,
  };
}

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() === true;

/** null where there is nothing, or a folder above may not be entered. */
function statOf(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function whyMissing(error: unknown): Missing {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOENT' || code === 'ENOTDIR' ? 'absent' : code === 'EACCES' || code === 'EPERM' ? 'denied' : 'unreadable';
}

/** Sizes are not asked for: sysfs says a page, proc and debugfs say nothing. */
function readFile(path: string, most: number): Uint8Array | Missing {
  let fd: number | null = null;
  try {
    // A FIFO or a device beside the recorded files would block, or never end.
    if (!statSync(path).isFile()) return 'unreadable';
    fd = openSync(path, 'r');
    const pieces: Uint8Array[] = [];
    let size = 0;
    while (size < most) {
      const piece = new Uint8Array(Math.min(65536, most - size));
      const got = readSync(fd, piece, 0, piece.length, null);
      if (got === 0) break;
      pieces.push(piece.subarray(0, got));
      size += got;
    }
    return new Uint8Array(Buffer.concat(pieces, size));
  } catch (error) {
    return whyMissing(error);
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

function linkName(path: string): string | null {
  try {
    if (lstatSync(path).isSymbolicLink()) return basename(readlinkSync(path));
  } catch {
    return null;
  }
  const bytes = readFile(path, MOST_ATTRIBUTE);
  return typeof bytes === 'string' ? null : basename(new TextDecoder().decode(bytes).trim()) || null;
}
