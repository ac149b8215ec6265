/**
 * What kernels do, as named facts: one row for each release that changed something, with the evidence it is known by. Data alone, asked by the rules of
 * `diagnose`, by `abi check`, the gate and the engine. Texts of versions may name `{from}` and `{to}`: the versions written and spoken.
 */
import type { Release } from '../contract.js';
import type { ErrnoName } from '../errno.js';

/** The kinds of the JSON interface. `cold-boot` is silent; `corrupts`: wrong memory is used and nothing says so. */
export type ReactionKind =
  | 'taken-over'
  | 'cold-boot'
  | 'panic'
  | 'open-fails'
  | 'retrieve-fails'
  | 'finish-fails'
  | 'reboot-fails'
  | 'corrupts'
  | 'leaks'
  | 'warns'
  | 'ignored'
  | 'unknown';

/** `lab`: seen in a guest; `source`: read in that release's source; `derived`: concluded from it, never run; `unverified`: from a neighbour release's code */
export type Evidence = 'lab' | 'source' | 'derived' | 'unverified';

export interface Outcome {
  readonly kind: ReactionKind;
  /** what user space sees, where it sees one */
  readonly errno: ErrnoName | null;
  readonly text: string;
  readonly evidence: Evidence;
}

/** A fact: its rows, oldest first, each true from a release on; null where that release does not get there. */
export type Fact = readonly (readonly [since: Release, outcome: Outcome | null])[];

export const outcome = (kind: ReactionKind, text: string, evidence: Evidence, errno: ErrnoName | null = null): Outcome => ({ kind, errno, text, evidence });

/** The same in every release. */
export const always = (kind: ReactionKind, text: string, evidence: Evidence, errno: ErrnoName | null = null): Fact => [
  ['6.16', outcome(kind, text, evidence, errno)],
];

/** The same in every release; only the evidence for it differs. */
export const known = (kind: ReactionKind, text: string, ...by: readonly (readonly [since: Release, evidence: Evidence | null])[]): Fact =>
  by.map(([since, evidence]) => [since, evidence === null ? null : outcome(kind, text, evidence)]);

/** A session or a file of it cannot be deserialised: what that does to open("/dev/liveupdate") is written here alone. @param swallowed what the first LUO does */
export const notDeserialised = (fails: string, swallowed: string): Fact => [
  ['6.19', outcome('retrieve-fails', swallowed, 'derived', 'ENOENT')],
  [
    '7.0',
    outcome('unknown', 'unknown, because it was not verified whether open() of 7.0 fails with EIO as in 7.1 or swallows the error as in 6.19', 'unverified'),
  ],
  ['7.1', outcome('open-fails', fails, 'source', 'EIO')],
  ['7.2', outcome('open-fails', fails, 'lab', 'EIO')],
];
