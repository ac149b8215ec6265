/** The areas of 6.19 to 7.1, where a count elsewhere says how many entries follow each other: what the count hides, or invents. */
import { type Entries, type Piece, emptyEntry, hiddenEntry } from '../../handover/entries.js';
import { emptySession, isOneEmptySession } from './blocks.js';
import { type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

function* countedAreas(subject: Subject): Iterable<{ readonly list: Entries; readonly piece: Piece; readonly what: 'session' | 'file' }> {
  const { luo } = subject.handover;
  if (luo === null || luo.entries === null || !isIntact(subject)) return;
  // Until the reboot the count is 0, whatever an aborted freeze left behind it.
  // FLBs are counted once the sessions are: then it should not be.
  if (!luo.notSerialised || subject.moment === 'early' || (luo.flbs ?? []).some(({ count }) => count > 0n)) yield* wholeArea(luo.entries, 'session');
  for (const { entries } of luo.sessions ?? []) if (entries !== null) yield* wholeArea(entries, 'file');
}

function* wholeArea<W>(list: Entries, what: W): Iterable<{ readonly list: Entries; readonly piece: Piece; readonly what: W }> {
  if (list.area.maxPieces === 1) for (const piece of list.pieces) yield { list, piece, what };
}

/** An entry stands behind the last that the count admits. */
export function* hiddenInAreas(subject: Subject): Iterable<Hit> {
  for (const { list, piece, what } of countedAreas(subject)) {
    if (hiddenEntry(subject.dump.memory, list, piece) !== null) yield hit(piece.countNode, `count is ${piece.count}, but a ${what} is right after the last`);
  }
}

/** The last entry that the count admits was never written. */
export function* emptyInAreas(subject: Subject): Iterable<Hit> {
  for (const { list, piece, what } of countedAreas(subject)) {
    if (emptyEntry(subject.dump.memory, list, piece) !== null)
      yield {
        ...hit(piece.countNode, `count is ${piece.count}, but the last ${what} of these is all zeros`),
        ...(what === 'session' && isOneEmptySession(subject, piece.countNode.path) ? emptySession : {}),
      };
  }
}
