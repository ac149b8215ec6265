/**
 * Bytes of a dump at any offset: an open file, read page-wise and never whole, or a buffer. For the container formats.
 * Large reads go straight into the reader's buffer; small ones through a cache of recently used pages.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { reasonOf } from '../codec/named-file.js';
import { UserError } from '../codec/user-error.js';

export interface ByteSource {
  /** as messages name it */
  readonly name: string;
  /** in bytes */
  readonly size: number;
  /**
   * Copies up to `length` bytes at `offset` into `target` at `targetOffset`.
   * @returns how many were copied; fewer only at the end
   * @throws UserError where the file can't be read
   */
  readInto(offset: number, length: number, target: Uint8Array, targetOffset?: number): number;
  /** What happened to the file since it was opened, in words; null where it is as it was. Absent for bytes in memory. */
  changed?(): string | null;
  close(): void;
}

/** `length` bytes at `offset`, fewer at the end of the source. `length` must have been bounded by the caller. */
export function readAt(source: ByteSource, offset: number, length: number): Uint8Array {
  const out = new Uint8Array(Math.max(0, Math.min(length, source.size - offset)));
  return out.subarray(0, source.readInto(offset, out.length, out));
}

/** Bytes in memory as a source. @param name as messages name it */
export function bufferSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    readInto(offset, length, target, targetOffset = 0) {
      const part = bytes.subarray(offset, Math.min(bytes.length, offset + length));
      target.set(part, targetOffset);
      return part.length;
    },
    close() {},
  };
}

/** Read at once for a structure: a page, as structures are mostly scattered over memory. */
const BLOCK = 4096;
const CACHED_BLOCKS = 512;
/** Blocks read at once where the one before was read, too. */
const AHEAD = 8;
/** Reads this large gain nothing by a cache. */
const LARGE = AHEAD * BLOCK;

/** The open file `fd`, `size` bytes long; closes it when closed. */
export function fileSource(name: string, fd: number, size: number): ByteSource {
  const cache = new Uint8Array(CACHED_BLOCKS * BLOCK);
  const lengths = new Uint16Array(CACHED_BLOCKS);
  /** block number to its place in the cache; the one used longest ago first */
  const slots = new Map<number, number>();
  const ahead = new Uint8Array(LARGE);
  let lastEnd = -1;
  let open = true;
  const before = fstatSync(fd);

  const pread = (offset: number, length: number, target: Uint8Array, targetOffset: number): number => {
    if (!open) throw new UserError(`${name}: read at offset ${offset} after the dump was closed`);
    let done = 0;
    while (done < length) {
      let got: number;
      try {
        got = readSync(fd, target, targetOffset + done, length - done, offset + done);
      } catch (error) {
        throw new UserError(`${name}: cannot read at offset ${offset + done}: ${reasonOf(error)}; copy the file to a local disk and try again`);
      }
      if (got === 0) break;
      done += got;
    }
    return done;
  };

  /** A place for a block, taken from the one used longest ago. */
  const slotFor = (index: number): number => {
    const oldest = slots.size < CACHED_BLOCKS ? undefined : slots.entries().next().value;
    if (oldest !== undefined) slots.delete(oldest[0]);
    const slot = oldest?.[1] ?? slots.size;
    slots.set(index, slot);
    return slot;
  };

  /** The place of a block in the cache. */
  const slotOf = (index: number): number => {
    const known = slots.get(index);
    if (known !== undefined) {
      slots.delete(index);
      slots.set(index, known);
      return known;
    }
    if (!slots.has(index - 1)) {
      const slot = slotFor(index);
      lengths[slot] = pread(index * BLOCK, BLOCK, cache, slot * BLOCK);
      return slot;
    }
    const got = pread(index * BLOCK, LARGE, ahead, 0);
    for (let block = AHEAD - 1; block >= 0; block--) {
      const part = ahead.subarray(block * BLOCK, Math.max(block * BLOCK, Math.min(got, (block + 1) * BLOCK)));
      if (block > 0 && (part.length === 0 || slots.has(index + block))) continue;
      const slot = slotFor(index + block);
      cache.set(part, slot * BLOCK);
      lengths[slot] = part.length;
      if (block === 0) return slot;
    }
    throw new Error('no block was read');
  };

  return {
    name,
    size,
    readInto(offset, length, target, targetOffset = 0) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      // Whole pages here and there, as scattered folios are: a block around each would be read for nothing.
      const follows = offset === lastEnd;
      lastEnd = offset + wanted;
      if (wanted >= LARGE || (wanted >= BLOCK && !follows && !slots.has(Math.floor(offset / BLOCK)))) return pread(offset, wanted, target, targetOffset);
      let done = 0;
      while (done < wanted) {
        const at = offset + done;
        const index = Math.floor(at / BLOCK);
        const from = at - index * BLOCK;
        const slot = slotOf(index);
        const part = Math.min(wanted - done, (lengths[slot] ?? 0) - from);
        if (part <= 0) break;
        target.set(cache.subarray(slot * BLOCK + from, slot * BLOCK + from + part), targetOffset + done);
        done += part;
      }
      return done;
    },
    changed() {
      if (!open) return null;
      const now = fstatSync(fd);
      if (now.size < size) return `shrank from ${size} to ${now.size} bytes`;
      return now.isFile() && (now.mtimeMs !== before.mtimeMs || now.size !== before.size) ? 'was written to' : null;
    },
    close() {
      if (open) closeSync(fd);
      open = false;
      slots.clear();
    },
  };
}
