/** What a rule says: the shape of findings in every output. Kinds of reaction are those of the JSON interface. */
import type { ReactionKind } from '../../abi/behaviour/behaviour.js';
import type { ErrnoName } from '../../abi/errno.js';

import type { Owner } from '../handover/owners/owner.js';

export type { ErrnoName, ReactionKind };

export type Severity = 'error' | 'warning' | 'info';

/**
 * By what a reaction is known: `replay`: the engine ran the next kernel on the dump's memory; `log`: a kernel printed it;
 * `objects`: a running kernel's own objects show it; `rules`: what the sources say of the release, where none of these can tell.
 */
export type ForetoldBy = 'replay' | 'log' | 'objects' | 'rules';

/** What the next kernel does about it. */
export interface Reaction {
  readonly kind: ReactionKind;
  /** the kernel's name, where user space sees one */
  readonly errno: ErrnoName | null;
  readonly text: string;
  readonly foretoldBy: ForetoldBy;
}

export interface Finding {
  /** from 1, in the order of the findings; stays the same in every output of one dump */
  readonly id: number;
  /** `id` of the finding that this one is a consequence of, or null */
  readonly because: number | null;
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  /** physical address of the field or structure */
  readonly at: number | null;
  /** path of the tree node */
  readonly path: string | null;
  /** whose session or file it is in, in user space; left out where nothing tells */
  readonly owner?: Owner;
  readonly reaction: Reaction | null;
}
