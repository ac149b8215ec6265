/**
 * Takes a stream (standard input, a decompressor) and gives random access to it: what is no zeros stays in memory while it is little, else all
 * goes to a temporary file that is unlinked as soon as it is open, so that it is gone however the program ends.
 */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmdirSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../codec/user-error.js';
import { reasonOf } from '../codec/named-file.js';
import { type ByteSource, fileSource } from './byte-source.js';
import { isZero } from './output-file.js';

/** Up to this many bytes that are no zeros are held in memory. */
export const MEMORY_LIMIT = 32 << 20;
/** Held, or left out where it is zeros, at once. In bytes. */
const PART = 1 << 16;
/** Left free on the disk of the temporary file. */
export const SPARE_DISK = 128 << 20;
const CHECK_EVERY = 16 * 1024 * 1024;

export class Spool {
  readonly #name: string;
  readonly #memoryLimit: number;
  /** by its number; none where there are zeros */
  #parts: (Uint8Array | undefined)[] = [];
  #part = new Uint8Array(PART);
  /** bytes of all parts */
  #held = 0;
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
    for (let done = 0; done < chunk.length; ) {
      if (this.#fd !== null) {
        this.#append(this.#fd, chunk.subarray(done));
        return;
      }
      const at = this.#size % PART;
      const taken = chunk.subarray(done, done + PART - at);
      this.#part.set(taken, at);
      this.#size += taken.length;
      done += taken.length;
      if (this.#size % PART === 0) this.#keep();
    }
  }

  /** The part that is full is held, unless it is zeros; past the limit all of them go to the file. */
  #keep(): void {
    const isHeld = !isZero(this.#part);
    this.#parts.push(isHeld ? this.#part : undefined);
    if (!isHeld) return;
    this.#part = new Uint8Array(PART);
    this.#held += PART;
    if (this.#held > this.#memoryLimit) this.#spill();
  }

  /** What was written. The spool must not be used afterwards. */
  finish(): ByteSource {
    const fd = this.#fd;
    this.#fd = null;
    if (fd === null) return partsSource(this.#name, [...this.#parts, this.#part.subarray(0, this.#size % PART)], this.#size);
    ftruncateSync(fd, this.#size);
    return fileSource(this.#name, fd, this.#size);
  }

  /** Gives the disk space back where the stream failed. */
  abort(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #spill(): void {
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
    for (const part of this.#parts) this.#append(this.#fd, part ?? ZEROS);
    this.#parts = [];
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

const ZEROS = new Uint8Array(PART);

/** Bytes in parts of one size, those left out being zeros. */
function partsSource(name: string, parts: readonly (Uint8Array | undefined)[], size: number): ByteSource {
  return {
    name,
    size,
    readInto(offset, length, target, targetOffset = 0) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      for (let done = 0; done < wanted; ) {
        const at = (offset + done) % PART;
        const bytes = (parts[Math.floor((offset + done) / PART)] ?? ZEROS).subarray(at, at + wanted - done);
        target.set(bytes, targetOffset + done);
        done += bytes.length;
      }
      return wanted;
    },
    close() {},
  };
}
