/**
 * Rules about block lists (7.2 and later) and the areas they replaced: counts, links, entries that a count hides or invents.
 * Sources: kernel/liveupdate/kho_block.c, luo_session.c, luo_file.c, 7.2 and 7.3.
 */
import { lostBlocks } from '../pointers/lost-blocks.js';
import { type Entries, type Piece, emptyEntry, hiddenEntry, placeOf } from '../../handover/entries.js';
import { hex } from '../../tree/words.js';
import type { TreeNode } from '../../tree/tree.js';
import type { FactName } from '../../../abi/behaviour/facts.js';
import { type HandoverRule, type Hit, hit, wrong } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

const RESTORE = 'kho_block_set_restore(), kernel/liveupdate/kho_block.c, 7.2 and 7.3';

type ListOwner = 'sessions' | 'files' | 'devices';

/** Whose list a node belongs to, by its path. */
function ownerOf(path: string): ListOwner {
  if (path.includes('/pci_ser')) return 'devices';
  return /\/sessions\/[^/]+\/(files|file_set_ser)(\/|$)/.test(path) ? 'files' : 'sessions';
}

/** A list that cannot be restored: sessions are read at boot, files when the device is opened. */
const listReaction = (path: string): FactName => `blocks/${ownerOf(path)}-not-restored`;

function* listed(hits: Iterable<Hit>): Iterable<Hit> {
  for (const found of hits) yield { ...found, reaction: listReaction(found.path ?? '') };
}

const rule = (
  id: string,
  title: string,
  about: string,
  kind: 'block-count' | 'block-pointer' | 'block-cycle' | 'block-limit',
  confirm: string,
): HandoverRule => ({
  id,
  severity: 'error',
  phase: 'early boot',
  title,
  about,
  reaction: 'blocks/not-restored',
  confirm,
  sources: [RESTORE],
  *check(subject) {
    for (const found of listed(wrong(subject, kind)))
      yield { ...found, after: [{ path: (found.path ?? '').replace(/\/files$/, ''), rule: 'session/no-files-area' }] };
  },
});

export const blockRules: readonly HandoverRule[] = [
  rule(
    'blocks/count',
    'a block has no entries, or more than fit',
    'Every block of a list that is handed over has 1 entry at least and a page full at most. A last block of sessions with count 0 has a known cause: in 7.2 and 7.3, creating a session under a name that exists adds a block when the others are full (51 sessions each at 4 KiB) and does not remove it; if no further session follows, the next kernel panics.',
    'block-count',
    'Look for "Block contains invalid entry count" in the log of the next kernel.',
  ),
  rule(
    'blocks/pointer',
    'a block list leads to no page of this machine',
    'Blocks (up to 7.1 areas) are on whole pages of preserved memory; the kernel follows the pointer without a check.',
    'block-pointer',
    'Compare the pointer with the memory of the dump.',
  ),
  rule(
    'blocks/cycle',
    'a block list leads back into itself',
    'After 10000 steps the kernel calls the set corrupted.',
    'block-cycle',
    'Look for "Block set is corrupted" in the log of the next kernel.',
  ),
  rule(
    'blocks/limit',
    'a block list has no end',
    'The kernel gives up after 10000 blocks.',
    'block-limit',
    'Look for "Block set is corrupted" in the log of the next kernel.',
  ),
  {
    id: 'blocks/partly-filled',
    silent: true,
    severity: 'error',
    phase: 'deserialise',
    title: 'block is not full, and not the last',
    about: 'Entries fill a block before the next is begun, so only the last may be partly filled: the count was changed, and entries are hidden.',
    reaction: 'blocks/partly-filled',
    confirm: 'Show the block in hex: entries go on past the count.',
    sources: [RESTORE],
    *check(subject) {
      if (!isIntact(subject)) return;
      for (const { piece } of blocksOf(subject)) {
        if (piece.isLast || piece.count < 1n || piece.count >= BigInt(piece.capacity)) continue;
        yield {
          ...hit(piece.countNode, `count is ${piece.count} of ${piece.capacity}, but another block follows`),
          ...fileReaction(piece.countNode),
          // A link that leads nowhere, or back, was 0.
          after: piece.header === null ? [] : [{ path: piece.header.field('next').path }],
        };
      }
    },
  },
  {
    id: 'blocks/unclaimed',
    silent: true,
    severity: 'error',
    phase: 'deserialise',
    title: 'block with sessions or files is preserved, and no list leads there',
    about:
      'A preserved page starts with the header of a block, and sessions or files are on it; the list it belongs to ends before it, or starts after it. The pointer or link that should lead there was changed.',
    reaction: 'blocks/unclaimed',
    confirm: 'Show the page in hex, and the pointer.',
    sources: [RESTORE, 'seen with 7.2.13: next of a full block, and sessions_pa, set to 0'],
    *check(subject) {
      for (const { kind, address, count, names, pointer } of lostBlocks(subject)) {
        const listed = names.map((name) => JSON.stringify(name)).join(', ');
        const message = `${count} ${kind} (${listed}${count > names.length ? ', …' : ''}) are on the preserved block at ${hex(address)}, and no list leads there`;
        if (pointer === null)
          yield {
            message,
            at: address,
            path: `${subject.handover.path}/luo`,
            after: ['blocks/unclaimed', 'blocks/pointer', 'blocks/cycle', 'kho/page-shared', 'kho/not-preserved', 'kho/wrong-page'].map((rule) => ({
              rule,
              below: `${subject.handover.path}/luo`,
            })),
          };
        else
          yield {
            ...hit(pointer, `${pointer.name} is ${hex(BigInt(pointer.value ?? 0))}, but ${message}`),
            ...(kind === 'files' ? { reaction: listReaction(pointer.path) } : {}),
            after: [{ path: pointer.path }],
          };
      }
    },
  },
  {
    id: 'blocks/hidden-entry',
    silent: true,
    severity: 'error',
    phase: 'deserialise',
    title: 'count of a block is too small: an entry follows the last one counted',
    about:
      'Blocks and areas are zeroed when they are allocated, and an aborted freeze zeroes what it had written. Bytes after the last counted entry mean that the count is too small.',
    reaction: 'blocks/hidden-entry',
    confirm: 'Show the block in hex after its last entry.',
    sources: ['kho_block_reserve() and luo_session_serialize(), kernel/liveupdate, 7.2 and 7.3'],
    check: hiddenEntries,
  },
  {
    id: 'blocks/empty-entry',
    severity: 'error',
    phase: 'deserialise',
    title: 'count of a block is too large: the last entry counted is empty',
    about: 'The last entry that the count admits is all zeros: the count is too large.',
    reaction: 'blocks/empty-entry',
    confirm: 'Show the entry in hex.',
    sources: ['luo_session_deserialize(), kernel/liveupdate/luo_session.c, 7.1 to 7.3'],
    check: emptyEntries,
  },
];

