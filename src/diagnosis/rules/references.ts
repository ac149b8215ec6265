/**
 * Rules that hold what the handover points to against the preserved memory map: every page used must be a block of the map,
 * of the order its restorer asks for. Folios of memfds have rules of their own (memfd-folios.ts).
 */
import type { Reference } from '../../handover/context.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { MapPlace } from '../../handover/preserved/preserved-map.js';
import type { Reaction } from '../finding.js';
import { type HandoverRule, type Hit, hit, reaction } from '../rule.js';
import { type Subject, cutShort, isIntact } from '../subject.js';
import { referencedStarts } from './referenced.js';

/** Can this handover's map be believed to be whole? */
export const hasWholeMap = (subject: Subject): boolean => subject.handover.map?.complete === true && isIntact(subject);

/** What happens to a structure whose page the next kernel does not leave alone. */
function reactionTo(what: string): Reaction {
  if (what.startsWith('vmalloc')) {
    return reaction(
      'retrieve-fails',
      'kho_restore_vmalloc() warns in kho_restore_page() and gives NULL: the file can not be retrieved, and its contents are lost.',
      'EINVAL',
    );
  }
  if (what === 'struct memfd_luo_ser') {
    return reaction(
      'retrieve-fails',
      'By the time the file is retrieved its description may have been overwritten; giving the page back warns in kho_restore_page().',
      'EINVAL',
    );
  }
  if (what.startsWith('struct '))
    return reaction('retrieve-fails', 'Its owner finds other data at the address, or warns in kho_restore_page() when it gives the page back.', 'EINVAL');
  return reaction(
    'corrupts',
    'The next kernel may hand the page to somebody else before it reads it; what it reads then decides: a panic, an error on opening /dev/liveupdate, or nothing at all.',
  );
}

/** `start` and `order` of a block around `address`, in words. */
export function around(subject: Subject, address: number): string {
  const block = subject.handover.map?.blockOf(address) ?? null;
  if (block === null) return 'no block of the preserved memory map covers it';
  if (block.start !== address) return `the map has it only inside a block of order ${block.order} that starts at ${hex(block.start)}`;
  return `the map has it as a block of order ${block.order}`;
}

function isPreserved(subject: Subject, reference: Reference): boolean {
  const { map } = subject.handover;
  if (map === null) return true;
  return reference.order === null ? map.blockOf(reference.address) !== null : map.ordersAt(reference.address).includes(reference.order);
}

