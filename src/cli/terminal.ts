/** What kind of terminal a command talks to. */

import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

/** Can the terminal UI be shown: are input and output terminals that can do more than print? */
export const onTerminal = (): boolean => process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';

/** NO_COLOR (any value but the empty one), --no-color. */
export const wantsColor = (options: { readonly color?: boolean }): boolean => options.color !== false && (process.env.NO_COLOR ?? '') === '';

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
