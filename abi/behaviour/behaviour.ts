/**
 * What a kernel does when it is handed something it does not speak: one table a release, data alone. For `abi check` and
 * for the rules of `diagnose`. The texts may name `{from}` and `{to}`: the versions written and spoken.
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

export interface Behaviour {
  readonly release: Release;
  readonly source: string;
  /** the root FDT names another version */
  readonly khoVersion: Outcome;
  /** the string is its own, the preserved map is of this other form (a contract's id) */
  readonly otherMap: Readonly<Record<string, Outcome>>;
  /** what becomes of other layers once such a map was read */
  readonly afterOtherMap: Readonly<Record<string, Outcome>>;
  /** memblock's FDT names another version, or has none that fits */
  readonly memblockVersion: Outcome;
  /** the LUO subtree is there and the kernel has no LUO */
  readonly noLuo: Outcome;
  /** null where the release has no LUO */
  readonly luo: LuoBehaviour | null;
  /** kexec-metadata has another version or size; null where the release does not read it */
  readonly kexecMetadata: Outcome | null;
  /** a subtree nobody asks for */
  readonly unknownSubtree: Outcome;
}

interface LuoBehaviour {
  /** another version, or too small */
  readonly version: Outcome;
  /** the luo-session node is missing or of another version; null where sessions have no node */
  readonly sessionNode: Outcome | null;
  /** the luo-flb node is missing or of another version; null where FLBs have no node */
  readonly flbNode: Outcome | null;
  /** FLBs are in the tree and the release has none */
  readonly noFlb: Outcome | null;
  /** no handler has exactly the string of a file */
  readonly handler: Outcome;
  /** nobody asks for an FLB */
  readonly unknownFlb: Outcome;
}
