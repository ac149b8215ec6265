/** What kind of terminal a command talks to. */

import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

/** Can the terminal UI be shown: are input and output terminals that can do more than print? */
export const onTerminal = (): boolean => process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';

interface ColorOption {
  /** false with --no-color */
  readonly color?: boolean;
}

/** --no-color, NO_COLOR (any value but the empty one), FORCE_COLOR=0. */
export const wantsColor = (options: ColorOption): boolean => options.color !== false && (process.env.NO_COLOR ?? '') === '' && process.env.FORCE_COLOR !== '0';

/** Is text on standard output coloured: on a terminal that can, or anywhere with FORCE_COLOR. */
export function paintsOutput(options: ColorOption): boolean {
  if (!wantsColor(options)) return false;
  const forced = process.env.FORCE_COLOR ?? '';
  return forced !== '' || (process.stdout.isTTY === true && process.env.TERM !== 'dumb');
}

/** Streams of a terminal: the process' own, or the terminal itself where standard input is something else. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}

/**
 * The terminal to show the UI on while standard input is a dump: /dev/tty, as less and fzf do it.
 * @param pipedInput is standard input what is looked at?
 * @returns null where there is no terminal for it
 */
export function terminalFor(pipedInput: boolean): Terminal | null {
  if (process.stdout.isTTY !== true || process.env.TERM === 'dumb') return null;
  if (process.stdin.isTTY === true) return process;
  if (!pipedInput) return null;
  try {
    return { stdin: new ReadStream(openSync('/dev/tty', 'r')), stdout: process.stdout };
  } catch {
    return null;
  }
}
