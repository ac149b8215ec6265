/** What the decoded handover uses, as far as it could be read: structures and areas, and the memfds whose folios it names. Lazily. */
import type { Memfd } from '../../handover/memfd.js';
import { physicalAddress } from '../../memory/memory.js';
import { type Subject, cutShort } from '../subject.js';

/** [physical address, order it needs or null, what stands there] */
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
export function* referencedStarts(subject: Subject): Iterable<Referenced> {
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
