/**
 * Rules about pages that two parts of a handover claim: a page belongs to one structure, and the preserved map's own pages belong
 * to none. A pointer that was changed to another page in use shows here. For folios see memfd-folios.ts.
 */
import type { Reference } from '../../handover/context.js';
import { hex } from '../../tree/words.js';
import { trustOf } from '../pointers/trust.js';
import { type PageUser, entryTo, mapPages, usersOf } from '../pointers/users.js';
import { isPlausible } from '../pointers/plausible.js';
import { type HandoverRule, type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

export const sharingRules: readonly HandoverRule[] = [
  {
    id: 'kho/page-shared',
    severity: 'error',
    phase: 'retrieve',
    title: 'pointer leads to the page of another structure',
    about:
      'Every structure has pages of its own. Where two pointers lead to one page, one of them was changed: the one whose structure is not there, or fits it less. What it led to before cannot be reached any more.',
    reaction: 'kho/page-shared',
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: shared,
  },
  {
    id: 'kho/map-page-preserved',
    severity: 'error',
    phase: 'preserve',
    title: 'a page of the preserved memory map is itself preserved',
    about:
      'The map’s own pages have no keys: the next kernel reads them and lets them go. One that has a key belongs to somebody else, and the entry that leads to it was changed.',
    reaction: 'kho/map-page-preserved',
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: ['kho_radix_add_page(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3; kho_mem_serialize() up to 7.0'],
    *check(subject) {
      const { map } = subject.handover;
      if (map === null || !isIntact(subject)) return;
      for (const [page, { at, path }] of mapPages(subject)) {
        const block = map.blockOf(page);
        const other = ownerOf(subject, page);
        const message =
          block !== null
            ? `the page at ${hex(page)} is part of the map, and preserved (as a block of order ${block.order} at ${hex(block.start)})`
            : other === null
              ? null
              : `the page at ${hex(page)} is taken for a part of the map, and is that of ${other.what} (from ${other.path})`;
        if (message !== null) yield { message, at, path, after: entryTo(subject, at) };
      }
    },
  },
];

/** Whose structure is, as it should, on a page of the map. */
const ownerOf = (subject: Subject, page: number): PageUser | null =>
  usersOf(subject)
    .get(page)
    ?.find(({ reference }) => reference !== null && isPlausible(subject, reference) === true) ?? null;

function* shared(subject: Subject): Iterable<Hit> {
  for (const { reference, why, owner } of trustOf(subject).distrusted.values()) {
    if (why !== 'shared' || owner === null || isSameStructure(reference, owner)) continue;
    const { what, address, from, fromAddress } = reference;
    yield hit(from, `the page at ${hex(address)} is taken for the ${what}, and is that of ${owner.what} (from ${owner.path})`, fromAddress ?? from.address);
  }
}

/** Two files that lead to one structure have a rule of their own (file/data-shared). */
export const isSameStructure = (reference: Reference, owner: PageUser): boolean =>
  reference.what.startsWith('struct ') && owner.reference?.what === reference.what;
