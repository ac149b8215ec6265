/** A kernel's console log beside a dump: its lines, split into boots. For the rules of `rules/log.ts`. */

export interface LogLine {
  /** from 1, in the file */
  readonly number: number;
  /** seconds since boot, null where the line carries no time */
  readonly time: number | null;
  /** without time stamp and level prefix */
  readonly text: string;
}

/** What one kernel printed. */
export interface Boot {
  /** utsname release from its banner, null where the log starts later */
  readonly release: string | null;
  readonly lines: readonly LogLine[];
}

export interface ConsoleLog {
  /** as given, for messages */
  readonly path: string;
  /** in the order of the file */
  readonly boots: readonly Boot[];
  /** lines beyond the limit were not read */
  readonly cut: boolean;
  /** the newest lines that the printk buffer of the dump itself holds: they tell where in the log the dump was taken; empty where it can't be read */
  readonly inDump?: readonly LoggedLine[];
}

/** A line as it is in a printk buffer. */
export interface LoggedLine {
  /** seconds since boot */
  readonly time: number;
  readonly text: string;
}

/** Lines read at most; a console at debug level prints a few thousand a boot. */
const MAX_LINES = 200_000;
/** A longer line is cut: no kernel message is. */
const MAX_LINE = 1024;

const TIME = /^(?:<\d+>)?\[\s*(\d+\.\d+)(?:\]\[\s*[TC]\d+)?\]\s?/;
const BANNER = /^Linux version (\S+) /;

/** Splits a log into boots at each kernel banner. Accepts what a serial console, `dmesg` and journalctl -k print. */
export function parseConsoleLog(path: string, content: string): ConsoleLog {
  const boots: { release: string | null; lines: LogLine[] }[] = [];
  let current: { release: string | null; lines: LogLine[] } | null = null;
  let number = 0;
  let start = 0;
  while (start < content.length && number < MAX_LINES) {
    const end = content.indexOf('\n', start);
    const raw = content.slice(start, Math.min(end === -1 ? content.length : end, start + MAX_LINE)).replace(/\r$/, '');
    start = end === -1 ? content.length : end + 1;
    number++;
    const inner = raw.slice(Math.max(0, raw.search(/(?:<\d+>)?\[\s*\d+\.\d+/)));
    const time = TIME.exec(inner);
    const text = time === null ? raw : inner.slice(time[0].length);
    const banner = BANNER.exec(text);
    if (banner !== null || current === null) {
      current = { release: banner?.[1] ?? null, lines: [] };
      boots.push(current);
    }
    current.lines.push({ number, time: time === null ? null : Number(time[1]), text });
  }
  return { path, boots, cut: start < content.length };
}
