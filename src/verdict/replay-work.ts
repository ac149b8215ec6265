/** How much there is for the next kernel to deserialise and retrieve, before it is run on it: a chain of blocks can lead to millions. */
import type { Handover } from '../handover/decode.js';

/** The lists of sessions are searched for each name: a session costs as much as ten files. */
const SESSION = 10;

/** Entries, by what the dump itself says of their number: files that two sessions lead to count twice, as the kernel reads them twice. */
export function replayWork({ luo }: Handover): number {
  const sessions = luo?.sessions ?? [];
  const files = sessions.reduce((sum, { count, files: read }) => sum + Math.max(read.length, Number(count)), 0);
  return sessions.length * SESSION + files;
}
