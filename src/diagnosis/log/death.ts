/** Whether the kernel of a dump had died when the dump was taken, as the log tells: its own ring, or a console's lines up to that moment. */
import type { DecodedDump } from '../../handover/decode.js';
import { type PanicStory, panicIn } from '../../kernel/panic.js';
import type { ConsoleLog } from './console-log.js';
import { placedLines, situationOf } from './situate.js';

/** Null where nothing died, or there is no log. */
export function deathIn(log: ConsoleLog | null, dump: DecodedDump): PanicStory | null {
  if (log === null) return null;
  // The dump's own ring tells better than any log beside it.
  if (log.inDump !== undefined && log.inDump.length > 0) return panicIn(log.inDump.map(({ text }) => text));
  return panicIn([...placedLines(log, situationOf(dump))].filter(({ when }) => when === 'present').map(({ line }) => line.text));
}

/** In one line, with at most so many frames of its stack. */
export function deathText({ text, cause, task, stack }: PanicStory, most: number): string {
  const where = task === null ? '' : `; in ${task.comm}[${task.pid}] on CPU ${task.cpu}`;
  const frames = stack.filter((frame) => !frame.startsWith('?')).slice(0, most);
  return `${cause === null ? '' : `${cause}; `}${text}${where}${frames.length === 0 ? '' : `; ${frames.join(' < ')}`}`;
}
