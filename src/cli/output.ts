/** Writing to standard output: waits for slow readers, and ends quietly when the reader goes away (`| head`). */
import { once } from 'node:events';
import { plainOutput } from '../report/escape.js';
import { jsonLines } from '../report/json-lines.js';

/** Writes lines to standard output, each made plain; a line may hold colours. */
export async function writeLines(lines: Iterable<string>): Promise<void> {
  let pending = '';
  for (const line of lines) {
    pending += `${plainOutput(line)}\n`;
    if (pending.length < 65536) continue;
    if (!process.stdout.write(pending)) await once(process.stdout, 'drain');
    pending = '';
  }
  if (pending !== '' && !process.stdout.write(pending)) await once(process.stdout, 'drain');
}

export const writeJson = (value: unknown): Promise<void> => writeLines(jsonLines(value));