/** The pieces of session and file lists that are chained. */
function* blocksOf(subject: Subject): Iterable<{ readonly list: Entries; readonly piece: Piece }> {
  const { luo } = subject.handover;
  for (const list of [luo?.entries ?? null, ...(luo?.sessions ?? []).map((session) => session.entries)])
    if (list !== null && list.area.maxPieces > 1) for (const piece of list.pieces) yield { list, piece };
}

function* hiddenEntries(subject: Subject): Iterable<Hit> {
  if (!isIntact(subject)) return;
  const { memory } = subject.dump;
  for (const { list, piece } of blocksOf(subject)) {
    const hidden = piece.isLast ? hiddenEntry(memory, list, piece) : null;
    if (hidden === null) continue;
    const at = hex(placeOf(memory, list.area, piece, hidden));
    yield {
      ...hit(piece.countNode, `count is ${piece.count}, but an entry is at ${at}, right after the last`),
      ...fileReaction(piece.countNode),
      after: [{ path: piece.countNode.path, rule: 'blocks/count' }],
    };
  }
}

function* emptyEntries(subject: Subject): Iterable<Hit> {
  if (!isIntact(subject)) return;
  const { memory } = subject.dump;
  for (const { list, piece } of blocksOf(subject)) {
    const empty = emptyEntry(memory, list, piece);
    if (empty === null) continue;
    const at = hex(placeOf(memory, list.area, piece, empty));
    yield {
      ...hit(piece.countNode, `count is ${piece.count}, but the last of these entries, at ${at}, is all zeros`),
      ...fileReaction(piece.countNode),
      ...(isOneEmptySession(subject, piece.countNode.path) ? emptySession : {}),
    };
  }
}

/** A single entry of zeros among the sessions becomes one without a name, and nothing fails; two are the same name twice. */
export const isOneEmptySession = (subject: Subject, path: string): boolean => ownerOf(path) === 'sessions' && emptySessions(subject).size === 1;

export const emptySession: Pick<Hit, 'severity' | 'reaction'> = {
  severity: 'info',
  reaction: 'session/nameless',
};

/** Paths of sessions that are all zeros: entries that a count invents. */
export const emptySessions = (subject: Subject): ReadonlySet<string> =>
  new Set(
    (subject.handover.luo?.sessions ?? []).flatMap(({ name, count, files, path }) =>
      name.bytes.length === 0 && name.trailing === 0 && count === 0n && files.length === 0 ? [path] : [],
    ),
  );

const fileReaction = (node: TreeNode): Pick<Hit, 'reaction'> => (ownerOf(node.path) === 'files' ? { reaction: listReaction(node.path) } : {});
