/** Which preserved blocks nobody points to: what a pointer that was changed led to before is among them. */
import type { LimitName } from '../../codec/limits.js';
import type { Handover } from '../../handover/decode.js';
import { takenAway } from '../../handover/luo.js';
import { type PreservedBlock, blocksOf } from '../../handover/preserved/preserved-map.js';
import { FrameSet } from '../../memory/frame-set.js';
import { type Subject, cutShort, isIntact, isWithin } from '../subject.js';
import type { Memfd } from '../../handover/memfd.js';
import { physicalAddress } from '../../memory/memory.js';
import { usedFrames } from './users.js';

const known = new WeakMap<Handover, readonly PreservedBlock[] | null>();

/** What counts structures that point to blocks, and where they point. */
const WHAT_POINTS: readonly LimitName[] = ['entries', 'followed', 'fdt-items', 'vmalloc-chunks', 'references', 'frame-pieces'];

/** In the map's order. Null where there is no map that can be judged, it is larger than the limit, or not all that may point to its blocks was decoded. */
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
  if (map === null || !isIntact(subject) || !isWithin(subject, WHAT_POINTS)) return null;
  if (map.summary.blocks > subject.limits.items) {
    cutShort(subject, `${subject.handover.path}/kho/preserved, blocks that nothing points to`, map.summary.blocks);
    return null;
  }
  const { frames: listed, unseen } = listedFolios(subject);
  if (unseen > 0) {
    cutShort(subject, `${subject.handover.path}, pages that are pointed to`, unseen);
    return null;
  }
  const { pageSize } = subject.dump.memory;
  const pointedTo = FrameSet.of(subject.dump.memory);
  for (const [address] of referencedStarts(subject)) if (address % pageSize === 0) pointedTo.add(address / pageSize);
  const regions = (memblock ?? []).map(({ start, size }) => ({ start: Number(start), end: Number(start + size) }));
  const found: PreservedBlock[] = [];
  const plain = takenAway(subject.handover)?.claimed;
  const isFree = ({ start }: PreservedBlock): boolean => {
    const frame = start / pageSize;
    return !listed.has(frame) && !pointedTo.has(frame) && plain?.has(frame) !== true && !regions.some((region) => start >= region.start && start < region.end);
  };
  for (const bits of map.bits()) {
    const { start, order, words } = bits;
    const first = start / pageSize;
    // Of single pages, nearly all that there are, 32 are told apart at once.
    const free = order === 0 && first % 32 === 0 ? new Uint32Array(words.length) : words;
    for (let at = 0; free !== words && at < words.length; at++)
      if (words[at] !== 0) free[at] = (words[at] ?? 0) & ~(listed.word(first + 32 * at) | pointedTo.word(first + 32 * at));
    for (const block of blocksOf({ start, order, words: free }, pageSize)) if (isFree(block)) found.push(block);
  }
  return found;
}

/** Page frames listed twice that are told; more of them say nothing new. */
const MAX_TWICE = 1 << 12;

/** What the folio tables of a handover list, as far as the limit goes. */
interface ListedFolios {
  readonly frames: FrameSet;
  /** frames that several entries name */
  readonly twice: ReadonlySet<number>;
  /** memfds with a folio that starts no preserved block, or that a structure is on, or that was not looked at */
  readonly suspects: ReadonlySet<Memfd>;
  /** entries past the limit, in the table where it was met */
  readonly unseen: number;
}

const surveys = new WeakMap<Handover, ListedFolios>();

/** The one pass over the tables that tells what deserves a closer look. */
export function listedFolios(subject: Subject): ListedFolios {
  const before = surveys.get(subject.handover);
  if (before !== undefined) return before;
  const found = survey(subject);
  surveys.set(subject.handover, found);
  return found;
}

function survey(subject: Subject): ListedFolios {
  const { map } = subject.handover;
  const frames = FrameSet.of(subject.dump.memory);
  const used = usedFrames(subject);
  const twice = new Set<number>();
  const memfds = memfdsIn(subject);
  const suspects = new Set(memfds);
  let orders = new Uint8Array(0);
  let left = subject.limits.items;
  for (const memfd of memfds) {
    let isFine = map !== null;
    for (const { first, count, pfn } of memfd.columns()) {
      left -= count;
      if (left < 0) return { frames, twice, suspects, unseen: memfd.readableFolios - first };
      if (orders.length < count) orders = new Uint8Array(count);
      map?.ordersInto(pfn, count, orders);
      for (let at = 0; at < count; at++) {
        const frame = pfn[at] ?? 0;
        if (frame === 0) continue;
        if (!frames.add(frame) && twice.size < MAX_TWICE && frames.has(frame)) twice.add(frame);
        if (orders[at] === 0 || used.has(frame)) isFine = false;
      }
    }
    if (isFine) suspects.delete(memfd);
  }
  return { frames, twice, suspects, unseen: 0 };
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
