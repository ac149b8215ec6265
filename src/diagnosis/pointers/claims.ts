/** Which preserved blocks nobody points to: what a pointer that was changed led to before is among them. */
import type { Handover } from '../../handover/decode.js';
import { takenAway } from '../../handover/luo.js';
import type { PreservedBlock } from '../../handover/preserved/preserved-map.js';
import { FrameSet } from '../../memory/frame-set.js';
import { type Subject, cutShort, isIntact } from '../subject.js';
import type { Memfd } from '../../handover/memfd.js';
import { physicalAddress } from '../../memory/memory.js';

const known = new WeakMap<Handover, readonly PreservedBlock[] | null>();

/** In the map's order. Null where there is no map that can be judged, or it is larger than the limit. */
export function unclaimedBlocks(subject: Subject): readonly PreservedBlock[] | null {
  const { handover } = subject;
  const before = known.get(handover);
  if (before !== undefined) return before;
  const found = find(subject);
  known.set(handover, found);
  return found;
}

function find(subject: Subject): readonly PreservedBlock[] | null {
  const { map, memblock } = subject.handover;
  if (map === null || !isIntact(subject)) return null;
  if (map.summary.blocks > subject.limits.items) {
    cutShort(subject, `${subject.handover.path}/kho/preserved, blocks that nothing points to`, map.summary.blocks);
    return null;
  }
  const { pageSize } = subject.dump.memory;
  const claimed = FrameSet.of(subject.dump.memory);
  for (const [address] of referencedStarts(subject)) if (address % pageSize === 0) claimed.add(address / pageSize);
  let left = subject.limits.items;
  for (const memfd of memfdsIn(subject))
    for (const { first, count, pfn } of memfd.columns()) {
      left -= count;
      if (left < 0) {
        cutShort(subject, `${subject.handover.path}, pages that are pointed to`, memfd.readableFolios - first);
        return null;
      }
      for (let at = 0; at < count; at++) if (pfn[at] !== 0) claimed.add(pfn[at] ?? 0);
    }
  const regions = (memblock ?? []).map(({ start, size }) => ({ start: Number(start), end: Number(start + size) }));
  const found: PreservedBlock[] = [];
  const plain = takenAway(subject.handover)?.claimed;
  for (const block of map.blocks()) {
    const frame = block.start / pageSize;
    if (!claimed.has(frame) && plain?.has(frame) !== true && !regions.some(({ start, end }) => block.start >= start && block.start < end)) found.push(block);
  }
  return found;
}

/** [physical address, order it needs or null, what is there] */
type Referenced = readonly [address: number, order: number | null, what: string];

/** Ranges are preserved as the largest aligned blocks that fit, from the front. */
function likelyOrder(pfn: number, pages: number): number {
  let order = 0;
  while (order < MAX_ORDER && pfn % 2 ** (order + 1) === 0 && 2 ** (order + 1) <= pages) order++;
  return order;
}

const MAX_ORDER = 40;

/** The memfds of a handover, each once. */
export const memfdsIn = (subject: Subject): ReadonlySet<Memfd> =>
  new Set((subject.handover.luo?.sessions ?? []).flatMap(({ files }) => files.flatMap(({ decoded }) => (decoded?.kind === 'memfd' ? [decoded] : []))));

/** Structures and regions, not folios of memfds; at most `limits.items` of them. */
function* referencedStarts(subject: Subject): Iterable<Referenced> {
  let left = subject.limits.items;
  for (const { address, order, what } of subject.handover.references) {
    if (left-- <= 0) return cutShort(subject, `${subject.handover.path}, pages that are pointed to`);
    yield [address, order, what];
  }
  const { pageSize } = subject.dump.memory;
  for (const { name, start, size } of subject.handover.memblock ?? []) {
    const address = physicalAddress(start);
    if (address !== null && address > 0 && size >= BigInt(pageSize))
      yield [address, likelyOrder(address / pageSize, Number(size) / pageSize), `region ${JSON.stringify(name)}`];
  }
}
