/** LiME dumps: ranges of memory, each after a header. Source: abi/lime/v1.ts. */
import { LIME_MAGIC, limeHeader } from '../../abi/lime/v1.js';
import { decodeStruct } from '../codec/decode.js';
import { offsetOf, sizeOf } from '../codec/layout-table.js';
import { UserError } from '../codec/user-error.js';
import { physicalAddress } from '../memory/memory.js';
import { type ByteSource, readAt } from './byte-source.js';
import { extentMemory } from './extent-memory.js';
import { ExtentBuilder } from './extents.js';
import type { DumpContents } from './opened-dump.js';

/** Ranges of System RAM in /proc/iomem are a few dozen; a guard against damage. */
const MAX_RANGES = 1 << 20;

export const isLime = (head: Uint8Array): boolean => head.length >= sizeOf(limeHeader) && decodeStruct(limeHeader, head).magic === LIME_MAGIC;

/** @throws UserError where a header is damaged or a range is cut short */
export function openLime(source: ByteSource): DumpContents {
  const { name, size } = source;
  const extents = new ExtentBuilder();
  const head = sizeOf(limeHeader);
  let lowest = Number.POSITIVE_INFINITY;
  let highest = 0;
  let at = 0;
  while (at < size) {
    const bytes = readAt(source, at, head);
    if (bytes.length < head)
      throw new UserError(`${name}: LiME dump cut short: a range header at offset ${at} needs ${head} bytes, ${bytes.length} are left; copy the dump again`);
    const header = decodeStruct(limeHeader, bytes);
    if (header.magic !== LIME_MAGIC || header.version !== 1)
      throw new UserError(
        `${name}: no LiME range header of version 1 at offset ${at + offsetOf(limeHeader, header.magic === LIME_MAGIC ? 'version' : 'magic')}; take the dump again with format=lime`,
      );
    const start = physicalAddress(header.s_addr);
    const last = physicalAddress(header.e_addr);
    if (start === null || last === null || last < start)
      throw new UserError(
        `${name}: the LiME range header at offset ${at} names no range (0x${header.s_addr.toString(16)} to 0x${header.e_addr.toString(16)}); take the dump again`,
      );
    const end = last + 1;
    const next = at + head + end - start;
    if (next > size)
      throw new UserError(`${name}: LiME dump cut short: the range at offset ${at} ends at offset ${next}, the file at ${size}; copy the dump again`);
    if (extents.count >= MAX_RANGES) throw new UserError(`${name}: more than ${MAX_RANGES} LiME ranges, at offset ${at}; take the dump again`);
    extents.add(start, end, at + head);
    lowest = Math.min(lowest, start);
    highest = Math.max(highest, end);
    at = next;
  }
  const table = extents.build();
  return {
    container: 'lime',
    bytes: size,
    arch: null,
    pageSizeFromDump: null,
    memory: extentMemory({ source, table, pageSize: 4096, span: { start: lowest, end: highest } }),
    vmcoreinfo: null,
    handoverFiles: [],
    evidence: [`LiME version 1: magic 0x${LIME_MAGIC.toString(16)} at offset 0, ${extents.count} ranges`],
  };
}
