/**
 * Rules that hold what the handover points to against the preserved memory map: every page used must be a block of the map,
 * of the order its restorer asks for. Folios of memfds have rules of their own (memfd-folios.ts).
 */
import type { Reference } from '../../handover/context.js';
import { unclaimedBlocks } from '../pointers/claims.js';
import { trustOf } from '../pointers/trust.js';
import { entryTo } from '../pointers/users.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { FactName } from '../../../abi/behaviour/facts.js';
import { type Clue, type HandoverRule, type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

/** Can this handover's map be asked what is preserved? Where it breaks off (`brokenAt`), it does not say. */
export const canAskMap = (subject: Subject): boolean => subject.handover.map !== null && isIntact(subject);

/** What happens to a structure whose page the next kernel does not leave alone. */
function reactionTo(what: string): FactName {
  if (what.startsWith('vmalloc')) return 'not-preserved/vmalloc';
  if (what === 'struct memfd_luo_ser') return 'not-preserved/memfd';
  return what.startsWith('struct ') ? 'not-preserved/struct' : 'not-preserved/page';
}

/** `start` and `order` of a block around `address`, in words. */
export function around(subject: Subject, address: number): string {
  const block = subject.handover.map?.blockOf(address) ?? null;
  if (block === null) return 'no block of the preserved memory map covers it';
  if (block.start !== address) return `the map has it only inside a block of order ${block.order} that starts at ${hex(block.start)}`;
  return `the map has it as a block of order ${block.order}`;
}

/** Every pointer to a structure that is not preserved: whether its page lacks a key, and whether the key was lost or the pointer changed. */
function* lacking(subject: Subject): Iterable<{ readonly reference: Reference; readonly after: readonly Clue[] }> {
  const trust = trustOf(subject);
  for (const reference of subject.handover.references) {
    const lostAt = trust.lostAt(reference);
    if (lostAt !== null) yield { reference, after: [{ at: lostAt, rule: 'kho/keys-missing' }] };
    else if (trust.distrusted.get(reference)?.why === 'not-preserved') yield { reference, after: [] };
  }
}

const covered = (subject: Subject, { address }: Reference): boolean => subject.handover.map?.blockOf(address) != null;

function pointerHit({ reference, after }: { readonly reference: Reference; readonly after: readonly Clue[] }, message: string): Hit {
  const { from, fromAddress, what } = reference;
  return { ...hit(from, message, fromAddress ?? from.address), reaction: reactionTo(what), after: [...after, { path: from.path, rule: 'file/data-pointer' }] };
}

export const referenceRules: readonly HandoverRule[] = [
  {
    id: 'kho/not-preserved',
    severity: 'error',
    phase: 'preserve',
    title: 'a structure that the handover points to is not preserved',
    about:
      'Every page that is handed over has a key (up to 7.0 a bit) in the preserved memory map. A page without one is free memory to the next kernel. Either the pointer is damaged, or the key was lost.',
    reaction: 'kho/not-preserved',
    confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3', 'seen with 7.3.4: a cleared bit of a leaf'],
    *check(subject) {
      for (const found of lacking(subject)) {
        const { reference } = found;
        if (!covered(subject, reference))
          yield pointerHit(found, `the ${reference.what} at ${hex(reference.address)} is not preserved: ${around(subject, reference.address)}`);
      }
    },
  },
  {
    id: 'kho/other-order',
    severity: 'error',
    phase: 'preserve',
    title: 'order of a preserved structure is not the order it is restored with',
    about:
      'kho_restore_page() compares the order recorded for the first page of a block with the one it is asked for. LUO’s pages are blocks of order 0; up to 7.1 the session area has order 4 and a file area order 1.',
    reaction: 'kho/other-order',
    confirm: 'Look for "WARNING: … kho_restore_page" in the log of the next kernel.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3'],
    *check(subject) {
      for (const found of lacking(subject)) {
        const { reference } = found;
        if (covered(subject, reference))
          yield pointerHit(
            found,
            `the ${reference.what} at ${hex(reference.address)} should be a block of order ${reference.order}: ${around(subject, reference.address)}`,
          );
      }
    },
  },
  {
    id: 'kho/wrong-page',
    severity: 'error',
    phase: 'retrieve',
    title: 'pointer leads to a page that holds something else',
    about:
      'The page is preserved, but most fields of the structure that should be there make no sense: not they were changed, but the pointer. What was read there is not judged.',
    reaction: 'kho/wrong-page',
    confirm: 'Show the page in hex: its contents tell whose it is.',
    sources: ['kho_restore_page(), kernel/liveupdate/kexec_handover.c, 7.3', 'seen with 7.3.4: data that leads to a folio'],
    *check(subject) {
      for (const { reference, why } of trustOf(subject).distrusted.values())
        if (why === 'something-else') yield pointerHit({ reference, after: [] }, `no ${reference.what} is at ${hex(reference.address)}`);
    },
  },
  {
    id: 'kho/keys-missing',
    severity: 'error',
    phase: 'preserve',
    title: 'entry of the preserved memory map lacks keys of blocks in use',
    about:
      'The place in the map where the keys of structures and folios in use should be. What is there is what their pointers say, or several of them lack their keys at one place: the map is damaged, not they.',
    reaction: 'kho/keys-missing',
    confirm: 'Show the entry in hex, and compare with the structures that it should lead to.',
    sources: ['kho_radix_walk_tree(), kernel/liveupdate/kexec_handover.c, 7.1 to 7.3'],
    check: keysMissing,
  },
  {
    id: 'kho/unclaimed',
    severity: 'info',
    phase: 'finish',
    title: 'blocks are preserved that nothing decoded here points to',
    about:
      'They belong to a user that is not decoded (an unknown handler, an FLB of a driver, the KHO test), or they leak: a key that nobody removed stays reserved in the next kernel until it reboots cold.',
    reaction: 'kho/unclaimed',
    confirm: 'In a dump of the booted next kernel, page->private of an unclaimed block still holds 0x4b484f50 in its upper half.',
    sources: ['kho_preserved_memory_reserve(), kernel/liveupdate/kexec_handover.c, 7.3'],
    check: unclaimed,
  },
];

function* keysMissing(subject: Subject): Iterable<Hit> {
  for (const { at, path, above, names, count } of trustOf(subject).lost.values()) {
    const listed = `${names.join(', ')}${count > names.length ? ` and ${count - names.length} more` : ''}`;
    const what = above ? 'the entry that should lead to the keys of' : 'the word that should hold the keys of';
    yield { message: `${what} ${listed} has none of them`, at, path, after: entryTo(subject, at) };
  }
}

function* unclaimed(subject: Subject): Iterable<Hit> {
  const { luo } = subject.handover;
  if (luo?.notSerialised === true) return;
  const blocks = unclaimedBlocks(subject) ?? [];
  if (blocks.length === 0) return;
  const bytes = blocks.reduce((sum, { order }) => sum + 2 ** order * subject.dump.memory.pageSize, 0);
  yield {
    message: `${blocks.length} preserved ${blocks.length === 1 ? 'block' : 'blocks'} (${formatBytes(bytes)}) ${blocks.length === 1 ? 'is' : 'are'} pointed to by nothing that is decoded here`,
    at: null,
    path: `${subject.handover.path}/kho/preserved`,
  };
}
