/** How much there is for the next kernel to deserialise and retrieve, before it is run on it: a chain of blocks can lead to millions. */
import type { Handover } from '../handover/decode.js';
import type { LuoSession } from '../handover/luo.js';

/** Entries, by what the dump itself says of their number: files that two sessions lead to count twice, as the kernel reads them twice. */
export function replayWork({ luo }: Handover): number {
  const sessions = luo?.sessions ?? [];
  return sessions.reduce((sum, session) => sum + 1 + filesOf(session), 0);
}

/** Blocks (7.2 and later) end where their chain does, and no files area has no entries: only a contiguous area is read by its count. */
function filesOf({ count, files, entries, reading }: LuoSession): number {
  const isCounted = reading.integer('file_set_ser.files') !== 0n && (entries === null || entries.area.maxPieces === 1);
  return isCounted ? Math.max(files.length, Number(count)) : files.length;
}
