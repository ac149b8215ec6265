/**
 * What the code of a release does otherwise than another's, formats apart: one row a release that changed something, data alone. A
 * release without a row behaves as the one before it. Source: the releases' own behaviour, as measured and read (6.19.11, 7.1.13,
 * 7.2.13, 7.3.4).
 */
import type { Release } from '../contract.js';
import { isSince } from '../releases.js';

export interface Habits {
  readonly release: Release;
  /** what uname(2) says */
  readonly uname: string;
  /** the outgoing tree is there from boot; up to 6.18 it comes only with the finalize file of debugfs, which no scenario writes */
  readonly handsOver: boolean;
  /** LIVEUPDATE_SESSION_GET_NAME exists */
  readonly hasGetName: boolean;
  /** FINISH refuses a `reserved` that is not 0 */
  readonly finishChecksReserved: boolean;
  /** what one step of a write covers: a write across the end of a file that must not grow is cut at the last of them before the end */
  readonly writeChunk: 'page' | 'largest-folio';
  /** F_SEAL_EXEC on an executable file: the seals it implies are refused where mappings or pins are in their way (3b041514cb6e) */
  readonly impliedSealsAreChecked: boolean;
  /** CREATE_SESSION with an empty name, or one without a NUL: refused, or taken as far as it fits */
  readonly sessionNames: 'checked' | 'cut';
  /** ioctls of the outgoing side are refused on incoming sessions, and the other way round */
  readonly ioctlsKnowTheirSide: boolean;
  /** a file can be preserved once */
  readonly filesPreservedOnce: boolean;
  /** a file handler's module is pinned as long as it is registered, not only while LUO holds files of it */
  readonly handlersPinned: boolean;
  /** an FLB whose retrieve failed answers the same error again instead of trying again */
  readonly flbRetrieveIsCached: boolean;
}

const v71: Habits = {
  release: '7.1',
  uname: '7.1.13',
  handsOver: true,
  hasGetName: false,
  finishChecksReserved: false,
  writeChunk: 'page',
  impliedSealsAreChecked: true,
  sessionNames: 'checked',
  ioctlsKnowTheirSide: true,
  filesPreservedOnce: true,
  handlersPinned: false,
  flbRetrieveIsCached: false,
};

const v72: Habits = {
  ...v71,
  release: '7.2',
  uname: '7.2.13',
  hasGetName: true,
  finishChecksReserved: true,
  writeChunk: 'largest-folio',
  flbRetrieveIsCached: true,
};

/** LUO's first release. */
const v619: Habits = {
  ...v71,
  release: '6.19',
  uname: '6.19.11',
  impliedSealsAreChecked: false,
  sessionNames: 'cut',
  ioctlsKnowTheirSide: false,
  filesPreservedOnce: false,
  handlersPinned: true,
};

/** Its error paths were not read: taken to be those of 6.19. */
const v70: Habits = { ...v619, release: '7.0', uname: '7.0.0' };

/** Kernels with KHO alone: they take memory and reserve_mem over, know no LUO, and hand nothing on without debugfs. */
const v618: Habits = { ...v71, release: '6.18', uname: '6.18.15', handsOver: false };

const rows: readonly Habits[] = [
  { ...v618, release: '6.16', uname: '6.16.0' },
  { ...v618, release: '6.17', uname: '6.17.8' },
  { ...v618, release: '6.17.9', uname: '6.17.9' },
  v618,
  v619,
  v70,
  v71,
  v72,
  { ...v72, release: '7.3', uname: '7.3.4' },
];

/** What `release` does: its own row, or that of the release before. */
export function habitsOf(release: Release): Habits {
  const last = rows.filter((row) => isSince(release, row.release)).at(-1) ?? v618;
  return last.release === release ? last : { ...last, release, uname: `${release}.0` };
}
