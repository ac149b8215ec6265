/** The console log that goes with a dump: a file the user names, `console.log` in the dump's folder, or the dump's own printk buffer. */
import { lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { OpenedDump } from '../container/opened-dump.js';
import { readHead, readNamed } from '../codec/named-file.js';
import { type ConsoleLog, type LoggedLine, parseConsoleLog } from '../diagnosis/log/console-log.js';
import { tell } from './messages.js';

/** A console log is read up to here; no machine prints more between two kexecs. */
const MAX_LOG = 64 << 20;
const ADVICE = 'give the part of a log that has this handover with --log, or --no-log';

/** @param wanted a path, `true` to look for one, `false` for none @throws UserError if a named file can't be read */
export async function findLog(opened: OpenedDump, wanted: string | boolean): Promise<ConsoleLog | null> {
  if (wanted === false) return null;
  if (typeof wanted === 'string') return { ...parseConsoleLog(wanted, readNamed(wanted, MAX_LOG, ADVICE).toString('utf8')), inDump: await newestLines(opened) };
  const beside = logBeside(opened.path);
  if (beside !== null) return { ...parseConsoleLog(beside, headOf(beside)), inDump: await newestLines(opened) };
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

/** Nobody named it: where it is too long, its head is better than no report. */
function headOf(path: string): string {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG) tell(`${path}: only its first ${MAX_LOG} bytes are read; ${ADVICE}`);
  return readHead(path, MAX_LOG, ADVICE).toString('utf8');
}
