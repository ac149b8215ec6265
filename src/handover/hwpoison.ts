/** The subtree `hwpoison`: page frames that the old kernel found broken. Source: abi/hwpoison/v1.ts. */
import { hwpoisonKhoSer, hwpoisonV1 } from '../../abi/hwpoison/v1.js';
import { sizeOf } from '../codec/layout-table.js';
import type { Node } from '../tree/node.js';
import { structFromBytes } from '../tree/reading.js';
import { type Context, nonsense } from './context.js';
import type { Blob } from './luo-root.js';
import { readVmalloc } from './vmalloc.js';

interface PoisonedPage {
  readonly pfn: bigint;
  /** physical, of its entry in the list */
  readonly at: number;
}

export interface Hwpoison {
  readonly node: Node;
  /** as its header says; the list may hold fewer */
  readonly count: bigint;
  /** page frames that the list has room for; null where the list can't be read */
  readonly room: number | null;
  /** The page frames, as far as they can be read; at most 2^20 of them. */
  pages(): Iterable<PoisonedPage>;
}

const ENTRY = 8;
/** More broken pages than any machine keeps running with. */
const MAX_PAGES = 1 << 20;

/** Null where the blob is missing, too small or of another version. */
export function readHwpoison(context: Context, blob: Blob, parent: Node): Hwpoison | null {
  if (blob.bytes === null) return null;
  const node = parent.group('hwpoison', { address: blob.address, bits: blob.bytes.length * 8, description: 'memory that the old kernel found broken' });
  const size = sizeOf(hwpoisonKhoSer);
  if (blob.bytes.length < size) {
    nonsense(context, 'hwpoison', node, `the blob has ${blob.bytes.length} bytes, ${hwpoisonV1.id} has ${size}`);
    return null;
  }
  const reading = structFromBytes(hwpoisonKhoSer, blob.bytes.subarray(0, size), blob.address, context.memory.pageSize, {
    path: `${node.path}/${hwpoisonKhoSer.name}`,
    name: hwpoisonKhoSer.name,
  });
  node.add(reading.node);
  if (reading.values === null) return null;
  const { version, count, pfns } = reading.values;
  if (version !== 1) {
    nonsense(context, 'hwpoison', reading.field('version'), `version is ${version}; the series has version 1`);
    return null;
  }
  const area = readVmalloc(context, pfns, reading.field('pfns'));
  const room = area === null ? null : Math.floor(area.size / ENTRY);
  if (room !== null && count > BigInt(room)) {
    const text = `count is ${count}, but the list has room for ${room}: it was being changed, or is damaged`;
    nonsense(context, 'hwpoison', reading.field('count'), text);
  }
  node.meaning = `${count} broken pages`;
  const wanted = Math.min(room ?? 0, Number(count), MAX_PAGES);
  return {
    node,
    count,
    room,
    *pages() {
      if (area === null) return;
      const bytes = area.read(0, wanted * ENTRY);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + ENTRY <= bytes.length; at += ENTRY) {
        const block = area.blocks[Math.floor(at / area.blockSize)] ?? 0;
        yield { pfn: view.getBigUint64(at, true), at: block + (at % area.blockSize) };
      }
    },
  };
}
