/**
 * Snapshots from files: one, a file of many, or a folder of files. Read piece by piece, never whole. For the `kvm` command
 * and the bench.
 */
import { PAGE_SIZES } from '../codec/layout-table.js';
import { closeSync, fstatSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import { assumeArch } from './assume-arch.js';
import { SMALLEST_PAGE, hasRun, looksLikeKvmRun } from './recognise.js';
import { decodeSnapshot } from './snapshot.js';
import type { KvmSnapshot, KvmSnapshotOptions } from './snapshot-model.js';
import { type KvmArch, kvmArches } from '../../abi/kvm/arch.js';
import { atEnd } from '../codec/at-end.js';

export interface SnapshotEntry {
  /** counts over all files */
  readonly index: number;
  /** of its file, as found in the folder or given */
  readonly file: string;
  /** in bytes from the start of the file */
  readonly offset: number;
  readonly snapshot: KvmSnapshot;
}

export interface SnapshotFilesOptions extends KvmSnapshotOptions {
  /** bytes from one snapshot to the next; told from the file where not given */
  readonly stride?: number;
}

/** Where snapshots come from; nothing is open between two steps of `entries`. */
export interface SnapshotFiles {
  readonly path: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly stride: number; readonly count: number }[];
  /** snapshots in all */
  readonly count: number;
  /** files of the folder that were passed over, because they hold no snapshots */
  readonly skipped: readonly string[];
  entries(): Generator<SnapshotEntry, void, undefined>;
}

interface Source {
  readonly name: string;
  readonly size: number;
  /** calls `use` with a reader, and closes what it opened */
  with<T>(use: (read: ReadAt) => T): T;
  open(): { readonly read: ReadAt; close(): void };
}

/** Bytes read at a time, about. */
const CHUNK = 1 << 20;
const RUN_LOG = 'kvm.json';
/** Bytes a kvm.json may have. */
const MOST_LOG = 64 << 20;

/**
 * @param path a file or a folder
 * @throws UserError if nothing can be read there
 */
export function openSnapshotFiles(path: string, options: SnapshotFilesOptions = {}): SnapshotFiles {
  const sources: Source[] = [];
  const skipped: string[] = [];
  let errnos: ReadonlyMap<string, number> = new Map();
  if (isFolder(path)) {
    errnos = runLog(path, options);
    for (const name of readdirSync(path).sort(byNumberWithin)) {
      const file = join(path, name);
      if (!statSync(file, { throwIfNoEntry: false })?.isFile()) continue;
      const source = fileSource(name, file);
      if (/\.kvm_run$/i.test(name) || source.with((read) => looksLikeKvmRun(read(0, SMALLEST_PAGE), source.size))) sources.push(source);
      else if (name !== RUN_LOG || errnos.size === 0) skipped.push(name);
    }
    if (sources.length === 0) throw new UserError(`${path}: no file of this folder is a kvm_run snapshot; name them *.kvm_run, or give one file`);
  } else sources.push(fileSource(path, path));
  return filesOf(path, sources, skipped, options, errnos);
}

/** What each run of the folder returned, where a kvm.json says so and the user gives no errno. */
function runLog(folder: string, options: SnapshotFilesOptions): ReadonlyMap<string, number> {
  const file = join(folder, RUN_LOG);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (options.errno !== undefined || stat?.isFile() !== true) return new Map();
  if (stat.size > MOST_LOG) throw new UserError(`${file}: ${stat.size} bytes; at most ${MOST_LOG} are read`);
  return errnosOf(readFileSync(file, 'utf8'), file);
}

/** Snapshots in bytes that are already in memory (standard input, a decompressed file). */
export function snapshotsInBytes(name: string, bytes: Uint8Array, options: SnapshotFilesOptions = {}): SnapshotFiles {
  const read: ReadAt = (offset, length) => bytes.subarray(offset, offset + length);
  return filesOf(name, [{ name, size: bytes.length, with: (use) => use(read), open: () => ({ read, close: () => undefined }) }], [], options);
}

function filesOf(
  path: string,
  sources: readonly Source[],
  skipped: readonly string[],
  options: SnapshotFilesOptions,
  errnos: ReadonlyMap<string, number> = new Map(),
): SnapshotFiles {
  const files = sources.map((source) => {
    if (source.size === 0) throw new UserError(`${source.name}: the file is empty; a kvm_run snapshot has at least ${SMALLEST_PAGE} bytes`);
    const { stride, pageSize } = source.with((read) => spacing(read, source.size, options));
    return { source, stride, pageSize, count: Math.ceil(source.size / stride) };
  });
  return {
    path,
    files: files.map(({ source, stride, count }) => ({ name: source.name, bytes: source.size, stride, count })),
    count: files.reduce((sum, file) => sum + file.count, 0),
    skipped,
    *entries() {
      let index = 0;
      for (const { source, stride, pageSize } of files) {
        for (const { offset, bytes } of pieces(source, stride)) {
          const errno = errnos.get(source.name);
          const known = errno === undefined ? {} : { errno };
          yield { index: index++, file: source.name, offset, snapshot: decodeSnapshot(bytes, { ...known, ...options, pageSize }) };
        }
      }
    },
  };
}

