/** Open files and descriptors of the agent, as the kernel counts their references. */
import type { Steps } from '../machine.js';

/** What a descriptor is of: a memfd's inode, a session, a device … Each kind is a class of its own; `kind` names it for people. */
export interface FileBody {
  readonly kind: string;
  /** one more open file is of this body */
  opened?(): void;
  /** the last reference to the open file is gone; @returns 0 or a negative errno, which close(2) passes on */
  release?(file: OpenFile): Steps<number>;
}

/** struct file: one open(2), shared by dup(2) and by whoever holds a reference. */
export class OpenFile {
  readonly body: FileBody;
  readonly writable: boolean;
  /** f_pos, in bytes */
  pos = 0n;
  #references = 1;

  constructor(body: FileBody, writable = true) {
    this.body = body;
    this.writable = writable;
    body.opened?.();
  }

  /** get_file */
  get(): this {
    this.#references++;
    return this;
  }

  /** fput. @returns what the release answered, or 0 */
  *put(): Steps<number> {
    if (--this.#references > 0 || this.body.release === undefined) return 0;
    return yield* this.body.release(this);
  }
}

/** Kinds of file that nothing in the engine looks into. */
export class PlainFile implements FileBody {
  readonly kind: string;
  constructor(kind: string) {
    this.kind = kind;
  }
}

const FIRST_FREE = 3;

/** The agent's descriptors: the lowest free number is taken, 0 to 2 are the console. */
export class FdTable {
  readonly #files = new Map<number, OpenFile>();

  constructor() {
    for (let fd = 0; fd < FIRST_FREE; fd++) this.#files.set(fd, new OpenFile(new PlainFile('console')));
  }

  /** Installs `file`, whose reference passes to the table. @returns the descriptor */
  install(file: OpenFile): number {
    let fd = FIRST_FREE;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    return fd;
  }

  get(fd: number): OpenFile | null {
    return this.#files.get(fd) ?? null;
  }

  /** Takes the file out; the caller gets the table's reference. */
  remove(fd: number): OpenFile | null {
    const file = this.#files.get(fd) ?? null;
    this.#files.delete(fd);
    return file;
  }

  *[Symbol.iterator](): Iterator<readonly [number, OpenFile]> {
    yield* this.#files;
  }
}
