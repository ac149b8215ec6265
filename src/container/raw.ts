/** Raw physical memory: byte n of the file is byte n of memory. For dumps by dd, QEMU's pmemsave and other tools without a format. */
import type { ByteSource } from './byte-source.js';
import { extentMemory } from './extent-memory.js';
import { ExtentBuilder } from './extents.js';
import type { DumpContents } from './opened-dump.js';

/** What a raw dump's size is a multiple of, in bytes: the smallest page. */
export const RAW_UNIT = 4096;

export function openRaw(source: ByteSource): DumpContents {
  const extents = new ExtentBuilder();
  extents.add(0, source.size, 0);
  return {
    container: 'raw',
    bytes: source.size,
    arch: null,
    pageSizeFromDump: null,
    memory: extentMemory({ source, table: extents.build(), pageSize: 4096, span: { start: 0, end: source.size } }),
    vmcoreinfo: null,
    handoverFiles: [],
    evidence: [`raw physical memory from address 0: no known format, no text, and ${source.size} bytes are a multiple of ${RAW_UNIT}`],
  };
}
