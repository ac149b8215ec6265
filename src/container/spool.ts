/**
 * Takes a stream (standard input, a decompressor) and gives random access to it: small ones stay in memory, larger ones
 * go to a temporary file that is unlinked as soon as it is open, so that it is gone however the program ends.
 */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmdirSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import { type ByteSource, bufferSource, fileSource, reasonOf } from './byte-source.js';
import { isZero } from './output-file.js';

/** Up to this many bytes are held in memory. */
const MEMORY_LIMIT = 8 * 1024 * 1024;
const FIRST_CAPACITY = 256 * 1024;
/** Left free on the disk of the temporary file. */
const SPARE_DISK = 128 * 1024 * 1024;
const CHECK_EVERY = 16 * 1024 * 1024;

export class Spool {
  readonly #name: string;
  readonly #memoryLimit: number;
  #buffer = new Uint8Array(FIRST_CAPACITY);
  #fd: number | null = null;
  #size = 0;
  #checkAt = 0;

  /** @param name as messages name the dump */
  constructor(name: string, memoryLimit = MEMORY_LIMIT) {
    this.#name = name;
    this.#memoryLimit = memoryLimit;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws UserError where there is no room for it */
  write(chunk: Uint8Array): void {
    if (this.#fd === null && this.#size + chunk.length > this.#memoryLimit) this.#spill();
    if (this.#fd === null) {
      if (this.#size + chunk.length > this.#buffer.length) {
        const larger = new Uint8Array(Math.min(this.#memoryLimit, Math.max(this.#buffer.length * 2, this.#size + chunk.length)));
        larger.set(this.#buffer.subarray(0, this.#size));
        this.#buffer = larger;
      }
      this.#buffer.set(chunk, this.#size);
      this.#size += chunk.length;
    } else this.#append(this.#fd, chunk);
  }

  /** What was written. The spool must not be used afterwards. */
  finish(): ByteSource {
    const fd = this.#fd;
    this.#fd = null;
    if (fd === null) return bufferSource(this.#name, this.#buffer.subarray(0, this.#size));
    ftruncateSync(fd, this.#size);
    return fileSource(this.#name, fd, this.#size);
  }

  /** Gives the disk space back where the stream failed. */
  abort(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #spill(): void {
    const size = this.#size;
    try {
      const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-'));
      const path = join(folder, 'dump');
      this.#fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      rmdirSync(folder);
    } catch (error) {
      throw new UserError(`${this.#name}: no temporary file in ${tmpdir()}: ${reasonOf(error)}; set TMPDIR to a folder that can be written`);
    }
    this.#size = 0;
    this.#append(this.#fd, this.#buffer.subarray(0, size));
    this.#buffer = new Uint8Array(0);
  }

  #append(fd: number, chunk: Uint8Array): void {
    if (this.#size >= this.#checkAt) {
      const { bavail, bsize } = statfsSync(tmpdir());
      if (bavail * bsize < SPARE_DISK) throw this.#full();
      this.#checkAt = this.#size + CHECK_EVERY;
    }
    // Runs of zeros become holes of the file.
    if (!isZero(chunk)) {
      let done = 0;
      try {
        while (done < chunk.length) done += writeSync(fd, chunk, done, chunk.length - done, this.#size + done);
      } catch (error) {
        if (reasonOf(error) === 'no space left') throw this.#full();
        throw new UserError(`${this.#name}: cannot write its temporary copy in ${tmpdir()}: ${reasonOf(error)}; set TMPDIR to another folder`);
      }
    }
    this.#size += chunk.length;
  }

  #full(): UserError {
    return new UserError(
      `${this.#name}: no space left in ${tmpdir()} after ${this.#size} bytes of its decompressed copy; set TMPDIR to a folder with more room`,
    );
  }
}
