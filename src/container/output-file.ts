/**
 * Files that commands write: dumps, contents of memfds, archives. They may hold a machine's memory, and may be written into a folder
 * that others write to: so beside the target under a random name that nobody else made, for its owner alone, and put in its place
 * only when it is complete. What is no ordinary file (a pipe, a terminal) is written through; nothing is ever replaced by a rename
 * that was not an ordinary file before.
 */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import { reasonOf } from '../codec/named-file.js';
import { atEnd } from '../codec/at-end.js';

export interface OutputFile {
  /** as messages name it */
  readonly name: string;
  /** false for a pipe and its like: what is left out is written as zeros there */
  readonly seekable: boolean;
  /** Writes at `offset`, which never goes down. @throws UserError */
  write(bytes: Uint8Array, offset: number): void;
  /** Makes the file `size` bytes long: a hole after what was written. @throws UserError */
  finish(size: number): void;
  /** Lets signals in: to be awaited every few MiB. */
  breathe(): Promise<void>;
}

/** Is this the program's own standard output, so that messages have to go elsewhere? */
export const isStandardOutput = (path: string): boolean => path === '-' || descriptorOf(path) === 1;

/**
 * Opens `path` (`-`: standard output), has it filled, and puts it in its place. Where that fails, or a signal ends the program,
 * nothing half-written remains, and what was there before is as it was.
 * @throws UserError where it can't be written
 */
export async function writeOutput<T>(path: string, fill: (output: OutputFile) => Promise<T> | T): Promise<T> {
  const descriptor = path === '-' ? 1 : descriptorOf(path);
  if (descriptor !== null) return await fill(new Writer(path === '-' ? 'standard output' : path, descriptor, false));
  const there = statOf(path);
  if (there?.isSymbolicLink() === true) {
    const target = attempt(path, () => statSync(path, { throwIfNoEntry: false }));
    if (target === undefined || target.isFile()) throw refused(path, `is a symbolic link to ${readlinkSync(path)}`, 'give the file itself');
    return await writeThrough(path, target, fill);
  }
  if (there !== undefined && !there.isFile()) return await writeThrough(path, there, fill);
  if (there !== undefined) attempt(path, () => accessSync(path, constants.W_OK));
  return await writeBeside(path, fill);
}

const refused = (path: string, what: string, advice: string): UserError => new UserError(`${path}: ${what}; ${advice} with -o`);

const failed = (path: string, error: unknown): UserError =>
  error instanceof UserError ? error : new UserError(`${path}: can't be written: ${reasonOf(error)}; choose another place, or make room`);

function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw failed(path, error);
  }
}

const statOf = (path: string): Stats | undefined => attempt(path, () => lstatSync(path, { throwIfNoEntry: false }));

/** /dev/stdout, /dev/fd/3, and links to them: the descriptor they name. */
function descriptorOf(path: string): number | null {
  const names = [path];
  try {
    names.push(readlinkSync(path));
  } catch {
    // No link.
  }
  for (const name of names) {
    if (name === '/dev/stdout') return 1;
    const number = /^\/(?:dev|proc\/self)\/fd\/(\d{1,5})$/.exec(name)?.[1];
    if (number !== undefined) return Number(number);
  }
  return null;
}

async function writeThrough<T>(path: string, what: Stats, fill: (output: OutputFile) => Promise<T> | T): Promise<T> {
  if (what.isDirectory()) throw refused(path, 'is a folder', 'name a file in it');
  if (what.isBlockDevice()) throw refused(path, 'is a block device: its contents would be overwritten', 'name a file');
  if (what.isSocket()) throw refused(path, 'is a socket', 'name a file');
  // Opening a FIFO that nobody reads would wait for ever; opened twice, its reader could be gone in between.
  const flags = constants.O_WRONLY | constants.O_NOCTTY | (what.isFIFO() ? constants.O_NONBLOCK : 0);
  const fd = attempt(path, () => openSync(path, flags));
  using _fd = atEnd(() => closeSync(fd));
  return await fill(new Writer(path, fd, false));
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function writeBeside<T>(path: string, fill: (output: OutputFile) => Promise<T> | T): Promise<T> {
  const temporary = join(dirname(path), `.luo-inspect-${randomBytes(9).toString('hex')}`);
  const fd = attempt(path, () => openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600));
  const remove = (): void => {
    try {
      unlinkSync(temporary);
    } catch {
      // Gone already: there is nothing to remove.
    }
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    remove();
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    process.kill(process.pid, signal);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  process.on('exit', remove);
  let complete = false;
  try {
    const result = await fill(new Writer(path, fd, true));
    attempt(path, () => {
      fsyncSync(fd);
      renameSync(temporary, path);
    });
    complete = true;
    return result;
  } finally {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    process.removeListener('exit', remove);
    closeSync(fd);
    if (!complete) remove();
  }
}

const ZEROS = new Uint8Array(1 << 16);

class Writer implements OutputFile {
  readonly name: string;
  readonly seekable: boolean;
  readonly #fd: number;
  #at = 0;

  constructor(name: string, fd: number, seekable: boolean) {
    this.name = name;
    this.#fd = fd;
    this.seekable = seekable;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (!this.seekable) this.#zerosTo(offset);
    for (let done = 0; done < bytes.length; ) done += this.#put(bytes.subarray(done), this.seekable ? offset + done : null);
    this.#at = offset + bytes.length;
  }

  finish(size: number): void {
    if (!this.seekable) this.#zerosTo(size);
    else attempt(this.name, () => ftruncateSync(this.#fd, size));
  }

  async breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  #zerosTo(offset: number): void {
    while (this.#at < offset) this.#at += this.#put(ZEROS.subarray(0, Math.min(ZEROS.length, offset - this.#at)), null);
  }

  #put(bytes: Uint8Array, position: number | null): number {
    for (;;) {
      try {
        return writeSync(this.#fd, bytes, 0, bytes.length, position);
      } catch (error) {
        // A pipe that others set to non-blocking is full: its reader needs a moment.
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw failed(this.name, error);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }
}

/** Is a piece of memory all zeros? For writers, which leave such pieces out as holes of the file. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== undefined && bytes[0] !== 0) return false;
  if (bytes.byteOffset % 8 !== 0) return bytes.every((byte) => byte === 0);
  const words = bytes.length >>> 3;
  const view = new BigUint64Array(bytes.buffer, bytes.byteOffset, words);
  for (let index = 0; index < words; index++) if (view[index] !== 0n) return false;
  for (let index = words * 8; index < bytes.length; index++) if (bytes[index] !== 0) return false;
  return true;
}