function spacing(read: ReadAt, size: number, options: SnapshotFilesOptions): { readonly stride: number; readonly pageSize: number } {
  const arch = options.arch ?? assumeArch(read(0, SMALLEST_PAGE), options, []).arch;
  if (options.stride !== undefined) return { stride: options.stride, pageSize: options.pageSize ?? SMALLEST_PAGE };
  return strideOf(read, size, arch, options.pageSize ?? null);
}

function* pieces(source: Source, stride: number): Generator<{ readonly offset: number; readonly bytes: Uint8Array }, void, undefined> {
  const { read, close } = source.open();
  using _close = atEnd(() => close());
  // No mapping is as large as a chunk: of snapshots further apart the beginning is enough.
  const together = Math.max(1, Math.floor(CHUNK / stride));
  const each = Math.min(stride, CHUNK);
  for (let start = 0; start < source.size; start += together * stride) {
    const bytes = read(start, Math.min(together * each, source.size - start));
    if (bytes.length === 0) throw new UserError(`${source.name}: the file ended at ${start} bytes while it was read; was it cut meanwhile? Try again`);
    for (let at = 0; at < bytes.length; at += each) yield { offset: start + at, bytes: bytes.subarray(at, at + each) };
  }
}

function fileSource(name: string, file: string): Source {
  const open = (): { readonly read: ReadAt; readonly size: number; close(): void } => {
    try {
      const fd = openSync(file, 'r');
      const { size } = fstatSync(fd);
      return { size, read: (offset, length) => readFully(fd, offset, length), close: () => closeSync(fd) };
    } catch (error) {
      throw cannotRead(file, error);
    }
  };
  const using = <T>(use: (opened: ReturnType<typeof open>) => T): T => {
    const opened = open();
    using _opened = atEnd(() => opened.close());
    return use(opened);
  };
  return { name, size: using((opened) => opened.size), with: (use) => using((opened) => use(opened.read)), open };
}

function readFully(fd: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, bytes, done, length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw cannotRead(path, error);
  }
}

const cannotRead = (path: string, error: unknown): UserError => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new UserError(`${path}: cannot be read (${code}); is the path right, and may this user read it?`);
};

/** `9-x` before `10-x`. */
const byNumberWithin = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads `kvm.json`: what each KVM_RUN returned (`runs`, each with `file` and `errno`, 0 where it returned 0), which the pages do not tell.
 * @returns errno by file name; runs that name no file, or no errno, are passed over
 * @throws UserError where it is no JSON object with `runs`
 */
function errnosOf(text: string, path: string): ReadonlyMap<string, number> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UserError(`${path}: not JSON; move it away, or give the errno of all with --errno`);
  }
  const runs = isRecord(parsed) ? parsed.runs : null;
  if (!Array.isArray(runs)) throw new UserError(`${path}: it has no list "runs"; move it away, or give the errno of all with --errno`);
  const errnos = new Map<string, number>();
  for (const run of runs) {
    if (!isRecord(run) || typeof run.file !== 'string' || typeof run.errno !== 'number' || !Number.isInteger(run.errno)) continue;
    errnos.set(run.file, Math.abs(run.errno));
  }
  return errnos;
}

/**
 * Distance of the snapshots of one file. A file of vCPU mappings holds kvm_run and the data pages after it, over and
 * over (12288 bytes on x86-64); a file of kvm_run pages alone holds a snapshot every 4096 bytes. Told by the pages between: in
 * a file of mappings they never read as a kvm_run that ran.
 */

/** Reads up to `length` bytes at `offset` of the file; fewer where it ends. */
type ReadAt = (offset: number, length: number) => Uint8Array;

interface Stride {
  /** bytes from one snapshot to the next */
  readonly stride: number;
  /** of the host, in bytes */
  readonly pageSize: number;
}

/** Groups of pages looked at, spread over the file. */
const SAMPLES = 64;

/** @param size of the file, in bytes. @param pageSize of the host in bytes, where it is known */
function strideOf(read: ReadAt, size: number, arch: KvmArch, pageSize: number | null = null): Stride {
  const { mappedPages } = kvmArches[arch];
  const smallest = pageSize ?? SMALLEST_PAGE;
  // x86 and s390 have one page size. Elsewhere a larger one shows where the file is exactly one mapping of such pages.
  const larger =
    pageSize === null && arch !== 'x86_64' && mappedPages > 1 ? PAGE_SIZES.filter((page) => page > SMALLEST_PAGE && size === page * mappedPages) : [];
  for (const page of [...larger, smallest]) {
    if (mappedPages > 1 && isMappings(read, size, mappedPages * page)) return { stride: mappedPages * page, pageSize: page };
  }
  return { stride: smallest, pageSize: smallest };
}

/** Does the file hold one mapping of `stride` bytes after the other? The last may be cut short. */
function isMappings(read: ReadAt, size: number, stride: number): boolean {
  const groups = Math.ceil(size / stride);
  const step = Math.max(1, Math.floor(groups / SAMPLES));
  for (let group = 0; group < groups; group += step) {
    const bytes = read(group * stride, stride);
    for (let at = SMALLEST_PAGE; at < bytes.length; at += SMALLEST_PAGE) if (hasRun(bytes.subarray(at, at + SMALLEST_PAGE))) return false;
  }
  return size > 0;
}