export const referenceRules: readonly HandoverRule[] = [
  {
    id: 'kho/not-preserved',
    severity: 'error',
    phase: 'preserve',
    title: 'a structure that the handover points to is not preserved',
    about:
      'Every page that is handed over has a key (up to 7.0 a bit) in the preserved memory map. A page without one is free memory to the next kernel. Either the pointer is damaged, or the key was lost.',
    reactions: { otherwise: reaction('corrupts', 'Depends on what stands there: files can not be retrieved; for LUO’s own structures anything may happen.') },
    confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3', 'seen with 7.3.4: a cleared bit of a leaf'],
    *check(subject) {
      if (!hasWholeMap(subject)) return;
      for (const reference of subject.handover.references) {
        if (isPreserved(subject, reference) || subject.handover.map?.blockOf(reference.address) != null) continue;
        const message = `the ${reference.what} at ${hex(reference.address)} is not preserved: ${around(subject, reference.address)}`;
        yield { ...hit(reference.from, message, reference.fromAddress ?? reference.from.address), reaction: reactionTo(reference.what) };
      }
    },
  },
  {
    id: 'kho/other-order',
    severity: 'error',
    phase: 'preserve',
    title: 'a structure is preserved at another order than it is restored with',
    about:
      'kho_restore_page() compares the order recorded for the first page of a block with the one it is asked for. LUO’s pages are blocks of order 0; up to 7.1 the session area has order 4 and a file area order 1.',
    reactions: { otherwise: reaction('warns', 'The restorer warns in kho_restore_page() and does without the pages, or gets a block of another size.') },
    confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3'],
    *check(subject) {
      if (!hasWholeMap(subject)) return;
      for (const reference of subject.handover.references) {
        if (isPreserved(subject, reference) || subject.handover.map?.blockOf(reference.address) == null) continue;
        const message = `the ${reference.what} at ${hex(reference.address)} should be a block of order ${reference.order}: ${around(subject, reference.address)}`;
        yield { ...hit(reference.from, message, reference.fromAddress ?? reference.from.address), reaction: reactionTo(reference.what) };
      }
    },
  },
  {
    id: 'kho/keys-missing',
    severity: 'error',
    phase: 'preserve',
    title: 'an entry of the preserved memory map is empty where blocks in use should be',
    about:
      'Names the place in the map where the keys of unpreserved structures should be. Where one entry above the leaves accounts for several of them, the map is damaged, not they.',
    reactions: { otherwise: reaction('corrupts', 'None of the blocks behind this entry is reserved: the next kernel uses their pages for other things.') },
    confirm: 'Show the entry in hex, and compare with the structures that should be behind it.',
    sources: ['kho_radix_walk_tree(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3'],
    check: keysMissing,
  },
  {
    id: 'kho/unclaimed',
    severity: 'info',
    phase: 'finish',
    title: 'blocks are preserved that nothing decoded here points to',
    about:
      'They belong to a user that is not decoded (an unknown handler, an FLB of a driver, the KHO test), or they leak: a key that was left behind stays reserved in the next kernel until it reboots cold.',
    reactions: { otherwise: reaction('leaks', 'Blocks that nobody claims stay reserved; the struct page of their first page keeps the KHO tag.') },
    confirm: 'In a dump of the booted next kernel, page->private of an unclaimed block still holds 0x4b484f50 in its upper half.',
    sources: ['kho_preserved_memory_reserve(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: unclaimed,
  },
];

function* keysMissing(subject: Subject): Iterable<Hit> {
  const { map } = subject.handover;
  if (map === null || !hasWholeMap(subject)) return;
  const places = new Map<number, { place: MapPlace; names: string[]; count: number }>();
  for (const [address, order, what] of referencedStarts(subject, 'unpreserved')) {
    if (map.orderAt(address) !== null || map.blockOf(address) !== null) continue;
    const place = map.placeOf(address, order ?? 0);
    if (place === null) continue;
    const found = places.get(place.at);
    if (found === undefined) places.set(place.at, { place, names: [`${what} at ${hex(address)}`], count: 1 });
    else if (++found.count <= 3) found.names.push(`${what} at ${hex(address)}`);
  }
  for (const { place, names, count } of places.values()) {
    const listed = `${names.join(', ')}${count > names.length ? ` and ${count - names.length} more` : ''}`;
    const what = place.above ? 'the entry that should lead to the keys of' : 'the word that should hold the keys of';
    // One lost bit accuses the pointer as much as the map: the finding at the pointer comes first then.
    const certain = place.above && count > 1;
    yield { message: `${what} ${listed} has none of them`, at: place.at, path: place.path, ...(certain ? {} : { severity: 'warning' as const }) };
  }
}

function* unclaimed(subject: Subject): Iterable<Hit> {
  const { map, luo } = subject.handover;
  if (map === null || !hasWholeMap(subject) || luo?.notSerialised === true) return;
  if (map.summary.blocks > subject.limits.items)
    return cutShort(subject, `${subject.handover.path}/kho/preserved, blocks that nothing points to`, map.summary.blocks);
  const claimed = new Set<number>();
  for (const reference of referencedStarts(subject)) claimed.add(reference[0]);
  const { pageSize } = subject.dump.memory;
  const regions = (subject.handover.memblock ?? []).map(({ start, size }) => ({ start: Number(start), end: Number(start + size) }));
  let blocks = 0;
  let pages = 0;
  for (const { start, order } of map.blocks()) {
    if (claimed.has(start) || regions.some((region) => start >= region.start && start < region.end)) continue;
    blocks++;
    pages += 2 ** order;
  }
  if (blocks === 0) return;
  const test = subject.handover.subtrees.some((subtree) => subtree.name === 'kho_test') ? '; those of the KHO test are among them' : '';
  yield {
    message: `${blocks} preserved blocks (${formatBytes(pages * pageSize)}) are pointed to by nothing that is decoded here${test}`,
    at: null,
    path: `${subject.handover.path}/kho/preserved`,
  };
}
