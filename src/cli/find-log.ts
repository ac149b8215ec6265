/** The console log that goes with a dump: a file the user names, `console.log` in the dump's folder, or the dump's own printk buffer. */
import { closeSync, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { OpenedDump } from '../container/opened-dump.js';
import { UserError } from '../codec/user-error.js';
import { type ConsoleLog, type LoggedLine, parseConsoleLog } from '../diagnosis/log/console-log.js';
import { atEnd } from '../codec/at-end.js';

/** A console log is read up to here; no machine prints more between two kexecs. */
const MAX_LOG = 64 << 20;
const PIECE = 1 << 20;

/** @param wanted a path, `true` to look for one, `false` for none @throws UserError if a named file can't be read */
export async function findLog(opened: OpenedDump, wanted: string | boolean): Promise<ConsoleLog | null> {
  if (wanted === false) return null;
  if (typeof wanted === 'string') return { ...parseConsoleLog(wanted, readText(wanted)), inDump: await newestLines(opened) };
  const beside = logBeside(opened.path);
  if (beside !== null) return { ...parseConsoleLog(beside, readText(beside)), inDump: await newestLines(opened) };
  if (opened.recorded?.log != null) return parseConsoleLog(`${opened.path} (${opened.recorded.log.path})`, opened.recorded.log.text);
  const { kernelLog } = await import('../kernel/log.js');
  const lines = kernelLog(opened.memory, opened.vmcoreinfo);
  return lines === null ? null : parseConsoleLog(`${opened.path} (printk buffer)`, lines.join('\n'));
}

/** So many are enough to find the moment of a dump in a log that leaves lines of low levels out. */
const NEWEST = 256;

async function newestLines(opened: OpenedDump): Promise<readonly LoggedLine[]> {
  const { kernelRecords } = await import('../kernel/log.js');
  const records = kernelRecords(opened.memory, opened.vmcoreinfo) ?? [];
  return records.slice(-NEWEST).map(({ time, text }) => ({ time: Number(time / 1000n) / 1e6, text: text.split('\n', 1)[0] ?? '' }));
}

/** The console.log in the folder of the dump at `path`; null where there is none. */
export function logBeside(path: string): string | null {
  const beside = path === '-' ? null : join(isFolder(path) ? path : dirname(path), 'console.log');
  // Anything else of that name (a pipe, a device, a link to somewhere) is not the dump's log, and not opened.
  return beside !== null && lstatSync(beside, { throwIfNoEntry: false })?.isFile() === true ? beside : null;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function readText(path: string): string {
  try {
    const fd = openSync(path, 'r');
    using _fd = atEnd(() => closeSync(fd));
    const pieces: Buffer[] = [];
    for (let left = MAX_LOG; left > 0; ) {
      const piece = Buffer.alloc(Math.min(left, PIECE));
      const got = readSync(fd, piece, 0, piece.length, null);
      if (got === 0) break;
      pieces.push(piece.subarray(0, got));
      left -= got;
    }
    return Buffer.concat(pieces).toString('utf8');
  } catch (error) {
    throw new UserError(`${path}: the log can't be read (${error instanceof Error ? error.message : String(error)}); give another, or --no-log`);
  }
}
