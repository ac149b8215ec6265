/** Open files and descriptors of user space, as the kernel counts their references. */
import { negative } from '../faults.js';
import type { Steps } from '../machine.js';

/** What a descriptor is of: a memfd's inode, a session, a device … Each kind is a class of its own; `kind` names it for people. */
export interface FileBody {
  readonly kind: string;
  /** one more open file is of this body */
  opened?(): void;
  /** the last reference to the open file is gone; @returns 0 or a negative errno, which close(2) passes on */
  release?(file: OpenFile): Steps<number>;
}

/** How a file was opened: O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_APPEND, O_PATH. */
type OpenMode = 'rw' | 'ro' | 'wo' | 'append' | 'path';

/** struct file: one open(2), shared by dup(2), fork(2) and by whoever holds a reference. */
export class OpenFile {
  readonly body: FileBody;
  readonly mode: OpenMode;
  /** f_pos, in bytes */
  pos = 0n;
  #references = 1;

  constructor(body: FileBody, mode: OpenMode = 'rw') {
    this.body = body;
    this.mode = mode;
    // O_PATH refers to the file without opening it.
    if (mode !== 'path') body.opened?.();
  }

  /** FMODE_READ */
  get readable(): boolean {
    return this.mode === 'rw' || this.mode === 'ro' || this.mode === 'append';
  }

  /** FMODE_WRITE */
  get writable(): boolean {
    return this.mode === 'rw' || this.mode === 'wo' || this.mode === 'append';
  }

  /** get_file */
  get(): this {
    this.#references++;
    return this;
  }

  /** fput. @returns what the release answered, or 0 */
  *put(): Steps<number> {
    if (--this.#references > 0 || this.body.release === undefined || this.mode === 'path') return 0;
    return yield* this.body.release(this);
  }
}

/** Kinds of file that nothing in the engine looks into. */
export class PlainFile implements FileBody {
  readonly kind: string;
  /** bytes, of those that have a size */
  size = 0;
  constructor(kind: string) {
    this.kind = kind;
  }
}

/** What the kernel asks of the descriptors of the process that calls it. */
export interface Descriptors {
  /** fget: the open file; null for a number that is not open, or is O_PATH */
  get(fd: number): OpenFile | null;
  /** get_unused_fd_flags. @returns 0 if there is a free number, or EMFILE */
  room(): number;
  /** Installs `file`, whose reference passes to the table. @returns the descriptor, or EMFILE, the reference then still the caller's */
  install(file: OpenFile, closeOnExec?: boolean): number;
}

interface Entry {
  readonly file: OpenFile;
  readonly closeOnExec: boolean;
}

const CONSOLES = 3;
/** RLIMIT_NOFILE of the guests' agent. */
const LIMIT = 1_048_576;

/** The descriptors of a process: the lowest free number is taken; 0 to 2 are the console until they are closed. */
export class FdTable implements Descriptors {
  /** RLIMIT_NOFILE: numbers from here on can't be had */
  limit = LIMIT;
  readonly #files = new Map<number, Entry>();
  /** no number below it is free */
  #lowest = CONSOLES;

  constructor() {
    for (let fd = 0; fd < CONSOLES; fd++) this.#files.set(fd, { file: new OpenFile(new PlainFile('console')), closeOnExec: false });
  }

  get size(): number {
    return this.#files.size;
  }

  /** fork(2): the same open files under the same numbers. */
  copy(): FdTable {
    const copy = new FdTable();
    copy.#files.clear();
    for (const [fd, { file, closeOnExec }] of this.#files) copy.#files.set(fd, { file: file.get(), closeOnExec });
    copy.#lowest = this.#lowest;
    copy.limit = this.limit;
    return copy;
  }

  room(): number {
    while (this.#files.has(this.#lowest)) this.#lowest++;
    return this.#lowest < this.limit ? 0 : negative('EMFILE');
  }

  install(file: OpenFile, closeOnExec = true): number {
    const error = this.room();
    if (error !== 0) return error;
    const fd = this.#lowest++;
    this.#files.set(fd, { file, closeOnExec });
    return fd;
  }

  get(fd: number): OpenFile | null {
    const file = this.raw(fd);
    return file?.mode === 'path' ? null : file;
  }

  /** fget_raw: O_PATH descriptors too. */
  raw(fd: number): OpenFile | null {
    return this.#files.get(fd)?.file ?? null;
  }

  /** Takes the file out; the caller gets the table's reference. */
  remove(fd: number): OpenFile | null {
    const file = this.raw(fd);
    this.#files.delete(fd);
    if (file !== null) this.#lowest = Math.min(this.#lowest, fd);
    return file;
  }

  /** FD_CLOEXEC */
  closeOnExec(fd: number): boolean {
    return this.#files.get(fd)?.closeOnExec === true;
  }

  /** Descriptors that execve(2) closes. */
  closedOnExec(): number[] {
    return [...this.#files].filter(([, entry]) => entry.closeOnExec).map(([fd]) => fd);
  }

  /** Numbers that are open, in ascending order, as exit closes them. */
  open(): number[] {
    return [...this.#files.keys()].sort((a, b) => a - b);
  }
}
