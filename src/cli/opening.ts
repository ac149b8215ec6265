/** The screen that is shown while a dump is opened for the terminal UI, and the way out of it: Esc gives the opening up at any time. */
import { accessSync, constants } from 'node:fs';
import type { OpenedDump } from '../container/opened-dump.js';
import { WatchedMemory } from '../memory/watched.js';
import { escapeText } from '../report/escape.js';
import type { Loading } from '../tui/terminal/loading.js';
import type { Terminal } from './terminal.js';

/** What an opening is given to say where it is, and to look through. */
export interface Opening {
  readonly stage: (text: string) => Promise<void>;
  readonly wrap: (opened: OpenedDump) => OpenedDump;
  /** for the view that takes the screen over */
  readonly loading: Loading;
}

/** As a shell has it of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * The first frame is drawn before anything is decoded, or the rest of the program is even loaded.
 * @param paths as the user named the dumps
 * @param open opens it and shows it, until the user leaves
 */
export async function withOpening<T>(
  paths: readonly string[],
  color: boolean,
  terminal: Terminal,
  open: (opening: Opening) => Promise<T>,
  show: (opened: T, loading: Loading) => Promise<void>,
): Promise<void> {
  // What can't be read is said on the terminal as it is, without a screen for it.
  for (const path of paths) if (path !== '-' && !isReadable(path)) (await (await import('../container/open.js')).openDump(path)).close();
  const { Loading, OpeningCancelled } = await import('../tui/terminal/loading.js');
  const loading = new Loading(paths.map((path) => escapeText(path === '-' ? 'standard input' : path)).join(' and '), color, terminal);
  const leave = (): void => {
    loading.leave();
    // a terminal opened beside standard input keeps the process alive until it is closed
    if (terminal.stdin !== process.stdin) terminal.stdin.destroy();
  };
  try {
    await loading.stage('starting');
    const wrap = (opened: OpenedDump): OpenedDump => ({ ...opened, memory: new WatchedMemory(opened.memory, loading.check) });
    const opened = await Promise.race([open({ stage: loading.stage, wrap, loading }), loading.cancelled]);
    await loading.stage('drawing');
    await show(opened, loading);
  } catch (error) {
    leave();
    if (!(error instanceof OpeningCancelled)) throw error;
    // whatever is still being read or unpacked is of no use any more
    process.exit(INTERRUPTED);
  }
  leave();
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
