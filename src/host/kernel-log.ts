/** The running kernel's log, from /dev/kmsg. Source: Documentation/ABI/testing/dev-kmsg. */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** A record has at most this many bytes; the log a few MiB. */
const LARGEST_RECORD = 8192;
const MOST_RECORDS = 1_000_000;

/** Lines as dmesg prints them (`[    1.234567] text`), or why they could not be read. */
export function readKernelLog(path = '/dev/kmsg'): readonly string[] | { readonly why: string } {
  let fd: number | null = null;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const record = new Uint8Array(LARGEST_RECORD);
    const lines: string[] = [];
    for (let count = 0; count < MOST_RECORDS; count++) {
      const got = readRecord(fd, record);
      if (got === 0) break;
      const line = lineOf(new TextDecoder().decode(record.subarray(0, got)));
      if (line !== null) lines.push(line);
    }
    return lines;
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** 0 at the end of the log. EPIPE: the record was overwritten meanwhile, the next read goes on after it. */
function readRecord(fd: number, record: Uint8Array): number {
  for (let lost = 0; lost < MOST_RECORDS; lost++) {
    try {
      return readSync(fd, record, 0, record.length, null);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'EAGAIN') return 0;
      if (code !== 'EPIPE') throw error;
    }
  }
  return 0;
}

/** `6,339,5140900,-;text`, then lines of a dictionary that start with a space. Bytes above 0x7e come as \x... */
function lineOf(record: string): string | null {
  const match = /^\d+,\d+,(\d+),[^;]*;([^\n]*)/.exec(record);
  if (match === null) return null;
  const [, micros = '0', text = ''] = match;
  const seconds = Math.floor(Number(micros) / 1_000_000);
  return `[${String(seconds).padStart(5)}.${String(Number(micros) % 1_000_000).padStart(6, '0')}] ${text}`;
}
