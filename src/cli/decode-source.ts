/**
 * Where `decode` reads from: a dump, in which `--at` is a physical address, or any other file, in which it is an offset.
 * Raw memory is both at once.
 */
import { openBytesOrDump } from '../container/open.js';
import { describeState } from '../memory/memory.js';

export interface DecodeSource {
  /** in bytes; null where nothing tells it */
  readonly pageSize: number | null;
  /** a place in it, as messages name it */
  place(at: number): string;
  /** Up to `length` bytes at `at`; fewer at the end, or before a page that is not there. */
  read(at: number, length: number): Uint8Array;
  /** what is at `at`, where reading found no bytes there */
  absence(at: number): string;
  close(): void;
}

/** @throws UserError */
export async function openDecodeSource(path: string): Promise<DecodeSource> {
  const opened = await openBytesOrDump(path);
  if ('dump' in opened) {
    const { dump } = opened;
    const { memory } = dump;
    return {
      pageSize: dump.pageSizeFromDump,
      place: (at) => `physical address 0x${at.toString(16)}`,
      read(at, length) {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, memory.readInto(at, length, bytes));
      },
      absence: (at) => `the page of 0x${at.toString(16)} is ${describeState(memory.stateOf(at))}`,
      close: () => dump.close(),
    };
  }
  const { source } = opened;
  return {
    pageSize: null,
    place: (at) => `offset 0x${at.toString(16)}`,
    read(at, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, source.size - at)));
      return bytes.subarray(0, source.readInto(at, bytes.length, bytes));
    },
    absence: () => `the file has ${source.size} bytes`,
    close: () => source.close(),
  };
}
